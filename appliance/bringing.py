"""What comes to the box: packs from sticks, folders and neighbours, as jobs that go on though nobody looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from appliance.errors import CancelledError, RepositoryError, SourceLostError
from appliance.inference.job import Job
from appliance.inference.queue import Context, JobQueue
from appliance.inference.shown import shown
from appliance.limits import LIMITS, Limits
from appliance.packs.bring import Install, Told, altogether, bring
from appliance.packs.look import Box
from appliance.packs.shelf import Choice, Shelf, choose, shelves, sources_at
from appliance.packs.store import InstalledPack, PackStore
from appliance.packs.trust import Trust
from appliance.packs.unattended import News, Outcome, StickNews, Watch, attend
from appliance.packs.usb import Stick, Sticks
from appliance.storage.journal import Journal

UNATTENDED = "unattended"  # the owner of what the box installs by itself


class Bringing:
    """Works in the queue `installs`, one after the other."""

    def __init__(
        self,
        trust: Trust,
        store: PackStore,
        sticks: Sticks,
        installs: JobQueue,
        box: Callable[[], Box],
        install: Callable[[Context], Install],
        journal: Callable[[], Journal | None],
        limits: Limits = LIMITS,
    ) -> None:
        """`box` tells what there is room for; `install` gives what installs a pack for a job."""
        self._trust, self._store, self._sticks, self._installs = trust, store, sticks, installs
        self._box, self._install, self._limits = box, install, limits
        self._watch, self._news = Watch(sticks), StickNews(journal, limits)

    def look(self, place: str) -> tuple[Shelf, ...]:
        """What is at `place`, and what it would change. Raises AddressError, RepositoryError: there is nothing."""
        found = sources_at(self._sticks.place(place), self._limits)
        return shelves(self._trust, self._store, self._box(), found)

    def submit(self, owner: str, place: str, names: Sequence[str]) -> Job:
        """As `Appliance.submit_bring`."""

        def work(context: Context) -> tuple[InstalledPack, ...]:
            chosen = choose(self.look(place), names)
            return tuple(bring(chosen, self._install(context), _told(context, chosen)))

        request = {"place": place, "names": list(names)}
        return self._installs.submit(owner, "bring", work, cost=1, request=request, hold_for=owner)

    def news(self) -> tuple[News, ...]:
        """What became of sticks that were plugged in while nobody looked, the newest first. Raises StorageError."""
        return self._news.latest()

    def look_at_sticks(self) -> None:
        """As `Appliance.look_at_sticks`."""
        appeared = self._watch.appeared()
        if appeared and any(root.unattended for root in self._trust.roots()):
            for stick in appeared:
                self._attend(stick)

    def _attend(self, stick: Stick) -> None:
        def work(context: Context) -> tuple[InstalledPack, ...]:
            try:
                found = self.look(str(stick.path))
            except SourceLostError as error:
                self._news.note(News(Outcome.REFUSED, stick.label, error=error))
                return ()
            except RepositoryError:
                return ()  # photographs, music: there are no packs on it
            install, note = self._install(context), self._news.note
            return attend(stick, found, self._store, install, note, lambda chosen: _told(context, chosen))

        request = {"place": stick.name, "names": list[str]()}
        self._installs.submit(UNATTENDED, "bring", work, cost=1, request=request, hold_for=UNATTENDED)


def _told(context: Context, chosen: Sequence[Choice]) -> Told:
    """Tells how far a job is with all of `chosen`, and breaks it off when it is not wanted any more."""
    tell = shown(context)

    def show(done: int, total: int) -> None:
        if context.cancelled():
            raise CancelledError
        tell(done, total)

    return altogether(chosen, show)
