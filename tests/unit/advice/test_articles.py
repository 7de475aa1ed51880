"""The starter knowledge keeps to its form, and a wrong article is said by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from appliance.advice.articles import Article, read_article, read_articles
from appliance.errors import KnowledgeError
from appliance.limits import Limits

ROOT = Path(__file__).resolve().parents[3]
ARTICLES = read_articles(ROOT / "knowledge")
SUBJECTS = {"crops", "livestock", "water", "storage", "repair", "energy", "health-and-safety"}
RISKY = re.compile(r"battery|mains|petrol|generator|pesticide|roof|well|acid|lime", re.IGNORECASE)

SOUND = """+++
title = "A"
kind = "repair"
crops = []
devices = ["pump"]
aliases = []
signs = ["it squeaks"]
first_steps = ["oil it"]
danger = ""
get_help = "ask"
season = "any time"
[[sources]]
publisher = "P"
title = "T"
year = 2000
checked = "text"
+++
## What it is
A thing.
"""


@pytest.fixture
def write(tmp_path: Path):  # type: ignore[no-untyped-def]
    def write(text: str | bytes, name: str = "a.md") -> Path:
        path = tmp_path / "repair" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_there_are_enough_articles_for_a_start() -> None:
    assert len(ARTICLES) >= 30
    assert sum(bool(each.crops) for each in ARTICLES.values()) >= 10
    assert sum(each.kind == "repair" for each in ARTICLES.values()) >= 10


@pytest.mark.parametrize("article", ARTICLES.values(), ids=lambda each: each.id)
def test_an_article_is_complete(article: Article) -> None:
    assert article.subject in SUBJECTS
    assert re.fullmatch(r"[a-z0-9-]+", article.id)
    assert article.crops or article.devices or article.kind in ("practice", "safety")
    assert article.season
    assert 150 <= len(article.body.split()) <= 500
    assert all(1900 < source.year < 2027 and source.publisher and source.title for source in article.sources)
    assert "http" not in article.body


@pytest.mark.parametrize("article", ARTICLES.values(), ids=lambda each: each.id)
def test_an_article_says_the_same_in_spanish(article: Article) -> None:
    english, spanish = article.faces["en"], article.faces["es"]
    assert len(english.signs) == len(spanish.signs)
    assert len(english.first_steps) == len(spanish.first_steps)
    assert bool(english.danger) == bool(spanish.danger)
    assert english.title != spanish.title


@pytest.mark.parametrize("article", ARTICLES.values(), ids=lambda each: each.id)
def test_what_can_hurt_says_so_and_says_whom_to_ask(article: Article) -> None:
    if RISKY.search(" ".join((*article.devices, article.face("en").title))):
        assert article.face("en").danger
        assert article.face("en").get_help


def test_no_article_names_a_dose_of_a_pesticide() -> None:
    dose = re.compile(r"\d+ ?(ml|g|grams|cc) (per|a|of) .{0,30}(spray|insecticide|fungicide|herbicide)", re.IGNORECASE)
    assert not [each.id for each in ARTICLES.values() if dose.search(each.body)]


def test_a_sound_article_is_read(write) -> None:  # type: ignore[no-untyped-def]
    article = read_article(write(SOUND))
    assert (article.id, article.subject, article.face("es").title) == ("a", "repair", "A")
    assert article.language_of_face("es") == "en"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("+++\n", ""),
        ('kind = "repair"', 'kind = "magic"'),
        ('title = "A"', ""),
        ('signs = ["it squeaks"]', "signs = []"),
        ('signs = ["it squeaks"]', 'signs = "it squeaks"'),
        ("year = 2000", 'year = "long ago"'),
        ("[[sources]]", "[sources]"),
        ("## What it is\nA thing.\n", ""),
        ('title = "A"', "title = "),
        ('checked = "text"', 'checked = "guessed"'),
    ],
)
def test_a_wrong_article_is_refused_by_name(write, old: str, new: str) -> None:  # type: ignore[no-untyped-def]
    assert old in SOUND
    with pytest.raises(KnowledgeError, match="The article a is wrong"):
        read_article(write(SOUND.replace(old, new, 1)))


def test_what_is_not_utf8_or_too_large_is_refused(write) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(KnowledgeError):
        read_article(write(SOUND.encode() + b"\xff"))
    with pytest.raises(KnowledgeError, match="larger"):
        read_article(write(SOUND), Limits(article_bytes=10))


def test_two_articles_of_one_name_are_refused(tmp_path: Path) -> None:
    for subject in ("repair", "water"):
        (tmp_path / subject).mkdir()
        (tmp_path / subject / "a.md").write_text(SOUND)
    with pytest.raises(KnowledgeError, match="two articles"):
        read_articles(tmp_path)


def test_a_wrong_article_is_left_out_and_told_and_the_others_stay(write, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write(SOUND)
    write(SOUND.replace("year = 2000", "year = x"), "b.md")
    told: list[KnowledgeError] = []
    assert list(read_articles(tmp_path, on_error=told.append)) == ["a"]
    assert [error.fields["article"] for error in told] == ["b"]
