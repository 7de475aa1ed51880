"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    GOOD = "good"
    WARNING = "warning"  # the box works; somebody should look at it
    BAD = "bad"  # something that people come for does not work


@dataclass(frozen=True)
class Finding:
    """`found` says what is, `advice` what to do; it is empty when all is well."""

    check: str
    level: Level
    found: str
    advice: str = ""
