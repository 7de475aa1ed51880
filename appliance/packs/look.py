"""What a repository would change on this box: shown to the keeper before anything is installed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from appliance.limits import LIMITS, Limits
from appliance.packs.manifest import MANIFEST
from appliance.packs.offer import Offer
from appliance.packs.store import InstalledPack, PackStore, version_key


class Change(Enum):
    """`OTHER`: the same version as the one on the box, with another content; a publisher never does that."""

    NEW = "new"
    NEWER = "newer"
    SAME = "same"
    OLDER = "older"
    OTHER = "other"


class Obstacle(Enum):
    """Why a pack cannot be installed, or not be used."""

    MISSING = "missing"  # listed, but not on the stick
    MEMORY = "memory"
    DISK = "disk"
    APPLIANCE = "appliance"  # it needs a newer version of the software


@dataclass(frozen=True)
class Box:
    """What the box has room for: `memory` bytes for models, `free` bytes of disk; `version` of the software."""

    memory: int
    free: int
    version: str


@dataclass(frozen=True)
class Seen:
    """`installed`: the version in use, "" for none."""

    offer: Offer
    change: Change
    installed: str
    obstacles: tuple[Obstacle, ...]

    @property
    def brings(self) -> bool:
        """Whether installing it changes something for the better and can be done."""
        return self.change in (Change.NEW, Change.NEWER) and not self.obstacles


def look(
    offers: Iterable[Offer], present: Iterable[bool], store: PackStore, box: Box, limits: Limits = LIMITS
) -> tuple[Seen, ...]:
    """Each offer beside what is on the box; `present` says of each whether its archive is there."""
    return tuple(
        Seen(offer, *_change(offer, store), _obstacles(offer, there, box, limits))
        for offer, there in zip(offers, present, strict=True)
    )


def _change(offer: Offer, store: PackStore) -> tuple[Change, str]:
    used = store.find(offer.name)
    if used is None:
        return Change.NEW, ""
    installed = used.manifest.version
    there, here = version_key(offer.version), version_key(installed)
    if there != here:
        return (Change.NEWER if there > here else Change.OLDER), installed
    return (Change.SAME if _digest(used) == offer.manifest else Change.OTHER), installed


def _digest(pack: InstalledPack) -> str:
    try:
        return sha256((pack.path / MANIFEST).read_bytes()).hexdigest()
    except OSError:
        return ""


def _obstacles(offer: Offer, there: bool, box: Box, limits: Limits) -> tuple[Obstacle, ...]:
    found = {
        Obstacle.MISSING: not there,
        Obstacle.MEMORY: offer.memory > box.memory,
        Obstacle.DISK: offer.size + limits.disk_reserve_bytes > box.free,
        Obstacle.APPLIANCE: version_key(offer.least_appliance) > version_key(box.version),
    }
    return tuple(obstacle for obstacle, applies in found.items() if applies)
