"""How fast a large pack is installed, beside `cp` and `sha256sum` of the same file, and how much memory it takes.

    .venv/bin/python -m benchmarks.install [--megabytes 1000] [--rounds 3]

Installing reads the archive once, hashes what it read and writes it, all at the same time, and flushes it to the disk
before it counts. `cp` and `sha256sum` run one after the other, as a careful person would. Neither flushes; so they are
compared twice: both with a flush (`cp`, then `sync` of the copy, then `sha256sum`), and both without (in the
installation fsync and fdatasync do nothing then). The archive is in the memory of the system (page cache) for all of
them, and all write to the file system of the temporary folder, which is that of build/.

Memory is the peak of resident memory of a process of its own, above what it has before it begins.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import psutil

from appliance.packs import archive
from appliance.packs.manifest import MANIFEST
from appliance.packs.store import PackStore
from benchmarks.harness import ROOT, Row, interleave, medians, quiet_machine, report, seconds

MB = 10**6
RATIO = 0.6  # of the speed of cp and sha256sum
MEMORY = 64 * 2**20 / MB
PACK = """name = "large"
version = "1.0.0"
kind = "knowledge"
title = "Large"
languages = ["en"]
licence = "CC0-1.0"
about = "Random bytes."
memory_bytes = 0
least_appliance = "0.1.0"

[[files]]
path = "large.bin"
size = {size}
sha256 = "{sha256}"
"""


def main() -> None:
    """Measure, and print the rows; with `--child`, be the process whose memory is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--anyway", action="store_true", help="though other programs are at work")
    parser.add_argument("--child", nargs=2, type=Path, metavar=("ARCHIVE", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        print(json.dumps(memory_of(*chosen.child)))
        return
    quiet_machine()
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        place = Path(folder)
        source = make(place, chosen.megabytes * MB)
        taken = interleave(cases(source, place), chosen.rounds)
        memory = measured_memory(source, place)
    speed = {name: chosen.megabytes / value for name, value in medians(taken).items()}
    rows = [
        *(Row(name, value, "MB/s") for name, value in speed.items()),
        Row("speed_both_flushed", speed["install"] / speed["cp_sync_sha256sum"], "times", RATIO),
        Row("speed_neither_flushed", speed["install_unflushed"] / speed["cp_sha256sum"], "times", RATIO),
        Row("speed_flushed_against_not", speed["install"] / speed["cp_sha256sum"], "times"),
        Row("memory_growth", memory["growth"], "MB", MEMORY, at_least=False),
    ]
    report("install", rows, {"seconds": taken, "megabytes": chosen.megabytes, "memory": memory})


def make(place: Path, size: int) -> Path:
    """The archive of a pack with one file of `size` bytes that no compression makes smaller."""
    pack = place / "pack"
    pack.mkdir()
    chance, digest, left = random.Random(1), hashlib.sha256(), size
    with (pack / "large.bin").open("wb") as file:
        while left:
            block = chance.randbytes(min(left, 4 * 2**20))
            digest.update(block)
            file.write(block)
            left -= len(block)
    (pack / MANIFEST).write_text(PACK.format(size=size, sha256=digest.hexdigest()))
    target = place / "large.pack"
    archive.create(pack, target)
    shutil.rmtree(pack)
    os.sync()
    return target


def cases(source: Path, place: Path) -> dict[str, Callable[[], float]]:
    """Each returns its seconds; what it wrote is removed, and the disk at rest, before the next."""
    copy = place / "copy"

    def command(line: str) -> float:
        taken = seconds(lambda: subprocess.run(["sh", "-ec", line], check=True, stdout=subprocess.DEVNULL))
        copy.unlink()
        os.sync()
        return taken

    def install() -> float:
        box = place / "box"
        taken = seconds(lambda: PackStore(place / "none", box).install(source))
        shutil.rmtree(box)
        os.sync()
        return taken

    def unflushed() -> float:
        with no_flush():
            return install()

    return {
        "cp_sha256sum": lambda: command(f"cp '{source}' '{copy}'; sha256sum '{source}'"),
        "install_unflushed": unflushed,
        "cp_sync_sha256sum": lambda: command(f"cp '{source}' '{copy}'; sync '{copy}'; sha256sum '{source}'"),
        "install": install,
    }


@contextmanager
def no_flush() -> Iterator[None]:
    with mock.patch("os.fsync", lambda _: None), mock.patch("os.fdatasync", lambda _: None):
        yield


def measured_memory(source: Path, place: Path) -> dict[str, float]:
    """What `memory_of` says in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.install", "--child", str(source), str(place / "box")]
    told: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout)
    return told


def memory_of(source: Path, box: Path) -> dict[str, float]:
    """MB of this process before an installation, at its peak, and the growth."""
    before = psutil.Process().memory_info().rss / MB
    PackStore(box / "none", box).install(source, lambda _done, _total: None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB
    return {"before": before, "peak": peak, "growth": peak - before}


if __name__ == "__main__":
    main()
