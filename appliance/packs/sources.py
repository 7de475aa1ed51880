"""Where a signed repository is read from: a folder on a stick (here) or a box in the network (`neighbour.py`).

A stick may have been made by anybody: what is read from it is bounded, never a link, a pipe or a device, and never
outside the folder of the repository. Whether what was read is right is not decided here, but in `trust.py`.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, ParamSpec, TypeVar

from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.ngclient.fetcher import FetcherInterface

from appliance.limits import LIMITS, Limits

BLOCK = 256 * 1024
METADATA, TARGETS = "metadata/", "targets/"
PART = re.compile(r"(?!\.\.?$)[A-Za-z0-9._%+-]{1,200}")  # of a path; a name quoted by the client has %
NO_SUCH_FILE = 404
LINKS = (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)  # what O_NOFOLLOW and O_DIRECTORY say

P = ParamSpec("P")
T = TypeVar("T")


class SourceReadError(DownloadError):
    """The source went away or failed while it was read; `str` says how."""


class SourceBusyError(SourceReadError):
    """The other box has enough to do just now."""


def quiet(_length: int) -> None:
    """Nobody wants to be told."""


class Source(ABC, FetcherInterface):
    """A repository: the client of The Update Framework fetches `metadata/…` and `targets/…` from it."""

    def __init__(self, label: str, limits: Limits = LIMITS) -> None:
        self.label, self.limits = label, limits

    @abstractmethod
    def size(self, path: str) -> int | None:
        """Bytes of the file at `path`, None if there is none. Raises DownloadError."""

    @abstractmethod
    def local(
        self, path: str, length: int, room: Path, told: Callable[[int], None] = quiet
    ) -> AbstractContextManager[Path]:
        """The file at `path` on this machine, of `length` bytes at most; a copy, if one is needed, lies under `room`.

        `told` is called with the bytes that were copied, as they are; what it raises ends the work.

        Raises:
            DownloadError: it cannot be had, or is longer.
            OSError: a copy cannot be written.
        """

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """As its base, but metadata that name a length of their own are still bounded by ours."""
        most = max(self.limits.targets_bytes, self.limits.snapshot_bytes)
        return super().download_bytes(url, min(max_length, most))


class FolderSource(Source):
    """The repository in `folder`."""

    def __init__(self, folder: Path, limits: Limits = LIMITS) -> None:
        super().__init__(str(folder), limits)
        self.folder = folder

    def _fetch(self, url: str) -> Iterator[bytes]:
        with self._opened(url) as stream:
            while block := _reading(url, stream.read, BLOCK):
                yield block

    def size(self, path: str) -> int | None:
        try:
            with self._opened(path) as stream:
                return os.fstat(stream.fileno()).st_size
        except DownloadHTTPError:
            return None

    @contextmanager
    def local(self, path: str, length: int, room: Path, told: Callable[[int], None] = quiet) -> Iterator[Path]:
        size = self.size(path)
        if size is None:
            raise DownloadHTTPError(f"{path} is missing", NO_SUCH_FILE)
        if size > length:
            raise DownloadError(f"{path} has {size} bytes instead of {length}")
        yield self.folder / path

    @contextmanager
    def _opened(self, path: str) -> Iterator[IO[bytes]]:
        """The plain file at `path`, no part of which may be a link."""
        parts = path.split("/")
        if not all(map(PART.fullmatch, parts)):
            raise DownloadError(f"{path[:80]} is not a name in a repository")
        folder = _whole(str(self.folder), os.open, self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in parts[:-1]:
                inner = _reading(path, os.open, part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                os.close(folder)
                folder = inner
            stream = _reading(path, _open_plain, parts[-1], folder)
        finally:
            os.close(folder)
        with stream:
            yield stream


def find_repositories(place: Path, limits: Limits = LIMITS) -> tuple[Path, ...]:
    """The folders that hold a repository: `place`, its subfolders, and those of `place`/baraza; links are left out.

    Raises SourceReadError if `place` cannot be read.
    """
    found: list[Path] = []
    for folder in (place, *_subfolders(place, limits), *_subfolders(place / "baraza", limits)):
        if folder not in found and _whole(str(place), (folder / "metadata" / "timestamp.json").is_file):
            found.append(folder)
    if not found:
        _whole(str(place), os.listdir, place)  # a stick that went away is told, not passed over
    return tuple(found)


def _subfolders(folder: Path, limits: Limits) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [folder / name for name in sorted(names)[: limits.stick_folders]]


def _open_plain(name: str, folder: int) -> IO[bytes]:
    """The file `name` of the open `folder`; a pipe or a device is not even opened."""
    before = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(before.st_mode):
        raise DownloadError(f"{name} is not a plain file")
    stream = os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder), "rb", buffering=0)
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):  # it was changed for another between the two
        stream.close()
        raise DownloadError(f"{name} is not a plain file")
    return stream


def _whole(path: str, read: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """What `read` returns; a failure of any kind means that the source is gone."""
    try:
        return read(*given, **named)
    except OSError as error:
        raise SourceReadError(f"{path}: {error.strerror or error}") from error


def _reading(path: str, read: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """The same for something in a source: it may be missing, or be a link."""
    try:
        return read(*given, **named)
    except FileNotFoundError as error:
        raise DownloadHTTPError(f"{path} is missing", NO_SUCH_FILE) from error
    except OSError as error:
        if error.errno in LINKS:
            raise DownloadError(f"{path} is a link, or in something that is no folder") from error
        raise SourceReadError(f"{path}: {error.strerror or error}") from error
