"""Clocks at 1970, at 2038 and an hour back: what day the box goes by, and what it then takes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.errors import RepositoryExpiredError
from appliance.packs.keys import EARLIEST
from appliance.packs.release import LIFE, SIGNED_AT
from appliance.packs.sources import FolderSource
from appliance.packs.trust import Trust
from appliance.packs.trusted_time import LEAP, TrustedTime
from tests.forger import FRESH, NOW, Clock, Forger, names

AT_1970, AT_2038 = datetime(1970, 1, 1, 0, 5, tzinfo=UTC), datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC)
HOUR, YEAR = timedelta(hours=1), timedelta(days=365)


@pytest.fixture
def time(tmp_path: Path, clock: Clock) -> TrustedTime:
    return TrustedTime(tmp_path / "trust" / "clock.json", clock)


def sign_at(forger: Forger, when: datetime, release: int) -> None:
    """A release as `publish` dates it."""
    forger.timestamp.unrecognized_fields[SIGNED_AT] = f"{when:%Y-%m-%dT%H:%M:%SZ}"
    for each in (forger.timestamp, forger.snapshot, forger.targets):
        each.expires = when + LIFE
    forger.put(release)


def test_a_leap_is_shorter_than_the_life_of_a_release() -> None:
    """Or one wrong clock would make a release that is signed today look expired."""
    assert LEAP < LIFE


def test_a_right_clock_is_gone_by(time: TrustedTime, clock: Clock) -> None:
    judged = time.judge()
    assert (judged.now, judged.believed, judged.floor) == (NOW, True, EARLIEST)
    clock.now = NOW + timedelta(days=3)
    assert time.judge().now == NOW + timedelta(days=3)


@pytest.mark.parametrize("wrong", [AT_1970, AT_2038])
def test_a_clock_that_cannot_be_right_is_not_gone_by(time: TrustedTime, clock: Clock, wrong: datetime) -> None:
    time.ran()
    clock.now = wrong
    judged = time.judge()
    assert (judged.now, judged.believed, judged.system) == (NOW, False, wrong)


def test_a_run_at_2038_does_not_poison_the_box(time: TrustedTime, clock: Clock) -> None:
    clock.now = AT_2038
    time.ran()
    assert time.floor() == EARLIEST
    clock.now = NOW
    assert time.judge().believed


def test_a_run_raises_the_floor_and_an_earlier_one_does_not_lower_it(time: TrustedTime, clock: Clock) -> None:
    time.ran()
    assert time.floor() == NOW
    clock.now = NOW - HOUR
    time.ran()
    assert time.floor() == NOW
    assert time.judge().now == NOW


def test_a_box_that_runs_now_and_then_keeps_up_for_years(time: TrustedTime, clock: Clock) -> None:
    for visit in range(25):
        clock.now = NOW + visit * timedelta(days=300)
        assert time.judge().believed
        time.ran()
    assert time.floor() > NOW + 19 * YEAR


def test_a_day_that_a_release_tells_is_believed_up_to_a_year_ahead(time: TrustedTime, clock: Clock) -> None:
    clock.now = AT_1970
    time.signed(NOW)
    assert time.floor() == NOW
    time.signed(AT_2038)
    assert time.floor() == NOW
    time.signed(NOW - YEAR)
    assert time.floor() == NOW
    time.signed(NOW + YEAR)
    assert time.floor() == NOW + YEAR


def test_a_box_from_the_cupboard_believes_its_clock_again_once_a_release_agrees(
    time: TrustedTime, clock: Clock
) -> None:
    clock.now = EARLIEST + 4 * YEAR
    assert not time.judge().believed
    time.signed(clock.now - timedelta(days=20))
    assert time.judge().believed
    assert time.judge().now == clock.now


def test_a_keeper_can_say_that_the_clock_is_right(time: TrustedTime, clock: Clock) -> None:
    clock.now = EARLIEST + 4 * YEAR
    assert time.confirm() == clock.now
    assert time.judge().believed
    clock.now = NOW
    assert time.confirm() == NOW  # back as well: the floor was wrong
    assert time.judge().now == NOW
    clock.now = AT_1970
    assert time.confirm() == EARLIEST  # but no box is older than its software


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"floor": 7}', '{"floor": "soon"}', '{"floor": "2027-01-01T00:00:00"}']
)
def test_a_damaged_file_tells_nothing(time: TrustedTime, tmp_path: Path, text: str) -> None:
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "clock.json").write_text(text)
    assert time.floor() == EARLIEST
    time.ran()
    assert time.floor() == NOW


def test_the_floor_of_a_disk_that_takes_no_writes_stays(
    time: TrustedTime, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    time.ran()
    clock.now = NOW + HOUR

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("appliance.storage.atomic.tempfile.mkstemp", full)
    time.ran()
    assert time.floor() == NOW


# With a stick


def test_expiry_is_judged_by_the_time_of_the_box(stick: Path, home: Path, clock: Clock) -> None:
    """And not by that of the client's library, which takes the clock of the machine and has no parameter for it."""
    forger = Forger(stick, expires=datetime(2090, 1, 1, tzinfo=UTC))
    forger.put(1)
    trust = Trust(home / "trust", clock=clock)
    trust.add("publisher", forger.roots[0], trust.stranger(FolderSource(stick)).words)
    clock.now = datetime(2090, 1, 2, tzinfo=UTC)
    trust.time.confirm()
    with pytest.raises(RepositoryExpiredError):
        trust.open(FolderSource(stick))


def test_a_clock_at_1970_locks_no_box_out(box: Trust, stick: Path, clock: Clock) -> None:
    clock.now = AT_1970
    assert names(box, stick) == ["tiny 0.1.0"]


def test_a_clock_at_1970_does_not_make_an_expired_release_good(
    box: Trust, forger: Forger, stick: Path, clock: Clock
) -> None:
    clock.now = FRESH + HOUR - LEAP
    box.time.ran()
    clock.now = FRESH + HOUR
    box.time.ran()
    clock.now = AT_1970
    with pytest.raises(RepositoryExpiredError):
        box.open(FolderSource(stick))


def test_a_clock_at_2038_kills_no_box_and_stops_what_nobody_watches(
    box: Trust, forger: Forger, stick: Path, clock: Clock
) -> None:
    box.limit("publisher", None, True)
    assert box.open(FolderSource(stick)).unattended
    clock.now = AT_2038
    repository = box.open(FolderSource(stick))
    assert [offer.name for offer in repository.offers] == ["tiny"]
    assert not repository.unattended
    assert not repository.judged.believed


def test_a_clock_that_steps_back_an_hour_in_the_middle_changes_nothing(
    box: Trust, forger: Forger, stick: Path, clock: Clock
) -> None:
    repository = box.open(FolderSource(stick))
    with repository.archive(repository.offers[0]) as path:
        clock.now = NOW - HOUR
        assert path.read_bytes()
    with repository.archive(repository.offers[0]):
        box.time.ran()
    clock.now = AT_2038
    with repository.archive(repository.offers[0]):
        assert names(box, stick) == ["tiny 0.1.0"]


def test_a_clock_a_little_behind_the_publishers_is_set_forward_by_the_release(
    box: Trust, forger: Forger, stick: Path, clock: Clock
) -> None:
    """A Pi without a battery goes on from where it was switched off; the stick knows better."""
    sign_at(forger, NOW + timedelta(days=90), 6)
    repository = box.open(FolderSource(stick))
    assert repository.judged.now == NOW + timedelta(days=90)


def test_the_day_of_a_release_counts_for_the_releases_of_others(
    box: Trust, forger: Forger, stick: Path, clock: Clock, home: Path
) -> None:
    """Freeze: a box whose clock stands still takes an old stick of one publisher until another tells it the day."""
    other = Forger(stick.parent / "other", first=40)
    other.put(1)
    box.add("other", other.roots[0], box.stranger(FolderSource(other.folder)).words)
    sign_at(other, EARLIEST - timedelta(days=20), 1)
    assert box.open(FolderSource(other.folder)).release == 1
    for days in (300, 390):
        sign_at(forger, EARLIEST + timedelta(days=days), 6 + days)
        box.open(FolderSource(stick))
    with pytest.raises(RepositoryExpiredError):
        box.open(FolderSource(other.folder))


def test_a_root_that_is_limited_does_not_tell_the_day(box: Trust, forger: Forger, stick: Path) -> None:
    """A neighbour trusted with knowledge only could make everybody else's packs look expired."""
    box.limit("publisher", ["knowledge"], False)
    sign_at(forger, NOW + timedelta(days=90), 6)
    box.open(FolderSource(stick))
    assert box.time.floor() == EARLIEST


def test_a_release_that_tells_the_day_is_judged_by_it_too(
    box: Trust, forger: Forger, stick: Path, clock: Clock
) -> None:
    """A box from the cupboard with a right clock, and a stick that is old, but told it that the clock is right."""
    clock.now = EARLIEST + 3 * YEAR
    assert not box.time.judge().believed
    sign_at(forger, clock.now - timedelta(days=200), 6)
    forger.targets.expires = clock.now - timedelta(days=100)
    forger.put(7)
    with pytest.raises(RepositoryExpiredError):
        box.open(FolderSource(stick))
    assert box.time.judge().believed


@pytest.mark.parametrize("said", ["", 7, None, "yesterday", "2027-13-45T00:00:00Z"])
def test_a_day_that_cannot_be_read_tells_nothing(box: Trust, forger: Forger, stick: Path, said: object) -> None:
    forger.timestamp.unrecognized_fields[SIGNED_AT] = said
    forger.put(6)
    assert names(box, stick) == ["tiny 0.1.0"]
    assert box.time.floor() == EARLIEST


def test_the_file_says_what_is_kept(time: TrustedTime, tmp_path: Path) -> None:
    time.ran()
    assert json.loads((tmp_path / "trust" / "clock.json").read_text()) == {"floor": "2026-12-01T12:00:00+00:00"}
