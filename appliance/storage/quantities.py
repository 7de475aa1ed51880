"""What a sensor may tell: the unit of each quantity, and what is physically possible."""

from __future__ import annotations

import math
from dataclasses import dataclass

PERCENT = ("%", "percent")
CELSIUS = ("°C", "C", "degC", "celsius")


@dataclass(frozen=True)
class Quantity:
    unit: str
    spellings: tuple[str, ...]  # of the unit, that are taken too
    least: float  # in the unit: what is beyond is no reading
    most: float


QUANTITIES = {
    "soil-moisture": Quantity("%", (*PERCENT, "% vol", "vol%"), 0, 75),  # of the volume; more pores no field soil has
    "air-temperature": Quantity("°C", CELSIUS, -50, 60),
    "relative-humidity": Quantity("%", (*PERCENT, "%RH", "% RH"), 0, 100),
    "grain-moisture": Quantity("%", PERCENT, 1, 60),  # of the weight as it is, wet
}


def is_possible(quantity: str, value: float, unit: str) -> bool:
    """Whether a reading is of a quantity and unit that are known, and within what is possible."""
    known = QUANTITIES.get(quantity)
    return known is not None and unit in known.spellings and math.isfinite(value) and known.least <= value <= known.most
