"""Was the box switched off properly the last time?"""

from __future__ import annotations

from pathlib import Path

from appliance.health.finding import Finding, Level
from appliance.storage.running import is_at_work, last_run

ADVICE = "Switch the box off with its button or `sudo poweroff`, and wait for the light; cuts wear out the card."


def check(data: Path) -> Finding:
    """A warning if the last run that is over was cut; times are those of the clock."""
    run = last_run(data)
    if run is None:
        return Finding("stop", Level.GOOD, "the box has not run yet")
    cut = run.cut
    if not run.stopped and not is_at_work(data):
        cut = run.started
    elif run.stopped:
        return Finding("stop", Level.GOOD, f"switched off properly, {run.stopped}{_of_all(run.cuts)}")
    if cut:
        times = run.cuts + (cut == run.started)
        found = f"the power was cut, or the box crashed, after it was started on {cut}{_of_all(times)}"
        return Finding("stop", Level.WARNING, found, ADVICE)
    return Finding("stop", Level.GOOD, f"at work since {run.started}; switched off properly before{_of_all(run.cuts)}")


def _of_all(cuts: int) -> str:
    return f" ({cuts} cuts in all)" if cuts else ""
