"""How long work takes, learned from what it took before, and when a lane is free for more of it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

FIRST_PACE = 0.002  # seconds a unit of cost, until there is a measurement: a slow board with a small model
MEMORY = 0.9  # how much of what is known stays after each piece of work


class Pace:
    """Seconds a unit of cost, by kind of work: the time of the last pieces of work over their cost.

    Sums are kept, not ratios: a long text says more about the pace than a short one, whose start weighs heavily.
    """

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, float]] = {}  # by kind: seconds, cost

    def learn(self, kind: str, cost: float, seconds: float) -> None:
        known_seconds, known_cost = self._sums.get(kind, (0.0, 0.0))
        self._sums[kind] = (MEMORY * known_seconds + seconds, MEMORY * known_cost + max(cost, 1.0))

    def seconds(self, kind: str, cost: float) -> float:
        """What work of `cost` will take."""
        if kind not in self._sums:
            return cost * FIRST_PACE
        known_seconds, known_cost = self._sums[kind]
        return cost * known_seconds / known_cost


def begins_in(free: Iterable[float], before: Iterable[float]) -> float:
    """Seconds until work begins that waits for all that is `before` it.

    Args:
        free: for each lane, the seconds until it is free; at least one.
        before: the seconds that each piece of work takes that comes first, in order; each goes where a lane is free.
    """
    lanes = list(free)
    heapq.heapify(lanes)
    for seconds in before:
        heapq.heapreplace(lanes, lanes[0] + seconds)
    return lanes[0]
