"""A question finds its article, and what the box does not know it does not answer."""

from __future__ import annotations

import pytest

from appliance.advice.finder import Finder
from appliance.advice.service import AdviceService
from appliance.advice.words import stems
from appliance.errors import ArticleNotFoundError, EmptyTextError, TextTooLongError
from benchmarks.advice import ABSTAINS, LANGUAGES, LEAST, REFUSES, Found, knowledge, questions, share, ways
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def advice() -> AdviceService:
    articles, elsewhere = knowledge()
    return AdviceService(articles, Finder(articles, elsewhere))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Found]]:
    """What each way of finding gives for each question."""
    if not list((ROOT / "models" / "starter").glob("starter-embedding/*/pack.toml")):
        pytest.skip("no embedding pack under models/starter")
    return {way: [find(each) for each in questions()] for way, find in ways(tmp_path_factory.mktemp("found")).items()}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("way", ["words", "both"])
def test_most_questions_find_their_article_among_three(found: dict[str, list[Found]], way: str, language: str) -> None:
    asked = [each for each in found[way] if each.question.language == language and each.question.articles]
    assert len(asked) >= 60
    assert share(each.right(3) for each in asked) >= LEAST[language]


@pytest.mark.parametrize(("way", "abstains"), [("words", 0.85), ("both", ABSTAINS)])
def test_what_the_knowledge_has_nothing_about_is_not_answered_and_the_rest_is(
    found: dict[str, list[Found]], way: str, abstains: float
) -> None:
    others = [each for each in found[way] if not each.question.articles]
    known = [each for each in found[way] if each.question.articles]
    assert len(others) >= 80
    assert share(not each.answered for each in others) >= abstains
    assert share(not each.answered for each in known) <= REFUSES


def test_words_and_meaning_find_more_than_either_alone(found: dict[str, list[Found]]) -> None:
    first = {way: share(each.right(1) for each in every if each.question.articles) for way, every in found.items()}
    assert first["both"] > max(first["words"], first["meaning"])


def test_the_questions_are_of_their_form() -> None:
    asked = questions()
    articles, _ = knowledge()
    assert {each.language for each in asked} == set(LANGUAGES)
    assert all(set(each.articles) <= set(articles) and len(each.articles) <= 3 for each in asked)
    assert len({(each.language, each.text) for each in asked}) == len(asked)


@pytest.mark.parametrize("language", LANGUAGES)
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
    assert advice.ask("weevils in stored maize", "pt").language == "en"


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
        ("gallinas", "gayina", "es"),
        ("huevos", "uebo", "es"),
        ("cabeza", "kavesa", "es"),
    ],
)
def test_forms_of_a_word_have_one_stem(one: str, other: str, language: str) -> None:
    assert stems(one, language) == stems(other, language)


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("fr", "les feuilles jaunissent", "la feuille est jaune"),
        ("fr", "La pompe ne donne plus d'eau", "pompe sans l’eau"),
        ("fr", "mes poules toussent", "une poule qui tousse"),
        ("sw", "majani yanakauka", "jani limekauka"),
        ("sw", "mbuzi wangu anakohoa", "mbuzi wanakohoa"),
        ("sw", "mihogo", "muhogo"),
    ],
)
def test_words_of_one_meaning_have_one_stem(language: str, one: str, other: str) -> None:
    assert set(stems(one, language)) & set(stems(other, language))
    assert stems(one, language)[0] == stems(other, language)[0]
