"""Were documents set aside because they could not be read?"""

from __future__ import annotations

from pathlib import Path

from appliance.errors import DocumentsSetAsideError
from appliance.health.finding import Finding, Level
from appliance.storage.aside import last_set_aside


def check(documents: Path) -> Finding:
    """A warning as long as the file that was set aside is there."""
    aside = last_set_aside(documents) if documents.parent.is_dir() else None
    if aside is None:
        return Finding("saved", Level.GOOD, "no documents were set aside")
    advice = "Ask someone who knows JSON to mend it, or delete it when nobody misses anything."
    return Finding("saved", Level.WARNING, str(DocumentsSetAsideError(path=str(aside))), advice)
