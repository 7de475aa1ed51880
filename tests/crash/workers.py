"""Looks at many crash states, on every processor."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any

from tests.crash.disk import Tree
from tests.crash.place import Place
from tests.crash.scenario import Scenario
from tests.crash.start import Seen, look

PATIENCE = 30  # seconds for a box to start, twice, and to save something


@dataclass
class _Worker:
    process: BaseProcess
    results: Connection
    left: list[int]


def look_at_all(scenario: Scenario, shelf: Path, trees: list[Tree]) -> Iterator[tuple[int, Seen]]:
    """What is seen on each of `trees`, as it comes. A box that ends its process, or hangs, is a finding too."""
    with tempfile.TemporaryDirectory(prefix="baraza-crash-", dir=memory()) as disks:
        yield from _look_at_all(scenario, shelf, trees, Path(disks))


def _look_at_all(scenario: Scenario, shelf: Path, trees: list[Tree], disks: Path) -> Iterator[tuple[int, Seen]]:
    count = min(len(trees), os.cpu_count() or 1)
    workers = [_start(scenario, shelf, trees, range(first, len(trees), count), disks) for first in range(count)]
    try:
        while workers:
            for results in wait([worker.results for worker in workers]):
                worker = next(each for each in workers if each.results is results)
                try:
                    number, seen = worker.results.recv()
                except EOFError:
                    workers.remove(worker)
                    worker.process.join()
                    if worker.left:
                        yield worker.left[0], Seen((), (f"the box died ({worker.process.exitcode})",))
                        if worker.left[1:]:
                            workers.append(_start(scenario, shelf, trees, worker.left[1:], disks))
                else:
                    worker.left.remove(number)
                    yield number, seen
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()


def _start(scenario: Scenario, shelf: Path, trees: list[Tree], numbers: Sequence[int], disks: Path) -> _Worker:
    # A fork has the trees already.
    context = multiprocessing.get_context("fork")
    results, mouth = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(scenario, shelf, trees, numbers, disks, mouth), daemon=True)
    process.start()
    mouth.close()
    return _Worker(process, results, list(numbers))


def _work(
    scenario: Scenario, shelf: Path, trees: list[Tree], numbers: Sequence[int], disks: Path, mouth: Connection
) -> None:
    logging.disable()  # a cut is told of in results
    signal.signal(signal.SIGALRM, _too_long)
    os.umask(0o077)  # private keys must be for their owner only
    disk = Path(tempfile.mkdtemp(dir=disks))  # whoever started this removes it: this may be killed
    for number in numbers:
        signal.alarm(PATIENCE)
        seen = look(scenario, Place(disk, shelf), trees[number])
        signal.alarm(0)
        mouth.send((number, seen))


def _too_long(number: int, frame: FrameType | None) -> Any:
    raise TimeoutError(f"the box did not start within {PATIENCE} seconds")


def memory() -> str | None:
    """A folder in memory, where the machine has one: flushes cost nothing there."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
