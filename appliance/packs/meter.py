"""How long a copy still takes, by the pace of its last while: a card is fast only until its memory is full."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

APART = 0.5  # seconds between two looks
LOOKS = 30
FIRST = 1.0  # seconds until there is something to say


class Meter:
    """Told of the bytes done as they come."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looks: deque[tuple[float, int]] = deque([(clock(), 0)], maxlen=LOOKS)

    def note(self, done: int, total: int) -> bool:
        """`done` of `total` bytes; whether that is worth telling: the end is, and else not more than twice a second."""
        now = self._clock()
        if done < total and now - self._looks[-1][0] < APART:
            return False
        self._looks.append((now, done))
        return True

    def seconds_left(self, total: int) -> float | None:
        """Of the whole; None as long as nothing can be said."""
        (began, first), (now, done) = self._looks[0], self._looks[-1]
        if done >= total:
            return 0.0
        if now - began < FIRST or done <= first:
            return None
        return (total - done) * (now - began) / (done - first)
