"""Extracts, and short answers of which only what the passages say is shown."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from appliance.advice.answers import AnswerService, Sieve, Written, extract, write
from appliance.advice.articles import ByVillage, Face
from appliance.advice.finder import Finder
from appliance.advice.prompt import WORDS, Words, messages
from appliance.advice.service import AdviceService, Answer, Passage
from appliance.app import Appliance
from appliance.config import Config
from appliance.errors import CancelledError, NoModelError
from appliance.inference.chat import Message
from appliance.inference.engines import Engines, Openers
from appliance.inference.generator import Generated, TextGenerator
from appliance.inference.job import State
from appliance.inference.queue import JobQueue
from appliance.limits import LIMITS
from appliance.packs.store import verify
from benchmarks.advice import LANGUAGES, knowledge, questions
from benchmarks.answers import READING, lied_to
from tests.unit.advice.grounds import grounds, passage

WORM, WATER, BATTERY = "maize-fall-armyworm", "water-make-safe", "battery-swollen-lithium"
TINY = Path(__file__).resolve().parents[2] / "data" / "tiny-llm" / "pack"
SAMPLE = 10  # every so many-th question: a minute's work for all, which benchmarks/answers.py does


def answer(*articles: str, language: str = "en", question: str = "worms in my maize") -> Answer:
    return Answer(question, language, tuple(passage(each, language) for each in articles))


@dataclass
class Script:
    """A generator that writes what it is told, and keeps what it was asked."""

    text: str
    reason: str = "end"
    context: int = 100_000
    asked: list[Sequence[Message]] = field(default_factory=list)

    def encode(self, messages: Sequence[Message]) -> list[int]:
        return [0] * sum(len(each.text.split()) for each in messages)

    def generate(
        self,
        messages: Sequence[Message],
        *,
        most_tokens: int,
        cancelled: Callable[[], bool],
        on_text: Callable[[str], None],
    ) -> Generated:
        self.asked.append(messages)
        for character in self.text:
            if cancelled():
                raise CancelledError
            on_text(character)
        return Generated(self.text, (), self.reason)  # type: ignore[arg-type]


# The extract


def test_an_extract_has_danger_name_signs_steps_and_help() -> None:
    found = extract(passage(BATTERY, "es"), "mi celular está inflado", "es")
    face = found.passage.face
    assert (found.danger, found.title, found.get_help) == (face.danger, face.title, face.get_help)
    assert found.first_steps == face.first_steps
    assert found.passage.article.id == BATTERY


def test_an_extract_shows_the_signs_that_are_most_like_the_question_in_their_order() -> None:
    face = passage(WORM, "en").face
    found = extract(passage(WORM, "en"), "tiny eggs and a caterpillar with a pale Y on the head, wet droppings", "en")
    assert found.signs == face.signs[2:]
    assert extract(passage(WORM, "en"), "?", "en").signs == face.signs[:3]


@pytest.mark.parametrize(("article", "probable"), [(WORM, True), (WATER, False)])
def test_what_is_done_is_not_said_to_be_probable(article: str, probable: bool) -> None:
    assert extract(passage(article, "en"), "?", "en").whether_it_is is probable


# The written answer


def test_what_no_passage_says_is_left_out_and_the_rest_is_told_as_it_comes() -> None:
    told: list[str] = []
    text = (
        "Sure! Crush the egg clusters and the small caterpillars between your fingers. Spray 5 ml of Karate.\n"
        "1. Throw ash against the wind. - Ash hurts the eyes\nAsh hurts the eyes."
    )
    written = write(Script(text), answer(WORM), READING, tell=lambda each: told.append(each.text))
    shown = ["Crush the egg clusters and the small caterpillars between your fingers.", "Ash hurts the eyes."]
    assert [each.text for each in written.sentences] == told == shown
    assert [written.number(each) for each in written.sentences] == [1, 1]


def test_a_sentence_is_told_as_soon_as_it_is_whole() -> None:
    told: list[str] = []
    sieve = Sieve(grounds("en", WORM), READING, 6, lambda each: told.append(each.text))
    sieve.add("Ash hurts the")
    sieve.add(" eyes. ")
    assert told == []  # “eyes. of” would go on
    sieve.add("And")
    assert told == ["Ash hurts the eyes."]


def test_a_long_sentence_is_not_judged_by_its_parts() -> None:
    long = "Do not worry at all, " + "my friend, " * 30 + "ash hurts the eyes."
    assert write(Script(long), answer(WORM), READING).sentences == ()


@pytest.mark.parametrize(("reason", "shown"), [("end", 1), ("length", 0), ("loop", 0)])
def test_the_last_sentence_is_dropped_if_it_was_broken_off(reason: str, shown: int) -> None:
    assert len(write(Script("Ash hurts the eyes", reason), answer(WORM), READING).sentences) == shown


def test_no_more_sentences_are_shown_than_the_limit() -> None:
    lines = " ".join(passage(WORM, "en").face.first_steps)
    few = replace(LIMITS, written_sentences=2)
    assert len(write(Script(lines), answer(WORM), READING, few).sentences) == 2


def test_each_sentence_is_tied_to_its_passage() -> None:
    text = "Ash hurts the eyes. Take water from the cleanest place you have."
    written = write(Script(text), answer(WORM, WATER), READING)
    assert [written.number(each) for each in written.sentences] == [1, 2]


def test_a_stopped_answer_is_stopped() -> None:
    with pytest.raises(CancelledError):
        write(Script("Ash hurts the eyes."), answer(WORM), READING, cancelled=lambda: True)


def test_the_prompt_shrinks_until_it_fits() -> None:
    asked = answer(WORM, WATER)
    lengths = [sum(len(each.text) for each in prompt) for prompt in messages(asked, asked.passages)]
    assert (lengths[0], lengths[-1]) == (max(lengths), min(lengths))
    assert len(set(lengths)) == 6
    wide, narrow = Script(""), Script("", context=LIMITS.written_tokens + 150)
    for script in (wide, narrow):
        write(script, asked, READING)
    first, second = (script.asked[0][1].text for script in (wide, narrow))
    assert "Making drinking water safe" in first
    assert "Making drinking water safe" not in second
    assert second.endswith("Question: worms in my maize")
    assert all(step in second for step in asked.passages[0].face.first_steps)


def test_a_model_with_no_room_writes_nothing() -> None:
    script = Script("Ash hurts the eyes.", context=LIMITS.written_tokens + 5)
    assert write(script, answer(WORM), READING).sentences == ()
    assert script.asked == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_task_is_in_the_language_of_the_answer(language: str) -> None:
    asked = answer(WORM, language=language)
    tasks = {next(messages(replace(asked, language=each), asked.passages))[0].text for each in LANGUAGES}
    assert len(tasks) == len(LANGUAGES)
    assert passage(WORM, language).face.danger in next(messages(asked, asked.passages))[1].text


# A generator that lies


@pytest.fixture(scope="module")
def advice() -> AdviceService:
    articles, elsewhere = knowledge()
    return AdviceService(articles, Finder(articles, elsewhere))


def test_no_answer_says_more_than_its_passages_however_the_model_lies(advice: AdviceService) -> None:
    asked = list(islice((each for each in questions() if each.articles), 0, None, SAMPLE))
    told = lied_to(advice.ask(each.text, each.language) for each in asked)
    for language, tally in told.items():
        assert tally.answers >= 8, language
        assert tally.beyond == []
        assert 0.05 < tally.shown / tally.lines < 0.3  # a quarter of the lines, about, are as they stand in a passage


# In the queue, with a real engine


WROTE: list[Generated] = []


class Noted(TextGenerator):
    """The engine itself; what it writes is noted."""

    def generate(self, *args: Any, **how: Any) -> Generated:
        WROTE.append(super().generate(*args, **how))
        return WROTE[-1]


@pytest.fixture
def service() -> Iterator[tuple[AnswerService, JobQueue]]:
    pack, queue = verify(TINY), JobQueue()
    engines = Engines(1024**3, 1, openers=Openers(generation=Noted))
    limits = replace(LIMITS, written_tokens=24)
    yield (
        AnswerService(lambda tag: pack if tag in pack.manifest.languages else None, engines, queue, READING, limits),
        queue,
    )
    engines.close()


def test_a_model_of_random_weights_says_nothing_and_the_job_is_done(
    service: tuple[AnswerService, JobQueue], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, queue = service
    WROTE.clear()
    monkeypatch.setitem(WORDS, "en", Words("Copy.", "D", "H", "Q"))  # the tiny model has 256 tokens, of a letter each
    face = Face("Water", (), ("mud",), ("Boil it.",), "", "")
    short = replace(passage(WORM, "en").article, faces={"en": face})
    job = answers.submit("a", Answer("Mud?", "en", (Passage(short, face, 0.9),)))
    assert (job.kind, job.background, job.held_for) == ("answer", True, "")
    assert json.loads(json.dumps(job.request)) == {"question": "Mud?", "language": "en"}
    while queue.run_next():
        pass
    assert job.state is State.DONE
    assert isinstance(job.result, Written)
    assert len(WROTE[0].tokens) == 24
    assert WROTE[0].text.strip()
    assert job.result.sentences == ()
    assert [each.article.id for each in job.result.passages] == [WORM]


def test_a_box_with_a_pack_that_writes_offers_it_in_the_languages_of_the_pack(settings: Config, tmp_path: Path) -> None:
    shutil.copytree(TINY, tmp_path / "packs" / "tiny-llm" / "0.1.0")
    box = Appliance(replace(settings, packs=tmp_path / "packs"))
    try:
        assert box.answers.can_write(box.ask("weevils in my stored maize", "en"))
        assert not box.answers.can_write(box.ask("gorgojos en mi maíz guardado", "es"))
        job = box.submit_answer("a", "weevils in my stored maize", "en")
        assert box.queue.run_next()
        assert isinstance(job.result, Written)
        assert job.result.passages[0].article.id == "grain-weevils"
        with pytest.raises(NoModelError):
            box.submit_answer("a", "who won the football match yesterday", "en")
    finally:
        box.close()


def test_only_what_a_pack_can_write_from_is_taken(service: tuple[AnswerService, JobQueue]) -> None:
    answers, _ = service
    of_village = passage(WORM, "en")
    article = replace(of_village.article, by=ByVillage("Kibaoni", "Asha", "2026-11-23", ""))
    for refused in (
        answer(WORM, language="es"),
        answer(),
        Answer("?", "en", (replace(of_village, article=article),)),
    ):
        assert not answers.can_write(refused)
        with pytest.raises(NoModelError):
            answers.submit("a", refused)
    assert answers.can_write(answer(WORM))
