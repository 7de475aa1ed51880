"""How much memory the box takes: what each pack needs, whether work makes it grow, and whether it fits into a Pi's.

    .venv/bin/python -m benchmarks.memory [--requests 10000]

- What a pack takes, opened and after batches of ordinary and of the longest sentences, against what its manifest says.
- Growth: thousands of requests of all kinds and lengths, by two threads, through the engines. The memory after all of
  them, as a multiple of that after the first tenth.
- A Pi's memory: the same work by a whole box, in a process of its own that is held to 1 GiB and to 2 GiB by
  RLIMIT_DATA. That counts what a process writes to, resident or not; files that are mapped are not in it, so the peak
  of resident memory, in which they are, is told and held to the limit as well.

Resident memory is in MB (10^6 bytes). Ends with a line for each figure and its target.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from appliance.app import Appliance
from appliance.config import load
from appliance.errors import BarazaError, CancelledError
from appliance.inference.embedder import Embedder
from appliance.inference.engines import size_of
from appliance.inference.job import State
from appliance.inference.translator import Translator
from appliance.limits import LIMITS
from appliance.packs.store import InstalledPack, verify
from benchmarks.harness import Row, report
from benchmarks.village import memory_of

GIB = 1024**3
PI = (1 * GIB, 2 * GIB)
PI_REQUESTS = 400
THREADS = 2
GROWTH = 1.05
WORDS = {
    "en": "the water is clean and our cooperative needs new pumps because two broke since rains came to this village",
    "es": "el agua está limpia y nuestra cooperativa necesita bombas nuevas porque dos se rompieron desde las lluvias",
    "fr": "l'eau est propre et notre coopérative a besoin de pompes neuves car deux sont cassées depuis les pluies",
    "sw": "maji ni safi na ushirika wetu unahitaji pampu mpya kwa sababu mbili zimeharibika tangu mvua zianze",
}
QUESTIONS = ("weevils in stored maize", "my goat coughs and does not eat", "the solar panel does not charge", "xyzzy")


def main() -> None:
    """Measure, and print the rows; with `--box` or `--pack`, be the process that is measured."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--requests", type=int, default=10_000, help="of the measurement of growth")
    arguments.add_argument("--box", type=int, metavar="BYTES", help="work under a limit, and print what came of it")
    arguments.add_argument("--pack", type=Path, metavar="FOLDER", help="open a pack, and print what it takes")
    chosen = arguments.parse_args()
    if chosen.box or chosen.pack:
        print(json.dumps(work_under(chosen.box) if chosen.box else taken_by(verify(chosen.pack))))
        return
    with tempfile.TemporaryDirectory() as data:
        box = open_box(Path(data), beam=1)  # greedy: what is asked here is what stays behind
        needs, taken = packs(box)
        growth, samples = grow(box, chosen.requests)
        box.close()
    limited, boxes = limits()
    report("memory", [*needs, *growth, *limited], {"packs": taken, "resident": samples, "boxes": boxes})


def open_box(data: Path, beam: int = 4) -> Appliance:
    """A box with its shipped packs and an empty data folder, its translators apart, as one that serves; not started."""
    settings = {"BARAZA_DATA": str(data), "BARAZA_THREADS": str(THREADS), "BARAZA_BEAM": str(beam)}
    return Appliance(load(settings), apart=True)


# What a pack takes


def packs(box: Appliance) -> tuple[list[Row], dict[str, list[float]]]:
    """A row for each pack, and its memory in MB: opened, after ordinary texts, after the longest."""
    rows, found = [], {}
    for pack in box.packs.active():
        if pack.manifest.kind not in ("translation", "embedding"):
            continue
        found[pack.manifest.name] = measured("--pack", str(pack.path))
        name = f"{pack.manifest.name}_takes"
        rows.append(Row(name, max(found[pack.manifest.name]), "MB", round(size_of(pack) / 1e6), at_least=False))
    return rows, found


def taken_by(pack: InstalledPack) -> list[float]:
    """MB of this process: with the pack opened, after ordinary texts, after the longest."""
    before = resident()
    work = opened(pack)
    taken = [resident() - before]
    for words in (20, 150):
        for _ in range(3):
            work([sentence(random.Random(words), "en", words) for _ in range(LIMITS.batch_sentences)])
        taken.append(resident() - before)
    return taken


def opened(pack: InstalledPack) -> Callable[[list[str]], object]:
    if pack.manifest.kind == "embedding":
        return Embedder(pack, THREADS).embed
    translator = Translator(pack, THREADS)
    way = next(way for way in sorted(translator.directions) if way[0] == "en")
    return lambda texts: translator.translate(texts, *way, beam=4)


# Growth


def grow(box: Appliance, requests: int) -> tuple[list[Row], list[float]]:
    """The memory after all requests as a multiple of that after a tenth of them; and after each tenth, in MB."""
    samples = []
    errors: list[str] = []
    for part in range(10):
        numbers = range(part * requests // 10, (part + 1) * requests // 10)
        errors += serve(box, numbers)
        samples.append(resident())
        print(f"  {numbers.stop} requests: {samples[-1]:.0f} MB", file=sys.stderr)
    rows = [
        Row(f"growth_{requests}_requests", samples[-1] / samples[0], "times", GROWTH, at_least=False),
        Row("growth_errors", len(errors), "errors", 0, at_least=False),
    ]
    return rows, samples


def serve(box: Appliance, numbers: Iterable[int]) -> list[str]:
    """Do the requests of `numbers`, two at a time; what went wrong."""
    with ThreadPoolExecutor(THREADS) as pool:
        return [error for error in pool.map(lambda number: request(box, number), numbers) if error]


def request(box: Appliance, number: int) -> str:
    """One request: what it is, and how long, follows from its number alone. The error, "" if there was none."""
    chance = random.Random(number)
    kind = chance.choices(("translate", "embed", "ask", "cancelled"), (40, 35, 20, 5))[0]
    try:
        if kind == "ask":
            box.ask(chance.choice(QUESTIONS), chance.choice(("en", "es")))
        elif kind == "embed":
            pack = next(pack for pack in box.packs.active() if pack.manifest.kind == "embedding")
            texts = [sentence(chance, "en", chance.randint(2, 12)) for _ in range(chance.choice((1, 1, 1, 16)))]
            with box.engines.embedder(pack) as embedder:
                embedder.embed(texts)
        else:
            source, target = chance.choice(box.translation.directions)
            text = sentence(chance, source, 60 if number % 100 == 7 else chance.randint(2, 6))
            asked = itertools.count(1)
            cancelled = (lambda: next(asked) > 3) if kind == "cancelled" else (lambda: False)
            with suppress(CancelledError):
                box.translation.translate(text, source, target, cancelled=cancelled)
    except (BarazaError, MemoryError, RuntimeError) as error:
        return f"{kind}: {error}"
    return ""


def sentence(chance: random.Random, language: str, words: int) -> str:
    known = WORDS.get(language, WORDS["en"]).split()
    return " ".join(chance.choice(known) for _ in range(words)).capitalize() + "."


# A Pi's memory


def limits() -> tuple[list[Row], dict[str, Any]]:
    """Two rows for each of PI, and all that the boxes told."""
    rows, boxes = [], {}
    for limit in PI:
        name = f"pi_{limit // GIB}GiB_rlimit_data"
        try:
            told = measured("--box", str(limit))
        except subprocess.CalledProcessError as error:
            told = {"errors": [error.stderr[-300:]], "peak": 0.0}
        boxes[name] = told
        for error in told["errors"][:3]:
            print(f"  {name}: {error}", file=sys.stderr)
        rows.append(Row(f"{name}_errors", len(told["errors"]), "errors", 0, at_least=False))
        rows.append(Row(f"{name}_peak", told["peak"], "MB", round(limit / 1e6), at_least=False))
    return rows, boxes


def work_under(limit: int) -> dict[str, Any]:
    """Hold this process, and each that it starts, to `limit` bytes, and put every kind of work through a box in it."""
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    with tempfile.TemporaryDirectory() as data:
        box = open_box(Path(data))
        box.start()
        errors = [str(problem) for problem in box.problems]
        long = " ".join(sentence(random.Random(number), "en", 12) for number in range(60))
        jobs = [
            box.submit_translation(f"phone {number}", long[: LIMITS.translation_characters], *way, hold_for="keeper")
            for number, way in enumerate(box.translation.directions)
        ]
        errors += serve(box, range(PI_REQUESTS))
        for job in jobs:
            with box.queue.watching(job):
                box.queue.wait_until_over(job, 300)
            errors += [f"{job.request}: {job.error}"] if job.state is not State.DONE else []
        use = box.engines.use()
        box.close()
    return {
        "errors": errors,
        "peak": peak(),
        "budget": use.budget / 1e6,
        "taken": use.taken / 1e6,
        "open": use.packs,
    }


def measured(*arguments: str) -> Any:
    """What this module prints in a process of its own. Raises CalledProcessError."""
    command = [sys.executable, "-m", "benchmarks.memory", *arguments]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


# Figures of this process and those it started, in MB


def resident() -> float:
    """What they have for themselves, and what they share once."""
    return sum(memory_of(psutil.Process())) / 1e6


def peak() -> float:
    """No more than this was resident at one time: the most of this process, and of the largest that it started."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(resource.getrusage(kind).ru_maxrss for kind in kinds) * 1024 / 1e6


if __name__ == "__main__":
    main()
