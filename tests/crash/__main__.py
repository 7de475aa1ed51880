"""`python -m tests.crash`: the last line says how many crash points were tried, and how many failed."""

from __future__ import annotations

import argparse
import logging
import sys
import time

from tests.crash.disk import DEFAULT, THOROUGH
from tests.crash.recorder import missing
from tests.crash.run import cut, recorded, shelf
from tests.crash.scenarios import scenarios

SHOWN = 20  # kinds of failure of one scenario


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--slow", action="store_true", help="twenty times as many points")
    parser.add_argument("--scenario", action="append", help="only this one (may be given again)")
    given = parser.parse_args()
    if reason := missing():
        print(f"nothing can be recorded: {reason}")
        return 2
    logging.disable()  # what goes wrong is said below
    points = failures = 0
    with shelf() as beside:
        for name, scenario in scenarios(given.slow).items():
            if given.scenario and name not in given.scenario:
                continue
            start = time.monotonic()
            recording = recorded(scenario, beside, slow=given.slow)
            result = cut(scenario, recording, beside, THOROUGH if given.slow else DEFAULT)
            for kind, (count, first) in list(result.kinds().items())[:SHOWN]:
                print(f"{count} times: {kind}\n    first: after {first.after} operations, {first.choice}")
            seconds = time.monotonic() - start
            print(
                f"{name}: {len(recording.operations)} operations, {result.points} points, "
                f"{len(result.failures)} failures, {seconds:.1f} s",
                flush=True,
            )
            points, failures = points + result.points, failures + len(result.failures)
    print(f"crash points {points}, failures {failures}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
