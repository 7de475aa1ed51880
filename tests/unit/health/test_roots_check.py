"""What the doctor says of the trusted roots."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from appliance.health import roots
from appliance.health.finding import Level
from appliance.packs.sources import FolderSource
from appliance.packs.trust import Trust
from tests.forger import FRESH, NOW, Clock, Forger


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def trust(tmp_path: Path, clock: Clock) -> Trust:
    return Trust(tmp_path / "trust", clock=clock)


def test_no_root_is_no_fault(trust: Trust) -> None:
    (finding,) = roots.check(trust)
    assert finding.level is Level.GOOD


@pytest.mark.parametrize(
    ("before", "level"),
    [(timedelta(days=181), Level.GOOD), (timedelta(days=179), Level.WARNING), (timedelta(days=-1), Level.WARNING)],
)
def test_a_root_that_ends_is_told_half_a_year_before(
    trust: Trust, clock: Clock, tmp_path: Path, before: timedelta, level: Level
) -> None:
    forger = Forger(tmp_path / "stick")
    forger.put()
    trust.add("ministry", forger.roots[0], trust.stranger(FolderSource(forger.folder)).words)
    clock.now = FRESH - timedelta(days=300)
    trust.time.ran()
    clock.now = FRESH - before
    (finding,) = roots.check(trust)
    assert finding.level is level
    assert "ministry counts until 2028-01-05" in finding.found
    assert ("is over" in finding.found) == (before < timedelta(0))


def test_a_damaged_root_is_told(trust: Trust, tmp_path: Path) -> None:
    forger = Forger(tmp_path / "stick")
    forger.put()
    assert NOW < FRESH
    trust.add("ministry", forger.roots[0], trust.stranger(FolderSource(forger.folder)).words)
    for path in (tmp_path / "trust" / "ministry").iterdir():
        path.write_bytes(b"")
    (finding,) = roots.check(trust)
    assert finding.level is Level.WARNING
    assert "baraza roots remove ministry" in finding.advice
