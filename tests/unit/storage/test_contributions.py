"""What members write for the knowledge is kept whole, waits in its turn, and no flood pushes it out."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.errors import (
    ContributionChangedError,
    ContributionNotFoundError,
    ContributionsFullError,
    NoLastCopyError,
    OwnerContributionsFullError,
    ReserveError,
    StorageError,
)
from appliance.limits import LIMITS
from appliance.storage import tables
from appliance.storage.backup import make_backup, restore
from appliance.storage.contributions import CONTRIBUTIONS, STEPS, Contributions, Entry, State, Village, read_village
from appliance.storage.room import Room

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PASSPHRASE = "seven goats on the mountain"
TEXTS = {"title": "Ash", "signs": "holes", "first_steps": "Put ash into the funnel."}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / CONTRIBUTIONS


@pytest.fixture
def kept(path: Path) -> Contributions:
    return Contributions(path, now=lambda: NOW)


def write(kept: Contributions, owner: str = "phone", sender: str = "", about: str = "") -> Entry:
    kind = "note" if about else "article"
    return kept.add(owner, sender or f"address of {owner}", kind, about, "en", "Asha", TEXTS)


def test_what_was_written_waits_and_is_there_after_a_restart(kept: Contributions, path: Path) -> None:
    first, second = write(kept), write(kept, about="maize-rust")
    assert (first.state, first.at, first.words) == (State.WAITING, "2026-11-23T12:00:00+00:00", "")
    assert Contributions(path).village.entries == (first, second)
    assert read_village(path) == kept.village
    assert len(kept.village.code) == 10


def test_the_code_of_a_village_stays(kept: Contributions, path: Path) -> None:
    write(kept)
    code = kept.village.code
    kept.name_village("Kibaoni")
    write(kept)
    again = Contributions(path).village
    assert (again.code, again.name) == (code, "Kibaoni")


def test_the_keeper_accepts_and_takes_back_and_all_of_it_is_remembered(kept: Contributions) -> None:
    entry = write(kept)
    accepted = kept.decide(entry.id, entry.changes, State.ACCEPTED)
    assert (accepted.state, accepted.sender) == (State.ACCEPTED, "")
    refused = kept.decide(entry.id, accepted.changes, State.REFUSED, "It burns the leaves.")
    assert [step.state for step in refused.steps] == [State.WAITING, State.ACCEPTED, State.REFUSED]
    assert refused.words == "It burns the leaves."
    assert kept.get(entry.id) == refused


def test_what_the_keeper_changes_is_kept_beside_what_was_written(kept: Contributions) -> None:
    entry = write(kept)
    once = kept.decide(entry.id, entry.changes, State.ACCEPTED, texts={**TEXTS, "title": "Wood ash"})
    twice = kept.decide(entry.id, once.changes, State.ACCEPTED, texts={**TEXTS, "title": "Cold wood ash"})
    assert twice.texts["title"] == "Cold wood ash"
    assert twice.written == TEXTS
    assert [step.edited for step in twice.steps] == [False, True, True]
    same = kept.decide(entry.id, twice.changes, State.ACCEPTED, texts=dict(twice.texts))
    assert not same.steps[-1].edited


def test_a_decision_about_what_changed_meanwhile_is_not_taken(kept: Contributions) -> None:
    entry = write(kept)
    kept.withdraw(entry.id, "phone")
    with pytest.raises(ContributionChangedError):
        kept.decide(entry.id, entry.changes, State.ACCEPTED)
    with pytest.raises(ContributionChangedError):
        kept.decide(entry.id, kept.get(entry.id).changes, State.ACCEPTED)
    with pytest.raises(ContributionNotFoundError):
        kept.decide("none", 1, State.ACCEPTED)


def test_only_whoever_wrote_it_withdraws_it(kept: Contributions) -> None:
    entry = write(kept)
    with pytest.raises(ContributionNotFoundError):
        kept.withdraw(entry.id, "another")
    assert kept.withdraw(entry.id, "phone").state is State.WITHDRAWN
    assert kept.withdraw(entry.id, "phone").changes == 2  # it is so already


def test_the_count_of_changes_grows_with_what_readers_see(kept: Contributions) -> None:
    entry = write(kept)
    assert kept.village.changes == 0
    accepted = kept.decide(entry.id, entry.changes, State.ACCEPTED)
    other = write(kept)
    kept.decide(other.id, other.changes, State.REFUSED, "No.")
    assert kept.village.changes == 1
    kept.name_village("Kibaoni")
    kept.withdraw(accepted.id, "phone")
    assert kept.village.changes == 3


def test_one_device_has_a_few_waiting_and_a_cleared_cookie_does_not_help(path: Path) -> None:
    kept = Contributions(path, replace(LIMITS, contributions_waiting_per_owner=2))
    write(kept, "one", "10.0.0.7")
    write(kept, "two", "10.0.0.7")
    for owner, sender in (("three", "10.0.0.7"), ("one", "10.0.0.7")):
        with pytest.raises(OwnerContributionsFullError):
            write(kept, owner, sender)
    write(kept, "three", "10.0.0.8")
    decided = kept.village.entries[0]
    kept.decide(decided.id, decided.changes, State.REFUSED, "No.")
    write(kept, "one", "10.0.0.7")  # there is room again


def test_the_more_waits_the_less_one_device_may_add(path: Path) -> None:
    kept = Contributions(path, replace(LIMITS, contributions_waiting=24))
    write(kept, "flood")
    write(kept, "flood")
    with pytest.raises(OwnerContributionsFullError):  # an eighth of the places that are left
        write(kept, "flood")
    left = 24 - len(kept.village.entries)
    for number in range(left):
        write(kept, f"phone {number}")  # everybody else has a place
    with pytest.raises(ContributionsFullError):
        write(kept, "late")


def test_no_more_is_kept_than_the_limit_says(path: Path) -> None:
    kept = Contributions(path, replace(LIMITS, contributions=2))
    entry = write(kept, "one")
    kept.decide(entry.id, entry.changes, State.ACCEPTED)
    write(kept, "two")
    with pytest.raises(ContributionsFullError):
        write(kept, "three")


def test_of_what_is_closed_the_oldest_of_whoever_has_most_leave(path: Path) -> None:
    kept = Contributions(path, replace(LIMITS, contributions_closed=3))
    quiet = write(kept, "quiet")
    kept.decide(quiet.id, quiet.changes, State.REFUSED, "Say more.")
    busy = [kept.withdraw(write(kept, "busy").id, "busy") for _ in range(4)]
    assert [entry.id for entry in kept.village.entries] == [quiet.id, busy[2].id, busy[3].id]
    assert read_village(path).entries == kept.village.entries


def test_what_became_of_an_entry_is_bounded(kept: Contributions) -> None:
    entry = write(kept)
    for number in range(2 * STEPS):
        state = State.REFUSED if number % 2 else State.ACCEPTED
        entry = kept.decide(entry.id, entry.changes, state, f"{number}")
    assert len(entry.steps) == STEPS
    assert entry.steps[0].state is State.WAITING
    assert entry.words == f"{2 * STEPS - 1}"
    assert entry.changes == 1 + 2 * STEPS


def test_the_reserve_of_the_disk_is_respected(path: Path, tmp_path: Path) -> None:
    room = Room(tmp_path, free=lambda _: LIMITS.reserve_bytes + 100)
    kept = Contributions(path, room=room)
    with pytest.raises(ReserveError):
        write(kept)
    assert kept.village == Village()
    assert not path.exists()


def test_a_write_that_fails_changes_nothing(kept: Contributions, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = write(kept)
    before, raw = kept.village, path.read_bytes()

    def refuse(*_: object, **__: object) -> None:
        raise StorageError(path=str(path), reason="the card failed")

    monkeypatch.setattr(tables, "write_atomically", refuse)
    calls: list[Callable[[], object]] = [
        lambda: write(kept),
        lambda: kept.decide(entry.id, entry.changes, State.ACCEPTED),
        lambda: kept.withdraw(entry.id, "phone"),
        lambda: kept.name_village("Kibaoni"),
    ]
    for call in calls:
        with pytest.raises(StorageError):
            call()
    assert (kept.village, path.read_bytes()) == (before, raw)


def test_a_broken_file_is_set_aside_and_the_copy_of_before_is_offered(kept: Contributions, path: Path) -> None:
    first = write(kept)
    kept.decide(first.id, first.changes, State.ACCEPTED)
    write(kept, "lost")
    broken = path.read_bytes()[:-5]
    path.write_bytes(broken)
    assert read_village(path) == Village()
    again = Contributions(path, now=lambda: NOW)
    assert again.village == Village()
    assert again.set_aside is not None
    assert again.set_aside.read_bytes() == broken
    assert again.last_good is not None
    since = write(again, "since")
    assert again.restore_last() == 1
    assert [entry.id for entry in again.village.entries] == [first.id, since.id]
    assert again.village.code == kept.village.code
    assert again.village.changes > kept.village.changes  # other boxes must see that something is new
    assert Contributions(path).village == again.village
    with pytest.raises(NoLastCopyError):
        again.restore_last()


def test_a_row_of_another_form_stays_in_the_file_unseen(
    kept: Contributions, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entry = write(kept)
    body = json.loads(path.read_bytes().partition(b"\n")[2])
    strange = {
        "7": {"id": "seven"},
        "8": {**body["entries"]["1"], "name": 8},
        "9": {**body["entries"]["1"], "steps": []},
    }
    body["entries"] |= strange
    body["village"]["1"]["changes"] = "many"
    path.write_text(json.dumps(body), encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        again = Contributions(path)
    assert again.village.entries == (entry,)
    assert again.village.changes == 0
    assert "not of its form" in caplog.text
    assert write(again).sequence == 10
    assert json.loads(path.read_bytes().partition(b"\n")[2])["entries"].items() >= strange.items()


def test_it_is_in_a_backup_and_comes_back_with_it(kept: Contributions, tmp_path: Path) -> None:
    entry = write(kept)
    kept.decide(entry.id, entry.changes, State.ACCEPTED)
    kept.name_village("Kibaoni")
    made = make_backup(tmp_path, tmp_path / "copy.baraza", PASSPHRASE)
    restore(made.path, tmp_path / "new", PASSPHRASE)
    assert Contributions(tmp_path / "new" / CONTRIBUTIONS).village == kept.village
