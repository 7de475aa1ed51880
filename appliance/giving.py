"""What a keeper gives away: packs and a backup onto a stick, as jobs that go on though nobody looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from appliance.inference.job import Job
from appliance.inference.queue import Context, JobQueue
from appliance.inference.shown import shown
from appliance.limits import LIMITS, Limits
from appliance.packs.export import HOME, Exported, as_a_stick, export
from appliance.packs.onward import Exportable, Onward
from appliance.packs.own import OwnRoot
from appliance.packs.trust import Trust
from appliance.packs.usb import Sticks
from appliance.storage.atomic import ensure_folder
from appliance.storage.backup import Backup, make_backup


class Giving:
    """Works in the queue `installs`, so that nothing is given away while packs change."""

    def __init__(
        self,
        data: Path,
        onward: Onward,
        trust: Trust,
        sticks: Sticks,
        installs: JobQueue,
        prepare: Callable[[Sequence[str]], None],
        limits: Limits = LIMITS,
    ) -> None:
        """`prepare` makes what is not among the packs yet, before packs of these names are given away."""
        self._prepare = prepare
        self._data, self._onward, self._trust = data, onward, trust
        self._sticks, self._installs, self._limits = sticks, installs, limits

    def exportable(self) -> tuple[Exportable, ...]:
        """As `Onward.exportable`."""
        return self._onward.exportable()

    def own_root(self) -> OwnRoot:
        """As `Own.root`."""
        return self._onward.own.root()

    def submit_export(self, owner: str, stick: str, names: Sequence[str]) -> Job:
        """A job that copies the packs `names` to the stick called so, and ends in a tuple of `Exported`.

        Raises QueueError, StickNotFoundError.
        """
        found = self._sticks.get(stick)

        def work(context: Context) -> tuple[Exported, ...]:
            self._prepare(names)
            with self._sticks.writing(found) as place:
                return export(self._onward, self._trust, place, names, shown(context), context.cancelled, self._limits)

        request = {"stick": stick, "names": list(names)}
        return self._installs.submit(owner, "export", work, cost=1, request=request, hold_for=owner)

    def submit_backup(self, owner: str, stick: str, passphrase: str) -> Job:
        """A job that backs the box up into a new file on the stick called so, and ends in the `Backup`.

        Raises QueueError, StickNotFoundError.
        """
        found = self._sticks.get(stick)

        def work(context: Context) -> Backup:
            with self._sticks.writing(found) as place, as_a_stick(place):
                ensure_folder(place / HOME)
                return make_backup(
                    self._data, place / HOME, passphrase, self._limits, shown(context), context.cancelled
                )

        # The passphrase is in the work, which nobody can read, and not in the request, which pages show.
        return self._installs.submit(owner, "backup", work, cost=1, request={"stick": stick}, hold_for=owner)
