"""Work that stops between its parts, so that others have their turns meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable


class LongWork:
    """Runs in a thread of its own, which is awake only while a lane lends it a turn."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._work = work
        self.is_over = False

    def turn(self) -> None:
        """Let it work until it pauses or ends."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="baraza-long-work", daemon=True)
            self._thread.start()
        self._go.release()
        self._back.acquire()

    def pause(self) -> None:
        """Called by the work: give the turn back, and wait for the next."""
        self._back.release()
        self._go.acquire()

    def _run(self) -> None:
        self._go.acquire()
        try:
            self._work()
        finally:
            self.is_over = True
            self._back.release()
