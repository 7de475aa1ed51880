"""What the box says of its models."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TINY
from tests.web.boxes import Phone, make_appliance
from webui.app import create_app

CARD = """# The tiny model

For tests only. It gets **names** wrong:

| said | wrote |
|---|---|
| I see Asha. | Veo agua. |

<script>alert(1)</script> [a link](http://example.org) ![a picture](http://example.org/x.png)
"""


def pack_with_card(folder: Path, card: str) -> Path:
    """A folder of packs that holds the tiny one, with `card` as its card."""
    pack = folder / "packs" / "tiny" / "0.1.0"
    pack.mkdir(parents=True)
    for path in (TINY / "pack").iterdir():
        (pack / path.name).write_bytes(path.read_bytes())
    raw = card.encode()
    (pack / "card.md").write_bytes(raw)
    manifest = (pack / "pack.toml").read_text(encoding="utf-8")
    listed = f'\n[[files]]\npath = "card.md"\nsize = {len(raw)}\nsha256 = "{hashlib.sha256(raw).hexdigest()}"\n'
    (pack / "pack.toml").write_text(f'card = "card.md"\n{manifest}{listed}', encoding="utf-8")
    return folder / "packs"


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    return pack_with_card(tmp_path, CARD)


@pytest.fixture
def phone(tmp_path: Path, packs: Path) -> Iterator[Phone]:
    box = make_appliance(tmp_path / "data", packs=str(packs))
    assert box.problems == []
    yield Phone(create_app(box))
    box.close()


def test_every_model_is_listed_with_languages_licence_and_size(phone: Phone) -> None:
    page = phone.get("/packs").text
    assert 'href="/packs/tiny"' in page
    assert "English, Spanish" in page
    assert " MB" in page
    assert 'href="/packs"' in phone.get("/about").text


def test_a_card_says_what_the_model_gets_wrong_and_can_do_nothing(phone: Phone) -> None:
    page = phone.get("/packs/tiny").text
    body = page.split('<div class="body"')[1].split("</section>")[0]
    assert "<td>Veo agua.</td>" in body
    assert "<strong>names</strong>" in body
    assert "<h1" not in body
    assert "<script" not in body
    assert "<a " not in body
    assert "<img" not in body


def test_a_card_says_what_the_model_needs_and_was_made_from(phone: Phone) -> None:
    page = phone.get("/packs/tiny").text
    for words in ("Licence", "Memory at work", "On the disk", "Made from"):
        assert words in page


def test_a_card_is_offered_to_be_translated_to_whoever_does_not_read_english(phone: Phone) -> None:
    phone.language = "es"
    page = phone.get("/packs/tiny").text
    assert "La ficha está en inglés." in page
    assert '<input type="hidden" name="to" value="es">' in page


def test_a_card_that_is_gone_leaves_the_rest_of_the_page(phone: Phone, packs: Path) -> None:
    (packs / "tiny" / "0.1.0" / "card.md").unlink()
    page = phone.get("/packs/tiny")
    assert page.status_code == 200
    assert "Its card" not in page.text


@pytest.mark.parametrize("name", ["nothing", "..", "%2e%2e", "Tiny", "tiny%00", "-"])
def test_a_pack_that_is_not_there_is_not_found(phone: Phone, name: str) -> None:
    assert phone.get(f"/packs/{name}").status_code == 404


def test_figures_are_told_in_words(tmp_path: Path) -> None:
    box = make_appliance(tmp_path)
    page = Phone(create_app(box)).get("/packs/starter-en-es").text
    assert "English → Spanish, everyday sentences (Tatoeba)" in page
    assert "chrF2 says how far the letters" in page
    page = Phone(create_app(box)).get("/packs/starter-embedding").text
    assert re.search(
        r"<th scope=\"row\">Spanish, everyday sentences .*</th><td>cosine to the teacher</td><td>0\.\d\d</td>", page
    )
    assert "chrF2" not in page
    box.close()
