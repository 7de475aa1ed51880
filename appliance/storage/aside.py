"""A broken file is kept beside its place, for whoever may be able to repair it, and never silently reset."""

from __future__ import annotations

import re
from pathlib import Path

from appliance.storage.atomic import flush_folder, storage_errors


def set_aside(path: Path) -> Path:
    """Rename `path` to `NAME.broken`, or `NAME.broken-2` and so on, and return where it is now.

    Raises:
        DiskFullError, ReadOnlyError, StorageError: it cannot be renamed; it stays where it is.
    """
    with storage_errors(path):
        number = 1 + max(_numbers(path), default=0)
        target = path.with_name(f"{path.name}.broken" if number == 1 else f"{path.name}.broken-{number}")
        path.rename(target)
        flush_folder(path.parent)
    return target


def last_set_aside(path: Path) -> Path | None:
    """The newest file that was set aside from `path` and that nobody has moved away since.

    Raises:
        StorageError: the folder cannot be read.
    """
    with storage_errors(path):
        found = _numbers(path)
    return found[max(found)] if found else None


def _numbers(path: Path) -> dict[int, Path]:
    form = re.compile(re.escape(path.name) + r"\.broken(?:-([1-9][0-9]{0,8}))?")
    matches = ((file, form.fullmatch(file.name)) for file in path.parent.iterdir())
    return {int(match[1] or 1): file for file, match in matches if match}
