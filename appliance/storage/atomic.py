"""Writes that are old or new after a power cut, never a mixture, and errors a person can be told about."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from appliance.errors import DiskFullError, ReadOnlyError, StorageError

FULL = (errno.ENOSPC, errno.EDQUOT)
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)  # FAT knows one name for a file
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
TEMPORARY = ".tmp"
SQLITES = ("-journal", "-wal", "-shm")
NOBODY_ELSE = 0o600


def write_atomically(path: Path, content: bytes, mode: int = NOBODY_ELSE, previous: Path | None = None) -> None:
    """Make `content` the whole of the file `path`; only the user who runs the box may read it, unless `mode` says more.

    When this returns, the content survives a power cut. When it raises, `path` holds its old content, whole; only
    if the very last step failed (the folder could not be flushed) may a reader find the new one, whole too.
    What `path` held before becomes `previous`, a file of the same folder, if one is given.

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
            if previous is not None:
                _keep(path, previous)
            temporary.replace(path)
        finally:
            # Gone already if it was renamed. If it cannot be removed, the first error is the one to tell.
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        flush_folder(path.parent)


@contextmanager
def written_atomically(path: Path, mode: int = NOBODY_ELSE) -> Iterator[IO[bytes]]:
    """The same for a content that comes in parts: write it to the file that is given; an error in between undoes all.

    The file can be read, too, so that what was written may be looked at before it counts, and has its `name`.

    Raises:
        DiskFullError, ReadOnlyError, StorageError: as for `write_atomically`.
    """
    with storage_errors(path):
        descriptor, name = tempfile.mkstemp(prefix=_prefix(path), suffix=TEMPORARY, dir=path.parent)
        temporary = Path(name)
        try:
            _let_read(descriptor, mode)
            os.close(descriptor)
            with temporary.open("r+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
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
            # SQLite has files of its own (.tmp-journal) beside one that it writes to.
            if file.name.startswith(_prefix(path)) and file.name.rpartition(TEMPORARY)[2] in ("", *SQLITES):
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


def _keep(path: Path, previous: Path) -> None:
    """Let `previous` be what `path` is, without copying it; `path` stays where it is, so that it is never missing."""
    other = previous.with_name(f"{_prefix(previous)}link{TEMPORARY}")
    other.unlink(missing_ok=True)
    try:
        other.hardlink_to(path)
    except FileNotFoundError:
        return  # the first write
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _write_and_flush(os.open(other, os.O_WRONLY | os.O_CREAT | os.O_EXCL, NOBODY_ELSE), path.read_bytes())
    other.replace(previous)


def _let_read(descriptor: int, mode: int) -> None:
    if mode != NOBODY_ELSE:  # what a temporary file has
        with suppress(PermissionError):  # FAT knows no modes of files
            os.fchmod(descriptor, mode)


def _write_and_flush(descriptor: int, content: bytes, mode: int = NOBODY_ELSE) -> None:
    """Write all of `content` to the disk itself, and close `descriptor` whatever happens."""
    try:
        _let_read(descriptor, mode)
        rest = memoryview(content)
        while rest:
            # A disk that is nearly full takes a part of what it is given.
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
