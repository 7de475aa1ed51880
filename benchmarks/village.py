"""A village: the real box with its starter packs, and 1, 10 and 40 phones that ask for things through real HTTP.

    .venv/bin/python -m benchmarks.village                  # the table and docs/village.svg
    .venv/bin/python -m benchmarks.village --minutes 30     # the soak: 40 phones for so long

Every phone sends its next request as soon as it has read the answer to the last, the worst that a village can do. What
it asks for comes from a deck of cards, shuffled anew by its own seed each time it is used up: so all ask for the same
in the end, and differ in the order.

What is told:

- seconds to the first text and to the end, p50 and p95, of all requests and by kind;
- the fair share: a phone alone has the answer to a request after s seconds (the mean of its kind, measured with one
  phone in the same run, before the others and again after them: a machine is not equally fast all the time); of n
  phones each is due an n-th of the box, so its answer is due after n × s. The longest wait is the largest of all times
  over what was due;
- Jain's index, (Σx)² / nΣx², over the phones of the work that each got done, in seconds of a phone alone: throughput,
  as slowdowns differ by design between short work and long. 1 is equal; 1/n is one phone that gets everything;
- errors: every answer that is not what a person would call an answer; memory of the box (its processes together).
"""

from __future__ import annotations

import argparse
import math
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks import plot
from benchmarks.harness import ROOT, Row, pin, quiet_machine, report
from benchmarks.phone import Followed, Phone, PhoneError

PHONES = (1, 10, 40)
SECONDS = {1: 12.0, 10: 20.0, 40: 70.0}
WARM_UP = 12.0  # seconds with 40 phones, not counted: the engines reserve what they need
SEED = 20_261_123
PLOT = ROOT / "docs" / "village.svg"
LISTENS = re.compile(r"Baraza is at (http://\S+?)/?$")
SAMPLE = 0.5  # seconds between two looks at the memory
LONGEST = 30  # waits that are kept one by one

SENTENCES = {
    "en": (
        "The water is clean. I have twelve goats and two cows. The rain did not come this year, so we planted late. "
        "Can you tell me where the market is? My sister works at the school near the river. We need a new pump because "
        "the old one is broken. Please sign the letter and give it to the office. How much does a bag of maize cost?"
    ),
    "es": (
        "El agua está limpia. Tengo doce cabras y dos vacas. Este año no llovió, y por eso sembramos tarde. "
        "¿Me puede decir dónde está el mercado? Mi hermana trabaja en la escuela cerca del río. Necesitamos una bomba "
        "nueva porque la vieja está rota. ¿Cuánto cuesta un saco de maíz?"
    ),
    "fr": (
        "L'eau est propre. J'ai douze chèvres et deux vaches. Il n'a pas plu cette année, alors nous avons semé tard. "
        "Pouvez-vous me dire où est le marché ? Ma sœur travaille à l'école près de la rivière."
    ),
}
WAYS = (("en", "es"), ("es", "en"), ("en", "fr"), ("fr", "en"), ("en", "sw"), ("es", "fr"))
QUESTIONS = (
    "holes in the leaves of my maize",
    "my hens are dying and breathe with noise",
    "weevils in the stored grain",
    "the pump gives no water",
    "how do I keep a battery alive",
    "who won the football match yesterday",
)
LETTER = {
    "language": "en",
    "answer-place": "Kibaoni",
    "answer-date": "2026-05-03",
    "answer-recipient": "The District Water Officer",
    "answer-subject": "Repair of the hand pump",
    "answer-matter": "The hand pump near the school is broken. The children walk far for water.",
    "answer-request": "We ask you to send a technician.",
    "answer-sender": "Asha Mwangi",
}
PAGE_CHARACTERS = 2_000  # a sheet of paper
DECK = ("short",) * 13 + ("question",) * 4 + ("page",) + ("draft",) * 2


@dataclass(frozen=True)
class Visit:
    """One request of one phone. Times are seconds of `time.perf_counter`; `error` is "" if all went well."""

    phone: int
    kind: str
    began: float
    first: float
    ended: float
    error: str = ""


@dataclass
class Load:
    """What some phones did together between `began` and `ended`, and the memory of the box meanwhile, in bytes.

    What other programs of the machine do is kept too: a wait may be theirs.
    """

    phones: int
    began: float
    ended: float = 0.0
    visits: list[Visit] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    memory_of_each: list[list[int]] = field(default_factory=list)  # the pages first, then the engines
    processor_seconds: dict[str, float] = field(default_factory=dict)  # of the box, of the phones, of all others
    others: list[tuple[float, float]] = field(default_factory=list)  # (time, processor seconds of others until then)

    @property
    def answered(self) -> list[Visit]:
        """Those that ended well, and in time."""
        return [visit for visit in self.visits if not visit.error and visit.ended <= self.ended]

    @property
    def errors(self) -> list[str]:
        return [visit.error for visit in self.visits if visit.error]


# What a phone asks for


def short(phone: Phone, dice: random.Random) -> Followed:
    """One sentence, in some direction; a fourth of them in two steps."""
    source, target = dice.choice(WAYS)
    sentence = dice.choice(re.findall(r"[^.?]+[.?]", SENTENCES[source])).strip()
    return phone.follow(phone.send("/translate", {"text": sentence, "from": source, "to": target}))


def page(phone: Phone, dice: random.Random) -> Followed:
    """A text of a page of paper, more than fifty sentences: long work for the queue."""
    source = dice.choice(("en", "es"))
    sentences = re.findall(r"[^.?]+[.?]", SENTENCES[source])
    text = ""
    while len(text) < PAGE_CHARACTERS:
        text += dice.choice(sentences).strip() + " "
    target = {"en": "es", "es": "en"}[source]
    return phone.follow(phone.send("/translate", {"text": text, "from": source, "to": target}))


def question(phone: Phone, dice: random.Random) -> Followed:
    """A question about crops and the like."""
    found = phone.get("/ask?q=" + dice.choice(QUESTIONS).replace(" ", "+"))
    if "panel answer" not in found.text and "abstained" not in found.text:
        raise PhoneError(f"{found.path}: there is no answer on the page")
    now = time.perf_counter()
    return Followed(found, now, now)


def draft(phone: Phone, dice: random.Random) -> Followed:
    """A letter, saved, with its translation beside it, read, and deleted."""
    written = phone.send("/draft/letter", LETTER)
    first = time.perf_counter()
    text = re.search(r'name="text"[^>]*>\n(.*?)</textarea>', written.text, re.DOTALL)
    if text is None:
        raise PhoneError(f"{written.path}: there is no document on the page")
    form = {"title": f"Pump {dice.randrange(1000)}", "text": text.group(1), "also_in": dice.choice(("es", "fr"))}
    asked = phone.send(written.path, form)
    done = phone.follow(asked)
    if f'id="in-{form["also_in"]}"' not in done.page.text:
        raise PhoneError(f"{written.path}: there is no translation beside the letter")
    phone.send(f"{written.path}/delete", {})
    return Followed(done.page, first, done.ended)


ASK: dict[str, Callable[[Phone, random.Random], Followed]] = {
    "short": short,
    "page": page,
    "question": question,
    "draft": draft,
}


def deck(dice: random.Random) -> Iterator[str]:
    """What is asked for next, without end: every card of the deck once, then all again in another order."""
    while True:
        yield from dice.sample(DECK, len(DECK))


# The village


@contextmanager
def serving(**settings: str) -> Iterator[tuple[str, psutil.Process]]:
    """A box of its own on loopback, as `baraza serve` is started: its address, and its process."""
    with tempfile.TemporaryDirectory(prefix="village-") as folder:
        own = {"BARAZA_DATA": folder, "BARAZA_HOST": "127.0.0.1", "BARAZA_PORT": "0", "BARAZA_LOG_LEVEL": "INFO"}
        given = {f"BARAZA_{name.upper()}": value for name, value in settings.items()}
        command = [sys.executable, "-m", "appliance.cli", "serve"]
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | own | given, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        try:
            found = next((match for line in process.stderr if (match := LISTENS.search(line))), None)
            if found is None:
                sys.exit("The box did not start.")
            drain = threading.Thread(target=_pass_on, args=(process.stderr,), daemon=True)
            drain.start()
            yield found.group(1), psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)


def _pass_on(lines: Iterator[str]) -> None:
    """What the box complains of is shown; what it tells is not."""
    for line in lines:
        if " INFO " not in line:
            sys.stderr.write(line)


def load(address: str, box: psutil.Process, phones: int, seconds: float, seed: int = SEED) -> Load:
    """Let so many phones ask for things for so long; the last answers are waited for, and not counted."""
    done = Load(phones, time.perf_counter())
    stop = done.began + seconds
    lock = threading.Lock()

    def live(number: int) -> None:
        dice = random.Random(f"{seed}, phone {number}")
        one = Phone(address)
        for kind in deck(dice):
            if time.perf_counter() >= stop:
                break
            visit = _visit(one, number, kind, dice)
            with lock:
                done.visits.append(visit)
        one.close()

    before = _processor_seconds(box)
    threads = [threading.Thread(target=live, args=(number,)) for number in range(phones)]
    for thread in threads:
        thread.start()
    while (now := time.perf_counter()) < stop:
        done.memory_of_each.append(memory_of(box))
        done.memory.append(sum(done.memory_of_each[-1]))
        done.others.append((now, _processor_seconds(box)["others"] - before["others"]))
        time.sleep(min(SAMPLE, max(0.0, stop - now)))
    done.ended = time.perf_counter()
    after = _processor_seconds(box)
    for thread in threads:
        thread.join()
    done.processor_seconds = {who: after[who] - before[who] for who in before}
    return done


def _visit(phone: Phone, number: int, kind: str, dice: random.Random) -> Visit:
    began = time.perf_counter()
    try:
        followed = ASK[kind](phone, dice)
    except (PhoneError, OSError) as error:
        now = time.perf_counter()
        return Visit(number, kind, began, now, now, f"{type(error).__name__}: {error}")
    return Visit(number, kind, began, followed.first, followed.ended)


def memory_of(box: psutil.Process) -> list[int]:
    """Bytes of each process of the box: what it has for itself, and its part of what they share (libraries, weights).

    Shared pages are counted by the kernel's proportional set size, which gives each process its part of them.
    """
    return [each.memory_full_info().pss for each in processes_of(box)]


def processes_of(box: psutil.Process) -> list[psutil.Process]:
    """The process of the pages, and that of the engines."""
    return [box, *box.children(recursive=True)]


def _processor_seconds(box: psutil.Process) -> dict[str, float]:
    spent = {"box": processes_of(box), "phones": [psutil.Process()]}
    times = {who: [each.cpu_times() for each in processes] for who, processes in spent.items()}
    own = {who: sum(each.user + each.system for each in found) for who, found in times.items()}
    whole = psutil.cpu_times()
    return own | {"others": sum(whole) - whole.idle - whole.iowait - sum(own.values())}


# What it comes to


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that a `share` of them does not exceed; not a number if there are none."""
    if not values:
        return math.nan
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def jain(shares: Sequence[float]) -> float:
    """Jain, Chiu and Hawe's index of fairness (DEC-TR-301, 1984): 1 if all are equal, 1/n if one has everything."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 0.0


def alone(*ones: Load) -> dict[str, float]:
    """Seconds from a request to its end, by kind: the mean, where a phone has the box for itself."""
    taken: dict[str, list[float]] = {}
    for visit in (visit for one in ones for visit in one.answered):
        taken.setdefault(visit.kind, []).append(visit.ended - visit.began)
    return {kind: statistics.mean(values) for kind, values in taken.items()}


def shares(done: Load, seconds_alone: dict[str, float]) -> list[float]:
    """What each phone got done, in seconds of a phone alone."""
    got = Counter(dict.fromkeys(range(done.phones), 0.0))
    for visit in done.answered:
        got[visit.phone] += seconds_alone[visit.kind]
    return [got[number] for number in range(done.phones)]


def waits(done: Load, seconds_alone: dict[str, float]) -> list[tuple[float, Visit]]:
    """Of each request, its time over what was due to it, and the request; the longest last."""
    due = [(visit.ended - visit.began) / (done.phones * seconds_alone[visit.kind]) for visit in done.answered]
    return sorted(zip(due, done.answered, strict=True), key=lambda each: each[0])


def _longest(done: Load, seconds_alone: dict[str, float]) -> float:
    return max((share for share, _ in waits(done, seconds_alone)), default=math.inf)


def told_of(done: Load, seconds_alone: dict[str, float]) -> list[dict[str, float | str]]:
    """The longest waits: when each began (seconds from the start), and the cores that others had during it."""
    found: list[dict[str, float | str]] = []
    for share, visit in waits(done, seconds_alone)[: -LONGEST - 1 : -1]:
        before = max((each for each in done.others if each[0] <= visit.began), default=(done.began, 0.0))
        after = min((each for each in done.others if each[0] >= visit.ended), default=done.others[-1])
        cores = (after[1] - before[1]) / max(after[0] - before[0], SAMPLE)
        found.append(
            {
                "kind": visit.kind,
                "fair_shares": share,
                "began": visit.began - done.began,
                "seconds": visit.ended - visit.began,
                "cores_of_others": cores,
            }
        )
    return found


def growth(memory: Sequence[int]) -> float:
    """Percent by which the memory of the last tenth of the time is above that of the first tenth (medians)."""
    tenth = max(1, len(memory) // 10)
    return 100 * (statistics.median(memory[-tenth:]) / statistics.median(memory[:tenth]) - 1)


def after(done: Load, requests: int) -> float | None:
    """Bytes of the box once so many requests were answered (median of nine samples); None if there were not so many."""
    ends = sorted(visit.ended for visit in done.answered)
    if len(ends) < requests:
        return None
    at = next((number for number, (time_, _) in enumerate(done.others) if time_ >= ends[requests - 1]), None)
    return None if at is None else statistics.median(done.memory[max(0, at - 4) : at + 5])


def rows(done: Load, seconds_alone: dict[str, float]) -> list[Row]:
    """The figures of one load; the targets are those of forty phones."""
    name = f"village_{done.phones}"
    fair, longest = (0.95, 2.0) if done.phones == max(PHONES) else (None, None)
    firsts = [visit.first - visit.began for visit in done.answered]
    ends = [visit.ended - visit.began for visit in done.answered]
    found = [
        Row(f"{name}_requests", len(done.answered) / (done.ended - done.began), "1/s"),
        Row(f"{name}_first_text_p50", percentile(firsts, 0.5), "s"),
        Row(f"{name}_first_text_p95", percentile(firsts, 0.95), "s"),
        Row(f"{name}_end_p50", percentile(ends, 0.5), "s"),
        Row(f"{name}_end_p95", percentile(ends, 0.95), "s"),
    ]
    for kind in ASK:
        own = [visit.ended - visit.began for visit in done.answered if visit.kind == kind]
        found += [Row(f"{name}_{kind}_end_p{share}", percentile(own, share / 100), "s") for share in (50, 95)]
    found += [Row(f"{name}_errors", len(done.errors), "requests", 0, at_least=False)]
    if done.phones > 1:
        found += [
            Row(f"{name}_jain", jain(shares(done, seconds_alone)), "index", fair),
            Row(f"{name}_longest_wait", _longest(done, seconds_alone), "fair_shares", longest, at_least=False),
        ]
    for moment, part in (("begin", 0.0), ("middle", 0.5), ("end", 1.0)):
        at = done.memory[min(len(done.memory) - 1, int(part * len(done.memory)))]
        found.append(Row(f"{name}_memory_{moment}", at / 2**20, "MiB"))
    found.append(Row(f"{name}_memory_growth", abs(growth(done.memory)), "%", 5.0, at_least=False))
    few, many = (after(done, requests) for requests in (1_000, 10_000))
    if few and many:
        more = 100 * abs(many / few - 1)
        found.append(Row(f"{name}_memory_10000_requests", more, "%_over_1000", 5.0, at_least=False))
    for who, spent in done.processor_seconds.items():
        found.append(Row(f"{name}_processor_{who}", spent / (done.ended - done.began), "cores"))
    return found


def draw(loads: Sequence[Load], path: Path = PLOT) -> None:
    """p95 against the number of phones."""
    lines = []
    for kind, words in (("short", "a sentence"), ("question", "a question"), ("draft", "a letter"), ("page", "a page")):
        points = []
        for done in loads:
            own = [visit.ended - visit.began for visit in done.answered if visit.kind == kind]
            points.append((float(done.phones), percentile(own, 0.95)))
        lines.append(plot.Series(words, points))
    told = "; ".join(f"{each.name}: " + ", ".join(f"{y:.2f} s with {x:.0f}" for x, y in each.points) for each in lines)
    plot.save(
        path,
        "Until the answer is complete, 95 of 100 requests",
        f"Seconds against phones that ask without a pause, on two cores. {told}.",
        plot.Axis("phones", log=True, ticks=tuple(float(done.phones) for done in loads)),
        plot.Axis("seconds", log=True),
        lines,
    )


def measure(seconds: dict[int, float], seed: int = SEED) -> tuple[list[Load], dict[str, float]]:
    """A box, warmed up, under each number of phones in turn, one phone first: (those, `alone`).

    One phone is heard once more in the end.
    """
    with serving() as (address, box):
        load(address, box, max(seconds), WARM_UP, seed + 1)
        loads = [load(address, box, phones, seconds[phones], seed) for phones in sorted(seconds)]
        return loads, alone(loads[0], load(address, box, 1, seconds[1], seed + 2))


def main() -> None:
    """Print the table, keep the figures, draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, help="soak: forty phones for so long")
    parser.add_argument("--anyway", action="store_true", help="measure on a busy machine too")
    asked = parser.parse_args()
    quiet_machine()
    pin(2)
    seconds = SECONDS if asked.minutes is None else {1: SECONDS[1], 40: asked.minutes * 60}
    loads, seconds_alone = measure(seconds)
    told = [row for done in loads for row in rows(done, seconds_alone)]
    _show(loads, seconds_alone)
    if asked.minutes is None:
        draw(loads)
    name = "village" if asked.minutes is None else "soak"
    measured = {
        "alone": seconds_alone,
        "memory": {done.phones: done.memory for done in loads},
        "memory_of_each": {done.phones: done.memory_of_each for done in loads},
        "longest": {done.phones: told_of(done, seconds_alone) for done in loads},
    }
    report(name, told, measured)
    if any(row.verdict == "missed" for row in told):
        sys.exit(1)


def _show(loads: Sequence[Load], seconds_alone: dict[str, float]) -> None:
    """The table for people, and what went wrong."""
    print(f"{'phones':>6} {'kind':9} {'requests':>8} {'first text':>18} {'end':>18} {'longest wait':>13}")
    for done in loads:
        due = waits(done, seconds_alone)
        for kind in ASK:
            own = [visit for visit in done.answered if visit.kind == kind]
            firsts, ends = [each.first - each.began for each in own], [each.ended - each.began for each in own]
            told = [f"{percentile(each, 0.5):8.3f} {percentile(each, 0.95):7.3f} s" for each in (firsts, ends)]
            longest = max((share for share, visit in due if visit.kind == kind), default=math.nan)
            print(f"{done.phones:6} {kind:9} {len(own):8} {told[0]:>18} {told[1]:>18} {longest:9.2f} fair")
        for error, times in Counter(done.errors).most_common(5):
            print(f"  {times} × {error}")


if __name__ == "__main__":
    main()
