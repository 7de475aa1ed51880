"""`python -m tests.covered`: whether the last `coverage run` reached enough of packs/ and storage/.

`coverage report` makes one number of lines and branches of all files; here each room must have enough of both.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from coverage import Coverage

ENOUGH = 97.0  # percent
MEASURES = {"lines": ("covered_lines", "num_statements"), "branches": ("covered_branches", "num_branches")}


def rooms(report: dict[str, dict[str, int]]) -> dict[str, Counter[str]]:
    """What was counted in each folder, of what was counted in each file."""
    found: dict[str, Counter[str]] = {}
    for file, counted in report.items():
        found.setdefault(PurePath(file).parent.name, Counter()).update(counted)
    return found


def percent(counted: Counter[str], measure: str) -> float:
    reached, of = MEASURES[measure]
    return 100 * counted[reached] / counted[of] if counted[of] else 100.0


def counted(coverage: Coverage) -> dict[str, dict[str, int]]:
    """File → how many lines and branches it has, and how many were reached."""
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        coverage.json_report(outfile=str(report))
        files = json.loads(report.read_text(encoding="utf-8"))["files"]
    numbers = sorted({name for pair in MEASURES.values() for name in pair})
    return {file: {name: about["summary"][name] for name in numbers} for file, about in files.items()}


def main() -> int:
    coverage = Coverage()
    coverage.load()
    coverage.report()
    enough = True
    for room, count in rooms(counted(coverage)).items():
        reached = {measure: percent(count, measure) for measure in MEASURES}
        enough = enough and min(reached.values()) >= ENOUGH
        print(f"{room}: " + ", ".join(f"{value:.1f} % of {measure}" for measure, value in reached.items()))
    if not enough:
        print(f"Every room needs {ENOUGH:.0f} % of both.")
    return 0 if enough else 2


if __name__ == "__main__":
    sys.exit(main())
