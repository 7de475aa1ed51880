"""A question finds its article, and what the box does not know it does not answer."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from appliance.advice.articles import read_articles
from appliance.advice.service import AdviceService
from appliance.advice.words import stems
from appliance.errors import ArticleNotFoundError, EmptyTextError, TextTooLongError

ROOT = Path(__file__).resolve().parents[3]
QUESTIONS = ROOT / "tests" / "data" / "questions"


@pytest.fixture(scope="module")
def advice() -> AdviceService:
    return AdviceService(read_articles(ROOT / "knowledge"))


def questions(language: str) -> list[tuple[str, str]]:
    files = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(QUESTIONS.glob("*.toml"))]
    return [
        (row["text"], row["article"])
        for file in files
        for row in file.get("question", [])
        if row["language"] == language
    ]


@pytest.mark.parametrize(("language", "least"), [("en", 0.85), ("es", 0.9)])
def test_most_questions_find_their_article_among_three(advice: AdviceService, language: str, least: float) -> None:
    asked = questions(language)
    found = [
        article in [each.article.id for each in advice.ask(text, language).passages[:3]] for text, article in asked
    ]
    assert len(asked) >= 30
    assert sum(found) / len(found) >= least


@pytest.mark.parametrize(("language", "least"), [("en", 0.85), ("es", 0.75)])
def test_most_questions_about_something_else_are_not_answered(
    advice: AdviceService, language: str, least: float
) -> None:
    others = tomllib.loads((QUESTIONS / "unanswerable.toml").read_text(encoding="utf-8"))[language]
    assert sum(advice.ask(text, language).abstained for text in others) / len(others) >= least


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_article_is_found_by_its_own_title(advice: AdviceService, language: str) -> None:
    for articles in advice.subjects().values():
        for article in articles:
            passages = advice.ask(article.face(language).title, language).passages
            assert article.id in [each.article.id for each in passages[:2]], article.id


def test_a_passage_carries_its_sources_and_the_text_that_fits(advice: AdviceService) -> None:
    passage = advice.ask("How do I prevent weevils in stored maize?", "en").passages[0]
    assert passage.article.sources
    assert passage.heading and passage.text
    assert 0 < passage.score <= 1


def test_spanish_is_answered_in_spanish(advice: AdviceService) -> None:
    passage = advice.ask("gorgojos en el maíz guardado", "es").passages[0]
    assert passage.face is passage.article.faces["es"]


def test_accents_and_capitals_do_not_matter(advice: AdviceService) -> None:
    one, other = (advice.ask(text, "es").passages for text in ("ROYA DEL CAFE", "roya del café"))
    assert [each.article.id for each in one] == [each.article.id for each in other]
    assert one


def test_a_language_without_knowledge_is_asked_in_english(advice: AdviceService) -> None:
    assert advice.ask("weevils in stored maize", "sw").language == "en"


def test_an_abstention_names_the_nearest_topics_only(advice: AdviceService) -> None:
    answer = advice.ask("my neighbour took maize from my field, what does the law say", "en")
    assert answer.abstained == (not answer.passages)
    assert len(answer.nearest) <= 3


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_no_question_is_said(advice: AdviceService, text: str) -> None:
    with pytest.raises(EmptyTextError):
        advice.ask(text, "en")


def test_a_very_long_question_is_refused(advice: AdviceService) -> None:
    with pytest.raises(TextTooLongError):
        advice.ask("maize " * 100, "en")


@pytest.mark.parametrize(
    "text", ['" OR 1=1 --', "NEAR(", "maize AND NOT", "*", "title:maize", "😀", "the and of", "-- ;"]
)
def test_no_text_breaks_the_search(advice: AdviceService, text: str) -> None:
    assert advice.ask(text, "en") is not None


def test_an_unknown_article_is_said(advice: AdviceService) -> None:
    with pytest.raises(ArticleNotFoundError):
        advice.article("../../etc/passwd")


def test_a_box_without_knowledge_abstains() -> None:
    assert AdviceService({}).ask("maize", "en").abstained


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("weevils", "weevil", "en"),
        ("drying", "dried", "en"),
        ("leaves", "leaf", "en"),
        ("batteries", "battery", "en"),
        ("hojas", "hoja", "es"),
        ("gorgojos", "gorgojo", "es"),
        ("secado", "secar", "es"),
        ("baterías", "bateria", "es"),
    ],
)
def test_forms_of_a_word_have_one_stem(one: str, other: str, language: str) -> None:
    assert stems(one, language) == stems(other, language)
