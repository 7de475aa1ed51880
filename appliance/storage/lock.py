"""One process on a data folder: two would overwrite each other's documents."""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path

from appliance.errors import FolderInUseError, ReadOnlyError
from appliance.storage.atomic import ensure_folder, storage_errors

log = logging.getLogger(__name__)

NAME = ".lock"


class FolderLock:
    """Held until released or until the process ends, however it ends: the kernel keeps it, not the file."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Let another process have the folder."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def lock_folder(folder: Path) -> FolderLock:
    """Take `folder` for this process. One that cannot be written needs no lock.

    Raises:
        FolderInUseError: another process has it.
        StorageError: the disk failed.
    """
    try:
        ensure_folder(folder)
        with storage_errors(folder):
            descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except ReadOnlyError as error:
        log.warning("%s", error)
        return FolderLock(None)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise FolderInUseError(path=str(folder)) from None
    return FolderLock(descriptor)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock file `path`. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
