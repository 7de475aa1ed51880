"""How many threads a translation pack is worth.

A step of a small model takes a third of a millisecond with one thread as with two (docs/speed.md), and a second thread
stays awake for the next one on a core that the pages need (docs/decisions/0003).
"""

from __future__ import annotations

from appliance.inference.translator import Translator
from appliance.limits import Limits
from appliance.packs.store import InstalledPack

SMALL = 24 * 1024**2  # bytes of the files of a pack; the starter packs have 9 MB, OPUS-MT 80 to 150


def threads_for(pack: InstalledPack, most: int) -> int:
    """One for a small pack, `most` for another."""
    return 1 if pack.manifest.size < SMALL else most


def open_translator(pack: InstalledPack, threads: int, limits: Limits) -> Translator:
    """Open `pack` with as many threads as it is worth, at most `threads`. Raises EngineError."""
    return Translator(pack, threads_for(pack, threads), limits)
