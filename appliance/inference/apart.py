"""Translators in a process of their own, so that they and the pages do not wait for each other's Python.

A step of a small model takes a third of a millisecond and needs Python's lock twice; whoever makes a page holds it for
up to five milliseconds at a time. Why so: docs/decisions/0027-a-process-for-engines.md.

The process (`worker.py`) is started when the first translator is opened, has all of them, and ends when this one does.
If it ends before, by a broken model or for want of memory, the next request starts another, and what it had in hand is
tried once more: the pages stay.
"""

from __future__ import annotations

import itertools
import logging
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from multiprocessing import Pipe
from typing import Any

from appliance.config import ROOT
from appliance.errors import EngineError, error_of
from appliance.inference import session
from appliance.inference.translator import Translated, Translates, never
from appliance.limits import Limits
from appliance.packs.store import InstalledPack

log = logging.getLogger(__name__)

GLANCE = 0.05  # seconds between two looks at whether what is translated is still wanted
ATTEMPTS = 2
PATIENCE = 5  # seconds for it to end
WORKER = "appliance.inference.worker"


class EndedError(Exception):
    """The process ended before it answered."""


class Apart:
    """The process, started anew where it ended; safe to share between threads."""

    def __init__(self) -> None:
        self._keys = itertools.count(1)
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The number of the process; None while there is none."""
        process = self._process
        return None if process is None or process.ended else process.pid

    def open_translator(self, pack: InstalledPack, threads: int, limits: Limits) -> Translates:
        """Open `pack` there, with as many threads as it is worth, at most `threads`. Raises EngineError."""
        translator = _Distant(self, next(self._keys), pack, threads, limits)
        translator.open()
        return translator

    def close(self) -> None:
        """End the process; what it has in hand fails."""
        with self._lock:
            self._closed = True
            process = self._process
        if process is not None:
            process.end()

    def process(self) -> _Process:
        """The process at work. Raises EndedError: it was closed, or cannot be started."""
        with self._lock:
            if self._closed:
                raise EndedError
            if self._process is None or self._process.ended:
                self._process = _Process()
            return self._process

    def forget(self, key: int) -> None:
        """Close a translator there."""
        process = self._process
        if process is not None:
            process.forget(key)


class _Process:
    """One process, until it ends."""

    def __init__(self) -> None:
        """Start it. Raises EndedError: the system has no room for it."""
        self._pipe, theirs = Pipe()
        with theirs:
            command = [sys.executable, "-m", WORKER, str(theirs.fileno())]
            try:
                self._popen = subprocess.Popen(  # noqa: S603 our own program
                    command, cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
                )
            except OSError as error:
                self._pipe.close()
                raise EndedError from error
        self._sending = threading.Lock()
        self._asked: dict[int, Future[Any]] = {}
        self._numbers = itertools.count(1)
        self._forgotten: deque[int] = deque()
        self.open: set[int] = set()  # keys of the translators that it has
        self.ended = False
        threading.Thread(target=self._listen, name="baraza-apart", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def ask(self, verb: str, *rest: Any, cancelled: Callable[[], bool] = never) -> Any:
        """What it answers.

        Raises:
            CancelledError: `cancelled()` was true.
            BarazaError: what was raised there.
            EndedError: it ended before it answered.
        """
        number, answer = next(self._numbers), Future[Any]()
        self._asked[number] = answer
        if self.ended:  # its listener may have told those who asked before
            self._asked.pop(number, None)
            raise EndedError
        self._send((verb, number, *rest))
        told = False
        while True:
            try:
                return answer.result(None if told or cancelled is never else GLANCE)
            except NotYet:
                if cancelled():
                    self._send(("cancel", number))
                    told = True

    def forget(self, key: int) -> None:
        """Close a translator. Called when nobody has it any more, in the middle of whatever."""
        self._forgotten.append(key)
        if self._sending.acquire(blocking=False):  # else whoever sends now tells it
            try:
                self._send_forgotten()
            finally:
                self._sending.release()

    def end(self) -> None:
        """Tell it to end, and wait until it has."""
        with suppress(EndedError):
            self._send(("end",))
        try:
            self._popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:  # it hears nothing any more
            self._popen.kill()
            self._popen.wait()

    def _send(self, message: tuple[Any, ...]) -> None:
        with self._sending:
            try:
                self._pipe.send(message)
            except OSError as error:
                self.ended = True  # its listener may not have seen it yet; who tries again needs another
                raise EndedError from error
            self._send_forgotten()

    def _send_forgotten(self) -> None:
        with suppress(OSError):
            while self._forgotten:
                key = self._forgotten.popleft()
                self.open.discard(key)
                self._pipe.send(("close", key))

    def _listen(self) -> None:
        """Pass the answers on until there are no more."""
        with suppress(EOFError, OSError):
            while True:
                number, value, error = self._pipe.recv()
                answer = self._asked.pop(number)
                if error is None:
                    answer.set_result(value)
                else:
                    answer.set_exception(error_of(*error))
        self.ended = True
        status = self._popen.wait()
        with self._sending:
            self._pipe.close()
        if status:
            log.error("the process of the engines ended with status %d", status)
        while self._asked:
            self._asked.popitem()[1].set_exception(EndedError())


class _Distant(Translates):
    """A translator in the process."""

    def __init__(self, apart: Apart, key: int, pack: InstalledPack, threads: int, limits: Limits) -> None:
        self.pack = pack
        self._apart, self._key, self._threads, self._limits = apart, key, threads, limits
        self._opening = threading.Lock()
        self._directions: frozenset[tuple[str, str]] = frozenset()
        weakref.finalize(self, apart.forget, key)

    @property
    def directions(self) -> frozenset[tuple[str, str]]:
        return self._directions

    def open(self) -> None:
        """Open it ahead of need. Raises EngineError."""
        self._trying(lambda: self._opened())

    def rank(
        self,
        sentences: Sequence[str],
        source: str,
        target: str,
        found: Callable[[int, Iterable[Translated]], None],
        *,
        beam: int = 1,
        cancelled: Callable[[], bool] = never,
        owner: str = "",
        background: bool = False,
    ) -> None:
        """As `Translates.rank`; all are told at the end. Raises EngineError: the process ended, twice."""
        asked = (list(sentences), source, target, beam, owner, background)
        ranked = self._trying(lambda: self._opened().ask("rank", self._key, *asked, cancelled=cancelled))
        for number, translations in ranked:
            found(number, translations)

    def _opened(self) -> _Process:
        """The process, with this translator in it."""
        process = self._apart.process()
        with self._opening:
            if self._key not in process.open:
                self._directions = process.ask(
                    "open", self._key, self.pack, self._threads, self._limits, session.used()
                )
                process.open.add(self._key)
        return process

    def _trying(self, work: Callable[[], Any]) -> Any:
        for _ in range(ATTEMPTS):
            try:
                return work()
            except EndedError:
                log.warning("%s was in a process that ended", self.pack.name)
        raise EngineError(pack=self.pack.name, reason="the process that computes ended")
