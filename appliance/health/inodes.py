"""Can the disk take more files? Many small ones use its entries up while there is room for bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from appliance.health.finding import Finding, Level

FEW, VERY_FEW = 5_000, 200  # a pack has a dozen files; a save needs one


def check(data: Path, statvfs: Callable[[Path], os.statvfs_result] = os.statvfs) -> Finding:
    """Bad when hardly a file can be made, a warning when there are few left."""
    folder = next(each for each in (data, *data.parents) if each.exists())
    disk = statvfs(folder)
    if not disk.f_files:
        return Finding("inodes", Level.GOOD, "this file system does not count them")
    found = f"{disk.f_favail:,} of {disk.f_files:,} files can still be made"
    advice = "Something made very many small files: find them with `du --inodes` and delete them."
    if disk.f_favail < VERY_FEW:
        return Finding("inodes", Level.BAD, found, advice)
    if disk.f_favail < FEW:
        return Finding("inodes", Level.WARNING, found, advice)
    return Finding("inodes", Level.GOOD, found)
