"""Are the packs on the box what their makers made?"""

from __future__ import annotations

from pathlib import Path

from appliance.errors import BarazaError
from appliance.health.finding import Finding, Level
from appliance.limits import Limits
from appliance.packs.store import PackStore, verify


def check(store: PackStore, limits: Limits) -> list[Finding]:
    """Every file of every pack against its sha256."""
    return [check_one(folder, limits) for folder in store.folders()]


def check_one(folder: Path, limits: Limits) -> Finding:
    """Every file of the version of a pack in `folder`, NAME/VERSION, against its sha256."""
    try:
        verify(folder, limits)
    except BarazaError as error:
        return Finding("pack", Level.BAD, str(error), f"Remove {folder} and install the pack again.")
    return Finding("pack", Level.GOOD, f"{folder.parent.name} {folder.name} is whole")
