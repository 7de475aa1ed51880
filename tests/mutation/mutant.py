"""A check taken out of a copy of the program, and the tests that must notice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tuf

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("appliance", "tests", "webui", "models/development", "pyproject.toml")
LIBRARY = "tuf"  # whose checks are taken out too
INSTALLED = Path(tuf.__file__).parents[1]


@dataclass(frozen=True)
class Mutant:
    """`old` stands in `path` once, and is the check; `new` is the same without it. `attacks` are ids of tests."""

    check: str
    path: str
    old: str
    new: str
    tests: str  # the file and the function of the test
    attacks: tuple[str, ...]

    @property
    def nodes(self) -> list[str]:
        return [f"{self.tests}[{attack}]" if attack else self.tests for attack in self.attacks or ("",)]

    @property
    def applies(self) -> bool:
        home = INSTALLED if self.path.startswith(f"{LIBRARY}/") else ROOT
        return (home / self.path).read_text(encoding="utf-8").count(self.old) == 1


def main(mutants: Sequence[Mutant]) -> int:
    """Try every mutant, print a line for each; the exit status is 1 if one was not noticed."""
    noticed = 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _copy(place)
        if not _pass(place, [node for each in mutants for node in each.nodes]):
            print("the tests fail before anything is taken out")
            return 1
        for each in mutants:
            seen = _try(place, each)
            noticed += seen
            print(f"{'noticed' if seen else 'MISSED '}  {each.check}  ({len(each.nodes)} attacks)", flush=True)
    print(f"mutants {len(mutants)}, noticed {noticed}")
    return 0 if noticed == len(mutants) else 1


def _copy(place: Path) -> None:
    shutil.copytree(INSTALLED / LIBRARY, place / LIBRARY, ignore=shutil.ignore_patterns("__pycache__"))
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "browser"))
        else:
            shutil.copy(ROOT / name, place / name)


def _try(place: Path, mutant: Mutant) -> bool:
    """Whether every one of the mutant's tests fails without the check."""
    path = place / mutant.path
    whole = path.read_text(encoding="utf-8")
    if whole.count(mutant.old) != 1:
        return False
    path.write_text(whole.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        return _failed(place, mutant.nodes) == len(mutant.nodes)
    finally:
        path.write_text(whole, encoding="utf-8")


def _pass(place: Path, nodes: Iterable[str]) -> bool:
    return _run(place, nodes).returncode == 0


def _failed(place: Path, nodes: Iterable[str]) -> int:
    """How many tests fail; a run that did not get as far as the tests counts for none."""
    done = _run(place, nodes)
    return sum(line.startswith("FAILED ") for line in done.stdout.splitlines()) if done.returncode == 1 else 0


def _run(place: Path, nodes: Iterable[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-rf", "--tb=no", "-p", "no:cacheprovider", *nodes]
    environment = {**os.environ, "PYTHONPATH": str(place)}  # before the program as it is installed
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
