"""What day it is, for a box whose clock may be at 1970 or at 2038: docs/decisions/0021-trust.md.

The floor is the newest day that was certainly reached: the day of this software, that of a release signed by a
publisher whom the box trusts with everything, or that of a clean run. It is kept in a file, and never goes back but
when the keeper says that the clock is right.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance.errors import BarazaError
from appliance.packs.keys import EARLIEST
from appliance.storage.atomic import ensure_folder, remove_leftovers, write_atomically

LEAP = timedelta(days=365)  # below the 400 days of a release: one wrong clock cannot make a release of today look old
log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The time that the machine tells."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Judgement:
    """`now`: the time to judge by. `believed`: whether the clock of the machine can be right; else nobody knows how
    old a release is, and nothing is installed without a keeper.
    """

    now: datetime
    system: datetime
    floor: datetime

    @property
    def believed(self) -> bool:
        return self.floor <= self.system <= self.floor + LEAP


class TrustedTime:
    """The floor in the file `path`; `clock` tells the time of the machine."""

    def __init__(self, path: Path, clock: Callable[[], datetime] = utc_now) -> None:
        self._path, self._clock = path, clock

    def judge(self) -> Judgement:
        """The later of clock and floor; a clock that is more than a year ahead of the floor is not gone by."""
        system, floor = self._clock(), self.floor()
        return Judgement(system if floor <= system <= floor + LEAP else floor, system, floor)

    def floor(self) -> datetime:
        """The newest day that was certainly reached; a damaged file is as none."""
        try:
            floor = datetime.fromisoformat(json.loads(self._path.read_text(encoding="ascii"))["floor"])
            return max(floor, EARLIEST) if floor.tzinfo else EARLIEST
        except FileNotFoundError:
            return EARLIEST
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning("%s is damaged, and what it said of the date is lost: %s", self._path, error)
            return EARLIEST

    def signed(self, when: datetime) -> None:
        """A release says that it was signed then. A day more than a year ahead is believed only if the clock agrees.

        Raises StorageError if it cannot be kept.
        """
        floor = self.floor()
        if floor < when <= max(floor + LEAP, self._clock()):
            self._keep(when)

    def ran(self) -> None:
        """The box ran until now and was shut down: its clock counts, unless it jumped ahead by more than a year."""
        judged = self.judge()
        if judged.believed and judged.system > judged.floor:
            with suppress(BarazaError):  # nobody is there to be told; the floor of before still holds
                self._keep(judged.system)

    def confirm(self) -> datetime:
        """The keeper says that the clock is right; the floor follows it, back as well, but not before this software.

        Raises StorageError.
        """
        when = max(self._clock(), EARLIEST)
        self._keep(when)
        return when

    def _keep(self, when: datetime) -> None:
        ensure_folder(self._path.parent)
        remove_leftovers(self._path)
        write_atomically(self._path, json.dumps({"floor": when.isoformat(timespec="seconds")}).encode("ascii"))
