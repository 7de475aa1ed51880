"""Readings from a file: lines of sensor, quantity, value, unit, time. All lines are taken, or none.

The time is ISO 8601; without a zone it is that of this machine, and without any time it is now. A first line with the
names of the columns is passed over.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from operator import attrgetter
from typing import IO

from appliance.errors import NotUtf8Error, ReadingsFileError
from appliance.limits import LIMITS, Limits
from appliance.storage.journal import Reading
from appliance.storage.quantities import QUANTITIES, Quantity
from appliance.storage.tables import utc_now

COLUMNS = ("sensor", "quantity", "value", "unit", "time")
SENSOR = re.compile(r"\w[\w .-]{0,39}")
TOLD = 20  # bad lines, of however many


def read_feed(
    file: IO[bytes], name: str, limits: Limits = LIMITS, now: Callable[[], datetime] = utc_now
) -> list[Reading]:
    """The readings in `file`, the earliest first. `name` is what it is called where it is wrong.

    Raises:
        ReadingsFileError: lines are bad, each told with its number; or there are none, or too many.
        NotUtf8Error: it is no text.
    """
    content = file.read(limits.readings_file_bytes + 1)
    if len(content) > limits.readings_file_bytes:
        raise ReadingsFileError(file=name, reason=f"it is larger than {limits.readings_file_bytes} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotUtf8Error from error
    return parse(text.splitlines(), name, now)


def parse(lines: Iterable[str], name: str, now: Callable[[], datetime] = utc_now) -> list[Reading]:
    """As `read_feed`, of lines."""
    found, bad = [], []
    for number, line in enumerate(lines, 1):
        try:
            cells = [cell.strip() for cell in next(csv.reader([line], strict=True), [])]
            if not any(cells) or (number == 1 and tuple(cell.lower() for cell in cells) == COLUMNS):
                continue
            found.append(_reading(cells, now))
        except (ValueError, csv.Error) as error:
            bad.append(f"line {number}: {error}")
    if bad:
        more = f"; and {len(bad) - TOLD} more" if len(bad) > TOLD else ""
        raise ReadingsFileError(file=name, reason="; ".join(bad[:TOLD]) + more)
    if not found:
        raise ReadingsFileError(file=name, reason="there is no reading in it")
    return sorted(found, key=attrgetter("time"))


def as_lines(readings: Iterable[Reading]) -> str:
    """`readings` as a file that `parse` reads."""
    rows = (f"{each.sensor},{each.quantity},{each.value!r},{each.unit},{each.time}\n" for each in readings)
    return "".join(rows)


def _reading(cells: list[str], now: Callable[[], datetime]) -> Reading:
    if len(cells) not in (len(COLUMNS) - 1, len(COLUMNS)):
        raise ValueError(f"it has {len(cells)} columns, and not {', '.join(COLUMNS)}")
    sensor, quantity, value, unit, time = (*cells, "")[: len(COLUMNS)]
    if not SENSOR.fullmatch(sensor):
        raise ValueError(f"“{sensor}” is no name of a sensor: up to 40 letters, digits, spaces, dots and hyphens")
    known = QUANTITIES.get(quantity)
    if known is None:
        raise ValueError(f"the quantity “{quantity}” is not known; there are {', '.join(QUANTITIES)}")
    if unit not in known.spellings:
        raise ValueError(f"the unit of {quantity} is {known.unit}, and not “{unit}”")
    return Reading(sensor, quantity, _value(value, quantity, known), known.unit, _time(time, now))


def _value(text: str, quantity: str, known: Quantity) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"the value “{text}” is not a number") from None
    if not math.isfinite(value) or not known.least <= value <= known.most:
        raise ValueError(f"{quantity} cannot be {text} {known.unit}: {known.least:g} to {known.most:g} can be")
    return value


def _time(text: str, now: Callable[[], datetime]) -> str:
    try:
        time = datetime.fromisoformat(text) if text else now()
        return time.astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"the time “{text}” is not like 2026-05-03T14:30") from None
