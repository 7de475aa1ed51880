"""What people of the village wrote for the knowledge, and what the keeper said to it: one file, written as a whole.

It is kept as the documents are (`tables.DocumentStorage`): old or new after a power cut, proved by a checksum, the copy
of before beside it, and a person can mend it. The journal would let the oldest leave when it is full; this must stay.
"""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import Enum
from pathlib import Path
from threading import Lock
from typing import Any

from appliance.errors import (
    ContributionChangedError,
    ContributionNotFoundError,
    ContributionsFullError,
    NoLastCopyError,
    OwnerContributionsFullError,
    StorageError,
)
from appliance.limits import LIMITS, Limits
from appliance.storage.documents import ID_ALPHABET, ID_LENGTH
from appliance.storage.room import Room
from appliance.storage.tables import Copy, DocumentStorage, Row, Tables, read_copy, utc_now

CONTRIBUTIONS = "community.json"  # the name of the file in the data folder
ENTRIES, VILLAGE = "entries", "village"  # tables in the file
SHARE = 8  # of the room that is left, what one device may take
STEPS = 20  # kept of what became of an entry

log = logging.getLogger(__name__)


class State(Enum):
    WAITING = "waiting"
    ACCEPTED = "accepted"
    REFUSED = "refused"  # or taken back by the keeper later
    WITHDRAWN = "withdrawn"  # by whoever wrote it


CLOSED = (State.REFUSED, State.WITHDRAWN)


@dataclass(frozen=True)
class Step:
    """What became of an entry, when (ISO 8601, by the clock of the box), and the keeper's words; `edited` by them."""

    state: State
    at: str
    words: str = ""
    edited: bool = False


@dataclass(frozen=True)
class Entry:
    """An article or a note, as it was last changed."""

    id: str
    owner: str  # the device that wrote it
    sender: str  # whose share of the waiting ones it takes; "" once the keeper decided
    kind: str
    about: str  # id of the article that it is about; "" if it is one itself
    language: str  # BCP 47
    name: str  # that whoever wrote it wants to be called by; may be ""
    texts: Mapping[str, str]
    steps: tuple[Step, ...]
    sequence: int  # in the order of writing; the clock of the box may lie
    changes: int = 1
    written: Mapping[str, str] = field(default_factory=dict)  # the texts as its writer had them, if the keeper edited

    @property
    def state(self) -> State:
        return self.steps[-1].state

    @property
    def at(self) -> str:
        """When it was written."""
        return self.steps[0].at

    @property
    def words(self) -> str:
        """What the keeper said last."""
        return self.steps[-1].words


@dataclass(frozen=True)
class Village:
    """All of it at one moment. `changes` counts what changed for readers; `code` tells this village from others."""

    name: str = ""
    code: str = ""
    changes: int = 0
    entries: tuple[Entry, ...] = ()  # in the order of writing
    unreadable: Mapping[str, Row] = field(default_factory=dict)  # rows of another form, that stay in the file

    def those(self, *states: State) -> tuple[Entry, ...]:
        """The entries in one of `states`, the oldest first."""
        return tuple(entry for entry in self.entries if entry.state in states)


def read_village(path: Path, limits: Limits = LIMITS) -> Village:
    """What is in the file `path` now, which another process may be keeping; nothing if it is missing or broken."""
    try:
        return _village(read_copy(path, _file_limits(limits)).tables)
    except FileNotFoundError:
        return Village()
    except (ValueError, RecursionError, StorageError) as error:
        log.warning("%s cannot be read: %s", path, error)
        return Village()


class Contributions:
    """Keeps the file; safe to share between threads. After an error everything is as it was before the call."""

    def __init__(
        self,
        path: Path,
        limits: Limits = LIMITS,
        now: Callable[[], datetime] = utc_now,
        room: Room | None = None,
    ) -> None:
        """Open `path`, which need not exist. `room`: the reserve of the disk, which is not to be touched.

        Raises:
            StorageError: it cannot be read, is too large, or is broken and cannot be set aside.
        """
        self._limits, self._now, self._room = limits, now, room
        self._lock = Lock()
        self._storage = DocumentStorage(path, _file_limits(limits), now)
        self._village = _village(self._storage.read() or {})

    @property
    def village(self) -> Village:
        """All there is now."""
        return self._village

    @property
    def set_aside(self) -> Path | None:
        """A broken file that lies beside this one until somebody moves it away."""
        return self._storage.set_aside

    @property
    def last_good(self) -> Copy | None:
        """A copy from before the file broke, that `restore_last` would bring back."""
        return self._storage.last_good

    def get(self, entry_id: str) -> Entry:
        """Raises ContributionNotFoundError."""
        return _find(self._village, entry_id)

    def add(
        self, owner: str, sender: str, kind: str, about: str, language: str, name: str, texts: Mapping[str, str]
    ) -> Entry:
        """Keep what a member wrote; it waits for the keeper.

        Raises:
            OwnerContributionsFullError: too much of this device, or of this sender, waits already.
            ContributionsFullError: the box holds `limits.contributions`, or so many wait.
            ReserveError: what is left of the disk is kept for the box itself.
            StorageError: the disk takes no more.
        """
        with self._lock:
            village = self._village
            self._check_share(village, owner, sender)
            taken = {entry.id for entry in village.entries}
            numbers = [*(entry.sequence for entry in village.entries), *map(int, village.unreadable)]
            entry = Entry(
                id=_new_code(taken),
                owner=owner,
                sender=sender,
                kind=kind,
                about=about,
                language=language,
                name=name,
                texts=dict(texts),
                steps=(self._step(State.WAITING),),
                sequence=1 + max(numbers, default=0),
            )
            self._save(replace(village, entries=(*village.entries, entry)))
            return entry

    def withdraw(self, entry_id: str, owner: str) -> Entry:
        """Take back what `owner` wrote. Raises ContributionNotFoundError: it is not theirs; StorageError."""
        with self._lock:
            entry = _find(self._village, entry_id)
            if entry.owner != owner:
                raise ContributionNotFoundError
            if entry.state in CLOSED:
                return entry
            return self._change(entry, self._step(State.WITHDRAWN))

    def decide(
        self, entry_id: str, seen: int, state: State, words: str = "", texts: Mapping[str, str] | None = None
    ) -> Entry:
        """What the keeper says to an entry as it was after `seen` changes; `texts`: as the keeper put them.

        Raises:
            ContributionNotFoundError: there is none (any more).
            ContributionChangedError: it changed since, or its writer took it back.
            StorageError: the disk takes no more.
        """
        with self._lock:
            entry = _find(self._village, entry_id)
            if entry.changes != seen or entry.state is State.WITHDRAWN:
                raise ContributionChangedError
            edited = texts is not None and dict(texts) != dict(entry.texts)
            if edited and texts is not None:
                entry = replace(entry, texts=dict(texts), written=entry.written or entry.texts)
            return self._change(replace(entry, sender=""), self._step(state, words, edited))

    def name_village(self, name: str) -> None:
        """Call the village so from now on. Raises StorageError."""
        with self._lock:
            village = self._village
            self._save(replace(village, name=name, changes=village.changes + 1))

    def restore_last(self) -> int:
        """Bring back what the last good copy has and is not there now; how many entries these are.

        Raises:
            NoLastCopyError: there is no such copy.
            StorageError: the disk takes no more.
        """
        with self._lock:
            copy = self._storage.last_good
            if copy is None:
                raise NoLastCopyError
            old, now = _village(copy.tables), self._village
            there = {entry.id for entry in now.entries}
            back = [entry for entry in old.entries if entry.id not in there]
            first = max((*(entry.sequence for entry in old.entries), *map(int, old.unreadable)), default=0)
            later = [replace(entry, sequence=entry.sequence + first) for entry in now.entries]
            unreadable = {**old.unreadable, **{str(int(key) + first): row for key, row in now.unreadable.items()}}
            whole = Village(
                now.name or old.name, old.code or now.code, old.changes + now.changes + 1, (*back, *later), unreadable
            )
            self._save(whole)
            self._storage.forget_last_good()
            return len(back)

    def _check_share(self, village: Village, owner: str, sender: str) -> None:
        waiting = village.those(State.WAITING)
        free = self._limits.contributions_waiting - len(waiting)
        if free <= 0:
            raise ContributionsFullError(most=self._limits.contributions_waiting)
        if len(waiting) + len(village.those(State.ACCEPTED)) >= self._limits.contributions:
            raise ContributionsFullError(most=self._limits.contributions)
        mine = sum(entry.owner == owner or entry.sender == sender for entry in waiting)
        if mine >= min(self._limits.contributions_waiting_per_owner, max(1, free // SHARE)):
            raise OwnerContributionsFullError(most=mine)

    def _change(self, entry: Entry, step: Step) -> Entry:
        """Put `step` behind what became of `entry`."""
        village, first = self._village, entry.steps[:1]
        new = replace(entry, steps=first + (*entry.steps[1:], step)[-(STEPS - 1) :], changes=entry.changes + 1)
        read = State.ACCEPTED in (entry.state, new.state)
        entries = tuple(new if each.id == new.id else each for each in village.entries)
        self._save(replace(village, entries=entries, changes=village.changes + read))
        return new

    def _save(self, village: Village) -> None:
        entries = _trimmed(village.entries, self._limits.contributions_closed)
        whole = replace(village, entries=entries, code=village.code or _new_code(()))
        tables = _tables(whole)
        if self._room is not None:
            more = self._limits.contribution_characters
            self._room.check(self._storage.size + more)  # the whole file is written beside the one that is there
        self._storage.write(tables)
        self._village = whole

    def _step(self, state: State, words: str = "", edited: bool = False) -> Step:
        return Step(state, self._now().isoformat(timespec="seconds"), words, edited)


def _file_limits(limits: Limits) -> Limits:
    return replace(limits, document_file_bytes=limits.contribution_file_bytes)


def _find(village: Village, entry_id: str) -> Entry:
    for entry in village.entries:
        if entry.id == entry_id:
            return entry
    raise ContributionNotFoundError


def _new_code(taken: Iterable[str]) -> str:
    while True:
        code = "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))
        if code not in taken:
            return code


def _trimmed(entries: tuple[Entry, ...], most: int) -> tuple[Entry, ...]:
    """Without the closed ones that are too many: the oldest of whoever has the most leave first."""
    closed = [entry for entry in entries if entry.state in CLOSED]
    gone: set[str] = set()
    while len(closed) > most:
        ((owner, _),) = Counter(entry.owner for entry in closed).most_common(1)
        oldest = next(entry for entry in closed if entry.owner == owner)
        closed.remove(oldest)
        gone.add(oldest.id)
    return tuple(entry for entry in entries if entry.id not in gone)


def _tables(village: Village) -> Tables:
    about: Row = {"name": village.name, "code": village.code, "changes": village.changes}
    rows = {str(entry.sequence): _row(entry) for entry in village.entries}
    return {VILLAGE: {"1": about}, ENTRIES: {**village.unreadable, **rows}}


def _row(entry: Entry) -> Row:
    fields = asdict(entry)
    del fields["sequence"]
    fields["steps"] = [{**asdict(step), "state": step.state.value} for step in entry.steps]
    return fields


def _village(tables: Tables) -> Village:
    about = tables.get(VILLAGE, {}).get("1", {})
    entries, unreadable = [], {}
    for number, row in sorted(tables.get(ENTRIES, {}).items(), key=lambda pair: int(pair[0])):
        try:
            entries.append(_entry(int(number), row))
        except (KeyError, TypeError, ValueError) as error:
            log.warning("an entry of %s is not of its form (%s); it stays in the file, unseen", CONTRIBUTIONS, error)
            unreadable[number] = row
    changes = about.get("changes")
    return Village(
        str(about.get("name", "")),
        str(about.get("code", "")),
        changes if isinstance(changes, int) else 0,
        tuple(entries),
        unreadable,
    )


def _entry(number: int, row: Row) -> Entry:
    """Raises KeyError, TypeError, ValueError: it is not of its form."""
    names = ("id", "owner", "sender", "kind", "about", "language", "name")
    texts: dict[str, Any] = {name: row[name] for name in names}
    tables: dict[str, Any] = {name: dict(row[name]) for name in ("texts", "written")}
    steps = tuple(
        Step(State(each["state"]), str(each["at"]), str(each["words"]), bool(each["edited"])) for each in row["steps"]
    )
    values = [*texts.values(), *tables["texts"].values(), *tables["written"].values()]
    if not steps or not all(isinstance(value, str) for value in values):
        raise TypeError("a text is missing")
    return Entry(**texts, **tables, steps=steps, sequence=number, changes=int(row["changes"]))
