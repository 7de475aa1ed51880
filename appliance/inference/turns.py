"""Whose turn it is: the owner served longest ago. Whoever was never served comes first.

Turns are counted, not seconds: what one request took is not held against the next one of its owner.
"""

from __future__ import annotations

import heapq
import itertools
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class _Owner(Generic[T]):
    """`turn`: the number of the last turn, 0 if there was none."""

    turn: int = 0
    short: deque[T] = field(default_factory=deque)
    long: deque[T] = field(default_factory=deque)

    def line(self, short_only: bool = False) -> deque[T]:
        return self.short if self.short or short_only else self.long


class Turns(Generic[T]):
    """Things that wait, each with an owner, short ones and long. Not for several threads at once.

    An owner's short things come before the long ones. Of the owners, `remembered` who came last are known.
    """

    def __init__(self, remembered: int) -> None:
        self._remembered = remembered
        self._owners: OrderedDict[str, _Owner[T]] = OrderedDict()
        self._turns = 0

    def __len__(self) -> int:
        return sum(len(owner.short) + len(owner.long) for owner in self._owners.values())

    def __iter__(self) -> Iterator[T]:
        """All that waits, in no order that matters."""
        return itertools.chain.from_iterable(itertools.chain(one.short, one.long) for one in self._owners.values())

    def waiting_of(self, owner: str) -> int:
        found = self._owners.get(owner)
        return len(found.short) + len(found.long) if found else 0

    def add(self, owner: str, thing: T, *, long: bool = False, again: bool = False) -> None:
        """Let `thing` wait; `again`: for its next turn, before others of its kind and owner."""
        one = self._owners.setdefault(owner, _Owner())
        if not one.line():
            self._owners.move_to_end(owner)
        line = one.long if long else one.short
        if again:
            line.appendleft(thing)
        else:
            line.append(thing)
        self._forget_idle()

    def remove(self, owner: str, thing: T) -> None:
        """Take out `thing`, which counts as no turn; nothing happens if it does not wait."""
        one = self._owners.get(owner)
        for line in (one.short, one.long) if one else ():
            if thing in line:
                line.remove(thing)

    def first(self, short_only: bool = False) -> T | None:
        """What `take` would give; None if nothing waits."""
        name = self._next(short_only)
        return None if name is None else self._owners[name].line(short_only)[0]

    def take(self, short_only: bool = False) -> T:
        """The first thing of the owner served longest ago, so that a newcomer waits for one turn at most.

        Raises:
            LookupError: nothing waits.
        """
        name = self._next(short_only)
        if name is None:
            raise LookupError("nothing waits")
        one = self._owners[name]
        return self._give(one, one.line(short_only))

    def take_short(self, fits: Callable[[T], bool]) -> T | None:
        """The first short thing of the owner served longest ago, of those whose first one `fits`; None if none does."""
        fitting = (one for one in self._owners.values() if one.short and fits(one.short[0]))
        best = min(fitting, key=lambda one: one.turn, default=None)
        return None if best is None else self._give(best, best.short)

    def order(self, seconds_of: Callable[[T], float], part: float) -> Iterator[tuple[T, float]]:
        """The turns as `take` would give them, were nothing more to come, and the seconds of each.

        `seconds_of` says what a thing takes in all; a long one has turns of `part` seconds until it is done.
        """
        rest = {name: (deque(one.short), deque(one.long)) for name, one in self._owners.items()}
        left = {id(thing): seconds_of(thing) for thing in self}
        turns = [self._key(one, rank, name) for rank, (name, one) in enumerate(self._owners.items()) if one.line()]
        heapq.heapify(turns)
        for number in itertools.count(self._turns + 1):
            if not turns:
                return
            _, _, rank, name = heapq.heappop(turns)
            short, long = rest[name]
            line = short or long
            seconds = left[id(line[0])] if line is short else min(left[id(line[0])], part)
            left[id(line[0])] -= seconds
            yield line[0], seconds
            if left[id(line[0])] <= 0:
                line.popleft()
            if short or long:
                heapq.heappush(turns, (number, not short, rank, name))

    def _give(self, one: _Owner[T], line: deque[T]) -> T:
        self._turns += 1
        one.turn = self._turns
        return line.popleft()

    @staticmethod
    def _key(one: _Owner[T], rank: int, name: str) -> tuple[int, bool, int, str]:
        return one.turn, not one.short, rank, name

    def _next(self, short_only: bool) -> str | None:
        waiting = (
            self._key(one, rank, name) for rank, (name, one) in enumerate(self._owners.items()) if one.line(short_only)
        )
        best = min(waiting, default=None)
        return best[-1] if best else None

    def _forget_idle(self) -> None:
        """Forget those who came longest ago and have nothing that waits, beyond `remembered`."""
        too_many = len(self._owners) - self._remembered
        idle = [name for name, one in itertools.islice(self._owners.items(), max(too_many, 0)) if not one.line()]
        for name in idle:
            del self._owners[name]
