"""Are the packs on the box what their makers made?"""

from __future__ import annotations

from appliance.errors import BarazaError
from appliance.health.finding import Finding, Level
from appliance.limits import Limits
from appliance.packs.store import PackStore, verify


def check(store: PackStore, limits: Limits) -> list[Finding]:
    """Every file of every pack against its sha256."""
    findings = []
    for folder in store.folders():
        label = f"{folder.parent.name} {folder.name}"
        try:
            verify(folder, limits)
        except BarazaError as error:
            advice = f"Remove {folder} and install the pack again."
            findings.append(Finding("pack", Level.BAD, str(error), advice))
        else:
            findings.append(Finding("pack", Level.GOOD, f"{label} is whole"))
    return findings
