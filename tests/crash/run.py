"""Records scenarios, cuts the power everywhere, and judges what the box shows then."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from tests.crash.calls import TraceError
from tests.crash.disk import CrashState, Effort, Flush, Mark, Recording, Tree, crash_states, fingerprint
from tests.crash.fat import on_fat
from tests.crash.place import Place, furnish
from tests.crash.promises import BEGIN, END, Ledger
from tests.crash.recorder import record
from tests.crash.scenario import Scenario
from tests.crash.start import Seen, unnumbered
from tests.crash.workers import look_at_all, memory

RANDOM = re.compile(r"(?<=[.-])[a-z0-9_]{8}\b")  # what mkstemp makes up
TOGETHER = 128  # states that are in memory at one time: each may hold a pack or two of its own


@dataclass
class Point:
    """A distinct state of the disk, with the first way to it, and all that had been said before it by then."""

    state: CrashState
    said: frozenset[int]  # so many marks had been made


@dataclass(frozen=True)
class Failure:
    scenario: str
    after: int  # operations that were begun before the power went
    choice: str  # what reached the disk, in words
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.scenario}, after {self.after} operations, {self.choice}: {'; '.join(self.wrong)}"


@dataclass(frozen=True)
class Result:
    points: int
    failures: tuple[Failure, ...]

    def kinds(self) -> dict[str, tuple[int, Failure]]:
        """What goes wrong → how often, and the first time."""
        found: dict[str, tuple[int, Failure]] = {}
        for failure in self.failures:
            for words in failure.wrong:
                count, first = found.get(kind(words), (0, failure))
                found[kind(words)] = count + 1, first
        return found


def kind(words: str) -> str:
    """The same without what is made up anew each time."""
    return RANDOM.sub("…", words)


@contextmanager
def shelf() -> Iterator[Path]:
    """What lies beside the disks of all scenarios."""
    with tempfile.TemporaryDirectory(prefix="baraza-crash-") as folder:
        furnish(Path(folder) / "shelf")
        yield Path(folder) / "shelf"


def recorded(scenario: Scenario, beside: Path, *, slow: bool = False, mutant: str = "") -> Recording:
    """Prepare a disk and record `scenario` on it. Raises TraceError."""
    with tempfile.TemporaryDirectory(prefix="baraza-crash-", dir=memory()) as folder:
        place = Place(Path(folder) / "disk", beside)
        scenario.prepare(place)
        recording = record(scenario.name, place, Path(folder), slow=slow, mutant=mutant)
        shutil.rmtree(place.disk)
    return on_fat(recording, scenario.fat) if scenario.fat else recording


def moments(recording: Recording) -> range:
    """When what the scenario is about is done; everything, if it does not say."""
    texts = [operation.text if isinstance(operation, Mark) else "" for operation in recording.operations]
    if BEGIN not in texts:
        return range(len(texts) + 1)
    return range(texts.index(BEGIN), texts.index(END) + 1)


def points_of(recording: Recording, effort: Effort) -> Iterator[Point]:
    """The distinct states that a cut may leave, made as they are asked for."""
    said = [0]
    for operation in recording.operations:
        said.append(said[-1] + isinstance(operation, Mark))
    when = range(len(said)) if effort.everywhere else moments(recording)
    plain: dict[bytes, bool] = {}
    saids: dict[bytes, set[int]] = {}
    for state in crash_states(recording, effort, when):
        print_ = fingerprint(state.tree)
        plain[print_] = plain.get(print_, False) or state.plain
        saids.setdefault(print_, set()).add(said[state.after])
    wanted = _spread(plain, effort.most)
    # Made a second time, as all of them together would not fit into the memory.
    for state in crash_states(recording, effort, when):
        print_ = fingerprint(state.tree)
        if print_ in wanted:
            wanted.remove(print_)
            yield Point(state, frozenset(saids[print_]))


def _spread(plain: dict[bytes, bool], most: int) -> set[bytes]:
    """Of all states at most so many, evenly spread; the plain ones first, which every moment has."""
    first = [each for each, is_plain in plain.items() if is_plain]
    rest = [each for each, is_plain in plain.items() if not is_plain]
    chosen = _some(first, most)
    return {*chosen, *_some(rest, most - len(chosen))}


def _some(of: list[bytes], most: int) -> list[bytes]:
    return of if len(of) <= most else [of[number * len(of) // most] for number in range(most)]


def cut(
    scenario: Scenario,
    recording: Recording,
    beside: Path,
    effort: Effort,
    *,
    known: Collection[str] = (),
    enough: int | None = None,
) -> Result:
    """Cut the power during `recording`, everywhere; pass over the `known` kinds of failure, stop after `enough`."""
    marks = [operation.text for operation in recording.operations if isinstance(operation, Mark)]
    points = points_of(recording, effort)
    judge = _judge(scenario, recording, beside, marks)
    failures: list[Failure] = []
    count = 0
    while some := list(islice(points, TOGETHER)):
        count += len(some)
        for number, seen in look_at_all(scenario, beside, [point.state.tree for point in some]):
            judged = judge(some[number], seen)
            wrong = tuple(words for words in judged if kind(words) not in known)
            if wrong:
                failures.append(Failure(scenario.name, some[number].state.after, some[number].state.choice, wrong))
                if enough is not None and len(failures) >= enough:
                    return Result(count, tuple(failures))
    return Result(count, tuple(failures))


def without(recording: Recording, site: str) -> Recording:
    """The same with the flushes of one place in the program left out."""
    kept: list[int] = [0]
    for operation in recording.operations:
        kept.append(kept[-1] + (not _is_at(operation, site)))
    operations = tuple(
        replace(each, covers=kept[each.covers]) if isinstance(each, Flush) else each
        for each in recording.operations
        if not _is_at(each, site)
    )
    return replace(recording, operations=operations)


def sites(recording: Recording, when: range | None = None) -> list[str]:
    """The places in the program that flush something (then)."""
    among = recording.operations if when is None else recording.operations[when.start : when.stop]
    return sorted({operation.site for operation in among if isinstance(operation, Flush)})


def _is_at(operation: object, site: str) -> bool:
    return isinstance(operation, Flush) and operation.site == site


_Judge = Callable[[Point, Seen], tuple[str, ...]]


def _judge(scenario: Scenario, recording: Recording, beside: Path, marks: list[str]) -> _Judge:
    """Looks at the disk before and after without a cut, to know what may be seen and what may lie about."""
    after, idle = recording.start(), unnumbered(recording.before.tree())
    for number, operation in enumerate(recording.operations):
        after.apply(number, operation)
        if isinstance(operation, Mark):  # nothing is in hand: what lies about then is no litter
            idle |= unnumbered(after.tree())
    whole: list[Tree] = [recording.before.tree(), after.tree()]
    seen = dict(look_at_all(scenario, beside, whole))
    if wrong := [words for each in seen.values() for words in each.wrong]:
        raise TraceError(f"{scenario.name} does not even work without a cut: {'; '.join(wrong)}")
    before = seen[0].facts[-1]
    expected = seen[0].names | seen[1].names | idle

    def judge(point: Point, found: Seen) -> tuple[str, ...]:
        broken = [
            words
            for said in sorted(point.said)
            for facts in found.facts
            for words in Ledger(before, marks[:said]).wrong(facts)
        ]
        litter = [f"{name} is left" for name in sorted(found.names - expected)]
        return tuple(dict.fromkeys([*found.wrong, *broken, *litter]))

    return judge
