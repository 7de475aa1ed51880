"""A broken file is kept beside its place, for whoever may be able to repair it, and never silently reset."""

from __future__ import annotations

import re
from pathlib import Path

from appliance.storage.atomic import flush_folder, storage_errors

BROKEN = "broken"
LAST_GOOD = "last-good"  # the copy of before that belongs to a broken file


def set_aside(path: Path, companions: tuple[str, ...] = ()) -> Path:
    """Rename `path` to `NAME.broken`, or `NAME.broken-2` and so on, and return where it is now.

    `companions` are endings of files that belong to it (`-wal`): they keep theirs after the new name. A cut between
    the renames leaves one of them in its place; it goes the same way the next time.

    Raises:
        DiskFullError, ReadOnlyError, StorageError: it cannot be renamed; it stays where it is.
    """
    with storage_errors(path):
        target = _beside(path, 1 + max((*_numbers(path, BROKEN), *_numbers(path, LAST_GOOD)), default=0), BROKEN)
        path.rename(target)
        for ending in companions:
            companion = path.with_name(path.name + ending)
            if companion.exists():
                companion.rename(target.with_name(target.name + ending))
        flush_folder(path.parent)
    return target


def keep_last_good(path: Path, copy: Path) -> Path:
    """Rename `copy`, a good one from before of `path`, so that it belongs to what was set aside last.

    Raises StorageError.
    """
    with storage_errors(path):
        last = max(_numbers(path, BROKEN), default=0)
        # Nothing was set aside for it: the file was lost, not broken; its number is then one of its own.
        if not last or last in _numbers(path, LAST_GOOD):
            last = 1 + max((*_numbers(path, BROKEN), *_numbers(path, LAST_GOOD)), default=0)
        target = _beside(path, last, LAST_GOOD)
        copy.rename(target)
        flush_folder(path.parent)
    return target


def last_set_aside(path: Path) -> Path | None:
    """The newest file that was set aside from `path` and that nobody has moved away since. Raises StorageError."""
    return _newest(path, BROKEN)


def last_good(path: Path) -> Path | None:
    """The newest copy that was kept for `path` when it broke, and was not brought back yet. Raises StorageError."""
    return _newest(path, LAST_GOOD)


def _newest(path: Path, what: str) -> Path | None:
    with storage_errors(path):
        found = _numbers(path, what)
    return found[max(found)] if found else None


def _beside(path: Path, number: int, what: str) -> Path:
    return path.with_name(f"{path.name}.{what}" if number == 1 else f"{path.name}.{what}-{number}")


def _numbers(path: Path, what: str) -> dict[int, Path]:
    form = re.compile(re.escape(f"{path.name}.{what}") + r"(?:-([1-9][0-9]{0,8}))?")
    matches = ((file, form.fullmatch(file.name)) for file in path.parent.iterdir())
    return {int(match[1] or 1): file for file, match in matches if match}
