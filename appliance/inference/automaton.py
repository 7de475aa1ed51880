"""The finite automaton of a pattern: reads an answer byte by byte and knows at each place how it can go on.

Thompson's construction gives a net of nodes, some of which are entered without reading anything; the sets of nodes
that one can be in are the states of the automaton. It works on UTF-8, as a token may be a part of a character.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from appliance.inference.pattern import Characters, Either, Part, Range, Repeat

NOWHERE = -1  # where a byte leads that cannot come
DONE = 0  # the node in which the whole pattern was read
NODES_A_STATE = 16  # far fewer are usual


class TooManyStatesError(ValueError):
    """The automaton would be larger than it may be."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most} states; fewer or shorter repetitions make fewer")


@dataclass(frozen=True, eq=False)
class Automaton:
    """`table` (states, 256): the state after a byte, or NOWHERE.

    `accepting` (states,): whether what was read so far is an answer.
    """

    table: npt.NDArray[np.int32]
    accepting: npt.NDArray[np.bool_]
    start: int = 0

    def after_space(self) -> Automaton:
        """For texts that lose a space at their beginning when they are decoded: one may come before what is allowed.

        Some decoders take one space away, others all; so what is allowed itself begins with none any more.
        """
        unspaced, first = len(self.table), len(self.table) + 1
        rows = np.stack([self.table[self.start]] * 2)
        rows[:, ord(" ")] = NOWHERE, unspaced
        accepting = np.append(self.accepting, [self.accepting[self.start]] * 2)
        return Automaton(np.vstack([self.table, rows]), accepting, first)

    def bytes(self) -> list[int]:
        """The bytes that an answer may have."""
        return np.flatnonzero((self.table != NOWHERE).any(0)).tolist()


def build(part: Part, most_states: int) -> Automaton:
    """The automaton that allows what `part` says.

    Raises:
        TooManyStatesError: it would have more than `most_states` states.
    """
    return _Net(most_states).automaton(part)


class _Net:
    """Nodes and where they lead: `reads` by a byte in a range, `skips` without any. Written from the end back."""

    def __init__(self, most_states: int) -> None:
        self._most = most_states
        self._written = 0
        self._reads: list[list[tuple[int, int, int]]] = [[]]  # of DONE
        self._skips: list[list[int]] = [[]]
        self._tails: dict[tuple[Range, int], int] = {}
        self._closures: dict[frozenset[int], frozenset[int]] = {}

    def automaton(self, part: Part) -> Automaton:
        numbers: dict[frozenset[int], int] = {}
        begin = self._closure(frozenset([self._write(part, DONE)]))
        numbers[begin] = 0
        waiting, rows = [begin], []
        for nodes in waiting:  # it grows
            row = np.full(256, NOWHERE, np.int32)
            for low, after, leads in self._ways(nodes):
                if leads not in numbers:
                    numbers[leads] = len(numbers)
                    waiting.append(leads)
                row[low:after] = numbers[leads]
            rows.append(row)
            if len(numbers) > self._most:
                raise TooManyStatesError(self._most)
        return Automaton(np.stack(rows), np.array([DONE in nodes for nodes in waiting]))

    def _ways(self, nodes: frozenset[int]) -> Iterator[tuple[int, int, frozenset[int]]]:
        """Ranges of bytes, the end not included, and the nodes that they lead to."""
        reads = [read for node in nodes for read in self._reads[node]]
        cuts = sorted({low for low, _, _ in reads} | {high + 1 for _, high, _ in reads})
        for low, after in pairwise(cuts):
            targets = frozenset(target for first, last, target in reads if first <= low <= last)
            if targets:
                yield low, after, self._closure(targets)

    def _closure(self, nodes: frozenset[int]) -> frozenset[int]:
        """The nodes that read, and DONE, that one is in at `nodes`."""
        found = self._closures.get(nodes)
        if found is None:
            seen, waiting = set(nodes), list(nodes)
            while waiting:
                fresh = [node for node in self._skips[waiting.pop()] if node not in seen]
                seen.update(fresh)
                waiting += fresh
            found = self._closures[nodes] = frozenset(node for node in seen if node == DONE or self._reads[node])
        return found

    # Writing: what leads through a part to `target` begins at the node that comes back.

    def _write(self, part: Part, target: int) -> int:
        self._count()
        if isinstance(part, Characters):
            return self._characters(part, target)
        if isinstance(part, Repeat):
            return self._repeat(part, target)
        if isinstance(part, Either):
            return self._node(skips=[self._write(option, target) for option in part.options])
        for each in reversed(part.parts):
            target = self._write(each, target)
        return target

    def _repeat(self, repeat: Repeat, target: int) -> int:
        if repeat.most is None:
            loop = self._node()
            self._skips[loop] = [self._write(repeat.part, loop), target]
            target = loop
        else:
            last = target
            for _ in range(repeat.most - repeat.least):
                target = self._node(skips=[self._write(repeat.part, target), last])
        for _ in range(repeat.least):
            target = self._write(repeat.part, target)
        return target

    def _characters(self, characters: Characters, target: int) -> int:
        reads = []
        for low, high in characters.ranges:
            for (first, last), *rest in _utf8(low, high):
                after = target
                for each in reversed(rest):
                    after = self._tail(each, after)
                reads.append((first, last, after))
        return self._node(reads=reads)

    def _tail(self, byte: Range, target: int) -> int:
        """A node that reads a later byte of a character: one for all characters that have the same ends."""
        if (byte, target) not in self._tails:
            self._tails[byte, target] = self._node(reads=[(*byte, target)])
        return self._tails[byte, target]

    def _node(self, reads: Iterable[tuple[int, int, int]] = (), skips: Iterable[int] = ()) -> int:
        self._count()
        self._reads.append(list(reads))
        self._skips.append(list(skips))
        return len(self._reads) - 1

    def _count(self) -> None:
        self._written += 1
        if self._written > NODES_A_STATE * self._most:
            raise TooManyStatesError(self._most)


def _utf8(low: int, high: int) -> Iterator[list[Range]]:
    """The characters from `low` to `high` as sequences of ranges, one a byte; in each all combinations are meant."""
    for last in (0x7F, 0x7FF, 0xFFFF):  # of one, two and three bytes
        if low <= last < high:
            yield from _utf8(low, last)
            yield from _utf8(last + 1, high)
            return
    for bits in range(6, 6 * len(chr(high).encode()), 6):
        below = (1 << bits) - 1  # what the last bytes say
        if low | below != high | below and low & below:
            yield from _utf8(low, low | below)
            yield from _utf8((low | below) + 1, high)
            return
        if low | below != high | below and high & below != below:
            yield from _utf8(low, (high & ~below) - 1)
            yield from _utf8(high & ~below, high)
            return
    yield list(zip(chr(low).encode(), chr(high).encode(), strict=True))
