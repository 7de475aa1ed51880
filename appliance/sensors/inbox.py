"""Readings for a box at work: others leave them in a folder, and the box takes them into its journal.

Only one process may write to the journal (`storage/database.py`), so that a command cannot do it beside the box.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from appliance.errors import BarazaError, NotUtf8Error, ReadingsFileError
from appliance.limits import LIMITS, Limits
from appliance.sensors.readings import as_lines, read_feed
from appliance.storage.aside import set_aside
from appliance.storage.atomic import ensure_folder, storage_errors, write_atomically
from appliance.storage.journal import Reading

FOLDER = "readings"  # in the data folder
ENDING = ".csv"

log = logging.getLogger(__name__)


def leave(data: Path, readings: Sequence[Reading]) -> Path:
    """Leave `readings` for the box that works on the data folder; whole, or not at all. Raises StorageError."""
    folder = data / FOLDER
    ensure_folder(folder)
    path = folder / f"{time.time_ns():020}-{os.getpid()}{ENDING}"
    write_atomically(path, as_lines(readings).encode("utf-8"))
    return path


def waiting(data: Path) -> list[Path]:
    """The files that were left, the first one first."""
    return sorted((data / FOLDER).glob(f"*{ENDING}"))


def take(data: Path, record: Callable[[Sequence[Reading]], None], limits: Limits = LIMITS) -> int:
    """Give what was left to `record`, a file at a time, and delete it; how many readings there were.

    A file that is not of its form is set aside and told in the log. If the power fails in between, readings may come
    twice; none is lost.

    Raises StorageError: the disk failed, or takes no more; what was not taken stays.
    """
    taken = 0
    for path in waiting(data):
        try:
            with storage_errors(path), path.open("rb") as file:
                readings = read_feed(file, path.name, limits)
        except (ReadingsFileError, NotUtf8Error) as error:
            log.warning("%s; it is set aside as %s", error, set_aside(path))
            continue
        record(readings)
        with storage_errors(path):
            path.unlink()
        taken += len(readings)
    return taken


def peek(data: Path, limits: Limits = LIMITS) -> list[Reading]:
    """The readings that wait to be taken, as far as they can be read."""
    found: list[Reading] = []
    for path in waiting(data):
        try:
            with path.open("rb") as file:
                found += read_feed(file, path.name, limits)
        except (OSError, BarazaError) as error:
            log.warning("%s: %s", path, error)
    return found
