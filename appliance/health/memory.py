"""Is there memory for the packs in use?"""

from __future__ import annotations

import psutil

from appliance.health.finding import Finding, Level
from appliance.packs.store import InstalledPack

MIB = 1024 * 1024


def check(packs: list[InstalledPack]) -> Finding:
    """Bad if the largest pack does not fit beside what runs now, a warning if all together do not."""
    available = psutil.virtual_memory().available
    needs = [pack.manifest.memory_bytes for pack in packs]
    found = f"{available // MIB:,} MiB available; the packs in use need {sum(needs) // MIB:,} MiB"
    advice = "Close other programs, or remove a pack; a board with more memory runs more of them."
    if max(needs, default=0) > available:
        return Finding("memory", Level.BAD, found, advice)
    if sum(needs) > available:
        return Finding("memory", Level.WARNING, found, advice)
    return Finding("memory", Level.GOOD, found)
