"""The process that `apart.py` starts: translators are opened here, and translate for whoever holds the pipe.

    python -m appliance.inference.worker NUMBER     the number of an open pipe; it ends when the other end is closed

What comes in: ("open", number, key, pack, threads, limits, provider), ("rank", number, key, sentences, source, target,
beam, owner, background), ("cancel", number), ("close", key), ("end",). What goes out: (number, value, error), of
which one is None; an error is its key and its fields. Both ends are ours: nobody else can write into the pipe.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from appliance.errors import BarazaError, EngineError
from appliance.inference import session
from appliance.inference.memory import give_back
from appliance.inference.providers import Provider
from appliance.inference.threads import open_translator
from appliance.inference.translator import Translated, Translates
from appliance.limits import Limits
from appliance.packs.store import InstalledPack

log = logging.getLogger(__name__)

AT_ONCE = 32  # questions; more than a box has lanes
FIRST_TO_GO = 500  # where memory runs out the system ends this process, and not the one with the pages

Ranked = list[tuple[int, list[Translated]]]


class Worker:
    """Answers what comes through `pipe`."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._sending = pipe, threading.Lock()
        self._translators: dict[int, Translates] = {}
        self._unwanted: set[int] = set()
        self._verbs: dict[str, Callable[..., Any]] = {"open": self._open, "rank": self._rank}

    def run(self) -> None:
        """Until the other end is closed."""
        pool = ThreadPoolExecutor(AT_ONCE, "baraza-worker")
        with suppress(EOFError, OSError):
            while True:
                verb, *said = self._pipe.recv()
                if verb == "end":
                    return
                number, *rest = said
                if verb == "cancel":
                    self._unwanted.add(number)
                elif verb == "close":
                    self._translators.pop(number, None)
                    give_back()
                else:
                    pool.submit(self._answer, verb, number, rest)

    def _answer(self, verb: str, number: int, rest: list[Any]) -> None:
        value, error = None, None
        try:
            value = self._verbs[verb](number, *rest)
        except BarazaError as raised:
            error = (raised.key, raised.fields)
        except Exception as raised:  # whatever a library meets in a broken pack: who asked must be told
            log.exception("%s failed", verb)
            failed = EngineError(pack=str(rest[0]), reason=repr(raised))
            error = (failed.key, failed.fields)
        self._unwanted.discard(number)
        with self._sending, suppress(OSError):
            self._pipe.send((number, value, error))

    def _open(
        self, _number: int, key: int, pack: InstalledPack, threads: int, limits: Limits, provider: Provider
    ) -> frozenset[tuple[str, str]]:
        session.use(provider)
        translator = open_translator(pack, threads, limits)
        self._translators[key] = translator
        return translator.directions

    def _rank(
        self,
        number: int,
        key: int,
        sentences: list[str],
        source: str,
        target: str,
        beam: int,
        owner: str,
        background: bool,
    ) -> Ranked:
        done: Ranked = []
        self._translators[key].rank(
            sentences,
            source,
            target,
            lambda place, found: done.append((place, list(found))),
            beam=beam,
            cancelled=lambda: number in self._unwanted,
            owner=owner,
            background=background,
        )
        return done


def main() -> None:
    """Run until the pipe is closed."""
    for each in (signal.SIGINT, signal.SIGTERM):  # meant for the box, which ends this one when it is ready to
        signal.signal(each, signal.SIG_IGN)
    with suppress(OSError):  # systems other than Linux
        Path("/proc/self/oom_score_adj").write_text(str(FIRST_TO_GO), encoding="ascii")
    Worker(Connection(int(sys.argv[1]))).run()
    os._exit(0)  # at once, whatever is still being translated


if __name__ == "__main__":
    main()
