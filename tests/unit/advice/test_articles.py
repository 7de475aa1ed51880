"""The starter knowledge keeps to its form, and a wrong article is said by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from appliance.advice.articles import COSTS, EFFORTS, Article, Face, read_article, read_articles
from appliance.errors import KnowledgeError
from appliance.limits import Limits
from tests.knowledge_table import PAGE, page

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
    assert len(ARTICLES) >= 200
    assert len({crop for each in ARTICLES.values() for crop in each.crops}) >= 25
    assert sum(each.kind == "repair" for each in ARTICLES.values()) >= 35


def words_of(article: Article) -> int:
    """Of all that the article says in English."""
    face = article.face("en")
    lists = (*face.signs, *face.first_steps, *article.look_alikes, *article.prevention)
    return len(" ".join((face.title, *lists, face.danger, face.get_help, article.body)).split())


def figures(face: Face) -> list[str]:
    """The numbers in what a reader acts on, in order of size as text."""
    text = " ".join((*face.signs, *face.first_steps, face.danger)).replace(",", ".")
    return sorted(re.findall(r"\d+(?:\.\d+)?", text))


@pytest.mark.parametrize("article", ARTICLES.values(), ids=lambda each: each.id)
def test_an_article_is_complete(article: Article) -> None:
    assert article.subject in SUBJECTS
    assert re.fullmatch(r"[a-z0-9-]+", article.id)
    assert article.crops or article.devices or article.kind in ("practice", "safety")
    assert article.season
    assert 250 <= words_of(article) <= 700
    assert len(article.body.split()) >= 110
    assert article.climate
    assert article.cost in COSTS
    assert article.effort in EFFORTS
    assert article.look_alikes or article.kind in ("practice", "safety")
    assert 2 <= len(article.prevention) <= 6
    assert 3 <= len(article.face("en").first_steps) <= 6
    assert all(1900 < source.year < 2027 and source.publisher and source.title for source in article.sources)
    assert "http" not in article.body


@pytest.mark.parametrize("language", ["es", "fr", "sw"])
@pytest.mark.parametrize("article", ARTICLES.values(), ids=lambda each: each.id)
def test_an_article_says_the_same_in_other_languages(article: Article, language: str) -> None:
    english, other = article.faces["en"], article.faces[language]
    assert len(english.signs) == len(other.signs)
    assert len(english.first_steps) == len(other.first_steps)
    assert bool(english.danger) == bool(other.danger)
    assert bool(english.get_help) == bool(other.get_help)
    assert english.title != other.title
    assert len(other.aliases) >= 3
    assert figures(english) == figures(other)


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
        ('season = "any time"', 'season = "any time"\ncost = "a lot"'),
        ('season = "any time"', 'season = "any time"\neffort = "ages"'),
        ('season = "any time"', 'season = "any time"\nclimate = ["cold"]'),
        ('season = "any time"', 'season = "any time"\nprevention = "oil it"'),
    ],
)
def test_a_wrong_article_is_refused_by_name(write, old: str, new: str) -> None:  # type: ignore[no-untyped-def]
    assert old in SOUND
    with pytest.raises(KnowledgeError, match="The article a is wrong"):
        read_article(write(SOUND.replace(old, new, 1)))


def test_what_else_looks_like_it_and_prevention_are_parts_of_the_text(write) -> None:  # type: ignore[no-untyped-def]
    assert read_article(write(SOUND)).text == "## What it is\nA thing."
    lists = 'season = "any time"\nlook_alikes = ["Rust."]\nprevention = ["Oil it.", "Keep it dry."]'
    article = read_article(write(SOUND.replace('season = "any time"', lists)))
    assert article.text.endswith(
        "A thing.\n\n## What else looks like this\n- Rust.\n\n## How to prevent it\n- Oil it.\n- Keep it dry."
    )


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


def test_the_table_in_the_documents_lists_them_all() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
