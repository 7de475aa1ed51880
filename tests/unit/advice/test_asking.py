"""The question back asks for what a question lacks, and is left where nothing is near."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.advice.asking import CHOICES, LIKELY, ask_back, read_things
from appliance.advice.confidence import THRESHOLD
from appliance.advice.service import Answer
from appliance.errors import KnowledgeError
from appliance.limits import Limits
from benchmarks.advice import KNOWLEDGE, LANGUAGES, knowledge
from tests.unit.advice.grounds import passage

THINGS = read_things(KNOWLEDGE)
WORM, WATER, BATTERY = "maize-fall-armyworm", "hand-pump-no-water", "battery-swollen-lithium"


def abstained(question: str, language: str, *near: str, score: float = 0.3) -> Answer:
    return Answer(question, language, (), tuple(replace(passage(each, language), score=score) for each in near))


def test_every_crop_and_device_of_an_article_has_a_name_in_every_language() -> None:
    used = {each for article in knowledge()[0].values() for each in (*article.crops, *article.devices)}
    told = [each for thing in THINGS for each in thing.of]
    assert sorted(told) == sorted(used)
    assert all(set(thing.names) == set(LANGUAGES) for thing in THINGS)


@pytest.mark.parametrize(
    ("language", "question", "first"),
    [
        ("en", "it does not work any more", "maize"),
        ("es", "ya no sirve", "maíz"),
        ("fr", "ça ne marche plus", "maïs"),
        ("sw", "haifanyi kazi tena", "mahindi"),
    ],
)
def test_a_question_without_a_thing_is_asked_which(language: str, question: str, first: str) -> None:
    back = ask_back(abstained(question, language, WORM, WATER), THINGS)
    assert back is not None
    assert back.about == "thing"
    assert (back.choices[0].text, back.choices[0].question) == (first, f"{question}, {first}")
    assert len(back.choices) == 2


@pytest.mark.parametrize(
    ("language", "question"),
    [
        ("en", "my corn is not well"),
        ("es", "mi milpa está mal"),
        ("fr", "mon maïs va mal"),
        ("sw", "mahindi yangu ni mabaya"),
    ],
)
def test_a_question_with_a_thing_is_asked_what_is_seen_of_it(language: str, question: str) -> None:
    back = ask_back(abstained(question, language, WATER, WORM), THINGS)
    assert back is not None
    assert back.about == "sign"
    assert [each.text for each in back.choices] == list(passage(WORM, language).face.signs[:2])


def test_there_are_few_choices_and_each_once() -> None:
    back = ask_back(abstained("it is bad", "en", BATTERY, BATTERY, WORM, WATER), THINGS)
    assert back is not None
    texts = [each.text for each in back.choices]
    assert len(texts) == len(set(texts)) <= CHOICES


def test_nothing_is_asked_where_it_would_not_help() -> None:
    near = abstained("it is bad", "en", WORM)
    assert ask_back(near, THINGS) is not None
    assert ask_back(abstained("it is bad", "en"), THINGS) is None
    assert ask_back(abstained("who won the match", "en", WORM, score=LIKELY / 2), THINGS) is None
    assert ask_back(abstained("the price of seed", "en", WORM, score=THRESHOLD), THINGS) is None
    assert ask_back(abstained("x" * 498, "en", WORM), THINGS) is None
    assert ask_back(replace(near, passages=near.nearest), THINGS) is None
    assert ask_back(near, ()) is None


@pytest.mark.parametrize(
    "text",
    ["[[thing]]\nen = ['a']", "[[thing]]\nof = 'a'\nen = ['a']", "[[thing]]\nof = ['a']\nen = []", "thing =", ""],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "things.toml").write_text(text)
    with pytest.raises(KnowledgeError):
        read_things(tmp_path)


def test_without_a_file_there_are_none_and_a_large_one_is_refused(tmp_path: Path) -> None:
    assert read_things(tmp_path) == ()
    (tmp_path / "things.toml").write_text("thing = []")
    with pytest.raises(KnowledgeError, match="larger"):
        read_things(tmp_path, Limits(article_bytes=2))
