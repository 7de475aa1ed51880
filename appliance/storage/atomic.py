"""Writes that are old or new after a power cut, never a mixture, and errors a person can be told about."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from appliance.errors import DiskFullError, ReadOnlyError, StorageError

FULL = (errno.ENOSPC, errno.EDQUOT)
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
TEMPORARY = ".tmp"
NOBODY_ELSE = 0o600


def write_atomically(path: Path, content: bytes, mode: int = NOBODY_ELSE) -> None:
    """Make `content` the whole of the file `path`; only the user who runs the box may read it, unless `mode` says more.

    When this returns, the content survives a power cut. When it raises, `path` holds its old content, whole; only
    if the very last step failed (the folder could not be flushed) may a reader find the new one, whole too.

    Raises:
        DiskFullError: there is no room.
        ReadOnlyError: the disk or the folder does not take writes.
        StorageError: the disk failed in another way, or the folder is missing.
    """
    with storage_errors(path):
        descriptor, name = tempfile.mkstemp(prefix=_prefix(path), suffix=TEMPORARY, dir=path.parent)
        temporary = Path(name)
        try:
            _write_and_flush(descriptor, content, mode)
            temporary.replace(path)
        finally:
            # Gone already if it was renamed. If it cannot be removed, the first error is the one to tell.
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        flush_folder(path.parent)


def ensure_folder(path: Path) -> None:
    """Make the folder `path` and those above it, where missing, so that they survive a power cut.

    Raises:
        DiskFullError, ReadOnlyError, StorageError: as for `write_atomically`; also if a file is in the way.
    """
    with storage_errors(path):
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            flush_folder(folder.parent)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def remove_leftovers(path: Path) -> None:
    """Remove what writes to `path` that were cut by a power cut left in its folder; nobody may be writing now."""
    # Housekeeping: a disk that takes no writes is told of when somebody saves, not here.
    with suppress(OSError):
        for file in path.parent.iterdir():
            if file.name.startswith(_prefix(path)) and file.name.endswith(TEMPORARY):
                file.unlink()


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an OSError met while `path` is worked on into the StorageError that says it."""
    try:
        yield
    except OSError as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: OSError) -> StorageError:
    """What to tell a person about `error` on `path`."""
    if error.errno in FULL:
        return DiskFullError(path=str(path))
    if error.errno in READ_ONLY:
        return ReadOnlyError(path=str(path))
    return StorageError(path=str(path), reason=error.strerror or str(error))


def flush_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power cut: a rename alone is only in memory. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems (FUSE, 9p) know no flush of a folder; there is nothing more to be done there.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def _prefix(path: Path) -> str:
    return f".{path.name}."


def _write_and_flush(descriptor: int, content: bytes, mode: int) -> None:
    """Write all of `content` to the disk itself, and close `descriptor` whatever happens."""
    try:
        if mode != NOBODY_ELSE:  # what a temporary file has
            with suppress(PermissionError):  # FAT knows no modes of files
                os.fchmod(descriptor, mode)
        rest = memoryview(content)
        while rest:
            # A disk that is nearly full takes a part of what it is given.
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
