"""What a keeper does on the page: packs, sticks, publishers, copies, health, the clock, and what happened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.health.doctor import examine
from appliance.inference.job import State
from appliance.packs.look import Change, Obstacle
from appliance.packs.trusted_time import TrustedTime
from appliance.packs.unattended import Outcome
from tests.web.keepers import SECONDS, KeepersBox, done, make_keepers_box, ticked, words_of
from webui import keeper_words
from webui.pages import keeper_jobs

pytestmark = pytest.mark.usefixtures("quick_pin")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[KeepersBox]:
    """At work: what is put in a queue is done."""
    made = make_keepers_box(tmp_path)
    made.appliance.start()
    yield made
    made.appliance.close()


# Packs


def test_packs_are_shown_with_their_versions(box: KeepersBox) -> None:
    said = words_of(box.keeper().get("/keeper/packs").text)
    assert "Tiny, for tests Translation · version 0.1.0" in said
    assert "No version from before is kept." in said
    assert box.keeper().get("/keeper/packs/tiny/back").status_code == 404
    assert box.keeper().post("/keeper/packs/tiny/back").status_code == 404
    assert box.keeper().post("/keeper/packs/none/back").status_code == 404


def test_a_keeper_goes_back_to_the_version_before_and_forth_again(box: KeepersBox) -> None:
    box.appliance.install(box.pack("0.2.0"))
    keeper = box.keeper()
    assert "/keeper/packs/tiny/back" in keeper.get("/keeper/packs").text
    asked = keeper.get("/keeper/packs/tiny/back").text
    assert "In use now: version 0.2.0. After this: version 0.1.0." in words_of(asked)
    assert box.appliance.pack("tiny").manifest.version == "0.2.0"  # to look is not to do
    page = keeper.post("/keeper/packs/tiny/back", follow=True).text
    assert "In use again: tiny 0.1.0." in words_of(page)
    assert box.appliance.pack("tiny").manifest.version == "0.1.0"
    keeper.post("/keeper/packs/tiny/back")
    assert box.appliance.pack("tiny").manifest.version == "0.2.0"
    assert "Back to the version before: tiny 0.1.0." in words_of(keeper.get("/keeper/history").text)


# Sticks


def test_what_is_on_a_stick_is_told_before_anything_is_installed(box: KeepersBox) -> None:
    box.appliance.install(box.pack("0.2.0"))
    box.stick("newer", "ministry", box.pack("0.3.0"), box.pack("1.0.0", "animals"))
    box.stick("older", "ministry", box.pack("0.1.5"))
    box.stick("same", "ministry", box.pack("0.2.0"))
    box.trusts("ministry")
    keeper = box.keeper()
    assert [name for name in ("newer", "older", "same") if f"place={name}" in keeper.get("/keeper/sticks").text]
    page = keeper.get("/keeper/sticks/look?place=newer").text
    assert "newer than 0.2.0, which is on the box" in words_of(page)
    assert ticked(page) == {"animals": True, "tiny": True}


@pytest.mark.parametrize(
    ("number", "says", "offered"),
    [
        ("0.1.5", "older than 0.2.0, which is on the box", {"tiny": False}),
        ("0.2.0", "on the box already", {}),
        ("0.3.0", "newer than 0.2.0, which is on the box", {"tiny": True}),
    ],
)
def test_only_what_is_new_or_newer_is_ticked(box: KeepersBox, number: str, says: str, offered: dict[str, bool]) -> None:
    box.appliance.install(box.pack("0.2.0"))
    box.stick("stick", "ministry", box.pack(number))
    box.trusts("ministry")
    page = box.keeper().get("/keeper/sticks/look?place=stick").text
    assert says in words_of(page)
    assert ticked(page) == offered


def test_what_is_ticked_is_installed_and_nothing_else(box: KeepersBox) -> None:
    box.stick("stick", "ministry", box.pack("0.3.0"), box.pack("1.0.0", "animals"))
    box.trusts("ministry")
    keeper = box.keeper()
    nothing = keeper.post("/keeper/sticks/bring", {"place": "stick"})
    assert nothing.status_code == 400
    assert "Nothing is ticked." in nothing.text
    page = done(box, keeper, "/keeper/sticks/bring", {"place": "stick", "pack": ["tiny"]})
    assert "Tiny, for tests : version 0.3.0 is in use now." in words_of(page)
    assert box.appliance.pack("tiny").manifest.version == "0.3.0"
    assert box.appliance.packs.find("animals") is None
    assert "Installing packs" in keeper.get("/keeper").text
    assert "Installed: tiny 0.3.0." in words_of(keeper.get("/keeper/history").text)


def test_a_pack_that_is_not_there_any_more_is_told(box: KeepersBox) -> None:
    stick = box.stick("stick", "ministry", box.pack("0.3.0"))
    box.trusts("ministry")
    for path in (stick / "baraza" / "ministry" / "targets").rglob("*.pack"):
        path.unlink()
    keeper = box.keeper()
    page = keeper.get("/keeper/sticks/look?place=stick").text
    assert "It is listed, but it is not there." in words_of(page)
    assert ticked(page) == {}
    failed = done(box, keeper, "/keeper/sticks/bring", {"place": "stick", "pack": ["tiny"]})
    assert 'role="alert"' in failed
    assert box.appliance.pack("tiny").manifest.version == "0.1.0"


def test_a_stick_that_was_changed_on_its_way_is_refused(box: KeepersBox) -> None:
    stick = box.stick("stick", "ministry", box.pack("0.3.0"))
    box.trusts("ministry")
    for path in (stick / "baraza" / "ministry" / "metadata").glob("*.targets.json"):
        path.write_bytes(path.read_bytes().replace(b"0.3.0", b"0.4.0"))
    page = box.keeper().get("/keeper/sticks/look?place=stick").text
    assert "These packs were refused" in words_of(page)
    assert ticked(page) == {}


def test_a_stick_with_photographs_is_no_fault(box: KeepersBox) -> None:
    (box.folder / "sticks" / "photos").mkdir()
    response = box.keeper().get("/keeper/sticks/look?place=photos")
    assert response.status_code == 200
    assert "There are no packs on it" in response.text


def test_only_sticks_and_boxes_of_this_network_are_places(box: KeepersBox) -> None:
    keeper = box.keeper()
    places = ["", "none", "/etc", "../data", "file:///etc", "sticks/../../data", "x" * 5_000]
    for place in (*places, "http://8.8.8.8", "8.8.8.8"):
        assert keeper.client.get("/keeper/sticks/look", query_string={"place": place}).status_code in (400, 404), place
        form = {"place": place, "name": "a", "words": "a", "brings": "everything"}
        assert keeper.post("/keeper/publishers/add", form).status_code in (400, 404), place
        assert keeper.post("/keeper/sticks/eject", {"place": place}).status_code == 404, place
        assert keeper.post("/keeper/copy/packs", {"place": place, "pack": "tiny"}).status_code == 404, place
    for place in places:
        assert keeper.post("/keeper/sticks/bring", {"place": place, "pack": "tiny"}).status_code in (400, 404), place


def test_a_stick_is_made_safe_to_pull_out(box: KeepersBox) -> None:
    box.stick("stick", "ministry", box.pack("0.3.0"))
    page = box.keeper().post("/keeper/sticks/eject", {"place": "stick"}, follow=True).text
    assert "You can pull out the stick stick now." in words_of(page)


# Copies


def test_packs_are_copied_to_a_stick_that_another_box_takes(box: KeepersBox, tmp_path: Path) -> None:
    (box.folder / "sticks" / "empty").mkdir()
    keeper = box.keeper()
    page = keeper.get("/keeper/copy").text
    assert ticked(page) == {"tiny": False}
    assert keeper.post("/keeper/copy/packs", {"place": "empty"}).status_code == 400
    said = words_of(done(box, keeper, "/keeper/copy/packs", {"place": "empty", "pack": ["tiny"]}))
    assert "Done. tiny 0.1.0" in said
    assert "signed by this box" in said
    other = make_keepers_box(tmp_path / "other")
    try:
        (shelf,) = other.appliance.look(str(box.folder / "sticks" / "empty"))
        assert shelf.words == box.appliance.own_root().words
        assert [offer.name for offer in shelf.strangers] == ["tiny"]
    finally:
        other.appliance.close()


def test_a_backup_is_made_with_a_passphrase_typed_twice(box: KeepersBox) -> None:
    stick = box.folder / "sticks" / "empty"
    stick.mkdir()
    keeper = box.keeper()
    form = {"place": "empty", "passphrase": "six goats and a river", "again": "six goats and a river"}
    refused = keeper.post("/keeper/copy/backup", {**form, "again": "six goats and a rivet"})
    assert refused.status_code == 400
    assert "six goats" not in refused.text
    page = done(box, keeper, "/keeper/copy/backup", form)
    (made,) = stick.rglob("*.baraza")
    assert made.name in words_of(page)
    assert "six goats" not in page


# Health, the clock, what happened


def test_health_says_what_is_wrong_and_what_to_do_in_the_language_of_the_reader(box: KeepersBox) -> None:
    (box.folder / "data" / "documents.json.broken").write_bytes(b"nonsense")
    for language in ("en", "es"):
        page = box.keeper(language).get("/keeper/health").text
        main = page.split("<details")[0]
        assert 'class="finding warning"' in main
        assert "documents.json.broken" in main


def test_every_check_has_words(box: KeepersBox) -> None:
    checks = {finding.check for finding in examine(box.appliance.config)} | {"signed"}
    assert checks <= set(keeper_words.CHECKS)
    assert set(keeper_words.CHANGES) == set(Change)
    assert set(keeper_words.OBSTACLES) == set(Obstacle)
    assert set(keeper_words.NEWS) == set(Outcome)


def test_every_pack_is_looked_at_while_the_box_works_on(box: KeepersBox) -> None:
    keeper = box.keeper()
    box.appliance.install(box.pack("0.2.0"))
    weights = next((box.folder / "shipped" / "tiny" / "0.1.0").glob("*.onnx"))
    weights.write_bytes(b"nonsense")
    said = words_of(done(box, keeper, "/keeper/health/packs", {}))
    assert "Files of a pack : does not work The pack is damaged." in said
    assert "tiny 0.2.0 is whole" in said
    assert "tiny 0.2.0 passes its self-test" in said


def test_the_keeper_says_that_the_date_is_right(box: KeepersBox, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = box.keeper()
    ahead = datetime(2038, 1, 19, 3, 14, tzinfo=UTC)
    box.appliance.trust.time = TrustedTime(box.folder / "data" / "trust" / "clock.json", lambda: ahead)
    assert "The date of this box cannot be right." in keeper.get("/keeper").text
    said = words_of(keeper.get("/keeper/clock").text)
    assert "Jan 19, 2038" in said
    assert "installs nothing by itself" in said
    page = keeper.post("/keeper/clock", follow=True).text
    assert "The box goes by its clock now." in page
    assert box.appliance.trust.time.judge().believed
    assert "cannot be right" not in keeper.get("/keeper").text


def test_what_happened_is_told_in_the_language_of_the_reader(box: KeepersBox) -> None:
    box.appliance.keeping.note("something-new", what="<b>bold</b>")
    box.appliance.keeping.note("rollback")  # as another version of the software may write it
    page = box.keeper("es").get("/keeper/history").text
    assert "something-new &lt;b&gt;bold&lt;/b&gt;" in page
    assert "rollback" in page


# Jobs


def test_a_job_says_how_far_it_is_and_how_long_it_takes_and_can_be_stopped(
    box: KeepersBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from appliance.errors import CancelledError
    from appliance.inference.queue import Context

    told = threading.Event()

    def work(context: Context) -> None:
        context.progress(250_000_000, 1_000_000_000, 240.0)
        told.set()
        while not context.cancelled():
            context._queue.wait_until_over(context._job, 5)
        raise CancelledError

    job = box.appliance.installs.submit(keeper_jobs.KEEPER, "bring", work, cost=1, hold_for=keeper_jobs.KEEPER)
    assert told.wait(SECONDS)
    keeper = box.keeper()
    page = keeper.get(f"/keeper/jobs/{job.id}").text
    assert '<progress max="100" value="25"' in page
    assert "about 4 minutes left" in words_of(page)
    assert '<noscript><meta http-equiv="refresh"' in page
    assert keeper.post(f"/keeper/jobs/{job.id}/cancel").status_code == 303
    assert box.appliance.installs.wait_until_over(job, SECONDS)
    assert job.state is State.CANCELLED
    after = keeper.get(f"/keeper/jobs/{job.id}").text
    assert "It was stopped." in after
    assert "refresh" not in after
    part = keeper.get(f"/keeper/jobs/{job.id}/part").text
    assert part.lstrip().startswith("<section")
    stream = keeper.get(f"/keeper/jobs/{job.id}/events?after=0")
    assert stream.mimetype == "text/event-stream"
    assert stream.headers["Cache-Control"] == "no-store"
    assert "about 4 minutes left" in stream.text
    assert "event: done" in stream.text
    assert keeper.get(f"/keeper/jobs/{job.id}/events?after={len(job.events)}").status_code == 204


def test_a_job_that_is_gone_is_told(box: KeepersBox) -> None:
    for path in ("/keeper/jobs/00000000-gone", "/keeper/jobs/00000000-gone/part", "/keeper/jobs/00000000-gone/events"):
        response = box.keeper().get(path)
        assert response.status_code == 410
        assert 'href="/keeper"' in response.text
