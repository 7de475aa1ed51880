"""Prompts that begin alike are read once: what was read is kept, and the next text goes on from where they part.

The forms of the box put the same instructions before what people write, so most of a prompt is often one that was read
a moment ago. A text that ended stays in its memory until that is needed; one that begins with the same tokens takes it
over, or copies the beginning if the rest may be wanted too.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from appliance.inference.causal import CausalGraph, Decoding

CAPACITY_STEP = 256  # tokens: texts of about the same length can use the same memory


class Prefixes:
    """Lends the memory for texts of one model; safe to share between threads.

    `budget`: bytes of the texts kept while nobody writes to them, the least lately used ones leave first; 0 keeps
    none. `least`: tokens that are worth going on from.
    """

    def __init__(self, graph: CausalGraph, budget: int, least: int) -> None:
        self._graph, self._budget, self._least = graph, budget, max(least, 1)
        self._lock = threading.Lock()
        self._idle: list[Decoding] = []  # the least lately used first
        self._busy: list[Decoding] = []

    @property
    def memory(self) -> int:
        """Bytes of the texts kept."""
        with self._lock:
            return self._kept()

    @contextmanager
    def borrow(self, prompt: Sequence[int], answer: int) -> Iterator[Decoding]:
        """Room for `prompt` and `answer` tokens after it, with as many of the prompt's first tokens as are known.

        The last one never is.
        """
        with self._lock:
            decoding = self._place(prompt[:-1], len(prompt) + answer)
            self._busy.append(decoding)
        try:
            yield decoding
        finally:
            with self._lock:
                self._busy = [each for each in self._busy if each is not decoding]
                self._idle.append(decoding)
                while self._kept() > self._budget:
                    del self._idle[0]

    def _place(self, prompt: Sequence[int], tokens: int) -> Decoding:
        best, shared = None, 0
        for each in (*self._idle, *self._busy):
            if (found := _shared(each.read_ids, prompt)) >= max(shared, self._least):
                best, shared = each, found
        if best in self._idle and best.capacity >= tokens and 2 * shared >= len(best.read_ids):
            decoding = best
        else:
            # What `best` has beyond `shared` may be wanted again, so it is not written over.
            decoding = self._room(tokens)
        if decoding is best or best is None:
            decoding.go_back(shared)
        else:
            decoding.begin_as(best, shared)
        self._idle = [each for each in self._idle if each is not decoding]
        return decoding

    def _room(self, tokens: int) -> Decoding:
        """New memory if the budget allows it beside what is kept, else that of the least lately used text that fits."""
        capacity = -(-tokens // CAPACITY_STEP) * CAPACITY_STEP
        fits = (each for each in self._idle if each.capacity >= tokens)
        if self._kept() + self._graph.token_bytes * capacity > self._budget and (oldest := next(fits, None)):
            return oldest
        return self._graph.start(capacity)

    def _kept(self) -> int:
        return sum(each.memory for each in self._idle)


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
