"""Whether the box was switched off properly: a file says so, written at the start and at a clean stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from appliance.errors import StorageError
from appliance.storage.atomic import ensure_folder, remove_leftovers, storage_errors, write_atomically
from appliance.storage.lock import NAME, is_held
from appliance.storage.tables import utc_now

RUN = "run.json"  # the name of the file in the data folder
MOST = 4096  # bytes


@dataclass(frozen=True)
class Run:
    """The last run of the box. Times are ISO 8601, UTC, by the clock, which may lie; "" if there is none."""

    started: str
    stopped: str = ""  # "": it is at work, or the power was cut
    cut: str = ""  # when the run before it was started, if that one was cut
    cuts: int = 0  # how many runs were cut, of all


def last_run(data: Path) -> Run | None:
    """What the file says; None if the box never ran, or the file cannot be read."""
    try:
        with (data / RUN).open("rb") as file:
            said = json.loads(file.read(MOST))
        return Run(str(said["started"]), str(said["stopped"]), str(said["cut"]), int(said["cuts"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def begin(data: Path, now: Callable[[], datetime] = utc_now) -> Run:
    """Note that the box starts, as the only process on `data`; the run, which knows whether the one before was cut.

    Raises StorageError.
    """
    before = last_run(data)
    cut = before.started if before and not before.stopped else ""
    run = Run(now().isoformat(timespec="seconds"), "", cut, (before.cuts if before else 0) + bool(cut))
    ensure_folder(data)
    remove_leftovers(data / RUN)
    _write(data, run)
    return run


def end(data: Path, run: Run, now: Callable[[], datetime] = utc_now) -> None:
    """Note that `run` ended as it should. Raises StorageError."""
    _write(data, Run(run.started, now().isoformat(timespec="seconds"), run.cut, run.cuts))


def is_at_work(data: Path) -> bool:
    """Whether a process has the folder now: by the lock, which the kernel keeps."""
    try:
        with storage_errors(data):
            return is_held(data / NAME)
    except StorageError:
        return False


def _write(data: Path, run: Run) -> None:
    write_atomically(data / RUN, json.dumps(asdict(run)).encode())
