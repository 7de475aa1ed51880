"""A keeper's PIN in a folder, with a clock that a test moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.errors import (
    PinWrongError,
)
from appliance.keeper.pin import KeeperPin
from appliance.keeper.tries import Visitor

PIN, OTHER = "804172", "six goats on a hill"
SCREEN = Visitor("kiosk", "")


def phone(number: int) -> Visitor:
    return Visitor(f"device-{number}", f"10.42.0.{number}")


@dataclass
class Clock:
    """Monotonic: seconds since it was made."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Safe:
    """A PIN in a folder, and a clock that a test moves; `restart` is what a power cut or `reboot` does to it."""

    folder: Path
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.clock.now = 5.0  # monotonic time begins anew, whatever it was
        self.pin = KeeperPin(self.folder, clock=self.clock)

    def wrong(self, visitor: Visitor, times: int) -> None:
        """So many wrong tries, each as soon as it is looked at."""
        for _ in range(times):
            self.clock.now += self.pin.wait(visitor)
            with pytest.raises(PinWrongError):
                self.pin.check("000001", visitor)
