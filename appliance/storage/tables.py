"""A TinyDB storage in one file that is written as a whole, proves itself by a checksum, and leaves its copy of before.

The file is two parts of JSON: a line that says what follows (its sha256, its bytes, how many documents, when), and
TinyDB's tables, one row a line, so that a person can mend them with any editor. A file without the first line is
taken as it is: that is how whoever mended one hands it back.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tinydb.storages import Storage

from appliance.errors import DiskFullError, StorageError
from appliance.limits import LIMITS, Limits
from appliance.storage.aside import keep_last_good, last_good, last_set_aside, set_aside
from appliance.storage.atomic import ensure_folder, flush_folder, remove_leftovers, storage_errors, write_atomically

Row = dict[str, Any]
Tables = dict[str, dict[str, Row]]

TABLE = "documents"
FIRST_LINE_BYTES = 512

_ROW_NUMBER = re.compile(r"[0-9]{1,15}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Copy:
    """A whole file of documents, and what it says of itself."""

    path: Path
    size: int  # bytes
    documents: int
    saved_at: str  # ISO 8601, UTC, by the clock of the box; "" if it does not say
    tables: Tables


def utc_now() -> datetime:
    """The time by the clock of the box."""
    return datetime.now(UTC)


def previous_of(path: Path) -> Path:
    """Where the content that `path` had before its last change is kept."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def read_copy(path: Path, limits: Limits = LIMITS) -> Copy:
    """A file of documents, if it is whole.

    Raises:
        ValueError, RecursionError: it is broken.
        StorageError: it cannot be read, or is larger than `limits.document_file_bytes`.
        FileNotFoundError: there is none.
    """
    most = limits.document_file_bytes + FIRST_LINE_BYTES
    try:
        with storage_errors(path), path.open("rb") as file:
            content = file.read(most + 1)
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise error.__cause__ from None
        raise
    # Too large is not broken: after a change of limits it would hide good documents.
    if len(content) > most:
        raise _too_large(path, limits)
    saved_at, body = _checked(content)
    if len(body) > limits.document_file_bytes:
        raise _too_large(path, limits)
    tables = _tables(body)
    return Copy(path, len(content), len(tables.get(TABLE, {})), saved_at, tables)


class DocumentStorage(Storage):
    """A TinyDB storage that is written as a whole, or not at all.

    `set_aside` is a broken file found beside it, now or by an earlier opening; `last_good` a copy from before that can
    be brought back; `size` is the bytes of the file as it is. Not locked: its user has the lock.
    """

    def __init__(self, path: Path, limits: Limits = LIMITS, now: Callable[[], datetime] = utc_now) -> None:
        """Open `path`; a broken file is set aside and said, and the storage begins empty.

        Raises:
            StorageError: the folder cannot be made, or the file cannot be read, is larger than
                `limits.document_file_bytes`, or is broken and cannot be set aside.
        """
        self._path, self._limits, self._now = path, limits, now
        self._lines: dict[tuple[str, str], tuple[Row, bytes]] = {}  # of each row, as it was saved
        ensure_folder(path.parent)
        remove_leftovers(path)
        remove_leftovers(previous_of(path))
        self.size = 0
        self._saved = self._open()
        self.set_aside = last_set_aside(path)
        self.last_good = self._find_last_good()

    def read(self) -> Tables | None:
        """What is saved; TinyDB may change the copy it gets."""
        return _copy(self._saved) or None

    def write(self, data: Tables) -> None:
        """Save `data` in place of what was saved, which becomes the copy of before; not if a row was deleted from it.

        Raises:
            StorageError: it is larger than `limits.document_file_bytes`, or the disk does not take it;
                what was saved stays.
        """
        lines = dict(self._encoded(data))
        body = _body(data, lines)
        if len(body) > self._limits.document_file_bytes:
            raise _too_large(self._path, self._limits)
        content = _first_line(body, data, self._now()) + body
        deletes = any(number not in data.get(name, {}) for name, table in self._saved.items() for number in table)
        self._replace(content, deletes)
        self._saved, self._lines, self.size = _copy(data), lines, len(content)
        if deletes:
            self._renew_previous(content)

    def forget_last_good(self) -> None:
        """Delete the copy that was brought back. Raises StorageError."""
        if self.last_good is not None:
            with storage_errors(self.last_good.path):
                self.last_good.path.unlink(missing_ok=True)
                flush_folder(self._path.parent)
            self.last_good = self._find_last_good()

    def _replace(self, content: bytes, deletes: bool) -> None:
        previous = previous_of(self._path)
        if not deletes:
            write_atomically(self._path, content, previous=previous)
            return
        try:
            write_atomically(self._path, content)
        except DiskFullError:
            # The copy of before has to go anyway: its room is what makes deleting possible on a full disk.
            with storage_errors(previous):
                previous.unlink(missing_ok=True)
            write_atomically(self._path, content)

    def _renew_previous(self, content: bytes) -> None:
        """What was deleted for good is not kept in the copy of before; without room there is no copy for a while."""
        previous = previous_of(self._path)
        try:
            write_atomically(previous, content)
        except StorageError as error:
            _log.warning("%s could not be renewed, and is deleted: %s", previous, error)
            with storage_errors(previous):
                previous.unlink(missing_ok=True)

    def _encoded(self, data: Tables) -> Iterator[tuple[tuple[str, str], tuple[Row, bytes]]]:
        """Each row as it stands in the file; one that did not change is not encoded again, which is most of the work.

        Its users replace the values of fields, and never change them in place: otherwise the change would go unseen.
        """
        for name, table in data.items():
            for number, row in table.items():
                known = self._lines.get((name, str(number)))
                if known is not None and known[0] == row:
                    yield (name, str(number)), known
                else:
                    yield (name, str(number)), (dict(row), _json(row))

    def _open(self) -> Tables:
        previous = previous_of(self._path)
        try:
            found = read_copy(self._path, self._limits)
            self.size = found.size
            return found.tables
        except FileNotFoundError:
            # Never missing after a cut: the copy of before tells of a file that was lost some other way.
            if not previous.exists():
                return {}
            _log.warning("%s is missing, and its copy of before is there", self._path)
        except (ValueError, RecursionError) as error:
            _log.warning("%s is broken (%s); it is set aside as %s", self._path, error, set_aside(self._path))
        self._keep(previous)
        return {}

    def _keep(self, previous: Path) -> None:
        """Put the copy of before where no save takes its place."""
        try:
            read_copy(previous, self._limits)
        except FileNotFoundError:
            return
        except (ValueError, RecursionError, StorageError) as error:
            _log.warning("%s is no good either (%s); it is set aside as %s", previous, error, set_aside(previous))
            return
        keep_last_good(self._path, previous)

    def _find_last_good(self) -> Copy | None:
        path = last_good(self._path)
        if path is None:
            return None
        try:
            return read_copy(path, self._limits)
        except (ValueError, RecursionError, StorageError, FileNotFoundError) as error:
            _log.warning("%s cannot be read: %s", path, error)
            return None


def _checked(content: bytes) -> tuple[str, bytes]:
    """When it was saved, and the tables as JSON, if they are what the first line says. Raises ValueError."""
    line, _, body = content.partition(b"\n")
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return "", content  # more than one line, and none about it: mended by hand; the JSON must be whole
    if not isinstance(said, dict) or "sha256" not in said:
        return "", content
    if len(body) != said.get("bytes"):
        raise ValueError(f"it has {len(body)} bytes of {said.get('bytes')}")
    if hashlib.sha256(body).hexdigest() != said["sha256"]:
        raise ValueError("it is not what it was when it was saved (sha256)")
    return str(said.get("saved_at", "")), body


def _first_line(body: bytes, data: Tables, now: datetime) -> bytes:
    said = {
        "sha256": hashlib.sha256(body).hexdigest(),
        "bytes": len(body),
        "documents": len(data.get(TABLE, {})),
        "saved_at": now.isoformat(timespec="seconds"),
    }
    return _json(said) + b"\n"


def _body(data: Tables, lines: dict[tuple[str, str], tuple[Row, bytes]]) -> bytes:
    """What `json.dumps` would write, in lines."""
    tables = [
        _json(name)
        + b": {\n"
        + b",\n".join(_json(str(number)) + b": " + lines[name, str(number)][1] for number in table)
        + b"\n}"
        for name, table in data.items()
    ]
    return b"{" + b",\n".join(tables) + b"}\n"


def _json(value: Any) -> bytes:
    # A lone surrogate, which UTF-8 has no bytes for, becomes the \udXXX that JSON reads back.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _too_large(path: Path, limits: Limits) -> StorageError:
    return StorageError(path=str(path), reason=f"it may have {limits.document_file_bytes} bytes at most")


def _tables(content: bytes) -> Tables:
    """Read TinyDB's form: tables of rows with a number each. Raises ValueError (UnicodeDecodeError included)."""
    tables = json.loads(content.decode("utf-8"))
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise ValueError("it is not a JSON object of tables")
    for table in tables.values():
        if not all(_ROW_NUMBER.fullmatch(number) and isinstance(row, dict) for number, row in table.items()):
            raise ValueError("one of its tables is not a JSON object of numbered rows")
    return tables


def _copy(tables: Tables) -> Tables:
    """As deep as TinyDB changes what it reads: tables, rows and the fields of a row, not the values of fields."""
    return {name: {number: dict(row) for number, row in table.items()} for name, table in tables.items()}
