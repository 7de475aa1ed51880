"""The data folder of a box at work: what is broken is told and left out, the rest is tended and closed in order."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from appliance.errors import (
    BarazaError,
    DocumentsLastCopyError,
    DocumentsSetAsideError,
    JournalSetAsideError,
    StorageError,
)
from appliance.inference.kept import Form, Keeper
from appliance.inference.queue import JobQueue
from appliance.limits import Limits
from appliance.storage import running
from appliance.storage.backup import remove_unfinished, settle
from appliance.storage.documents import Documents
from appliance.storage.journal import JOURNAL, Journal
from appliance.storage.room import Room

TEND_SECONDS = 3_600  # between two rounds of housekeeping
ROUNDS_A_DAY = 24

T = TypeVar("T")
log = logging.getLogger(__name__)


class Keeping:
    """Whoever makes this holds the lock of the folder from `open` to `close`. What fails is given to `tell`."""

    def __init__(self, data: Path, limits: Limits, queue: JobQueue, tell: Callable[[BarazaError], None]) -> None:
        self.room = Room(data, limits)
        self.journal: Journal | None = None
        self.run: running.Run | None = None
        self._data, self._limits, self._queue, self._tell = data, limits, queue, tell
        self._keeper: Keeper | None = None
        self._closing = threading.Event()
        self._tending: threading.Thread | None = None

    def open(self, documents: Callable[[], Documents], forms: dict[str, Form]) -> None:
        """Open what is kept; a card that lost a part of it must not take translation and advice with it."""
        self._try(lambda: settle(self._data))
        remove_unfinished(self._data)
        self._try(self.room.prepare)
        self.run = self._try(lambda: running.begin(self._data))
        opened = self._try(documents)
        if opened is not None:
            self.tell_of(opened)
        self.journal = self._try(lambda: Journal(self._data / JOURNAL, self._limits, room=self.room))
        if self.journal is not None:
            self._use(self.journal, forms)
        self._tending = threading.Thread(target=self._tend_until_closed, name="baraza-keeping", daemon=True)
        self._tending.start()

    def tell_of(self, documents: Documents) -> None:
        """Note what is wrong with the documents: that they were set aside, and which copy could be brought back."""
        good, aside = documents.last_good, documents.set_aside
        if good is not None:
            where, when = str(aside or good.path), good.saved_at or "?"
            self._tell(DocumentsLastCopyError(path=where, saved_at=when, documents=good.documents))
        elif aside is not None:
            self._tell(DocumentsSetAsideError(path=str(aside)))

    def note(self, event: str, **about: str | int) -> None:
        """Write down in the journal what happened to the box, as far as it can be written."""
        if self.journal is None:
            return
        try:
            self.journal.note(event, **about)
        except StorageError as error:
            log.warning("%s", error)

    def tend(self, copy: bool) -> None:
        """Note how old results are, let what is too much leave, keep the reserve; with `copy`, copy the journal."""
        works: list[Callable[[], object]] = [self.room.prepare]
        if self._keeper is not None:
            works.append(self._keeper.age)
        if self.journal is not None:
            works.append(self.journal.copy if copy else self.journal.trim)
        for work in works:
            try:
                work()
            except StorageError as error:
                log.error("%s", error)

    def close(self) -> None:
        """Write down how things stand, once the queue is closed; last of all, that the stop was a clean one."""
        self._closing.set()
        if self._tending is not None:
            self._tending.join()
        self.tend(copy=True)
        if self.journal is not None:
            self.journal.close()
        run = self.run
        if run is not None:
            self._try(lambda: running.end(self._data, run))

    def _use(self, journal: Journal, forms: dict[str, Form]) -> None:
        if journal.set_aside is not None:
            took_over = "a copy from before" if journal.from_copy else "an empty one"
            self._tell(JournalSetAsideError(path=str(journal.set_aside), copy=took_over))
        self._keeper = Keeper(self._queue, journal, forms, self._tell)
        self._try(self._keeper.begin)
        self._try(lambda: journal.note("started", cut=self.run.cut if self.run else ""))

    def _tend_until_closed(self) -> None:
        rounds = 0
        while not self._closing.wait(TEND_SECONDS):
            rounds += 1
            self.tend(copy=rounds % ROUNDS_A_DAY == 0)

    def _try(self, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except BarazaError as error:
            self._tell(error)
            return None
