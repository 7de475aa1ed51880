"""Where an answer ends that the model itself does not end: at a string, or where it goes round in circles."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from appliance.limits import Limits


class StopStrings:
    """Lets text through up to the first of `stops`; what may be the beginning of one is held back."""

    def __init__(self, stops: Sequence[str]) -> None:
        if not all(stops):
            raise ValueError("an empty stop string would stop everything")
        self._stops = tuple(stops)
        self._held = ""
        self.found = False

    def add(self, text: str) -> str:
        """What of the text so far can be told; once `found`, nothing more."""
        if self.found:
            return ""
        self._held += text
        places = [place for place in (self._held.find(stop) for stop in self._stops) if place >= 0]
        if places:
            self.found = True
            told, self._held = self._held[: min(places)], ""
            return told
        keep = max((self._beginning(stop) for stop in self._stops), default=0)
        told, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return told

    def end(self) -> str:
        """What was held back, now that no more text comes."""
        told, self._held = self._held, ""
        return told

    def _beginning(self, stop: str) -> int:
        """How many characters at the end of the text may be the beginning of `stop`."""
        longest = min(len(stop) - 1, len(self._held))
        return next((length for length in range(longest, 0, -1) if self._held.endswith(stop[:length])), 0)


class LoopGuard:
    """Notices an answer that says the same again and again: a small model left alone can do so for ever.

    A passage of n tokens (at most `loop_period`) is a loop when it stands `loop_times` times in a row and these are
    `loop_tokens` tokens at least, so that a row of dashes or a refrain is none.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._last: deque[int] = deque(maxlen=limits.loop_period)  # the newest first
        self._matches = [0] * (limits.loop_period + 1)  # by period: tokens in a row that equal the one so far before

    def loops(self, token: int) -> bool:
        """Whether the text, now that `token` is written, goes round in circles."""
        found = False
        for period, earlier in enumerate(self._last, start=1):
            self._matches[period] = self._matches[period] + 1 if earlier == token else 0
            repeated = self._matches[period] + period
            if repeated >= self._limits.loop_times * period and repeated >= self._limits.loop_tokens:
                found = True
        self._last.appendleft(token)
        return found
