"""What several commands need: the roots, the packs, and how a place is named."""

from __future__ import annotations

import shutil
from pathlib import Path

from appliance import __version__, config
from appliance.errors import RepositoryError
from appliance.inference import memory
from appliance.packs.look import Box
from appliance.packs.neighbour import NeighbourSource
from appliance.packs.sources import FolderSource, Source, SourceReadError, find_repositories
from appliance.packs.store import PackStore
from appliance.packs.trust import TRUST, Trust, development_root

HTTP = ("http://", "https://")


def trust() -> Trust:
    """The roots of this box, and the development root if the setting names one."""
    chosen = config.load()
    return Trust(chosen.data / TRUST, development=development_root(chosen.development_root))


def store() -> PackStore:
    chosen = config.load()
    return PackStore(chosen.packs, chosen.data / "packs")


def box() -> Box:
    """What this machine has room for."""
    chosen = config.load()
    there = next(folder for folder in (chosen.data, *chosen.data.parents) if folder.is_dir())
    return Box(memory.budget(chosen.memory, memory.measure()), shutil.disk_usage(there).free, __version__)


def is_repository(place: str) -> bool:
    """Whether `place` is an address, or a folder that holds a repository."""
    return place.startswith(HTTP) or bool(Path(place).is_dir() and find_repositories(Path(place)))


def sources(place: str) -> tuple[Source, ...]:
    """The repositories at `place`: an address of a neighbour's box, a stick, or a folder.

    Raises AddressError, RepositoryError: there is none.
    """
    if place.startswith(HTTP):
        return (NeighbourSource(place),)
    try:
        found = find_repositories(Path(place))
    except SourceReadError as error:
        raise RepositoryError(path=place, reason=str(error)) from error
    if not found:
        reason = "no signed packs lie in it, in its subfolders or in its folder “baraza”"
        raise RepositoryError(path=place, reason=reason)
    return tuple(FolderSource(folder) for folder in found)
