"""The journal keeps what it was given, within its bounds, and is set aside when it broke."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.errors import DiskFullError, ReadOnlyError, ReserveError, StorageError
from appliance.limits import LIMITS
from appliance.storage import database
from appliance.storage.aside import set_aside
from appliance.storage.database import check, copy_of, snapshot
from appliance.storage.journal import APPLICATION, MIGRATIONS, Journal, KeptJob, Reading
from appliance.storage.room import Room

NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)
KEEP_FOR_EVER = """
import itertools, sys
from pathlib import Path
from appliance.storage.journal import Journal, KeptJob

journal = Journal(Path(sys.argv[1]))
for number in itertools.count():
    journal.keep(KeptJob(str(number), "o", "d", "translation", {"text": "word " * 500}, "waiting"))
    print(number, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    opened = open_journal(path)
    yield opened
    opened.close()


def open_journal(path: Path, **limits: int) -> Journal:
    return Journal(path, replace(LIMITS, **limits), now=lambda: NOON)


def job(name: str, state: str = "waiting", **more: object) -> KeptJob:
    return KeptJob(name, "owner", "device", "translation", {"text": f"text of {name}"}, state, **more)  # type: ignore[arg-type]


def reading(value: float, sensor: str = "soil") -> Reading:
    return Reading(sensor, "moisture", value, "%")


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 : 3 * 4096] = b"\x55" * (2 * 4096)
    path.write_bytes(content)


def test_a_request_is_given_back_after_a_restart_as_it_was_last_kept(path: Path) -> None:
    journal = open_journal(path)
    journal.keep(KeptJob("a", "o", "d", "translation", {"text": "Señor 🌽 \ud800"}, "waiting"))
    journal.keep(job("b"))
    journal.keep(KeptJob("a", "o", "d", "translation", {}, "done", {"text": ["x", 1]}, None, age=2.5))
    journal.close()
    kept = open_journal(path).jobs()
    assert [each.id for each in kept] == ["a", "b"]
    assert kept[0].request == {"text": "Señor 🌽 \ud800"}
    assert (kept[0].state, kept[0].result, kept[0].age) == ("done", {"text": ["x", 1]}, 2.5)
    assert kept[1].asked_at == "2026-05-03T12:00:00+00:00"


def test_what_is_forgotten_is_in_no_file_any_more(journal: Journal, path: Path) -> None:
    journal.keep(KeptJob("a", "o", "d", "translation", {"text": "a secret letter"}, "waiting"))
    journal.keep(job("b"))
    journal.copy()
    assert any(b"a secret letter" in file.read_bytes() for file in path.parent.iterdir())
    journal.forget(["a", "nothing"])
    assert [each.id for each in journal.jobs()] == ["b"]
    assert not any(b"a secret letter" in file.read_bytes() for file in path.parent.iterdir())


def test_a_request_that_is_not_of_its_form_is_left_out_and_told(
    journal: Journal, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal.keep(job("good"))
    for name, request in (("text", "no JSON"), ("list", "[1]")):
        journal.keep(job(name))
        with journal._database.transaction() as connection:
            connection.execute("UPDATE jobs SET request = ? WHERE id = ?", (request, name))
    assert [each.id for each in journal.jobs()] == ["good"]
    assert "request text cannot be read" in caplog.text
    assert "request list cannot be read" in caplog.text


def test_a_request_with_too_large_a_result_is_refused(path: Path) -> None:
    journal = open_journal(path, kept_result_bytes=100)
    with pytest.raises(StorageError, match="100 bytes"):
        journal.keep(job("a", result="x" * 200))
    assert journal.jobs() == []


def test_ages_are_noted(journal: Journal) -> None:
    journal.keep(job("a", "done"))
    journal.age([("a", 60.0), ("nothing", 1.0)])
    assert journal.jobs()[0].age == 60.0


def test_readings_have_numbers_and_the_time_of_the_clock(journal: Journal) -> None:
    journal.record([reading(1), Reading("soil", "moisture", 2.0, "%", "1970-01-01T00:00:00+00:00"), reading(3, "air")])
    found = journal.readings("soil", "moisture")
    assert found == [
        Reading("soil", "moisture", 1.0, "%", "2026-05-03T12:00:00+00:00", 1),
        Reading("soil", "moisture", 2.0, "%", "1970-01-01T00:00:00+00:00", 2),
    ]
    assert journal.readings("soil", "moisture", after=1) == found[1:]
    assert journal.readings("soil", "moisture", most=1) == found[1:]


def test_the_oldest_readings_and_events_leave(path: Path) -> None:
    journal = open_journal(path, readings=10, history=3)
    for number in range(5):
        journal.record([reading(number * 4 + each) for each in range(4)])
        journal.note("round", number=number)
    assert [each.value for each in journal.readings("soil", "moisture")] == [*map(float, range(10, 20))]
    assert [each.about for each in journal.history()] == [{"number": number} for number in (4, 3, 2)]
    assert (journal.history(1)[0].event, journal.history(1)[0].time) == ("round", "2026-05-03T12:00:00+00:00")


def test_readings_leave_until_the_file_is_within_its_bytes_and_pages_are_used_again(path: Path) -> None:
    journal = open_journal(path, journal_bytes=256 * 1024, readings=50_000)
    journal.keep(job("kept"))
    for _ in range(30):
        journal.record([reading(number) for number in range(500)])
    journal.trim()
    assert journal._database.used_bytes() <= 256 * 1024
    left = journal.readings("soil", "moisture", most=50_000)
    assert 500 < len(left) < 15_000
    assert left[-1].sequence == 15_000
    assert [each.id for each in journal.jobs()] == ["kept"]
    before = path.stat().st_size
    for _ in range(30):
        journal.record([reading(number) for number in range(500)])
    journal.close()
    assert path.stat().st_size <= max(before, 2 * 256 * 1024)


def test_readings_are_trimmed_while_they_come(path: Path) -> None:
    journal = open_journal(path, journal_bytes=64 * 1024, readings=10_000)
    for _ in range(50):
        journal.record([reading(number) for number in range(200)])
    assert journal._database.used_bytes() <= 80 * 1024


def test_a_file_that_only_requests_fill_is_trimmed_without_end(path: Path) -> None:
    journal = open_journal(path, journal_bytes=32 * 1024)
    for number in range(20):
        try:
            journal.keep(job(str(number), result="x" * 3_000))
        except DiskFullError:
            break
    else:
        pytest.fail("it grew without an end")
    assert 10 > len(journal.jobs()) > 2
    journal.trim()


def test_two_hundred_writes_of_eight_threads_are_all_there(journal: Journal) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: journal.keep(job(str(number))), range(200)))
    assert {each.id for each in journal.jobs()} == set(map(str, range(200)))


@pytest.mark.parametrize("writes", [1, 4, 12])
def test_everything_that_was_said_to_be_kept_is_there_after_a_kill(
    path: Path, start_child: Callable[..., subprocess.Popen[str]], writes: int
) -> None:
    child = start_child(KEEP_FOR_EVER, str(path))
    assert child.stdout is not None
    acknowledged = [child.stdout.readline().strip() for _ in range(writes)]
    child.kill()
    child.wait(30)
    journal = open_journal(path)
    assert journal.set_aside is None
    assert [each.id for each in journal.jobs()][:writes] == acknowledged


def test_what_fails_in_a_transaction_leaves_nothing(journal: Journal) -> None:
    with pytest.raises(RuntimeError), journal._database.transaction() as connection:
        connection.execute("DELETE FROM jobs")
        connection.execute(
            "INSERT INTO history (event, about, time) VALUES ('x', '{}', '')",
        )
        raise RuntimeError
    assert journal.history() == []
    with pytest.raises(StorageError, match="no such table"), journal._database.transaction() as connection:
        connection.execute("DELETE FROM absent")


def test_what_people_wrote_is_flushed_and_what_sensors_say_is_not(journal: Journal) -> None:
    def level() -> int:
        return int(journal._database.rows("PRAGMA synchronous")[0][0])

    journal.record([reading(1)])
    assert level() == 1  # NORMAL
    journal.keep(job("a"))
    assert level() == 2  # FULL
    assert journal._database.rows("PRAGMA journal_mode")[0][0] == "wal"


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not here")
def test_a_request_left_with_the_box_costs_one_flush_a_change(path: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from appliance.storage.journal import *\n"
        "journal = Journal(Path(sys.argv[1])); count = int(sys.argv[2])\n"
        "for number in range(count): journal.keep(KeptJob('a', 'o', 'd', 'translation', {}, 'waiting'))\n"
        "for number in range(count): journal.record([Reading('s', 'q', 1.0, 'u')])\n"
        "import os; os._exit(0)"
    )

    def flushes(count: int) -> int:
        log = tmp_path / "trace"
        command = ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", str(log)]
        done = subprocess.run(
            [*command, database.__file__ and os.sys.executable, "-c", code, str(path), str(count)],  # type: ignore[attr-defined]
            capture_output=True,
            check=False,
        )
        if done.returncode:
            pytest.skip("this machine does not let tests trace")
        return log.read_text().count("sync(")

    flushes(0)
    assert flushes(30) - flushes(10) == 20


def test_a_broken_journal_is_set_aside_whole_and_an_empty_one_begins(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = open_journal(path)
    journal.keep(job("a"))
    journal.close()
    damage(path)
    broken = path.read_bytes()
    with caplog.at_level(logging.WARNING):
        again = open_journal(path)
    aside = path.with_name("journal.db.broken")
    assert (again.set_aside, again.from_copy) == (aside, False)
    assert aside.read_bytes() == broken
    assert str(aside) in caplog.text
    assert again.jobs() == []
    again.keep(job("b"))


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"\0" * 5000, b"x" * 100_000])
def test_a_file_that_is_no_database_is_set_aside(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    assert open_journal(path).set_aside == path.with_name("journal.db.broken")
    assert path.with_name("journal.db.broken").read_bytes() == content


def test_the_last_good_copy_takes_the_place_of_a_broken_journal(path: Path) -> None:
    journal = open_journal(path)
    journal.keep(job("a"))
    journal.record([reading(1)])
    journal.copy()
    journal.keep(job("b"))
    journal.close()
    damage(path)
    again = open_journal(path)
    assert again.from_copy
    assert [each.id for each in again.jobs()] == ["a"]
    assert len(again.readings("soil", "moisture")) == 1
    again.keep(job("c"))


def test_a_copy_that_is_broken_too_is_set_aside(path: Path) -> None:
    journal = open_journal(path)
    journal.copy()
    journal.close()
    damage(path)
    damage(copy_of(path))
    again = open_journal(path)
    assert not again.from_copy
    assert copy_of(path).with_name("journal.copy.db.broken").exists()


def test_a_broken_journal_makes_no_copy(journal: Journal, path: Path) -> None:
    journal.keep(job("a"))
    journal.copy()
    good = copy_of(path).read_bytes()
    journal._database.flush_log()
    damage(path)
    journal._database.rows("PRAGMA shrink_memory")
    with pytest.raises(StorageError):
        journal._database._connection.execute("PRAGMA cache_size = 0")
        journal.copy()
    assert copy_of(path).read_bytes() == good


def test_a_log_that_a_cut_left_without_its_file_is_set_aside(path: Path) -> None:
    path.parent.mkdir()
    path.with_name("journal.db-wal").write_bytes(b"log")
    assert open_journal(path).jobs() == []
    assert path.with_name("journal.db-wal.broken").read_bytes() == b"log"


def test_a_journal_of_a_newer_baraza_stays_as_it_is(path: Path) -> None:
    open_journal(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StorageError, match="newer Baraza"):
        open_journal(path)
    assert path.read_bytes() == before


def test_a_database_of_another_use_is_set_aside(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE other (x); PRAGMA user_version = 1;")
    assert open_journal(path).set_aside is not None


def test_a_copy_of_another_use_takes_nothing_over(path: Path) -> None:
    journal = open_journal(path)
    journal.keep(job("a"))
    journal.close()
    damage(path)
    with closing(sqlite3.connect(copy_of(path))) as connection:
        connection.executescript("CREATE TABLE other (x); PRAGMA user_version = 1;")
    with pytest.raises(StorageError, match="of another use"):
        open_journal(path)
    assert path.with_name("journal.db.broken").exists()


def test_a_migration_is_done_whole_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = open_journal(path)
    journal.keep(job("a"))
    journal.close()
    failing = (*MIGRATIONS, ("ALTER TABLE jobs ADD COLUMN extra TEXT", "CREATE TABLE jobs (again TEXT)"))
    with pytest.raises(StorageError, match="already exists"):
        database.Database(path, APPLICATION, failing, 2**20)
    assert [each.id for each in open_journal(path).jobs()] == ["a"]
    good = (*MIGRATIONS, ("ALTER TABLE jobs ADD COLUMN extra TEXT",))
    opened = database.Database(path, APPLICATION, good, 2**20)
    assert opened.rows("PRAGMA user_version")[0][0] == 2
    assert [row[0] for row in opened.rows("SELECT id FROM jobs WHERE extra IS NULL")] == ["a"]


def test_a_snapshot_is_whole_while_the_box_writes(journal: Journal, path: Path, tmp_path: Path) -> None:
    journal.keep(job("a"))
    snapshot(path, tmp_path / "snapshot.db")
    journal.keep(job("b"))
    check(tmp_path / "snapshot.db")
    with closing(sqlite3.connect(tmp_path / "snapshot.db")) as connection:
        assert connection.execute("SELECT id FROM jobs").fetchall() == [("a",)]
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert [each.id for each in journal.jobs()] == ["a", "b"]


def test_a_snapshot_of_a_broken_journal_is_refused(journal: Journal, path: Path, tmp_path: Path) -> None:
    journal.keep(job("a"))
    journal.close()
    damage(path)
    with pytest.raises(StorageError):
        snapshot(path, tmp_path / "snapshot.db")
    assert not (tmp_path / "snapshot.db").exists()


def test_what_cannot_be_opened_is_an_error_of_storage(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        snapshot(tmp_path / "missing.db", tmp_path / "snapshot.db")
    with pytest.raises(StorageError):
        check(tmp_path / "missing.db")


def test_a_full_disk_is_said_and_what_was_kept_is_there(small_disk: Path) -> None:
    path = small_disk / "journal.db"
    with pytest.raises(DiskFullError):
        journal = open_journal(path)
        for number in range(100):
            journal.keep(job(str(number), result="x" * 2_000))


def test_a_read_only_disk_is_said(small_disk: Path, make_read_only: Callable[[Path], None]) -> None:
    make_read_only(small_disk)
    with pytest.raises(ReadOnlyError):
        open_journal(small_disk / "journal.db")


def test_what_people_leave_does_not_take_the_reserve_and_forgetting_goes_on(path: Path) -> None:
    free = 10 * LIMITS.reserve_bytes
    limits = replace(LIMITS, reserve_file_bytes=8192)
    path.parent.mkdir()
    journal = Journal(path, limits, room=Room(path.parent, limits, lambda _: free))
    journal.keep(job("a"))
    free = limits.reserve_bytes
    with pytest.raises(ReserveError):
        journal.keep(job("b"))
    with pytest.raises(ReserveError):
        journal.record([reading(1)])
    journal.note("full")
    journal.forget(["a"])
    assert journal.jobs() == []


def test_what_belongs_to_a_broken_file_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"file")
    path.with_name("journal.db-wal").write_bytes(b"log")
    set_aside(path, database.COMPANIONS)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {
        "journal.db.broken": b"file",
        "journal.db.broken-wal": b"log",
    }
