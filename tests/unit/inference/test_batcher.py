"""Who translates at the same time shares the steps: fairly, and with the same result as alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import CancelledError
from appliance.inference.batcher import Batcher
from appliance.inference.search import Sentence, Vocabulary
from appliance.inference.seq2seq import Seq2Seq
from appliance.inference.translator import Translator
from appliance.limits import Limits

PACK = Path(__file__).resolve().parents[2] / "data" / "tiny" / "pack"
SOURCE = [5, 40, 60, 80, 2]
MARKS = {"first": 70, "second": 71}


class Watched(Seq2Seq):
    """The tiny pack's graphs; `watch` is called with the sources before each run of the encoder."""

    def __init__(self, watch: Callable[[Sequence[Sequence[int]]], None]) -> None:
        super().__init__(PACK / "encoder.onnx", PACK / "decoder.onnx", "tiny", 1, [0, 1, 3, 4])
        self.watch = watch

    def encode(self, sources: Any) -> Any:
        self.watch(sources)
        return super().encode(sources)


def batcher(watch: Callable[[int], None] = lambda _count: None, **limits: int) -> Batcher:
    return Batcher(Watched(lambda sources: watch(len(sources))), Vocabulary(start=0, end=2), Limits(**limits))


def test_many_threads_get_what_each_would_get_alone(tiny: Translator, expected: dict[str, Any]) -> None:
    sources, limit = expected["sources"], expected["limit"]
    found: dict[int, list[list[int]]] = {}
    start = threading.Barrier(6)

    def translate(number: int) -> None:
        start.wait()
        found[number] = tiny.decode_ids(sources[number:], limit, beam=4 if number % 2 else 1)

    threads = [threading.Thread(target=translate, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(6):
        assert found[number] == expected["beam" if number % 2 else "greedy"][number:]


class Crowd:
    """A first owner whose sentences fill the places, and a second who comes while they are being encoded.

    `begun` are the owners of the sentences in the order in which they entered the search.
    """

    def __init__(self, places: int) -> None:
        self.begun: list[str] = []
        self._first_at_work, self._second_there = threading.Event(), threading.Event()
        self._shared = Batcher(Watched(self._note), Vocabulary(start=0, end=2), Limits(batch_sentences=places))

    def run(self, first: int, second: int, background: bool = False) -> list[str]:
        """Let them come; `first` and `second` are numbers of sentences, `background` is said of the first's."""
        one = threading.Thread(target=self._run, args=["first", MARKS["first"], first, background])
        one.start()
        assert self._first_at_work.wait(10)
        other = threading.Thread(target=self._run, args=["second", MARKS["second"], second, False])
        other.start()
        while len(self._shared._current()) < 2:
            other.join(0)
        self._second_there.set()
        for thread in (one, other):
            thread.join()
        return self.begun

    def _run(self, owner: str, mark: int, count: int, background: bool) -> None:
        sentences = [Sentence([mark, *SOURCE], 6) for _ in range(count)]
        self._shared.run(sentences, 1, lambda _each: None, owner=owner, background=background)

    def _note(self, sources: Sequence[Sequence[int]]) -> None:
        self.begun += [owner for source in sources for owner, mark in MARKS.items() if source[0] == mark]
        self._first_at_work.set()
        assert self._second_there.wait(10)


def test_sentences_of_one_owner_do_not_keep_those_of_another_waiting() -> None:
    begun = Crowd(places=4).run(first=40, second=4)
    assert begun[:4] == ["first"] * 4  # who was alone
    assert begun[4:12].count("second") == 4  # turn by turn from then on
    assert len(begun) == 44


def test_background_work_gets_a_small_share_beside_other_work() -> None:
    begun = Crowd(places=2).run(first=20, second=10, background=True)
    assert begun[:2] == ["first"] * 2
    assert begun[2:15].count("second") == 10  # of five that begin, one is the first's
    assert 1 <= begun[2:12].count("first") <= 2
    assert begun[15:] == ["first"] * 15


def test_whoever_gives_up_leaves_the_others_at_work() -> None:
    shared = batcher(batch_sentences=8)
    done: list[Sentence] = []
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2

    def give_up() -> None:
        with pytest.raises(CancelledError):
            shared.run([Sentence(SOURCE, 40) for _ in range(20)], 2, done.append, owner="a", cancelled=cancelled)

    threads = [
        threading.Thread(target=give_up),
        threading.Thread(target=shared.run, args=[[Sentence(SOURCE, 40) for _ in range(20)], 2, done.append]),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) >= 20
    shared.run([Sentence(SOURCE, 4)], 2, done.append)
    assert not shared._searches


def test_an_engine_that_breaks_breaks_nobody_for_ever() -> None:
    broken = True

    def watch(_count: int) -> None:
        if broken:
            raise RuntimeError("out of memory")

    shared = batcher(watch)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="out of memory"):
            shared.run([Sentence(SOURCE, 6)], 1, lambda _each: None)
    broken = False
    done: list[Sentence] = []
    shared.run([Sentence(SOURCE, 6)], 1, done.append)
    assert len(done) == 1


def test_a_batch_is_bounded_in_sentences_and_in_source_tokens() -> None:
    sizes: list[int] = []
    shared = batcher(sizes.append, batch_sentences=3, batch_pieces=20)
    shared.run([Sentence(SOURCE, 6) for _ in range(7)], 1, lambda _each: None)
    assert max(sizes) == 3
    sizes.clear()
    shared.run([Sentence([*SOURCE, *SOURCE], 6) for _ in range(4)], 1, lambda _each: None)
    assert max(sizes) == 2
    sizes.clear()
    shared.run([Sentence(SOURCE * 10, 6), Sentence(SOURCE, 6)], 1, lambda _each: None)
    assert sizes == [1, 1]
