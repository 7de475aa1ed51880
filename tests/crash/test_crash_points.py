"""The power fails while people work with a box: what `make crash-points` runs, and what shows that it can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.disk import Effort, Flush, Mark, Recording, Tree, Write, image_of
from tests.crash.mutants import MUTANTS
from tests.crash.mutation import Mutant, mutants, unexplained
from tests.crash.place import ROOT, Place
from tests.crash.promises import BEGIN, END
from tests.crash.recorder import missing
from tests.crash.run import cut, moments, points_of, recorded, shelf, sites, without
from tests.crash.scenarios import scenarios
from tests.crash.start import Seen
from tests.crash.workers import look_at_all

pytestmark = pytest.mark.skipif(missing() != "", reason=missing())
FEW = Effort(cuts=2, picks=2, singles=4, most=60)


@pytest.fixture(scope="module")
def beside() -> Iterator[Path]:
    with shelf() as folder:
        yield folder


def crash_points(*options: str) -> tuple[int, int]:
    """How many were tried, and how many failed, from the last line."""
    done = subprocess.run([sys.executable, "-m", "tests.crash", *options], cwd=ROOT, capture_output=True, text=True)
    last = re.fullmatch(r"crash points (\d+), failures (\d+)", done.stdout.splitlines()[-1])
    assert last, done.stdout + done.stderr
    print(done.stdout)
    return int(last[1]), int(last[2])


def test_wherever_the_power_fails_everything_is_old_or_new() -> None:
    points, failures = crash_points()
    assert points >= 1_000
    assert failures == 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_same_at_many_more_points() -> None:
    points, failures = crash_points("--slow")
    assert points >= 20_000
    assert failures == 0


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mistake_in_how_documents_are_written_is_found(beside: Path, name: str) -> None:
    documents = scenarios()["documents"]
    assert cut(documents, recorded(documents, beside, mutant=name), beside, FEW, enough=1).failures


def test_each_flush_of_a_saved_document_is_needed(beside: Path) -> None:
    scenario = scenarios()["documents"]
    recording = recorded(scenario, beside)
    saving = [site for site in sites(recording) if "tables._replace" in site]
    assert len(saving) == 2  # of the file, and of its folder
    for site in saving:
        assert cut(scenario, without(recording, site), beside, FEW, enough=1).failures, site


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", scenarios())
def test_every_flush_that_is_left_out_is_found_or_explained(beside: Path, name: str) -> None:
    survivors = [mutant for mutant in mutants(scenarios()[name], beside) if not mutant.found]
    assert [mutant for mutant in survivors if unexplained(mutant)] == []


def test_what_is_explained_is_no_more_than_what_survives() -> None:
    assert unexplained(Mutant("documents", "no flush at atomic.flush_folder < nowhere", ""))


def test_a_box_that_dies_or_fails_is_a_finding(beside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(scenario: object, place: Place, tree: Tree) -> Seen:
        if "dies" in tree:
            sys.exit(3)
        return Seen((), ("looked at",))

    monkeypatch.setattr("tests.crash.workers.look", look)
    trees: list[Tree] = [{}, {"dies": None}, {}, {"dies": None}, {}]
    seen = dict(look_at_all(scenarios()["documents"], beside, trees))
    assert {number: found.wrong for number, found in seen.items()} == {
        number: ("the box died (3)",) if "dies" in tree else ("looked at",) for number, tree in enumerate(trees)
    }


def test_points_are_distinct_and_spread_over_all_moments() -> None:
    writes = [Write(1, number * 4_096, bytes([number]) * 4_096) for number in range(40)]
    before = image_of({"a": b""})
    recording = Recording(before, (Mark("1"), *writes, Mark("2")), frozenset({0}))
    points = list(points_of(recording, FEW))
    assert len({point.state.tree["a"] for point in points}) == len(points) == FEW.most
    assert {point.state.after for point in points} >= set(range(2, 41))


def test_a_scenario_says_when_it_is_worth_to_cut() -> None:
    marks = (Mark("1"), Mark(BEGIN), Mark("2"), Mark(END), Mark("3"))
    assert moments(Recording(image_of({}), marks, frozenset({0}))) == range(1, 4)
    assert moments(Recording(image_of({}), marks[:1], frozenset({0}))) == range(2)


def test_a_flush_that_is_left_out_moves_what_others_cover() -> None:
    one, other = Flush(1, 1, "one"), Flush(1, 2, "other")
    left = without(Recording(image_of({}), (Write(1, 0, b"a"), one, other), frozenset({0})), "one")
    assert left.operations == (Write(1, 0, b"a"), Flush(1, 1, "other"))
