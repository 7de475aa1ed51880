"""Was the journal set aside because it could not be read?"""

from __future__ import annotations

from pathlib import Path

from appliance.health.finding import Finding, Level
from appliance.storage.aside import last_set_aside
from appliance.storage.database import copy_of


def check(journal: Path) -> Finding:
    """A warning as long as the file that was set aside is there."""
    aside = last_set_aside(journal) if journal.parent.is_dir() else None
    if aside is not None:
        advice = "Delete it when nobody misses a request; `sqlite3 FILE .recover` may get something out of it."
        return Finding("journal", Level.WARNING, f"a journal could not be read; it is kept in {aside}", advice)
    if not journal.exists():
        return Finding("journal", Level.GOOD, "there is none yet")
    kept = "with a copy" if copy_of(journal).exists() else "without a copy: the first is made at a clean stop"
    return Finding("journal", Level.GOOD, f"{journal.stat().st_size // 1024:,} kB, {kept}")
