"""Which article is the best, and when none is: confidence, and the topics that no article is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.advice.confidence import THRESHOLD, WITH_MEANING, WORDS_ONLY, Evidence
from appliance.advice.elsewhere import FILE, PREFIX, read_elsewhere
from appliance.advice.finder import Finder, decide
from appliance.errors import KnowledgeError
from appliance.limits import Limits
from benchmarks.advice import LANGUAGES, knowledge

TOPIC = """[[topic]]
id = "prices"
en = ["prices", "how much does it cost"]
sw = ["bei", "bei gani"]
"""


@pytest.mark.parametrize("weights", [WITH_MEANING, WORDS_ONLY], ids=["with meaning", "words only"])
def test_the_more_speaks_for_an_article_the_surer_it_is(weights) -> None:  # type: ignore[no-untyped-def]
    nothing, some = weights.confidence(Evidence()), weights.confidence(Evidence(0.5, 15, 0.4, 5))
    much = weights.confidence(Evidence(1.0, 40, 0.8, 12))
    assert 0 <= nothing < some < much <= 1
    assert nothing < THRESHOLD < much


def test_a_topic_from_elsewhere_that_fits_better_than_any_article_means_that_nothing_is_known() -> None:
    sure = {"maize": 0.9, PREFIX + "prices": 0.95, "beans": 0.7}
    found = decide(sure.items(), 5)
    assert (found.articles, found.known) == ((("maize", 0.9), ("beans", 0.7)), False)
    assert decide({**sure, "maize": 0.96}.items(), 5).known


def test_what_is_not_sure_enough_is_not_known() -> None:
    assert not decide([("maize", THRESHOLD - 0.01)], 5).known
    assert decide([("maize", THRESHOLD)], 5).known
    assert not decide([], 5).known
    assert len(decide([(f"{number}", 0.9) for number in range(9)], 5).articles) == 5


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("how much does a bag of maize cost today", "en"),
        ("who invented the bicycle", "en"),
        ("cuánto vale el quintal de frijol", "es"),
        ("on m'a volé ma moto", "fr"),
        ("mahindi gunia ni shilingi ngapi leo sokoni", "sw"),
    ],
)
def test_words_of_an_article_are_not_enough_where_something_else_is_asked(question: str, language: str) -> None:
    articles, elsewhere = knowledge()
    assert not Finder(articles, elsewhere).find(question, language).known


def test_the_topics_of_the_starter_knowledge_are_in_every_language() -> None:
    _, topics = knowledge()
    assert len(topics) >= 20
    for topic in topics.values():
        assert set(topic.faces) == set(LANGUAGES), topic.id
        assert all(len(face.aliases) >= 3 for face in topic.faces.values()), topic.id


def test_topics_are_read(tmp_path: Path) -> None:
    assert read_elsewhere(tmp_path) == {}
    (tmp_path / FILE).write_text(TOPIC)
    (topic,) = read_elsewhere(tmp_path).values()
    assert (topic.id, topic.face("sw").aliases) == (PREFIX + "prices", ("bei gani",))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[[topic]]", "[[subject]]"),
        ('id = "prices"', ""),
        ('en = ["prices", "how much does it cost"]', ""),
        ('sw = ["bei", "bei gani"]', 'sw = "bei"'),
        ('sw = ["bei", "bei gani"]', "sw = []"),
        ('sw = ["bei", "bei gani"]', "sw = [1]"),
        ("[[topic]]", "[[topic"),
    ],
)
def test_topics_that_are_wrong_are_told(tmp_path: Path, old: str, new: str) -> None:
    assert old in TOPIC
    (tmp_path / FILE).write_text(TOPIC.replace(old, new))
    with pytest.raises(KnowledgeError, match=FILE):
        read_elsewhere(tmp_path)


def test_topics_that_are_too_large_or_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(TOPIC.encode() + b"\xff")
    with pytest.raises(KnowledgeError):
        read_elsewhere(tmp_path)
    (tmp_path / FILE).write_text(TOPIC)
    with pytest.raises(KnowledgeError, match="larger"):
        read_elsewhere(tmp_path, Limits(article_bytes=10))


@pytest.mark.parametrize(
    ("name", "language"), [("compost", "en"), ("cogollero", "es"), ("striga", "fr"), ("mdondo", "sw")]
)
def test_whoever_asks_by_name_is_answered(name: str, language: str) -> None:
    articles, elsewhere = knowledge()
    found = Finder(articles, elsewhere).find(name, language)
    assert found.known
    assert found.articles[0][1] >= THRESHOLD
