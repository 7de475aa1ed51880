"""The process that is recorded."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from tests.crash import mutants
from tests.crash.place import Place
from tests.crash.promises import Promises
from tests.crash.scenarios import scenarios


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("scenario")
    parser.add_argument("disk", type=Path)
    parser.add_argument("shelf", type=Path)
    parser.add_argument("marks", type=Path)
    parser.add_argument("--mutant", default="")
    parser.add_argument("--slow", action="store_true")
    given = parser.parse_args()
    promises = Promises(os.open(given.marks, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    mutants.name_flushes(promises)
    if given.mutant:
        mutants.build_in(given.mutant)
    scenarios(given.slow)[given.scenario].act(Place(given.disk, given.shelf), promises)


if __name__ == "__main__":
    main()
