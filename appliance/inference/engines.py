"""The engines of a box: opened when they are needed, closed when their memory is needed for another.

A pack says how much memory its engine takes, and a budget how much all may take together. Whoever works borrows an
engine for as long as it works. One that is open is lent at once, to as many as ask; one that is not is opened by the
first who asks, while the others wait for it. If there is no room, idle ones are closed, that idle longest first; if
that is not enough, the borrower stands in line until those at work are done.

It cannot lock up. Whoever stands in line holds no engine: work that needs two borrows them one after the other, and a
thread that holds one and asks for another gets it now or is refused. So those who hold engines always finish, and the
line moves.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from appliance.errors import BarazaError, CancelledError, EngineBusyError, EngineError, EngineTooLargeError
from appliance.inference.embedder import Embedder
from appliance.inference.generator import TextGenerator
from appliance.inference.memory import MIB, give_back
from appliance.inference.translator import Translates, Translator
from appliance.limits import LIMITS, Limits
from appliance.packs.store import InstalledPack

log = logging.getLogger(__name__)

GLANCE = 0.2  # seconds between two looks at whether what waits for an engine is still wanted

Engine = TypeVar("Engine")
Opener = Callable[[InstalledPack, int, Limits], Engine]
Cancelled = Callable[[], bool]
Notice = Callable[[], None]


@dataclass(frozen=True)
class Openers:
    """What opens a pack of each kind, given the threads and the limits."""

    translation: Opener[Translates] = Translator
    generation: Opener[TextGenerator] = TextGenerator
    embedding: Opener[Embedder] = Embedder


@dataclass(frozen=True)
class Use:
    """What the engines take of their budget, in bytes, and the packs that are open."""

    budget: int
    taken: int
    packs: tuple[str, ...]


@dataclass(eq=False)
class Slot:
    """An engine and its memory (bytes); until it is `ready` it is being opened, then it is there or its `error` is."""

    pack: InstalledPack
    size: int
    engine: Any = None
    error: BarazaError | None = None
    users: int = 0
    last_loan: int = 0
    ready: threading.Event = field(default_factory=threading.Event)

    @property
    def idle(self) -> bool:
        return self.users == 0 and self.ready.is_set()


@dataclass(eq=False)
class Place:
    """Of one who waits for memory, since when (monotonic seconds)."""

    since: float


def never() -> bool:
    """The work is never cancelled."""
    return False


def ignore() -> None:
    """Nobody is told that it takes a moment."""


def size_of(pack: InstalledPack) -> int:
    """Bytes of memory to reckon with for `pack`: what it says, and never less than its files have."""
    return max(pack.manifest.memory_bytes, pack.manifest.size)


class Engines:
    """Lends the engines of packs, within `budget` bytes of memory; safe to share between threads."""

    def __init__(
        self,
        budget: int,
        threads: int,
        limits: Limits = LIMITS,
        openers: Openers | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.budget, self._threads, self._limits, self._clock = budget, threads, limits, clock
        self._openers = openers or Openers()
        self._changed = threading.Condition()
        self._slots: dict[str, Slot] = {}
        self._line: list[Place] = []
        self._held: Counter[int] = Counter()  # loans of each thread
        self._loans = itertools.count(1)
        self._retired: set[str] = set()  # paths of packs that nobody is to find open any more
        self._closing = False

    # What a service calls

    def translator(
        self, pack: InstalledPack, *, cancelled: Cancelled = never, on_wait: Notice = ignore
    ) -> AbstractContextManager[Translates]:
        """Borrow the translator of `pack`: `with engines.translator(pack) as translator: …`.

        `on_wait` is called once if it is not open, before it is opened or waited for; `cancelled` is asked while
        it is waited for.

        Raises:
            EngineTooLargeError: it needs more memory than the whole budget.
            EngineBusyError: the memory did not become free, or the thread holds another engine and it is not free now.
            EngineError: the pack cannot be opened.
            CancelledError: `cancelled()` was true.
        """
        return self._borrow(pack, self._openers.translation, cancelled, on_wait)

    def generator(
        self, pack: InstalledPack, *, cancelled: Cancelled = never, on_wait: Notice = ignore
    ) -> AbstractContextManager[TextGenerator]:
        """Borrow the text generator of `pack`; all else as `translator`."""
        return self._borrow(pack, self._openers.generation, cancelled, on_wait)

    def embedder(
        self, pack: InstalledPack, *, cancelled: Cancelled = never, on_wait: Notice = ignore
    ) -> AbstractContextManager[Embedder]:
        """Borrow the embedder of `pack`; all else as `translator`."""
        return self._borrow(pack, self._openers.embedding, cancelled, on_wait)

    def fit(self, packs: Iterable[InstalledPack]) -> bool:
        """Whether the engines of all `packs` can be open at the same time."""
        return sum({str(pack.path): size_of(pack) for pack in packs}.values()) <= self.budget

    # What the box calls

    def open_if_free(self, pack: InstalledPack) -> bool:
        """Open the engine of `pack` ahead of need if memory is free and no other must be closed; whether it is open.

        Raises:
            EngineError: the pack cannot be opened.
        """
        opener = self._opener_of(pack)
        with self._changed:
            slot = self._slots.get(str(pack.path))
            if slot is not None:
                return slot.ready.is_set()
            if opener is None or self._closing or self._line or size_of(pack) > self.budget - self._taken():
                return False
            slot = self._new_slot(pack)
        try:
            self._open(slot, opener)
        finally:
            self._return(slot)
        return True

    def retire(self, packs: Iterable[InstalledPack]) -> None:
        """Close the engines of `packs`, which others have replaced: now, or as soon as those at work give them back.

        Whoever still asks for one gets it; it is closed again afterwards.
        """
        with self._changed:
            for pack in packs:
                self._retired.add(str(pack.path))
                slot = self._slots.get(str(pack.path))
                if slot is not None:
                    self._close_if_idle(slot)
            self._changed.notify_all()

    def employ(self, packs: Iterable[InstalledPack]) -> None:
        """Undo `retire` for `packs`: they are in use again."""
        with self._changed:
            self._retired -= {str(pack.path) for pack in packs}

    def use(self) -> Use:
        """What is open now."""
        with self._changed:
            return Use(self.budget, self._taken(), tuple(sorted(slot.pack.name for slot in self._slots.values())))

    def close(self) -> None:
        """Close every engine, those at work as soon as they are idle."""
        with self._changed:
            self._closing = True
            for slot in list(self._slots.values()):
                self._close_if_idle(slot)

    # A loan

    @contextmanager
    def _borrow(
        self, pack: InstalledPack, opener: Opener[Engine], cancelled: Cancelled, on_wait: Notice
    ) -> Iterator[Engine]:
        slot, fresh, told = self._claim_in_turn(pack, cancelled, on_wait)
        try:
            if not told and not slot.ready.is_set():
                on_wait()
            if fresh:
                self._open(slot, opener)
            while not slot.ready.wait(GLANCE):
                if cancelled():
                    raise CancelledError
            if slot.error is not None:
                raise slot.error
            yield slot.engine
        finally:
            self._return(slot)

    def _claim_in_turn(self, pack: InstalledPack, cancelled: Cancelled, on_wait: Notice) -> tuple[Slot, bool, bool]:
        """The slot of `pack`, whether it is to be opened, and whether `on_wait` was called."""
        if size_of(pack) > self.budget:
            needs, has = -(-size_of(pack) // MIB), self.budget // MIB
            raise EngineTooLargeError(pack=pack.name, needs=needs, has=has)
        place = Place(self._clock())
        told = False
        try:
            while True:
                with self._changed:
                    claimed = self._claim(pack, place)
                    if claimed is None and told:
                        self._changed.wait(GLANCE)
                if claimed is not None:
                    return *claimed, told
                if not told:
                    on_wait()
                    told = True
                if cancelled():
                    raise CancelledError
                if self._clock() - place.since > self._limits.engine_wait_seconds:
                    raise EngineBusyError(pack=pack.name)
        finally:
            self._leave(place)

    def _open(self, slot: Slot, opener: Opener[Engine]) -> None:
        """Fill `slot`, while nobody else is held up. Raises BarazaError, and so do all who wait for it."""
        give_back()  # what was closed for it
        began = self._clock()
        try:
            slot.engine = opener(slot.pack, self._threads, self._limits)
        except BarazaError as error:
            slot.error = error
            raise
        except Exception as error:  # whatever a library meets in a broken pack: those who wait must be told
            slot.error = EngineError(pack=slot.pack.name, reason=str(error))
            raise slot.error from error
        finally:
            with self._changed:
                if slot.engine is None:
                    slot.error = slot.error or EngineError(pack=slot.pack.name, reason="its opening was broken off")
                    del self._slots[str(slot.pack.path)]
                slot.ready.set()
                self._changed.notify_all()
        log.info("opened %s in %.2f s", slot.pack.name, self._clock() - began)

    def _return(self, slot: Slot) -> None:
        with self._changed:
            slot.users -= 1
            slot.last_loan = next(self._loans)
            self._note_loan(-1)
            if self._closing or str(slot.pack.path) in self._retired:
                self._close_if_idle(slot)
            self._changed.notify_all()

    def _leave(self, place: Place) -> None:
        with self._changed:
            if place in self._line:
                self._line.remove(place)
                self._changed.notify_all()

    def _opener_of(self, pack: InstalledPack) -> Opener[Any] | None:
        by_kind: dict[str, Opener[Any]] = {
            "translation": self._openers.translation,
            "text-generation": self._openers.generation,
            "embedding": self._openers.embedding,
        }
        return by_kind.get(pack.manifest.kind)

    # Under the lock

    def _claim(self, pack: InstalledPack, place: Place) -> tuple[Slot, bool] | None:
        """The slot of `pack`, lent, and whether the borrower has to open it; None if it has to wait in the line."""
        holds = self._held[threading.get_ident()] > 0
        slot = self._slots.get(str(pack.path))
        if slot is not None and (holds or not self._must_let_others_first(place)):
            slot.users += 1
            self._note_loan(+1)
            return slot, False
        if slot is None and (holds or not self._line or self._line[0] is place) and self._make_room(size_of(pack)):
            return self._new_slot(pack), True
        if holds:
            raise EngineBusyError(pack=pack.name)
        if place not in self._line:
            self._line.append(place)
        return None

    def _must_let_others_first(self, place: Place) -> bool:
        """Whether somebody has waited for memory so long that engines must come to rest now, however many ask."""
        if not self._line or self._line[0] is place:
            return False
        return self._clock() - self._line[0].since > self._limits.engine_patience_seconds

    def _make_room(self, size: int) -> bool:
        """Close idle engines, those that idle longest first, until `size` bytes are free; none if it is in vain."""
        idle = sorted((slot for slot in self._slots.values() if slot.idle), key=lambda slot: slot.last_loan)
        missing = size - (self.budget - self._taken())
        if missing > sum(slot.size for slot in idle):
            return False
        for slot in idle:
            if missing <= 0:
                break
            missing -= slot.size
            self._close_if_idle(slot)
        return True

    def _new_slot(self, pack: InstalledPack) -> Slot:
        slot = Slot(pack, size_of(pack), users=1)
        self._slots[str(pack.path)] = slot
        self._note_loan(+1)
        return slot

    def _close_if_idle(self, slot: Slot) -> None:
        if not slot.idle or self._slots.get(str(slot.pack.path)) is not slot:
            return
        del self._slots[str(slot.pack.path)]
        slot.engine = None
        log.info("closed %s", slot.pack.name)

    def _note_loan(self, change: int) -> None:
        thread = threading.get_ident()
        self._held[thread] += change
        if not self._held[thread]:
            del self._held[thread]

    def _taken(self) -> int:
        return sum(slot.size for slot in self._slots.values())
