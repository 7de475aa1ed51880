"""Is there memory for the packs in use?"""

from __future__ import annotations

from appliance.config import Memory
from appliance.health.finding import Finding, Level
from appliance.inference.engines import size_of
from appliance.inference.memory import MIB, Machine, budget, measure
from appliance.packs.store import InstalledPack


def check(packs: list[InstalledPack], setting: Memory, machine: Machine | None = None) -> Finding:
    """Bad if a pack does not fit into what models may take, a warning if they fit one after the other only.

    `machine` is measured unless it is given.
    """
    found = machine or measure()
    most = budget(setting, found)
    told = (
        f"models may take {most // MIB:,} MiB of {found.total // MIB:,} ({found.by}; {found.available // MIB:,} free); "
        f"the packs in use need {sum(map(size_of, packs)) // MIB:,}"
    )
    advice = "Close other programs, remove a pack, set BARAZA_MEMORY, or use a board with more memory."
    too_large = [pack for pack in packs if size_of(pack) > most]
    if too_large:
        names = ", ".join(f"{pack.name} ({size_of(pack) // MIB:,} MiB)" for pack in too_large)
        return Finding("memory", Level.BAD, f"{told}: {names} cannot be opened", advice)
    if sum(map(size_of, packs)) > most:
        return Finding("memory", Level.WARNING, f"{told}: they are closed and opened in turn, which takes time", advice)
    return Finding("memory", Level.GOOD, told)
