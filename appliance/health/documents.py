"""Were documents set aside because they could not be read, and is there a copy of before?"""

from __future__ import annotations

from pathlib import Path

from appliance.errors import BarazaError, DocumentsLastCopyError, DocumentsSetAsideError
from appliance.health.finding import Finding, Level
from appliance.storage.aside import last_good, last_set_aside
from appliance.storage.tables import Copy, read_copy


def check(documents: Path) -> Finding:
    """A warning as long as the file that was set aside is there, or a copy could be brought back."""
    if not documents.parent.is_dir():
        return Finding("saved", Level.GOOD, "no documents were set aside")
    aside, copy = last_set_aside(documents), _copy(documents)
    if copy is not None:
        where, when = str(aside or copy.path), copy.saved_at or "?"
        told = DocumentsLastCopyError(path=where, saved_at=when, documents=copy.documents)
        return Finding("saved", Level.WARNING, str(told), "Stop the box, then: baraza documents restore-last")
    if aside is not None:
        advice = "Ask someone who knows JSON to mend it, or delete it when nobody misses anything."
        return Finding("saved", Level.WARNING, str(DocumentsSetAsideError(path=str(aside))), advice)
    return Finding("saved", Level.GOOD, "no documents were set aside")


def _copy(documents: Path) -> Copy | None:
    try:
        path = last_good(documents)
        return read_copy(path) if path else None
    except (BarazaError, ValueError, RecursionError, FileNotFoundError):
        return None
