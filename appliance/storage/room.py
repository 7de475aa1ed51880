"""A reserve of the disk that nothing people save may take, so that a full box can still be tidied up.

Two things, for two dangers. What people save is refused when it would leave less than `limits.reserve_bytes` free:
deleting rewrites a file beside the old one, and needs that room. Others write to the disk, too (the log of the
system, a program of the keeper): against them a file holds `limits.reserve_file_bytes`, and is given up when
housekeeping finds the disk full, until there is room again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from appliance.errors import DiskFullError, ReserveError, StorageError
from appliance.limits import LIMITS, Limits
from appliance.storage.atomic import ensure_folder, flush_folder, storage_errors

RESERVE = ".reserve"  # the name of the file in the data folder

Free = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """The bytes that this user may still write to the disk of `folder`. Raises OSError."""
    return shutil.disk_usage(folder).free


class Room:
    """Guards the reserve of one data folder."""

    def __init__(self, data: Path, limits: Limits = LIMITS, free: Free = free_bytes) -> None:
        self._data, self._limits, self._free = data, limits, free

    @property
    def file(self) -> Path:
        return self._data / RESERVE

    def check(self, more: int) -> None:
        """Called before `more` bytes are written that somebody wants to keep.

        Raises:
            ReserveError: they would take what is kept for the box itself.
            StorageError: the disk does not say how full it is.
        """
        with storage_errors(self._data):
            free = self._free(self._data)
        if free - more < self._limits.reserve_bytes:
            raise ReserveError(path=str(self._data))

    def prepare(self) -> bool:
        """Make the file that holds the room, if there is plenty; whether it is there now.

        Raises StorageError.
        """
        ensure_folder(self._data)
        size = self._limits.reserve_file_bytes
        with storage_errors(self.file):
            with suppress(FileNotFoundError):
                if self.file.stat().st_size == size:
                    return True
            if self._free(self._data) < self._limits.reserve_bytes + size:
                return False
            self._allocate(size)
        return True

    def release(self) -> bool:
        """Give the room up; whether there was any. Raises StorageError."""
        with storage_errors(self.file):
            try:
                self.file.unlink()
            except FileNotFoundError:
                return False
            flush_folder(self._data)
        return True

    @contextmanager
    def housekeeping(self) -> Iterator[Callable[[Callable[[], None]], None]]:
        """Gives a function that does work which frees room; on a full disk the reserve is given up for it.

        Afterwards the reserve is made again if there is room.
        """

        def run(work: Callable[[], None]) -> None:
            try:
                work()
            except DiskFullError:
                if not self.release():
                    raise
                work()

        try:
            yield run
        finally:
            with suppress(StorageError):
                self.prepare()

    def _allocate(self, size: int) -> None:
        """Take the room without writing to it: a card wears by what is written. A cut leaves it smaller, or whole."""
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
            os.ftruncate(descriptor, size)
        except OSError:
            self.file.unlink()
            raise
        finally:
            os.close(descriptor)
