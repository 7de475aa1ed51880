"""How often a PIN may be tried. Wrong tries slow down whoever makes them, and strangers together.

Each visitor has a line of its own, and whoever is not known shares one more with all that are not: who changes his
address at each try gains nothing. Three never wait for strangers, so that nobody can lock the keeper out: the box's own
screen, a device from which the PIN was right before, and the command line, which asks for none.

Only monotonic time counts: the clock of a box lies. It begins anew with the process, so after a start every line waits
as if its last wrong try had been made just then: switching the box off and on gains nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.errors import StorageError
from appliance.storage.aside import set_aside
from appliance.storage.atomic import ensure_folder, remove_leftovers, write_atomically

FILE = "tries.json"
STRANGERS, AT_THE_BOX = "strangers", "box"
LINES = 256  # whose wrong tries are remembered; who is forgotten is a stranger all the same
KNOWN = 8  # devices
BYTES = 256 * 1024  # of the file

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """`free` wrong tries cost nothing; the next one waits `first` seconds, then each twice as long, up to `most`."""

    free: int
    first: float
    most: float

    def wait(self, wrong: int) -> float:
        """Seconds between a wrong try, the `wrong`-th, and the next that is looked at."""
        if wrong < self.free:
            return 0.0
        return min(self.most, self.first * 2.0 ** min(wrong - self.free, 32))

    @property
    def worst(self) -> int:
        """The number of wrong tries from which on the wait is the longest."""
        wrong = self.free
        while self.wait(wrong) < self.most:
            wrong += 1
        return wrong


OF_ONE = Pace(free=4, first=30.0, most=900.0)
OF_STRANGERS = Pace(free=12, first=30.0, most=300.0)  # 288 tries a day: a million takes more than nine years


@dataclass(frozen=True)
class Visitor:
    """Who tries. `device`: its cookie; `address`: of the network, "" for the box's own screen."""

    device: str
    address: str

    @property
    def at_the_box(self) -> bool:
        return not self.address


@dataclass
class Counts:
    """What is kept. `stamp`: of the PIN that the tries were for; `wrong`: by line; `known`: devices, newest last."""

    stamp: str
    wrong: dict[str, int] = field(default_factory=dict)
    known: list[str] = field(default_factory=list)


class Tries:
    """The wrong tries of one process, kept in `folder`. The caller lets one thread in at a time."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = folder / FILE, clock
        self._began = clock()
        self._last: dict[str, float] = {}  # monotonic: of each line
        self._counts: Counts | None = None

    def wait(self, stamp: str, visitor: Visitor) -> float:
        """Seconds until a try of `visitor` is looked at; 0 if it would be now."""
        now, counts = self._clock(), self._of(stamp)
        return max(0.0, *(self._ready_at(counts, line) - now for line in self._lines(counts, visitor)))

    def begin(self, stamp: str, visitor: Visitor) -> None:
        """Count a try as wrong before it is compared: who cuts the power in between gains nothing."""
        counts = self._of(stamp)
        for line in self._lines(counts, visitor):
            counts.wrong[line] = counts.wrong.pop(line, 0) + 1  # the newest last
            self._last[line] = self._clock()
        self._forget_oldest(counts)
        self._keep(counts)

    def was_right(self, stamp: str, visitor: Visitor) -> None:
        """The try was right after all: nothing is held against `visitor`, and the device is known from now on."""
        counts = self._of(stamp)
        for line in self._lines(counts, visitor):
            counts.wrong.pop(line, None)
        device = _mark("device", visitor.device)
        counts.known = [*(each for each in counts.known if each != device), device][-KNOWN:]
        counts.wrong.pop(device, None)
        self._keep(counts)

    def wrong(self, stamp: str) -> int:
        """How many tries were wrong since one of theirs was right, of all that are remembered."""
        return sum(count for line, count in self._of(stamp).wrong.items() if line != STRANGERS)

    def _lines(self, counts: Counts, visitor: Visitor) -> tuple[str, ...]:
        device = _mark("device", visitor.device)
        if device in counts.known:
            return (device,)
        if visitor.at_the_box:
            return (AT_THE_BOX,)  # shared by all who sit down there: a cookie is deleted in a moment
        return (_mark("address", visitor.address), STRANGERS)

    def _ready_at(self, counts: Counts, line: str) -> float:
        pace = OF_STRANGERS if line == STRANGERS else OF_ONE
        return self._last.get(line, self._began) + pace.wait(counts.wrong.get(line, 0))

    def _forget_oldest(self, counts: Counts) -> None:
        others = [line for line in counts.wrong if line not in (STRANGERS, AT_THE_BOX)]
        for line in others[: max(0, len(others) - LINES)]:
            del counts.wrong[line]
            self._last.pop(line, None)

    # The file

    def _of(self, stamp: str) -> Counts:
        """The counts of the PIN with this stamp; tries at a PIN of before count no longer."""
        if self._counts is None:
            self._counts = self._read(stamp)
        if self._counts.stamp != stamp:
            self._counts, self._last = Counts(stamp), {}
        return self._counts

    def _read(self, stamp: str) -> Counts:
        try:
            with self._path.open("rb") as file:
                return _counts_in(file.read(BYTES))
        except FileNotFoundError:
            return Counts(stamp)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s cannot be read, so everybody waits longest once: %s", self._path, error)
        try:
            set_aside(self._path)
        except StorageError as error:
            log.warning("%s", error)
        return Counts(stamp, {STRANGERS: OF_STRANGERS.worst, AT_THE_BOX: OF_ONE.worst})

    def _keep(self, counts: Counts) -> None:
        values: dict[str, Any] = {"stamp": counts.stamp, "wrong": counts.wrong, "known": counts.known}
        try:
            ensure_folder(self._path.parent)
            remove_leftovers(self._path)
            write_atomically(self._path, json.dumps(values).encode("ascii"))
        except StorageError as error:
            # A full card must not keep the keeper from tidying it up; until the next start they count in memory.
            log.warning("wrong tries are not written down: %s", error)


def _counts_in(raw: bytes) -> Counts:
    """Raises ValueError, KeyError, TypeError, AttributeError: it is not what was written."""
    values = json.loads(raw)
    wrong = {str(line): count for line, count in values["wrong"].items() if isinstance(count, int) and count > 0}
    if len(wrong) != len(values["wrong"]):
        raise ValueError("a count is none")
    return Counts(str(values["stamp"]), wrong, [str(each) for each in values["known"]][-KNOWN:])


def _mark(kind: str, name: str) -> str:
    """What stands for a device or an address in the file: it is nobody's business who tried."""
    return hashlib.sha256(f"{kind} {name}".encode()).hexdigest()[:32]
