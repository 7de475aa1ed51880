"""The list of attacks on archives in docs/packs-security.md is the one that is tried, and fits the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation.archives import CONTENT, LAYOUT, MUTANTS
from tests.mutation.mutant import Mutant
from tests.unit.packs import test_archive, test_zipped

ROOT = Path(__file__).resolve().parents[3]
UNCHECKED = {  # said to be damaged by more than one check, so that no single one can be taken out
    LAYOUT: {"nothing", "no ZIP", "data missing", "packed data cut short", "packed data damaged", "content damaged"},
    CONTENT: {"no manifest", "manifest is a hidden bomb", "more members than a pack may have"},
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.check)
def test_a_check_stands_in_the_code_and_in_the_documentation(mutant: Mutant) -> None:
    assert mutant.applies, "the code has changed: bring tests/mutation/archives.py up to date"
    (row,) = (line for line in listed() if line[1] == mutant.check)
    assert row[0] == ", ".join(mutant.attacks or (mutant.tests.rpartition("::test_")[2].replace("_", " "),))


def test_nothing_is_listed_that_is_not_tried() -> None:
    assert [row[1] for row in listed()] == [mutant.check for mutant in MUTANTS]


@pytest.mark.parametrize(("tests", "attacks"), [(LAYOUT, test_zipped.ATTACKS), (CONTENT, test_archive.ATTACKS)])
def test_every_attack_is_stopped_by_a_check_that_is_listed(tests: str, attacks: dict[str, object]) -> None:
    tried = {attack for mutant in MUTANTS if mutant.tests == tests for attack in mutant.attacks}
    assert tried | UNCHECKED[tests] == set(attacks)


def listed() -> list[list[str]]:
    """The rows (attacks, check, test) of the table under “Archives”."""
    text = (ROOT / "docs" / "packs-security.md").read_text(encoding="utf-8").split("\n## Archives\n")[1]
    section = text.split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows][1:]
