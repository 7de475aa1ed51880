"""A SQLite file that is checked when it is opened, set aside when it is broken, and copied while it is good.

One connection for the whole process, under one lock. SQLite up to 3.51.2 can damage a database in WAL mode when two
connections write, or tidy up its log, at the same moment; Debian ships such versions. Others may read beside it.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from appliance.errors import DiskFullError, ReadOnlyError, StorageError
from appliance.storage.aside import set_aside
from appliance.storage.atomic import ensure_folder, remove_leftovers, storage_errors, written_atomically

COMPANIONS = ("-wal", "-shm")
PAGE = 4096  # bytes
LOG_PAGES = 256  # of the write-ahead log, before they are taken into the file
FULL_CODES = ("SQLITE_FULL",)
READ_ONLY_CODES = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")
BROKEN_CODES = ("SQLITE_CORRUPT", "SQLITE_NOTADB")

Migrations = Sequence[Sequence[str]]
log = logging.getLogger(__name__)


class BrokenError(Exception):
    """The file is not a sound database of ours."""


def copy_of(path: Path) -> Path:
    """Where the last good copy of a database is."""
    return path.with_name(f"{path.stem}.copy{path.suffix}")


def snapshot(path: Path, target: Path, still: bool = False) -> None:
    """Write what the database `path` holds now to `target`, beside whoever has it open and writes to it.

    `still`: nobody does, and nothing can be written beside it; what stands in its log only is left out.

    Raises StorageError, also if what was read is not sound.
    """
    address = f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if still else ''}"
    with _sqlite_errors(path), closing(sqlite3.connect(address, uri=True, timeout=10)) as source:
        _write_copy(source, target)
    try:
        check(target)
    except BrokenError as error:
        target.unlink()
        raise StorageError(path=str(path), reason=str(error)) from error


def check(path: Path) -> None:
    """Whether a database that nobody uses is sound. Raises BrokenError, StorageError."""
    address = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    with _broken_is_told(), _sqlite_errors(path), closing(sqlite3.connect(address, uri=True)) as connection:
        _quick_check(connection)


class Database:
    """An open file. `set_aside`: where a broken one was moved when it was opened; `from_copy`: a copy took over."""

    def __init__(self, path: Path, application: int, migrations: Migrations, most_bytes: int) -> None:
        """Open or make `path`. A broken one is set aside, and its last good copy, if there is one, takes its place.

        `application` is a number that tells files of this use; `migrations[n]` brings version n to n + 1.

        Raises:
            ReadOnlyError, DiskFullError: the disk takes no writes.
            StorageError: the disk failed, or a newer Baraza made the file.
        """
        self.path, self._application, self._migrations = path, application, migrations
        self._most_bytes = most_bytes
        self._lock = threading.RLock()
        self._durable = True
        self.set_aside: Path | None = None
        self.from_copy = False
        ensure_folder(path.parent)
        remove_leftovers(copy_of(path))
        self._connection = self._open()

    def close(self) -> None:
        """Take the log into the file, and close it. Nothing is raised: what was committed is safe in the log too."""
        with self._lock, suppress(sqlite3.Error):
            self._connection.close()

    @contextmanager
    def transaction(self, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """All of what is done with the connection, or nothing. `durable`: when this ends, it survives a power cut.

        Otherwise it survives the end of the process, and a cut may take the last of these, never a part of one.

        Raises:
            DiskFullError, ReadOnlyError, StorageError
        """
        with self._lock, _sqlite_errors(self.path):
            if durable is not self._durable:
                self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, query: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """What `query` finds. Raises StorageError."""
        with self._lock, _sqlite_errors(self.path):
            return self._connection.execute(query, values).fetchall()

    def used_bytes(self) -> int:
        """What the rows take; pages that were freed are used again. Raises StorageError."""
        (pages,), (free,) = self.rows("PRAGMA page_count")[0], self.rows("PRAGMA freelist_count")[0]
        return int(pages - free) * PAGE

    def flush_log(self) -> None:
        """Take the log into the file and empty it, so that nothing of what was deleted is left in it.

        Raises StorageError.
        """
        self.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def copy(self) -> None:
        """Renew the last good copy. Raises StorageError; the one of before stays."""
        with self._lock:
            _quick_check_or_raise(self._connection, self.path)
            _write_copy(self._connection, copy_of(self.path))

    def _open(self) -> sqlite3.Connection:
        self._tidy_companions()
        try:
            return self._try_to_open()
        except BrokenError as error:
            self.set_aside = set_aside(self.path, COMPANIONS)
            log.warning("%s is broken (%s); it is set aside as %s", self.path, error, self.set_aside)
        self.from_copy = self._bring_copy_back()
        try:
            return self._try_to_open()
        except BrokenError as error:  # the copy is sound, and of another use
            raise StorageError(path=str(self.path), reason=str(error)) from error

    def _tidy_companions(self) -> None:
        """A log without its file is what a cut left while a broken file was set aside: it is the last one's."""
        with storage_errors(self.path):
            if self.path.exists():
                return
            for ending in COMPANIONS:
                lost = self.path.with_name(self.path.name + ending)
                if lost.exists():
                    set_aside(lost)

    def _bring_copy_back(self) -> bool:
        copy = copy_of(self.path)
        if not copy.exists():
            return False
        try:
            check(copy)
        except BrokenError as error:
            log.warning("%s is broken too (%s); it is set aside as %s", copy, error, set_aside(copy))
            return False
        with written_atomically(self.path) as file, storage_errors(copy), copy.open("rb") as source:
            while block := source.read(256 * PAGE):
                file.write(block)
        return True

    def _try_to_open(self) -> sqlite3.Connection:
        with _broken_is_told(), _sqlite_errors(self.path):
            connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version, application = _pragma(connection, "user_version"), _pragma(connection, "application_id")
        if version and application != self._application:
            raise BrokenError(f"it is of another use ({application})")
        if version > len(self._migrations):
            reason = f"a newer Baraza made it (form {version}; this one knows {len(self._migrations)})"
            raise StorageError(path=str(self.path), reason=reason)
        if version:
            _quick_check(connection)
        for setting in (
            f"page_size = {PAGE}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "secure_delete = ON",  # what is deleted for good is overwritten
            f"wal_autocheckpoint = {LOG_PAGES}",
            f"journal_size_limit = {LOG_PAGES * PAGE}",
            f"max_page_count = {self._most_bytes // PAGE}",
            "temp_store = MEMORY",
            "trusted_schema = OFF",
            "cell_size_check = ON",
        ):
            connection.execute(f"PRAGMA {setting}")
        for number in range(version, len(self._migrations)):
            self._migrate(connection, number)

    def _migrate(self, connection: sqlite3.Connection, number: int) -> None:
        """From version `number` to the next, all or nothing."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in self._migrations[number]:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {self._application}")
            connection.execute(f"PRAGMA user_version = {number + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk may have ended it already
                connection.execute("ROLLBACK")
            raise


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _quick_check(connection: sqlite3.Connection) -> None:
    (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        raise BrokenError(said)


def _quick_check_or_raise(connection: sqlite3.Connection, path: Path) -> None:
    """A copy of something broken would take the place of a good one."""
    try:
        with _broken_is_told(), _sqlite_errors(path):
            _quick_check(connection)
    except BrokenError as error:
        raise StorageError(path=str(path), reason=str(error)) from error


def _write_copy(source: sqlite3.Connection, target: Path) -> None:
    """All of `source` as one file without a log, written atomically."""
    with written_atomically(target) as file, _sqlite_errors(target), closing(sqlite3.connect(file.name)) as copy:
        copy.execute("PRAGMA synchronous = OFF")  # it is flushed as a whole, before it gets its name
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")


@contextmanager
def _broken_is_told() -> Iterator[None]:
    """Let what SQLite says of a broken file be a BrokenError."""
    try:
        yield
    except StorageError as error:
        cause = error.__cause__
        if isinstance(cause, sqlite3.Error) and _code(cause).startswith(BROKEN_CODES):
            raise BrokenError(str(cause)) from error
        raise


@contextmanager
def _sqlite_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into the StorageError that says it."""
    try:
        yield
    except sqlite3.Error as error:
        raise _storage_error(path, error) from error


def _storage_error(path: Path, error: sqlite3.Error) -> StorageError:
    code = _code(error)
    if code.startswith(FULL_CODES):
        return DiskFullError(path=str(path))
    if code.startswith(READ_ONLY_CODES):
        return ReadOnlyError(path=str(path))
    return StorageError(path=str(path), reason=str(error))


def _code(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", ""))
