"""The journal of the box: the requests people left with it, what its sensors said, and what happened to it.

Kept in SQLite (`database.py`). What a person wrote is on the disk when they are told so; readings and events survive
the end of the process at once, and a power cut from the next such write on: a card wears by every flush. Times are
those of the clock, which may lie; the order is that of the sequence numbers.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from appliance.errors import StorageError
from appliance.limits import LIMITS, Limits
from appliance.storage.database import Database
from appliance.storage.room import Room
from appliance.storage.tables import utc_now

JOURNAL = "journal.db"  # the name of the file in the data folder
APPLICATION = 0x42415241  # “BARA”: application_id of our files
TRIMMED = 10  # a tenth of the readings leaves when they are too large
MARGIN = 2  # times journal_bytes: what SQLite itself refuses to grow beyond, so that requests still fit

MIGRATIONS = (
    (
        """CREATE TABLE jobs (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            owner TEXT NOT NULL,
            device TEXT NOT NULL,
            kind TEXT NOT NULL,
            request TEXT NOT NULL,
            state TEXT NOT NULL,
            result TEXT,
            error TEXT,
            asked_at TEXT NOT NULL,
            age REAL NOT NULL
        ) STRICT""",
        """CREATE TABLE readings (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            sensor TEXT NOT NULL,
            quantity TEXT NOT NULL,
            value REAL NOT NULL,
            unit TEXT NOT NULL,
            time TEXT NOT NULL
        ) STRICT""",
        "CREATE INDEX readings_of ON readings (sensor, quantity, sequence)",
        """CREATE TABLE history (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            event TEXT NOT NULL,
            about TEXT NOT NULL,
            time TEXT NOT NULL
        ) STRICT""",
    ),
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeptJob:
    """A request left with the box, as it is kept. `request`, `result` and `error` are JSON values."""

    id: str
    owner: str
    device: str
    kind: str
    request: dict[str, Any]
    state: str
    result: Any = None
    error: Any = None
    asked_at: str = ""  # ISO 8601, by the clock; the journal fills it in
    age: float = 0.0  # seconds that the box was on since it was over


@dataclass(frozen=True)
class Reading:
    """One value of a sensor. `sequence` and `time` are the journal's."""

    sensor: str
    quantity: str
    value: float
    unit: str
    time: str = ""  # ISO 8601, UTC, by the clock
    sequence: int = 0


@dataclass(frozen=True)
class Happening:
    """Something that happened to the box."""

    sequence: int
    event: str
    about: dict[str, Any]
    time: str


class Journal:
    """Safe to share between threads. Every method raises StorageError if the disk does not do what it should."""

    def __init__(
        self, path: Path, limits: Limits = LIMITS, now: Callable[[], datetime] = utc_now, room: Room | None = None
    ) -> None:
        """Open or begin the journal `path`; a broken one is set aside.

        Raises:
            ReadOnlyError, DiskFullError: the disk takes no writes.
            StorageError: the disk failed, or a newer Baraza made the file.
        """
        self._limits, self._now, self._room = limits, now, room
        self._database = Database(path, APPLICATION, MIGRATIONS, MARGIN * limits.journal_bytes)

    @property
    def set_aside(self) -> Path | None:
        """Where a broken journal was moved when this one was opened."""
        return self._database.set_aside

    @property
    def from_copy(self) -> bool:
        """Whether the last good copy took the place of a broken one."""
        return self._database.from_copy

    # Requests that were left with the box

    def keep(self, job: KeptJob) -> None:
        """Keep a request as it is now; it survives a power cut when this returns.

        Raises:
            ReserveError: what is left of the disk is kept for the box itself.
            StorageError: it is larger than `limits.kept_result_bytes`, or the disk takes no more.
        """
        texts = [json.dumps(each, ensure_ascii=True) for each in (job.request, job.result, job.error)]
        if sum(map(len, texts)) > self._limits.kept_result_bytes:
            reason = f"a request with its result may have {self._limits.kept_result_bytes} bytes at most"
            raise StorageError(path=str(self._database.path), reason=reason)
        if self._room is not None:
            self._room.check(sum(map(len, texts)))
        request, result, error = texts
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO jobs (id, owner, device, kind, request, state, result, error, asked_at, age)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
                " state = excluded.state, result = excluded.result, error = excluded.error, age = excluded.age",
                (
                    job.id,
                    job.owner,
                    job.device,
                    job.kind,
                    request,
                    job.state,
                    result,
                    error,
                    job.asked_at or self._time(),
                    job.age,
                ),
            )

    def jobs(self) -> list[KeptJob]:
        """Every request that is kept, the oldest first; one that is not of its form is left out and told in the log."""
        found = []
        for row in self._database.rows(
            "SELECT id, owner, device, kind, request, state, result, error, asked_at, age FROM jobs ORDER BY sequence"
        ):
            try:
                request, result, error = (json.loads(row[column]) if row[column] else None for column in (4, 6, 7))
                if not isinstance(request, dict):
                    raise ValueError("its request is not a JSON object")
            except ValueError as error_:
                log.warning("%s: request %s cannot be read: %s", self._database.path, row[0], error_)
                continue
            name, owner, device, kind, _, state, _, _, asked_at, age = row
            found.append(KeptJob(name, owner, device, kind, request, state, result, error, asked_at, age))
        return found

    def age(self, ages: Iterable[tuple[str, float]]) -> None:
        """Note for how many seconds of work of the box requests (by id) have been over."""
        with self._database.transaction(durable=False) as connection:
            connection.executemany("UPDATE jobs SET age = ? WHERE id = ?", [(age, name) for name, age in ages])

    def forget(self, ids: Iterable[str]) -> None:
        """Delete requests for good: from the file, from its log, and from its copy."""
        names = [(name,) for name in ids]

        def delete() -> None:
            with self._database.transaction() as connection:
                connection.executemany("DELETE FROM jobs WHERE id = ?", names)
            self._database.flush_log()
            self._database.copy()

        if self._room is None:
            delete()
            return
        with self._room.housekeeping() as run:
            run(delete)

    # Sensors

    def record(self, readings: Iterable[Reading]) -> None:
        """Add readings, all at once; beyond the limits the oldest leave."""
        time = self._time()
        rows = [(each.sensor, each.quantity, each.value, each.unit, each.time or time) for each in readings]
        if self._room is not None:
            self._room.check(sum(len(row[0]) + len(row[1]) + 64 for row in rows))
        with self._database.transaction(durable=False) as connection:
            connection.executemany(
                "INSERT INTO readings (sensor, quantity, value, unit, time) VALUES (?, ?, ?, ?, ?)", rows
            )
            _leave(connection, "readings", self._limits.readings)
        self.trim()

    def readings(self, sensor: str, quantity: str, most: int = 1_000, after: int = 0) -> list[Reading]:
        """The newest `most` readings of a sensor whose number is above `after`, the oldest of them first."""
        rows = self._database.rows(
            "SELECT sensor, quantity, value, unit, time, sequence FROM readings"
            " WHERE sensor = ? AND quantity = ? AND sequence > ? ORDER BY sequence DESC LIMIT ?",
            (sensor, quantity, after, most),
        )
        return [Reading(*row) for row in reversed(rows)]

    def feeds(self, most: int) -> list[tuple[str, str]]:
        """(sensor, quantity) of which there are readings, at most so many; each is one step through the index."""
        found: list[tuple[str, str]] = []
        while len(found) < most:
            after = found[-1] if found else ("", "")
            rows = self._database.rows(
                "SELECT sensor, quantity FROM readings WHERE (sensor, quantity) > (?, ?)"
                " ORDER BY sensor, quantity LIMIT 1",
                after,
            )
            if not rows:
                break
            found.append((rows[0][0], rows[0][1]))
        return found

    # What happened to the box

    def note(self, event: str, **about: str | int) -> None:
        """Note that something happened; beyond `limits.history` the oldest leave."""
        with self._database.transaction(durable=False) as connection:
            connection.execute(
                "INSERT INTO history (event, about, time) VALUES (?, ?, ?)", (event, json.dumps(about), self._time())
            )
            _leave(connection, "history", self._limits.history)

    def history(self, most: int = 100, event: str = "") -> list[Happening]:
        """What happened last, the newest first; with `event`, only of that kind."""
        rows = self._database.rows(
            "SELECT sequence, event, about, time FROM history WHERE ? IN ('', event) ORDER BY sequence DESC LIMIT ?",
            (event, most),
        )
        return [Happening(row[0], row[1], json.loads(row[2]), row[3]) for row in rows]

    # Housekeeping

    def trim(self) -> None:
        """While the file is larger than `limits.journal_bytes`, let the oldest readings leave."""
        while self._database.used_bytes() > self._limits.journal_bytes:
            with self._database.transaction(durable=False) as connection:
                (kept,) = connection.execute("SELECT count(*) FROM readings").fetchone()
                if not kept:
                    return
                _leave(connection, "readings", kept - max(1, kept // TRIMMED))

    def copy(self) -> None:
        """Renew the last good copy: once a day, and when the box is switched off."""
        self.trim()
        self._database.copy()

    def close(self) -> None:
        """Close the file; nothing is raised."""
        self._database.close()

    def _time(self) -> str:
        return self._now().isoformat(timespec="seconds")


def _leave(connection: sqlite3.Connection, table: str, most: int) -> None:
    """Let the oldest rows of `table`, one of ours, leave until `most` are there."""
    connection.execute(
        f"DELETE FROM {table} WHERE sequence <= "  # noqa: S608 - the name is one of ours
        f"(SELECT sequence FROM {table} ORDER BY sequence DESC LIMIT 1 OFFSET ?)",
        (most,),
    )
