"""Files copied to the disk and hashed on the way: each byte is read once, and what was hashed is what was written.

A stick may be a computer that answers a second reading with other bytes, so nothing is read twice, once to be checked
and once to be used. Hashing runs beside reading and writing (hashlib and the system calls leave Python's lock), and
what was written is flushed from time to time while more is copied: so the progress is that of the card and not of the
memory before it, and the last flush is short.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from appliance.errors import CancelledError
from appliance.packs.zipped import RING, Block
from appliance.storage.atomic import storage_errors

FLUSHED = 32 * 1024 * 1024  # bytes written between two flushes
BESIDE = RING - 1  # blocks handed to the hashing and not done: the ring of whoever reads holds one more
EVERYBODY = 0o644

Progress = Callable[[int, int], None]  # bytes done, of how many


def never() -> bool:
    """The work is never cancelled."""
    return False


class Copying:
    """One installation: counts its bytes for whoever watches, and asks whether it is still wanted."""

    def __init__(self, total: int, progress: Progress | None = None, cancelled: Callable[[], bool] = never) -> None:
        self._total, self._progress, self._cancelled, self._done = total, progress, cancelled, 0
        self._hashing = ThreadPoolExecutor(1, "baraza-hashing")
        self._flushing = ThreadPoolExecutor(1, "baraza-flushing")

    def __enter__(self) -> Copying:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hashing.shutdown()
        self._flushing.shutdown()

    def read(self, blocks: Iterable[Block]) -> str:
        """The sha256 of `blocks`. Raises CancelledError, and what `blocks` raises."""
        return self._digest(blocks, lambda _block: None)

    def write(self, blocks: Iterable[Block], target: Path) -> str:
        """Write `blocks` to the new file `target`, and to the disk itself; their sha256.

        Raises:
            StorageError: it cannot be written.
            CancelledError: it is not wanted any more; and what `blocks` raises.
        """
        with storage_errors(target):
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, EVERYBODY)
        try:
            out = _Out(descriptor, target, self._flushing)
            try:
                digest = self._digest(blocks, out.write)
            finally:
                out.wait()
            with storage_errors(target):
                out.raise_error()
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return digest

    def through(self, blocks: Iterable[Block], sha256: str, differs: Exception) -> Iterator[Block]:
        """The same `blocks` again, counted and hashed; `differs` is raised after the last one if it is not `sha256`."""
        digest = hashlib.sha256()
        for block in blocks:
            digest.update(block)
            self._count(len(block))
            yield block
        if digest.hexdigest() != sha256:
            raise differs

    def _digest(self, blocks: Iterable[Block], use: Callable[[Block], None]) -> str:
        digest = hashlib.sha256()
        under_way: deque[Future[None]] = deque()
        for block in blocks:
            if self._cancelled():
                raise CancelledError
            if len(under_way) == BESIDE:
                under_way.popleft().result()
            under_way.append(self._hashing.submit(digest.update, block))
            use(block)
            self._count(len(block))
        while under_way:
            under_way.popleft().result()
        return digest.hexdigest()

    def _count(self, length: int) -> None:
        before, self._done = self._done, min(self._done + length, self._total)
        if self._progress and self._done > before:  # pack.toml itself is not counted
            self._progress(self._done, self._total)


class _Out:
    """A file that is being written, and flushed now and then in another thread, one flush at a time."""

    def __init__(self, descriptor: int, path: Path, flushing: ThreadPoolExecutor) -> None:
        self._descriptor, self._path, self._flushing = descriptor, path, flushing
        self._since = 0  # bytes written since the last flush began
        self._flush: Future[None] | None = None

    def write(self, block: Block) -> None:
        """Raises StorageError."""
        rest = memoryview(block)
        with storage_errors(self._path):
            while rest:
                # A disk that is nearly full takes a part of what it is given.
                rest = rest[os.write(self._descriptor, rest) :]
            self._since += len(block)
            if self._since >= FLUSHED:
                self.wait()
                self.raise_error()
                self._flush, self._since = self._flushing.submit(os.fdatasync, self._descriptor), 0

    def wait(self) -> None:
        """Until no flush is under way: the descriptor may be closed then."""
        if self._flush is not None:
            self._flush.exception()

    def raise_error(self) -> None:
        """Raise the OSError of the flush that is over, if it had one: the kernel tells it once only."""
        if self._flush is not None:
            self._flush.result()
