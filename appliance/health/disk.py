"""Is there room on the disk of the data folder?"""

from __future__ import annotations

import shutil
from pathlib import Path

from appliance.health.finding import Finding, Level
from appliance.limits import Limits

MIB = 1024 * 1024


def check(data: Path, limits: Limits) -> Finding:
    """Bad under 32 MiB free, a warning under the reserve that installing a pack keeps."""
    folder = next(each for each in (data, *data.parents) if each.exists())
    free = shutil.disk_usage(folder).free
    found = f"{free // MIB:,} MiB free for {data}"
    advice = "Delete documents or packs that nobody needs, or use a larger card."
    if free < 32 * MIB:
        return Finding("disk", Level.BAD, found, advice)
    if free < limits.disk_reserve_bytes:
        return Finding("disk", Level.WARNING, found, advice)
    return Finding("disk", Level.GOOD, found)
