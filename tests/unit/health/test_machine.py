"""The checks that look at the machine itself, on made-up trees of /sys; what is not there is said to be not there."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from appliance.health import documents, inodes, journal, power, reserve, shutdown, temperature
from appliance.health.finding import Level
from appliance.limits import LIMITS
from appliance.storage import running
from appliance.storage.documents import DOCUMENTS, Documents
from appliance.storage.journal import JOURNAL, Journal
from appliance.storage.lock import lock_folder
from appliance.storage.room import Room


def nothing() -> str:
    return ""


@pytest.mark.parametrize(
    ("word", "level", "said"),
    [
        ("0x0", Level.GOOD, "high enough"),
        ("50005", Level.BAD, "now: the voltage is too low; now: the processor is slowed down"),
        ("0x50000", Level.WARNING, "since the start it happened: the voltage is too low"),
        ("0x8", Level.WARNING, "now: it is too hot"),
        ("e0008", Level.WARNING, "since the start it happened: the processor is slowed down"),
    ],
)
def test_the_word_of_the_firmware_is_taken_apart(tmp_path: Path, word: str, level: Level, said: str) -> None:
    path = tmp_path / power.THROTTLED
    path.parent.mkdir(parents=True)
    path.write_text(f"{word}\n")
    for found in (power.check(tmp_path, nothing), power.check(tmp_path / "none", lambda: f"throttled={word}\n")):
        assert found.level is level
        assert said in found.found
        assert bool(found.advice) == (level is not Level.GOOD)


@pytest.mark.parametrize(("alarm", "level"), [("0\n", Level.GOOD), ("1\n", Level.BAD)])
def test_the_alarm_of_the_kernel_is_read_where_there_is_no_word(tmp_path: Path, alarm: str, level: Level) -> None:
    for number, name in enumerate(("cpu_thermal", "rpi_volt")):
        sensor = tmp_path / "class" / "hwmon" / f"hwmon{number}"
        sensor.mkdir(parents=True)
        (sensor / "name").write_text(f"{name}\n")
        (sensor / "in0_lcrit_alarm").write_text(alarm if name == "rpi_volt" else "1")
    assert power.check(tmp_path, nothing).level is level


def test_a_machine_that_measures_no_voltage_says_so(tmp_path: Path) -> None:
    found = power.check(tmp_path, lambda: "VCHI initialization failed")
    assert (found.level, found.found) == (Level.GOOD, "not measured on this machine")


def test_the_tool_of_the_raspberry_pi_is_asked_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert power.ask_vcgencmd() == ""
    tool = tmp_path / "vcgencmd"
    tool.write_text('#!/bin/sh\necho "throttled=0x50000 of $1"\n')
    tool.chmod(0o755)
    assert power.ask_vcgencmd() == "throttled=0x50000 of get_throttled\n"
    tool.write_text("#!/no/such/shell\n")
    assert power.ask_vcgencmd() == ""


@pytest.mark.parametrize(
    ("degrees", "level"), [("41234", Level.GOOD), ("70000", Level.WARNING), ("85000", Level.BAD), ("0", Level.GOOD)]
)
def test_the_hottest_place_decides(tmp_path: Path, degrees: str, level: Level) -> None:
    for number, value in enumerate(("-274000", "nonsense", degrees, "-20000")):
        zone = tmp_path / "class" / "thermal" / f"thermal_zone{number}"
        zone.mkdir(parents=True)
        (zone / "temp").write_text(f"{value}\n")
    (tmp_path / "class" / "thermal" / "thermal_zone2" / "type").write_text("cpu-thermal\n")
    found = temperature.check(tmp_path)
    assert found.level is level
    assert found.found == f"{int(degrees) / 1000:.0f} °C (cpu-thermal)"


def test_a_machine_without_a_thermometer_says_so(tmp_path: Path) -> None:
    (tmp_path / "class" / "thermal" / "thermal_zone0").mkdir(parents=True)  # switched off: it has no `temp`
    assert temperature.check(tmp_path).found == "not measured on this machine"


@pytest.mark.parametrize(
    ("free", "of", "level"),
    [(100, 1000, Level.BAD), (1_000, 10_000, Level.WARNING), (10**6, 10**7, Level.GOOD), (0, 0, Level.GOOD)],
)
def test_entries_for_files_run_out_too(tmp_path: Path, free: int, of: int, level: Level) -> None:
    disk = SimpleNamespace(f_favail=free, f_files=of)
    found = inodes.check(tmp_path / "not" / "yet", lambda _: disk)  # type: ignore[arg-type,return-value]
    assert found.level is level
    assert inodes.check(tmp_path).level is Level.GOOD or os.statvfs(tmp_path).f_favail < inodes.FEW


def test_the_reserve_is_looked_after(tmp_path: Path) -> None:
    limits = replace(LIMITS, reserve_bytes=10, reserve_file_bytes=50_000)
    assert reserve.check(tmp_path / "none", limits).level is Level.GOOD
    assert reserve.check(tmp_path, limits).level is Level.WARNING
    Room(tmp_path, limits).prepare()
    assert reserve.check(tmp_path, limits).level is Level.GOOD
    full = reserve.check(tmp_path, limits, lambda _: 9)
    assert (full.level, "nothing new is saved" in full.found) == (Level.BAD, True)


def test_a_file_with_holes_is_no_reserve(tmp_path: Path) -> None:
    limits = replace(LIMITS, reserve_bytes=10, reserve_file_bytes=1_000_000)
    with (tmp_path / ".reserve").open("wb") as file:
        file.truncate(1_000_000)
    assert reserve.check(tmp_path, limits).level is Level.WARNING


def test_how_the_box_was_switched_off_is_told(tmp_path: Path) -> None:
    assert shutdown.check(tmp_path).found == "the box has not run yet"
    lock = lock_folder(tmp_path)
    first = running.begin(tmp_path, lambda: datetime(2026, 5, 3, 8, tzinfo=UTC))
    assert "at work since 2026-05-03T08:00:00" in shutdown.check(tmp_path).found
    lock.release()
    cut = shutdown.check(tmp_path)
    assert (cut.level, "2026-05-03T08:00:00" in cut.found, "1 cuts" in cut.found) == (Level.WARNING, True, True)
    second = running.begin(tmp_path, lambda: datetime(2026, 5, 3, 9, tzinfo=UTC))
    lock = lock_folder(tmp_path)
    at_work = shutdown.check(tmp_path)
    assert (at_work.level, "08:00" in at_work.found) == (Level.WARNING, True)
    lock.release()
    running.end(tmp_path, second, lambda: datetime(2026, 5, 3, 10, tzinfo=UTC))
    clean = shutdown.check(tmp_path)
    assert (clean.level, "10:00" in clean.found, first.cuts) == (Level.GOOD, True, 0)


def test_a_journal_that_was_set_aside_is_told_until_it_is_moved(tmp_path: Path) -> None:
    path = tmp_path / "data" / JOURNAL
    assert journal.check(path).found == "there is none yet"
    made = Journal(path)
    assert "without a copy" in journal.check(path).found
    made.copy()
    made.close()
    assert "with a copy" in journal.check(path).found
    path.write_bytes(b"broken")
    Journal(path).close()
    found = journal.check(path)
    assert (found.level, "journal.db.broken" in found.found) == (Level.WARNING, True)


def test_a_copy_of_documents_is_told_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / DOCUMENTS
    opened = Documents(path)
    for title in ("one", "two"):
        opened.create("phone", "letter", "en", title, {}, "")
    path.write_bytes(b"broken")
    Documents(path)
    found = documents.check(path)
    assert (found.level, "with 1 documents" in found.found) == (Level.WARNING, True)
    assert "restore-last" in found.advice
    (tmp_path / "documents.json.last-good").write_bytes(b"broken too")
    assert "restore-last" not in documents.check(path).advice
