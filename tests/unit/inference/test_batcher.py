"""Who translates at the same time shares the steps: fairly, and with the same result as alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
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


class Steps(Seq2Seq):
    """The tiny pack's graphs; `watch` is called with the number of sentences before each run of the encoder."""

    def __init__(self, watch: Callable[[int], None] = lambda _count: None) -> None:
        super().__init__(PACK / "encoder.onnx", PACK / "decoder.onnx", "tiny", 1, [0, 1, 3, 4])
        self.watch = watch

    def encode(self, sources: Any) -> Any:
        self.watch(len(sources))
        return super().encode(sources)


def batcher(watch: Callable[[int], None] = lambda _count: None, **limits: int) -> Batcher:
    return Batcher(Steps(watch), Vocabulary(start=0, end=2), Limits(**limits))


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


def test_sentences_of_one_owner_do_not_keep_those_of_another_waiting() -> None:
    """The second comes when the first has begun; its sentences are done before the rest of the first's."""
    order: list[str] = []
    begun, joined = threading.Event(), threading.Event()
    waited: list[bool] = []

    def watch(_count: int) -> None:
        begun.set()
        waited.append(joined.wait(10))

    shared = batcher(watch, batch_sentences=4)

    def run(owner: str, count: int) -> None:
        shared.run([Sentence(SOURCE, 6) for _ in range(count)], 1, lambda _each: order.append(owner), owner=owner)

    first = threading.Thread(target=run, args=["first", 40])
    first.start()
    assert begun.wait(10)
    second = threading.Thread(target=run, args=["second", 4])
    second.start()
    while len(shared._current()) < 2:
        threading.Event().wait(0)
    joined.set()
    first.join()
    second.join()
    assert all(waited)
    assert len(order) == 44
    assert order.index("second") <= 8
    assert max(rank for rank, owner in enumerate(order) if owner == "second") < 20


def test_background_work_waits_for_all_other() -> None:
    order: list[str] = []
    begun, joined = threading.Event(), threading.Event()

    def watch(_count: int) -> None:
        begun.set()
        joined.wait(10)

    shared = batcher(watch, batch_sentences=2)

    def run(owner: str, count: int, background: bool) -> None:
        sentences = [Sentence(SOURCE, 6) for _ in range(count)]
        shared.run(sentences, 1, lambda _each: order.append(owner), owner=owner, background=background)

    threads = [threading.Thread(target=run, args=["document", 20, True])]
    threads[0].start()
    assert begun.wait(10)
    threads.append(threading.Thread(target=run, args=["phone", 10, False]))
    threads[1].start()
    while len(shared._current()) < 2:
        threading.Event().wait(0)
    joined.set()
    for thread in threads:
        thread.join()
    assert order.count("document") == 20
    assert max(rank for rank, owner in enumerate(order) if owner == "phone") < 14


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
