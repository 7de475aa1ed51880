"""A short answer on the page: the extract at once, the model's words after it, danger before both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from appliance.advice.answers import AnswerService
from appliance.advice.finder import Finder, Found
from appliance.advice.service import AdviceService
from appliance.inference.chat import Message
from appliance.inference.engines import Engines, Openers
from appliance.inference.generator import Generated
from appliance.packs.store import verify
from benchmarks.advice import knowledge
from benchmarks.answers import READING
from tests.web.boxes import Box

TINY = Path(__file__).resolve().parents[1] / "data" / "tiny-llm" / "pack"
BATTERY = "battery-swollen-lithium"
WORM = "maize-fall-armyworm"
ASK = "/ask?q=my+phone+is+swollen"


class These(Finder):
    """Finds the articles of its test, or that none answers."""

    known = True
    names: tuple[str, ...] = (BATTERY, WORM)

    def find(self, question: str, language: str) -> Found:
        return Found(tuple((name, 0.9 if self.known else 0.3) for name in self.names), known=self.known)


@dataclass
class Script:
    """A generator that writes `text`, or raises what it is told."""

    text: str = "Throw batteries into the fire. Give 20 ml. Never throw batteries into the fire."
    context: int = 100_000
    seen: list[Sequence[Message]] = field(default_factory=list)

    def encode(self, messages: Sequence[Message]) -> list[int]:
        return [0]

    def generate(
        self, messages: Sequence[Message], *, most_tokens: int, cancelled: Any, on_text: Callable[[str], None]
    ) -> Generated:
        self.seen.append(messages)
        on_text(self.text)
        return Generated(self.text, (), "end")


@dataclass
class Writer:
    box: Box
    script: Script
    finder: These

    def ask(self, language: str = "en") -> str:
        return self.box.phone(language).get(ASK).text

    def submit(self, language: str = "en") -> str:
        """The page of the job."""
        response = self.box.phone(language).post("/ask/write", {"q": "my phone is swollen"})
        assert response.status_code == 303
        return str(response.location)


@pytest.fixture
def writer(box: Box) -> Iterator[Writer]:
    """A box whose model follows a script; its worker stands still."""
    pack, script = verify(TINY), Script()
    articles = {name: knowledge()[0][name] for name in (BATTERY, WORM)}
    finder = These(articles)
    engines = Engines(1024**3, 1, openers=Openers(generation=lambda *_: script))  # type: ignore[arg-type, return-value]
    appliance = box.appliance
    appliance.knowing.advice = AdviceService(articles, finder)

    def find(language: str) -> Any:
        return pack if language == "en" else None

    appliance.answers = AnswerService(find, engines, appliance.queue, READING, appliance.limits)
    yield Writer(box, script, finder)
    engines.close()


def test_an_answer_is_offered_where_a_model_knows_the_language(writer: Writer) -> None:
    page = writer.ask()
    assert 'action="/ask/write"' in page
    assert "Write me a short answer" in page
    assert page.index('class="danger"') < page.index('class="steps"') < page.index("/ask/write")
    assert 'action="/ask/write"' not in writer.ask("es")


def test_without_a_model_the_extract_is_the_answer(box: Box) -> None:
    phone = box.phone()
    assert 'action="/ask/write"' not in phone.get(ASK).text
    back = phone.post("/ask/write", {"q": "weevils in maize"})
    assert (back.status_code, back.location) == (303, "/ask?q=weevils+in+maize")


def test_what_no_passage_says_is_never_shown_and_the_extract_stays(writer: Writer) -> None:
    url = writer.submit()
    waiting = writer.box.phone().get(url).text
    assert "Writing a short answer" in waiting
    assert waiting.index('class="danger"') < waiting.index('sse-swap="text"') < waiting.index('class="steps"')
    assert 'http-equiv="refresh"' in waiting
    assert writer.box.appliance.queue.run_next()
    page = writer.box.phone().get(url).text
    assert "Your answer" in page
    written = page.split('class="text result written"')[1].split("</div>")[0]
    assert written.count("<p>") == 1
    assert f'Never throw batteries into the fire. <a href="/articles/{BATTERY}"' in written
    assert ">[1]</a>" in written
    assert "20 ml" not in page
    assert page.index('class="danger"') < page.index("Never throw batteries into the fire. <a")
    assert 'class="steps"' in page


def test_sentences_come_as_events_as_they_are_ready(writer: Writer) -> None:
    url = writer.submit()
    writer.box.appliance.queue.run_next()
    events = writer.box.phone().get(f"{url}/events").text
    assert "event: text\ndata: <span>Never throw batteries into the fire. </span>" in events
    assert events.count("event: text") == 1
    assert "event: done" in events


def test_where_nothing_remains_the_extract_is_the_answer_without_an_apology(writer: Writer) -> None:
    writer.script.text = "Sure, I can help! Give it 20 ml of Karate."
    url = writer.submit()
    writer.box.appliance.queue.run_next()
    page = writer.box.phone().get(url).text
    assert "Your answer" in page
    assert "A model wrote this" not in page
    assert "Karate" not in page
    assert 'class="steps"' in page


def test_a_stopped_answer_can_be_asked_again_and_the_extract_stays(writer: Writer) -> None:
    url = writer.submit()
    writer.box.phone().post(f"{url}/cancel")
    page = writer.box.phone().get(url).text
    assert "Stopped" in page
    assert 'action="/ask/write"' in page
    assert 'name="q" value="my phone is swollen"' in page
    assert 'class="steps"' in page


def test_an_empty_question_is_said(writer: Writer) -> None:
    response = writer.box.phone().post("/ask/write", {"q": " "})
    assert response.status_code == 400
    assert 'role="alert"' in response.text


def test_where_none_answers_one_question_comes_back(writer: Writer) -> None:
    writer.finder.known = False
    page = writer.box.phone().get("/ask?q=it+is+broken").text
    assert "Which one is it about?" in page
    assert 'href="/ask?q=it+is+broken,+the+phone"' in page
    signs = writer.box.phone().get("/ask?q=the+phone+is+bad").text
    assert "Do you see one of these?" in signs


def test_danger_is_said_of_both_articles_that_it_is_written_from(writer: Writer) -> None:
    page = writer.box.phone().get(writer.submit()).text
    before = page.split('sse-swap="text"')[0]
    assert before.count('class="danger"') == 2
