"""`python -m tests.crash.mutation`: builds mistakes into what is recorded, one at a time, and says which are found."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from tests.crash.disk import Effort
from tests.crash.mutants import MUTANTS, is_made
from tests.crash.run import Result, cut, moments, recorded, shelf, sites, without
from tests.crash.scenario import Scenario
from tests.crash.scenarios import scenarios

EFFORT = Effort(cuts=4, picks=4, singles=8, most=400)


@dataclass(frozen=True)
class Mutant:
    scenario: str
    mistake: str
    found: str  # what the box did wrong; "" if nothing was found

    def __str__(self) -> str:
        return f"{'found' if self.found else 'SURVIVED'}: {self.scenario}, {self.mistake}: {self.found or '-'}"


# (part of) a scenario and a place whose flush it does not need → why. The record 0024 has the same list.
EXPLAINED: dict[tuple[str, str], str] = {
    ("", "running._write"): "the file only says whether the run before was cut; unread, a cut goes uncounted",
    ("", "flush_folder < atomic.ensure_folder < trusted_time._keep"): "without it the day of the run before holds",
    ("", "flush_folder < atomic.write_atomically < trusted_time._keep"): "without it the day of the run before holds",
    ("", "flush_folder < atomic.written_atomically < database._write_copy"): "the copy of before is good, too",
    ("", "ensure_folder < archive.extract"): "the folder gets another name before it counts, and that is flushed",
    ("", "ensure_folder < archive.copy_folder"): "the same",
    (
        "",
        "flush_folder < store._stage",
    ): "passing the trial flushes the same folder, and nothing counts before",
    ("", "flush_folder < atomic.write_atomically < choice.write_choice < store._put_on_trial"): "as above",
    ("", "choice.write_choice < store.tidy"): "it only forgets names of versions that are gone",
    ("install", "choice.write_choice < store._pass"): "`tidy` writes and flushes it once more before it is told",
    ("", "flush_folder < atomic.write_atomically < choice.write_choice < store._give_up"): "it is given up again then",
    ("backup", "database._write_copy < database.snapshot"): "a copy for the backup that is made, which a cut ends",
    ("backup", "at atomic.written_atomically < backup.make_backup"): "flushed before it is read back: see TWICE",
    ("backup", "at backup.make_backup"): "flushed once more when it gets its name: see TWICE",
    (
        "restore",
        "flush_folder < atomic.write_atomically < backup.restore",
    ): "what `settle` does first flushes the same folder, before any part is moved",
    ("restore", "removed before it is renamed"): "there is none yet",
    (
        "publish",
        "flush_folder < atomic.write_atomically < release.write_release",
    ): "boxes refuse a stick that lost it, as one that lost its timestamp, and publishing mends both",
    (
        "export",
        "< own._sign",
    ): "where the box's own copy of its release is damaged, it is signed anew under a new number, "
    "which the ledger and that copy know both",
    ("export", "stored._keep"): "what was measured is measured again",
    (
        "export",
        "flush_folder < atomic.write_atomically < export._write_metadata",
    ): "boxes refuse such a stick, and exporting mends it",
    ("first install", "choice.write_choice"): "a choice that is lost leaves the only version there is",
    ("first install", "written in place"): "the same",
    ("first install", "renamed before it is flushed"): "the same",
    ("first install", "removed before it is renamed"): "the same",
}

# Part of a scenario → places that flush the same file: one may be left out, all of them not.
TWICE: dict[str, tuple[str, ...]] = {
    "backup": ("atomic.written_atomically < backup.make_backup", "backup.make_backup"),
}


def unexplained(mutant: Mutant) -> bool:
    """Whether it should have been found."""
    return not any(scenario in mutant.scenario and place in mutant.mistake for scenario, place in EXPLAINED)


def mutants(scenario: Scenario, beside: Path) -> Iterator[Mutant]:
    """Each place in the program that flushes something, without it; then each of the named mistakes."""
    recording = recorded(scenario, beside)
    known = cut(scenario, recording, beside, EFFORT).kinds()  # what goes wrong anyway proves nothing
    for site in sites(recording, moments(recording)):
        result = cut(scenario, without(recording, site), beside, EFFORT, known=known, enough=1)
        yield Mutant(scenario.name, f"no flush at {site}", _first(result))
    if twice := TWICE.get(scenario.name):
        left = reduce(without, twice, recording)
        yield Mutant(
            scenario.name, "neither of two flushes", _first(cut(scenario, left, beside, EFFORT, known=known, enough=1))
        )
    for name in MUTANTS:
        mistaken = recorded(scenario, beside, mutant=name)
        if not is_made(name, sites(mistaken, moments(mistaken))):
            continue  # nothing is written in this way there
        yield Mutant(scenario.name, name, _first(cut(scenario, mistaken, beside, EFFORT, known=known, enough=1)))


def _first(result: Result) -> str:
    return next((failure.wrong[0] for failure in result.failures), "")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.mutation", description=__doc__)
    parser.add_argument("--scenario", action="append", help="only this one (may be given again)")
    given = parser.parse_args()
    count = survived = odd = 0
    with shelf() as beside:
        for name, scenario in scenarios().items():
            if given.scenario and name not in given.scenario:
                continue
            for mutant in mutants(scenario, beside):
                print(mutant, flush=True)
                count, survived = count + 1, survived + (not mutant.found)
                odd += not mutant.found and unexplained(mutant)
    print(f"mutants {count}, survived {survived}, unexplained {odd}")
    return 1 if odd else 0


if __name__ == "__main__":
    sys.exit(main())
