"""The documents people saved: one JSON file, kept by TinyDB on a storage that outlives threads and power cuts.

One process at a time keeps a file: what is saved is held in memory too, and written as a whole.
"""

from __future__ import annotations

import builtins
import logging
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

from tinydb import where
from tinydb.table import Document as Row
from tinydb.table import Table

from appliance.errors import DocumentNotFoundError, NoLastCopyError, StorageError, TextTooLongError
from appliance.limits import LIMITS, Limits
from appliance.storage.room import Room
from appliance.storage.tables import TABLE, Copy, DocumentStorage, utc_now

DOCUMENTS = "documents.json"  # the name of the file in the data folder

# Read aloud and typed from paper: no 0 and o, no 1, i and l. Ten of them are 49 bits.
ID_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
ID_LENGTH = 10

_TEXTS = ("id", "owner", "kind", "language", "title", "text", "saved_at")
_TEXT_TABLES = ("answers", "translations")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Document:
    """A document as it was last saved."""

    id: str  # cannot be guessed: who has it may open the document
    owner: str
    kind: str
    language: str  # BCP 47
    title: str
    answers: dict[str, str]  # key of the question → answer
    text: str
    sequence: int  # in the order of creation; the clock of the box may lie
    saved_at: str  # ISO 8601, UTC, by that clock: to be shown, never to be decided by
    translations: dict[str, str] = field(default_factory=dict)  # language → text placed beside it


class Documents:
    """Creates, finds, changes and deletes documents; safe to share between threads.

    What failed to be saved is not shown as saved: after an error, everything is as it was before the call.
    """

    def __init__(
        self,
        path: Path,
        limits: Limits = LIMITS,
        now: Callable[[], datetime] = utc_now,
        room: Room | None = None,
    ) -> None:
        """Open the file `path`, which need not exist. `room`: the reserve of the disk, which is not to be touched.

        Raises:
            StorageError: its folder cannot be made, or the file cannot be read, is larger than
                `limits.document_file_bytes`, or is broken and cannot be set aside.
        """
        self._path, self._limits, self._now, self._room = path, limits, now, room
        self._lock = Lock()
        self._storage = DocumentStorage(path, limits, now)
        self._table = Table(self._storage, TABLE, cache_size=0)
        unreadable = sum(not _is_readable(row) for row in self._table)
        if unreadable:
            _log.warning("%s: %d documents are not of their form; they stay in the file, unseen", path, unreadable)

    @property
    def set_aside(self) -> Path | None:
        """A broken file that lies beside the documents until somebody moves it away."""
        return self._storage.set_aside

    @property
    def last_good(self) -> Copy | None:
        """A copy from before the documents broke, that `restore_last` would bring back."""
        return self._storage.last_good

    def create(
        self, owner: str, kind: str, language: str, title: str, answers: Mapping[str, str], text: str
    ) -> Document:
        """Save a new document.

        Raises:
            TextTooLongError: the text, or title and answers together, exceed `limits.document_characters`.
            ReserveError: what is left of the disk is kept for the box itself.
            StorageError: the box holds `limits.documents` already, or the disk takes no more.
        """
        with self._lock:
            rows = self._table.all()
            self._check_number(len(rows) + 1)
            document = Document(
                id=_new_id({row.get("id") for row in rows}),
                owner=owner,
                kind=kind,
                language=language,
                title=title,
                answers=dict(answers),
                text=text,
                sequence=1 + max((row.doc_id for row in rows), default=0),
                saved_at=self._time(),
            )
            _check_length(document, self._limits)
            self._check_room()
            self._table.insert(Row(_row(document), document.sequence))
            return document

    def get(self, document_id: str) -> Document:
        """Raises DocumentNotFoundError."""
        with self._lock:
            return self._find(document_id)

    def update(
        self,
        document_id: str,
        *,
        title: str | None = None,
        text: str | None = None,
        answers: Mapping[str, str] | None = None,
        translations: Mapping[str, str] | None = None,
    ) -> Document:
        """Save what is given; the rest stays. A translation is added to those there are, or taken away if it is "".

        Raises:
            DocumentNotFoundError: there is none (any more).
            TextTooLongError: a text, or title and answers together, exceed `limits.document_characters`.
            ReserveError: what is left of the disk is kept for the box itself.
            StorageError: the disk takes no more.
        """
        with self._lock:
            old = self._find(document_id)
            beside = old.translations | dict(translations or {})
            new = replace(
                old,
                title=old.title if title is None else title,
                text=old.text if text is None else text,
                answers=old.answers if answers is None else dict(answers),
                translations={language: words for language, words in beside.items() if words},
                saved_at=self._time(),
            )
            _check_length(new, self._limits)
            self._check_room()
            self._table.update(_row(new), doc_ids=[new.sequence])
            return new

    def delete(self, document_id: str) -> None:
        """Delete a document for good, from the copy of before too; on a full disk the reserve is given up for it.

        Raises:
            DocumentNotFoundError: there is none (any more).
            StorageError: the disk takes no writes; the document is still there.
        """
        with self._lock:
            sequence = self._find(document_id).sequence
            if self._room is None:
                self._table.remove(doc_ids=[sequence])
                return
            with self._room.housekeeping() as run:
                run(lambda: _none(self._table.remove(doc_ids=[sequence])))

    def list(self, owner: str) -> builtins.list[Document]:
        """Everything `owner` saved, the newest first."""
        with self._lock:
            rows = self._table.search(where("owner") == owner)
        found = [_document(row) for row in rows if _is_readable(row)]
        return sorted(found, key=lambda document: document.sequence, reverse=True)

    def restore_last(self) -> int:
        """Bring back the documents of the last good copy that are not there now, older than those; how many they are.

        Raises:
            NoLastCopyError: there is no such copy.
            StorageError: the box would hold more than `limits.documents`, or the disk takes no more.
        """
        with self._lock:
            copy = self._storage.last_good
            if copy is None:
                raise NoLastCopyError
            now, old = self._storage.read() or {}, copy.tables.get(TABLE, {})
            there = now.get(TABLE, {})
            ids = {row.get("id") for row in there.values()}
            back = {number: row for number, row in old.items() if row.get("id") not in ids}
            self._check_number(len(there) + len(back))
            self._check_room(copy.size)
            # What was written since is newer than all that comes back.
            first = max((int(number) for number in old), default=0)
            later = {str(int(number) + first): row for number, row in there.items()}
            self._storage.write({**copy.tables, **now, TABLE: {**back, **later}})
            self._storage.forget_last_good()
            return len(back)

    def _check_number(self, documents: int) -> None:
        most = self._limits.documents
        if documents > most:
            raise StorageError(path=str(self._path), reason=f"it holds {most} documents, which is the most")

    def _check_room(self, more: int = 0) -> None:
        """The whole file is written beside the one that is there, with `more` bytes."""
        if self._room is not None:
            self._room.check(self._storage.size + more)

    def _find(self, document_id: str) -> Document:
        row = self._table.get(where("id") == document_id)
        if row is None or not _is_readable(row):
            raise DocumentNotFoundError
        return _document(row)

    def _time(self) -> str:
        return self._now().isoformat(timespec="seconds")


def _none(_: object) -> None:
    """What a call gave back does not matter."""


def _new_id(taken: Iterable[str | None]) -> str:
    while True:
        code = "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))
        if code not in taken:
            return code


def _check_length(document: Document, limits: Limits) -> None:
    form = len(document.title) + sum(map(len, document.answers.values()))
    length = max(form, len(document.text), *map(len, document.translations.values()))
    if length > limits.document_characters:
        raise TextTooLongError(length=length, most=limits.document_characters)


def _row(document: Document) -> dict[str, Any]:
    """The fields as they stand in the file; the sequence is the number of the row."""
    fields = asdict(document)
    del fields["sequence"]
    return fields


def _is_readable(row: Row) -> bool:
    values = [row.get(name) for name in _TEXTS]
    for table in (row.get(name) for name in _TEXT_TABLES):
        if not isinstance(table, dict):
            return False
        values += table.values()
    return all(isinstance(value, str) for value in values)


def _document(row: Row) -> Document:
    texts: dict[str, Any] = {name: row[name] for name in _TEXTS}
    tables: dict[str, Any] = {name: dict(row[name]) for name in _TEXT_TABLES}
    return Document(sequence=row.doc_id, **texts, **tables)
