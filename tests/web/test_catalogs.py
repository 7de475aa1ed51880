"""The catalogs: complete, in step with the words of the page, and compiled."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from webui.languages import TRANSLATIONS, interface_languages

ROOT = Path(__file__).resolve().parents[2]
CATALOGS = sorted(TRANSLATIONS.glob("*/LC_MESSAGES/messages.po"))
UPDATE = (
    "pybabel extract -F babel.cfg -k lazy_gettext -o messages.pot . && "
    "pybabel update -N -i messages.pot -d webui/translations"
)
COMPILE = "pybabel compile -d webui/translations"


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3])


def words_of_the_page() -> set[str | tuple[str, ...]]:
    with (ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    keywords = {"_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2)}
    found = extract_from_dir(ROOT / "webui", _under_webui(methods), _options(options), keywords)
    return {message for _, _, message, _, _ in found}


def _under_webui(methods: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(pattern.removeprefix("webui/"), method) for pattern, method in methods]


def _options(options: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    return {pattern.removeprefix("webui/"): values for pattern, values in options.items()}


def test_the_page_speaks_english_and_spanish() -> None:
    assert set(interface_languages()) >= {"en", "es"}
    assert {path.parts[-3] for path in CATALOGS} == set(interface_languages()) - {"en"}


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.parts[-3])
def test_every_word_of_the_page_is_translated_and_nothing_else(path: Path) -> None:
    catalog = {message.id for message in read(path) if message.id}
    page = words_of_the_page()
    assert len(page) > 100
    assert page - catalog == set(), f"run: {UPDATE}"
    assert catalog - page == set(), f"run: {UPDATE}"


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.parts[-3])
def test_no_translation_is_missing_fuzzy_or_wrong(path: Path) -> None:
    for message in read(path):
        if not message.id:
            continue
        words = message.string if isinstance(message.string, tuple | list) else (message.string,)
        assert all(words), message.id
        assert not message.fuzzy, message.id
        assert not list(message.check()), message.id


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.parts[-3])
def test_the_compiled_catalog_is_fresh(path: Path) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, read(path))
    assert path.with_suffix(".mo").read_bytes() == compiled.getvalue(), f"run: {COMPILE}"
