"""Texts in parts, several of them together."""

from __future__ import annotations

from collections.abc import Callable

from appliance.packs.store import verify
from appliance.translation.steps import Rendered, Step
from appliance.translation.texts import Follower, Text, translate_texts
from tests.conftest import TINY

PACK = verify(TINY / "pack")
STEP, BACK = Step(PACK, "en", "es", 1), Step(PACK, "es", "en", 1)


class Loud:
    """Translates by writing in capitals, and keeps what it was asked together."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def run(self, step: Step, sentences: list[str], on_wait: Callable[[], None]) -> list[Rendered]:
        on_wait()
        self.asked.append(sentences)
        return [Rendered(sentence.upper(), cut=sentence.startswith("Long")) for sentence in sentences]


def translate(loud: Loud, *texts: Text, steps: tuple[Step, ...] = (STEP,), first: int = 2) -> dict[int, str]:
    """The texts that were translated, by their places, in the order in which they were ready."""
    done = translate_texts(texts, steps, loud.run, first, lambda follower: 3 if follower.others_wait() else 5)
    return {place: "".join(each.before + each.target + each.after for each in segments) for place, segments in done}


def sentences(letter: str, count: int) -> str:
    return " ".join(f"{letter.upper()}{number}." for number in range(count))


def test_the_next_parts_of_all_texts_are_translated_together() -> None:
    loud = Loud()
    done = translate(
        loud, Text(sentences("a", 8), Follower()), Text("B0.", Follower()), Text(sentences("c", 3), Follower())
    )
    assert loud.asked == [["A0.", "A1.", "B0.", "C0.", "C1."], ["A2.", "A3.", "A4.", "A5.", "A6.", "C2."], ["A7."]]
    assert list(done) == [1, 2, 0]
    assert done == {0: sentences("a", 8), 1: "B0.", 2: sentences("c", 3)}


def test_a_text_without_sentences_stays_as_it_is() -> None:
    assert translate(Loud(), Text("", Follower()), Text("A0.", Follower())) == {0: "", 1: "A0."}


def test_a_text_that_was_cancelled_is_left_out_from_its_next_part_on() -> None:
    loud, parts = Loud(), list[int]()
    unwanted = Text(sentences("b", 9), Follower(on_part=lambda part: parts.append(len(part))), lambda: bool(parts))
    assert list(translate(loud, Text(sentences("a", 9), Follower()), unwanted)) == [0]
    assert parts == [2]
    assert [each for asked in loud.asked for each in asked if each.startswith("B")] == ["B0.", "B1."]


def test_each_follower_is_told_of_its_own_text() -> None:
    told: dict[str, list[object]] = {"a": [], "b": []}

    def follower(name: str, others_wait: bool) -> Follower:
        return Follower(
            on_part=lambda part: told[name].append([each.target for each in part]),
            on_progress=lambda done, total: told[name].append((done, total)),
            on_wait=lambda: told[name].append("waits"),
            between_parts=lambda: told[name].append("breathes"),
            others_wait=lambda: others_wait,
        )

    texts = Text("A0. A1. A2. A3. A4. A5.", follower("a", True)), Text("B0.", follower("b", False))
    translate(Loud(), *texts, steps=(STEP, BACK))
    lines = [each for each in told["a"] if each != "waits"]
    assert [each for each in lines if isinstance(each, list)] == [["A0.", "A1."], ["A2.", "A3.", "A4."], ["A5."]]
    assert [each for each in lines if isinstance(each, tuple)][-1] == (23, 23)
    assert lines.count("breathes") == 2  # not after the last
    assert told["b"] == ["waits", (1, 3), "waits", ["B0."], (3, 3)]


def test_what_one_step_noted_holds_after_the_next() -> None:
    done = translate_texts([Text("Long one.", Follower())], (STEP, BACK), Loud().run, 2, lambda _: 5)
    ((_, (segment,)),) = done
    assert (segment.target, segment.cut) == ("LONG ONE.", True)
