"""The documents people saved: one JSON file, kept by TinyDB on a storage that outlives threads and power cuts.

One process at a time keeps a file: what is saved is held in memory too, and written as a whole.
"""

from __future__ import annotations

import builtins
import json
import logging
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from tinydb import where
from tinydb.storages import Storage
from tinydb.table import Document as Row
from tinydb.table import Table

from appliance.errors import DocumentNotFoundError, StorageError, TextTooLongError
from appliance.limits import LIMITS, Limits
from appliance.storage.aside import last_set_aside, set_aside
from appliance.storage.atomic import ensure_folder, remove_leftovers, storage_errors, write_atomically

Tables = dict[str, dict[str, Any]]

DOCUMENTS = "documents.json"  # the name of the file in the data folder

# Read aloud and typed from paper: no 0 and o, no 1, i and l. Ten of them are 49 bits.
ID_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
ID_LENGTH = 10

_ROW_NUMBER = re.compile(r"[0-9]{1,15}")
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


def utc_now() -> datetime:
    """The time by the clock of the box."""
    return datetime.now(UTC)


class Documents:
    """Creates, finds, changes and deletes documents; safe to share between threads.

    What failed to be saved is not shown as saved: after an error, everything is as it was before the call.
    """

    def __init__(self, path: Path, limits: Limits = LIMITS, now: Callable[[], datetime] = utc_now) -> None:
        """Open the file `path`, which need not exist.

        Raises:
            StorageError: its folder cannot be made, or the file cannot be read, is larger than
                `limits.document_file_bytes`, or is broken and cannot be set aside.
        """
        self._path, self._limits, self._now = path, limits, now
        self._lock = Lock()
        self._storage = DocumentStorage(path, limits)
        self._table = Table(self._storage, "documents", cache_size=0)
        unreadable = sum(not _is_readable(row) for row in self._table)
        if unreadable:
            _log.warning("%s: %d documents are not of their form; they stay in the file, unseen", path, unreadable)

    @property
    def set_aside(self) -> Path | None:
        """A broken file that lies beside the documents until somebody moves it away."""
        return self._storage.set_aside

    def create(
        self, owner: str, kind: str, language: str, title: str, answers: Mapping[str, str], text: str
    ) -> Document:
        """Save a new document.

        Raises:
            TextTooLongError: the text, or title and answers together, exceed `limits.document_characters`.
            StorageError: the box holds `limits.documents` already, or the disk takes no more.
        """
        with self._lock:
            rows = self._table.all()
            if len(rows) >= self._limits.documents:
                raise StorageError(path=str(self._path), reason=f"it holds {len(rows)} documents, which is the most")
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
            self._table.update(_row(new), doc_ids=[new.sequence])
            return new

    def delete(self, document_id: str) -> None:
        """Delete a document for good.

        Raises:
            DocumentNotFoundError: there is none (any more).
            StorageError: the disk takes no writes; the document is still there.
        """
        with self._lock:
            self._table.remove(doc_ids=[self._find(document_id).sequence])

    def list(self, owner: str) -> builtins.list[Document]:
        """Everything `owner` saved, the newest first."""
        with self._lock:
            rows = self._table.search(where("owner") == owner)
        found = [_document(row) for row in rows if _is_readable(row)]
        return sorted(found, key=lambda document: document.sequence, reverse=True)

    def _find(self, document_id: str) -> Document:
        row = self._table.get(where("id") == document_id)
        if row is None or not _is_readable(row):
            raise DocumentNotFoundError
        return _document(row)

    def _time(self) -> str:
        return self._now().isoformat(timespec="seconds")


class DocumentStorage(Storage):
    """A TinyDB storage that is written as a whole, or not at all.

    `set_aside` is a broken file found beside it, now or by an earlier opening. Not locked: its user has the lock.
    """

    def __init__(self, path: Path, limits: Limits = LIMITS) -> None:
        """Open `path`; a broken file is set aside and said, and the storage begins empty.

        Raises:
            StorageError: the folder cannot be made, or the file cannot be read, is larger than
                `limits.document_file_bytes`, or is broken and cannot be set aside.
        """
        self._path, self._limits = path, limits
        ensure_folder(path.parent)
        remove_leftovers(path)
        self._saved = self._open()
        self.set_aside = last_set_aside(path)

    def read(self) -> Tables | None:
        """What is saved; TinyDB may change the copy it gets."""
        return _copy(self._saved) or None

    def write(self, data: Tables) -> None:
        """Save `data` in place of what was saved.

        Raises:
            StorageError: it is larger than `limits.document_file_bytes`, or the disk does not take it;
                what was saved stays.
        """
        # A lone surrogate, which UTF-8 has no bytes for, becomes the \udXXX that JSON reads back.
        content = json.dumps(data, ensure_ascii=False).encode("utf-8", "backslashreplace")
        if len(content) > self._limits.document_file_bytes:
            raise self._too_large()
        write_atomically(self._path, content)
        self._saved = _copy(data)

    def _open(self) -> Tables:
        with storage_errors(self._path):
            try:
                with self._path.open("rb") as file:
                    content = file.read(self._limits.document_file_bytes + 1)
            except FileNotFoundError:
                return {}
        # Too large is not broken: after a change of limits it would hide good documents.
        if len(content) > self._limits.document_file_bytes:
            raise self._too_large()
        try:
            return _tables(content)
        except (ValueError, RecursionError) as error:
            _log.warning("%s is broken (%s); it is set aside as %s", self._path, error, set_aside(self._path))
            return {}

    def _too_large(self) -> StorageError:
        most = self._limits.document_file_bytes
        return StorageError(path=str(self._path), reason=f"it may have {most} bytes at most")


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
