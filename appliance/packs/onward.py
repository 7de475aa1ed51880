"""Packs handed on: to a stick, or to a neighbour's box, with the signature of whoever made them.

A pack goes under the publisher whose newest release, as this box remembers it, lists it: the publisher's own metadata,
and the archive made again from the installed folder. What no such release lists, this box signs itself (`own`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from pathlib import Path

from appliance.errors import PackError, PackNotInstalledError
from appliance.limits import LIMITS, Limits
from appliance.packs.archive import head
from appliance.packs.copying import Progress, never
from appliance.packs.manifest import MANIFEST
from appliance.packs.offer import Offer, offer_of
from appliance.packs.own import BOX, ONWARD, Own
from appliance.packs.remembered import Listed, Release, release_of
from appliance.packs.roots import State
from appliance.packs.store import InstalledPack, PackStore
from appliance.packs.stored import Measures, Stored, length_of
from appliance.packs.trust import Trust

MEASURES = "measures.json"
log = logging.getLogger(__name__)


class Why(Enum):
    """Why this box signs a pack itself."""

    UNLISTED = "unlisted"  # no publisher's newest release lists it: made here, came with the software, or replaced
    EXPIRED = "expired"  # the release that lists it is out of date, and others would refuse it
    PACKED = "packed"  # its publisher packed it otherwise than stored, and such an archive cannot be made again


@dataclass(frozen=True)
class Exportable:
    """A pack in use that can be handed on; `length`: bytes of its archive; `root`: the publisher's name here, "" if
    this box signs it, and `why` it does.
    """

    offer: Offer
    length: int
    root: str
    why: Why | None


@dataclass(frozen=True)
class Parcel:
    """A pack and its archive, to be made again from `pack`."""

    listed: Listed
    pack: InstalledPack
    stored: Stored


@dataclass(frozen=True)
class Bundle:
    """What is handed on of one publisher."""

    release: Release
    parcels: tuple[Parcel, ...]
    own: bool = False  # this box signed it


class Onward:
    """What the box with these packs and roots can hand on; `data` is its folder."""

    def __init__(self, trust: Trust, store: PackStore, data: Path, limits: Limits = LIMITS) -> None:
        self.own = Own(data, trust, limits)
        self._trust, self._store, self._limits = trust, store, limits
        self._measures = Measures(data / ONWARD / MEASURES, limits)

    def exportable(self) -> tuple[Exportable, ...]:
        """Every pack in use, by name, and under whom it would go. Nothing is read but the `pack.toml` of each."""
        releases = self.releases()
        return tuple(self._described(pack, releases) for pack in self._store.active())

    def releases(self) -> tuple[Release, ...]:
        """The newest release of each publisher that this box can hand on."""
        found = (release_of(name, state, self._limits) for name, state in self._others())
        return tuple(release for release in found if release is not None)

    def is_vouched(self, pack: InstalledPack) -> bool:
        """Whether a publisher whom the keeper trusts with every kind signed `pack` as it is; this box itself is none.

        Raises OSError: its `pack.toml` cannot be read.
        """
        digest = sha256((pack.path / MANIFEST).read_bytes()).hexdigest()
        free = {root.name for root in self._trust.roots() if root.kinds is None and root.name != BOX}
        return any(release.find(pack.manifest.name, digest) for release in self.releases() if release.name in free)

    def to_measure(self, names: Iterable[str]) -> int:
        """Bytes that `pack` will read before the first archive of these packs is made."""
        wanted = self._wanted(names)
        return sum(map(self._unread, [*wanted, *self._beside(wanted)]))

    def measure(self, name: str, cancelled: Callable[[], bool] = never) -> Stored:
        """The archive of pack `name`, read through unless that was done before. Raises as `pack`."""
        return self._measures.of(self._pack(name).path, cancelled=cancelled)

    def stamp(self) -> frozenset[tuple[str, int]]:
        """Differs once another release of a publisher was seen, or a root was added or removed."""
        return frozenset((name, state.release) for name, state in self._others())

    def length(self, names: Iterable[str]) -> int:
        """Bytes of the archives of these packs. Raises PackNotInstalledError, PackManifestError."""
        return sum(length_of(head(self._pack(name).path)) for name in names)

    def pack(
        self, names: Iterable[str], progress: Progress | None = None, cancelled: Callable[[], bool] = never
    ) -> tuple[Bundle, ...]:
        """The packs `names`, sorted by who signs them; `progress` is told of what is read to measure them.

        Raises:
            PackNotInstalledError: there is no such pack.
            PackManifestError, PackFileError: one is not whole.
            KeysError, StorageError: this box cannot sign.
            CancelledError: `cancelled()` was true.
        """
        wanted = self._wanted(names)
        beside = self._beside(wanted)
        reading = _Reading(progress, sum(map(self._unread, [*wanted, *beside])))
        bundles: dict[str, tuple[Release, list[Parcel]]] = {}
        own: list[tuple[InstalledPack, Stored]] = []
        releases = [release for release in self.releases() if not self._is_over(release)]
        for pack in wanted:
            stored = self._measured(pack, reading, cancelled)
            release, listed = _listing(pack, releases, stored)
            if release is None or listed is None:
                own.append((pack, stored))
            else:
                bundles.setdefault(release.name, (release, []))[1].append(Parcel(listed, pack, stored))
        found = [Bundle(release, tuple(parcels)) for release, parcels in bundles.values()]
        return (*found, *([self._own_bundle(own, beside, reading, cancelled)] if own else []))

    def _own_bundle(
        self,
        packs: list[tuple[InstalledPack, Stored]],
        beside: list[InstalledPack],
        reading: _Reading,
        cancelled: Callable[[], bool],
    ) -> Bundle:
        """The packs that this box signs, in a release that lists all that it would sign: the same for everybody."""
        listed = [(_offer(pack), stored) for pack, stored in packs]
        for pack in beside:
            try:
                listed.append((_offer(pack), self._measured(pack, reading, cancelled)))
            except PackError as error:
                log.warning("%s is not handed on: %s", pack.name, error)
        release = self.own.release(sorted(listed, key=lambda row: row[0].path))
        parcels = []
        for pack, stored in packs:
            offer = _offer(pack)
            found = release.find(offer.name, offer.manifest)
            if found is not None:
                parcels.append(Parcel(found, pack, stored))
        return Bundle(release, tuple(parcels), own=True)

    def _others(self) -> Iterator[tuple[str, State]]:
        """What is remembered of each publisher but this box."""
        mine = self.own.identity
        return ((name, state) for name, state in self._trust.remembered() if mine not in state.identities())

    def _wanted(self, names: Iterable[str]) -> list[InstalledPack]:
        return [self._pack(name) for name in dict.fromkeys(names)]

    def _beside(self, wanted: Sequence[InstalledPack]) -> list[InstalledPack]:
        """The other packs in use that this box signs, if it signs one of `wanted`.

        With a list for each stick, a box that saw a later list would refuse the stick with an earlier one.
        """
        releases = self.releases()
        if all(self._described(pack, releases).root for pack in wanted):
            return []
        others = [pack for pack in self._store.active() if pack not in wanted]
        return [pack for pack in others if not self._described(pack, releases).root]

    def _unread(self, pack: InstalledPack) -> int:
        """Bytes to be read to measure `pack`."""
        found = head(pack.path)
        return 2 * found.manifest.size if self._measures.find(found.digest) is None else 0

    def _measured(self, pack: InstalledPack, reading: _Reading, cancelled: Callable[[], bool]) -> Stored:
        with reading.of(self._unread(pack)) as show:
            return self._measures.of(pack.path, show, cancelled)

    def _described(self, pack: InstalledPack, releases: tuple[Release, ...]) -> Exportable:
        offer, length, why = _offer(pack), length_of(head(pack.path)), Why.UNLISTED
        for release in releases:
            listed = release.find(offer.name, offer.manifest)
            if listed is None:
                continue
            if not self._is_over(release) and listed.length == length:
                return Exportable(offer, length, release.name, None)
            why = Why.EXPIRED if self._is_over(release) else Why.PACKED
        return Exportable(offer, length, "", why)

    def _is_over(self, release: Release) -> bool:
        return release.expires <= self._trust.time.judge().now

    def _pack(self, name: str) -> InstalledPack:
        found = self._store.find(name)
        if found is None:
            raise PackNotInstalledError(pack=name)
        return found


class _Reading:
    """Adds up what is read of one pack after the other."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._before = progress, total, 0

    @contextmanager
    def of(self, length: int) -> Iterator[Progress]:
        """What is told of the next `length` bytes."""
        yield self._show
        self._before += length

    def _show(self, done: int, _: int) -> None:
        if self._progress:
            self._progress(self._before + done, self._total)


def _listing(pack: InstalledPack, releases: Iterable[Release], stored: Stored) -> tuple[Release | None, Listed | None]:
    """The release that lists the very archive that can be made of `pack`."""
    offer = _offer(pack)
    for release in releases:
        listed = release.find(offer.name, offer.manifest)
        if listed and (listed.length, listed.sha256) == (stored.length, stored.sha256):
            return release, listed
    return None, None


def _offer(pack: InstalledPack) -> Offer:
    return offer_of(pack.manifest, head(pack.path).digest)
