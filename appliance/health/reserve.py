"""Is the reserve of the disk there, that lets a full box be tidied up?"""

from __future__ import annotations

from pathlib import Path

from appliance.health.finding import Finding, Level
from appliance.limits import Limits
from appliance.storage.room import Free, Room, free_bytes

MIB = 1024 * 1024


def check(data: Path, limits: Limits, free: Free = free_bytes) -> Finding:
    """Bad when nothing people write is taken any more, a warning when the file that holds the room is not there."""
    if not data.is_dir():
        return Finding("reserve", Level.GOOD, "there is no data folder yet")
    left, held = free(data), _held(Room(data, limits).file)
    found = f"{limits.reserve_bytes // MIB} MiB are kept free for the box, {held // MIB} MiB held in a file"
    advice = "Delete documents, packs or other files: the box makes its reserve again within an hour."
    if left < limits.reserve_bytes:
        return Finding("reserve", Level.BAD, f"{found}; {left // MIB} MiB are free: nothing new is saved", advice)
    if held < limits.reserve_file_bytes:
        return Finding("reserve", Level.WARNING, f"{found} of {limits.reserve_file_bytes // MIB}", advice)
    return Finding("reserve", Level.GOOD, found)


def _held(file: Path) -> int:
    """The bytes that the file really takes; a file with holes would hold nothing."""
    try:
        return file.stat().st_blocks * 512
    except OSError:
        return 0
