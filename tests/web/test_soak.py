"""Two minutes of a village on the real box: nothing goes wrong, nobody starves, nothing grows.

Half an hour of it is `make soak`. Left out with: pytest -m 'not soak'
"""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.village import alone, growth, jain, load, serving, shares
from tests.conftest import ROOT

PHONES = 12
SECONDS = 75.0
CROWD = 40  # phones that warm it up: the box keeps the memory of the largest work so far, which must lie behind it
ALONE_SECONDS, WARM_UP_SECONDS = 12.0, 25.0
GROWTH = 8.0  # percent; the jobs that a box keeps for an hour fill up meanwhile. Over half an hour it is 5 (make soak)
WINDOW = 15.0  # seconds in which every phone is to get something


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_village_is_served_for_two_minutes_without_a_fault() -> None:
    if not list((ROOT / "models" / "starter").glob("starter-en-*/*/pack.toml")):
        pytest.skip("no starter pack under models/starter")
    with serving() as (address, box):
        warm = load(address, box, CROWD, WARM_UP_SECONDS, seed=1)
        lone = load(address, box, 1, ALONE_SECONDS, seed=2)
        done = load(address, box, PHONES, SECONDS, seed=3)
    assert warm.errors + lone.errors + done.errors == []
    assert jain(shares(done, alone(lone))) >= 0.95
    assert abs(growth(done.memory)) <= GROWTH
    for number in range(int(SECONDS / WINDOW)):
        first = done.began + number * WINDOW
        got = Counter(visit.phone for visit in done.answered if first <= visit.ended < first + WINDOW)
        assert len(got) == PHONES, f"seconds {number * WINDOW:.0f} to {(number + 1) * WINDOW:.0f}: {got}"
