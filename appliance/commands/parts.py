"""What several commands need: the roots, the packs, and how a place is named."""

from __future__ import annotations

import shutil

from appliance import __version__, config
from appliance.errors import RepositoryError, SourceLostError
from appliance.inference import memory
from appliance.packs.look import Box
from appliance.packs.shelf import HTTP, sources_at
from appliance.packs.sources import Source
from appliance.packs.store import PackStore
from appliance.packs.trust import TRUST, Trust, development_root
from appliance.packs.usb import Sticks


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
    """Whether `place` is an address, or a folder that holds a repository. Raises SourceLostError."""
    there = sticks().place(place)
    try:
        return there.startswith(HTTP) or bool(sources_at(there))
    except SourceLostError:
        raise
    except RepositoryError:
        return False


def sources(place: str) -> tuple[Source, ...]:
    """As `sources_at`; `place` may also be the name of a stick. Raises as that."""
    return sources_at(sticks().place(place))


def sticks() -> Sticks:
    return Sticks(config.load().sticks)
