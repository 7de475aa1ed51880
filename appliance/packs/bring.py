"""Packs brought to the box from where they were found, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from appliance.packs.copying import Progress
from appliance.packs.offer import Offer
from appliance.packs.shelf import Choice
from appliance.packs.store import InstalledPack

Install = Callable[[Path, Progress, str], InstalledPack]  # an archive, whom to tell, the sha256 of its pack.toml
Told = Callable[[Offer, int, int], None]  # bytes done of a pack, of how many


def bring(chosen: Iterable[Choice], install: Install, told: Told) -> Iterator[InstalledPack]:
    """Install each of `chosen`; what is given is in use. What `told` raises ends the work.

    An archive is fetched (from a neighbour) and verified, which counts for half of its bytes, and then copied.

    Raises SourceLostError, RepositoryError, StorageError, PackError: as `Repository.archive` and `install`. The packs
    before that one stay installed.
    """
    for repository, each in chosen:
        halves = _Halves(each.offer, told)
        with repository.archive(each.offer, halves.verified) as path:
            pack = install(path, halves.copied, each.offer.manifest)
        yield pack


def altogether(chosen: Iterable[Choice], show: Progress) -> Told:
    """Tells `show` the bytes of all of `chosen` as their packs are told of, one after the other."""
    sizes = [each.offer.size for _, each in chosen]
    begun: list[Offer] = []

    def told(offer: Offer, done: int, total: int) -> None:
        if offer not in begun:
            begun.append(offer)
        before = sum(each.size for each in begun[:-1])
        show(min(before + done, sum(sizes)), sum(sizes))

    return told


class _Halves:
    """Counts one pack: the archive of stored files has about as many bytes as they have."""

    def __init__(self, offer: Offer, told: Told) -> None:
        self._offer, self._told, self._verified = offer, told, 0

    def verified(self, length: int) -> None:
        self._verified = min(self._verified + length, self._offer.size)
        self._told(self._offer, self._verified // 2, self._offer.size)

    def copied(self, done: int, total: int) -> None:
        """The last byte that is copied is the last of all."""
        self._told(self._offer, self._offer.size - (total - done) // 2, self._offer.size)
