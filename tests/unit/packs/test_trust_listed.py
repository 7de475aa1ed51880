"""The list of attacks on signed repositories in docs/packs-security.md is the one that is tried, and fits the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mutation.mutant import ROOT, Mutant
from tests.mutation.run import MUTANTS

DOCUMENT = ROOT / "docs" / "packs-security.md"


def row(mutant: Mutant) -> str:
    """As the table shows a mutant: the attack in the words of its test, the check, its file, the test's."""
    file, _, test = mutant.tests.partition("::test_")
    attack = test.replace("_", " ") + (f" ({', '.join(mutant.attacks)})" if mutant.attacks else "")
    home = Path(mutant.path).name if mutant.path.startswith("appliance/") else f"tuf: {Path(mutant.path).name}"
    return f"| {attack} | {mutant.check} | `{home}` | `{Path(file).name}` |"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.check)
def test_a_check_stands_in_the_code(mutant: Mutant) -> None:
    assert mutant.applies, "the code has changed: bring tests/mutation/run.py up to date"
    file, _, test = mutant.tests.partition("::")
    assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")


def test_the_document_lists_every_check_that_is_tried() -> None:
    section = DOCUMENT.read_text(encoding="utf-8").split("\n## Signed repositories\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if re.match(r"\| (?!attack|---)", line)]
    assert rows == [row(mutant) for mutant in MUTANTS]
