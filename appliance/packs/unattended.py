"""A stick that is plugged in while nobody looks: what the keeper allowed beforehand is installed from it.

Only from publishers that are trusted with it (`baraza roots limit NAME --unattended`), only what is new or newer, and
only while the clock can be right: else nobody knows how old a release is. What became of it is kept for the keeper.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from appliance.errors import BarazaError, CancelledError, SourceLostError, UnknownPublisherError, error_of
from appliance.limits import LIMITS, Limits
from appliance.packs.bring import Install, Told, bring
from appliance.packs.shelf import Choice, Shelf, choose
from appliance.packs.store import InstalledPack, PackStore
from appliance.packs.usb import Stick, Sticks
from appliance.storage.journal import Happening, Journal
from appliance.storage.tables import utc_now

EVENT = "stick"  # of the journal's history
log = logging.getLogger(__name__)


class Outcome(Enum):
    """What became of a stick, of a repository on it, or of one pack."""

    INSTALLED = "installed"
    FAILED = "failed"  # a pack was not installed, for `error`
    REFUSED = "refused"  # nothing was taken from a repository, for `error`
    CLOCK = "clock"  # nothing was taken, because the clock of the box cannot be right


@dataclass(frozen=True)
class News:
    """`time`: ISO 8601, by the clock of the box; `root`, `pack`: "" where it is about none."""

    outcome: Outcome
    stick: str
    root: str = ""
    pack: str = ""
    error: BarazaError | None = None
    time: str = ""


class StickNews:
    """Keeps what became of sticks in the history of the journal; while there is no journal, in memory."""

    def __init__(self, journal: Callable[[], Journal | None], limits: Limits = LIMITS) -> None:
        self._journal, self._memory = journal, deque[News](maxlen=limits.stick_news)
        self._most = limits.stick_news

    def note(self, news: News) -> None:
        """Keep `news`; nothing is raised."""
        log.info("stick %s: %s %s %s %s", news.stick, news.outcome.value, news.root, news.pack, news.error or "")
        journal = self._journal()
        try:
            if journal is None:
                self._memory.appendleft(News(**{**vars(news), "time": utc_now().isoformat(timespec="seconds")}))
            else:
                journal.note(EVENT, **_written(news))
        except BarazaError as error:
            log.warning("what became of the stick %s is not kept: %s", news.stick, error)

    def latest(self) -> tuple[News, ...]:
        """What happened last, the newest first. Raises StorageError: the journal cannot be read."""
        journal = self._journal()
        if journal is None:
            return tuple(self._memory)
        return tuple(_read(each) for each in journal.history(self._most, event=EVENT))


class Watch:
    """Knows which sticks were there at the last look."""

    def __init__(self, sticks: Sticks) -> None:
        self._sticks, self._known = sticks, frozenset[str]()

    def appeared(self) -> tuple[Stick, ...]:
        """The sticks that were plugged in since the last look; at the first one, all."""
        present = self._sticks.present()
        known, self._known = self._known, frozenset(stick.mark for stick in present)
        return tuple(stick for stick in present if stick.mark not in known)


def attend(
    stick: Stick,
    found: Sequence[Shelf],
    store: PackStore,
    install: Install,
    note: Callable[[News], None],
    begin: Callable[[Sequence[Choice]], Told],
) -> tuple[InstalledPack, ...]:
    """Install from `stick`, on which `found` is, what may be installed unattended; what fails keeps nothing else back.

    `begin` is told what is going to be installed, and gives whom to tell how far it is. Raises CancelledError.
    """
    for shelf in found:
        if error := _refusal(shelf):
            note(News(Outcome.REFUSED, stick.label, error=error))
        elif shelf.root and shelf.root.unattended and not shelf.believed:
            note(News(Outcome.CLOCK, stick.label, root=shelf.root.name))
    chosen = _wanted(found, store)
    told, done = begin(chosen), list[InstalledPack]()
    for choice in chosen:
        repository, each = choice
        about = News(Outcome.FAILED, stick.label, repository.root.name, f"{each.offer.name} {each.offer.version}")
        try:
            done += bring([choice], install, told)
        except CancelledError:
            raise
        except BarazaError as error:
            note(News(Outcome.FAILED, about.stick, about.root, about.pack, error))
            if isinstance(error, SourceLostError):
                break
        else:
            note(News(Outcome.INSTALLED, about.stick, about.root, about.pack))
    return tuple(done)


def _refusal(shelf: Shelf) -> BarazaError | None:
    if shelf.repository is None and shelf.refused is None:
        return UnknownPublisherError(path=shelf.place, words=shelf.words, version=shelf.version)
    return shelf.refused


def _wanted(found: Iterable[Shelf], store: PackStore) -> tuple[Choice, ...]:
    """What is new or newer and may be taken; not a version that is on the box already: the keeper went back from it."""
    allowed = [shelf for shelf in found if shelf.repository is not None and shelf.repository.unattended]
    chosen = choose(allowed) if allowed else ()
    return tuple(choice for choice in chosen if choice[1].offer.version not in store.versions(choice[1].offer.name))


def _written(news: News) -> dict[str, str]:
    about = {"outcome": news.outcome.value, "stick": news.stick, "root": news.root, "pack": news.pack}
    if news.error is not None:
        about |= {"error": news.error.key, "fields": json.dumps(news.error.fields)}
    return about


def _read(happening: Happening) -> News:
    about = happening.about
    error = error_of(about["error"], json.loads(about["fields"])) if "error" in about else None
    return News(Outcome(about["outcome"]), about["stick"], about["root"], about["pack"], error, happening.time)
