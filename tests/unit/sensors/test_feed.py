"""Readings from a file: all lines or none, what is wrong by its number, and a box at work takes what others left."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli import main
from appliance.errors import NotUtf8Error, ReadingsFileError, StorageError
from appliance.limits import Limits
from appliance.sensors import inbox
from appliance.sensors.readings import TOLD, as_lines, parse, read_feed
from appliance.storage.journal import JOURNAL, Journal, Reading
from appliance.storage.lock import lock_folder

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
LINE = "field-1,soil-moisture,12,%,2027-03-01T09:30:00+00:00"
Run = Callable[..., Result]


def read(*lines: str) -> list[Reading]:
    return parse(lines, "f.csv", lambda: NOW)


# The lines


def test_a_line_is_a_reading() -> None:
    assert read(LINE) == [Reading("field-1", "soil-moisture", 12, "%", "2027-03-01T09:30:00+00:00")]


def test_names_of_columns_empty_lines_and_spaces_are_passed_over() -> None:
    assert len(read("Sensor, Quantity,value,unit,time", "", LINE.replace(",", " , "), "  ")) == 1


def test_times_are_kept_in_utc_and_without_one_it_is_now() -> None:
    times = [read(f"a,soil-moisture,1,%{time}")[0].time for time in (",2027-03-01T12:30+03:00", ",", "")]
    assert times == ["2027-03-01T09:30:00+00:00", NOW.isoformat(), NOW.isoformat()]


def test_readings_are_in_the_order_of_their_times() -> None:
    days = ["2027-02-03", "2027-02-01", "2027-02-02"]
    found = read(*(f"a,soil-moisture,1,%,{day}T10:00Z" for day in days))
    assert [reading.time[:10] for reading in found] == sorted(days)


def test_a_unit_is_kept_in_one_spelling() -> None:
    assert [each.unit for each in read("a,air-temperature,20,C", "a,air-temperature,20,degC")] == ["°C", "°C"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("field-1,soil-moisture,12", "3 columns"),
        ("field-1,soil-moisture,12,%,2027-03-01,more", "6 columns"),
        (",soil-moisture,12,%", "name of a sensor"),
        ("x" * 41 + ",soil-moisture,12,%", "name of a sensor"),
        ("<b>,soil-moisture,12,%", "name of a sensor"),
        ("a,soil,12,%", "quantity “soil” is not known"),
        ("a,soil-moisture,wet,%", "not a number"),
        ("a,soil-moisture,nan,%", "cannot be nan"),
        ("a,soil-moisture,1e999,%", "cannot be"),
        ("a,soil-moisture,-1,%", "0 to 75"),
        ("a,air-temperature,70,°F", "the unit of air-temperature is °C"),
        ("a,soil-moisture,12,%,yesterday", "not like"),
        ("a,soil-moisture,12,%,0001-01-01T00:00+14:00", "not like"),
        ('a,"soil-moisture,12,%', "unexpected end of data"),
    ],
)
def test_a_bad_line_is_told_with_its_number(line: str, reason: str) -> None:
    with pytest.raises(ReadingsFileError, match=f"line 2: .*{reason}"):
        read(LINE, line)


def test_all_bad_lines_are_told_up_to_a_number() -> None:
    with pytest.raises(ReadingsFileError) as told:
        read(*["a,b"] * (TOLD + 5), LINE)
    words = str(told.value)
    assert words.count("line ") == TOLD
    assert "and 5 more" in words


def test_what_is_no_text_too_large_or_empty_is_refused() -> None:
    with pytest.raises(NotUtf8Error):
        read_feed(io.BytesIO(b"\xff\xfe"), "f")
    with pytest.raises(ReadingsFileError, match="larger"):
        read_feed(io.BytesIO(LINE.encode()), "f", Limits(readings_file_bytes=10))
    with pytest.raises(ReadingsFileError, match="no reading"):
        read_feed(io.BytesIO(b"sensor,quantity,value,unit,time\n"), "f")


def test_a_file_of_a_spreadsheet_with_its_mark_and_line_ends_is_read() -> None:
    assert len(read_feed(io.BytesIO(f"\ufeff{LINE}\r\n{LINE}\r\n".encode()), "f")) == 2


def test_readings_written_as_lines_are_the_same_when_they_are_read() -> None:
    found = read(LINE, "Shamba la juu,grain-moisture,13.25,%", "b,air-temperature,-3.1,C")
    assert read(*as_lines(found).splitlines()) == found


# The inbox


def test_what_is_left_is_taken_once(tmp_path: Path) -> None:
    inbox.leave(tmp_path, read(LINE))
    inbox.leave(tmp_path, read(LINE, LINE))
    taken: list[int] = []
    assert inbox.take(tmp_path, lambda found: taken.append(len(found))) == 3
    assert taken == [1, 2]
    assert inbox.take(tmp_path, lambda found: taken.append(len(found))) == 0


def test_what_the_journal_does_not_take_stays(tmp_path: Path) -> None:
    inbox.leave(tmp_path, read(LINE))

    def full(_: object) -> None:
        raise StorageError(path="journal", reason="no room")

    with pytest.raises(StorageError):
        inbox.take(tmp_path, full)
    assert len(inbox.peek(tmp_path)) == 1


def test_a_file_that_others_put_there_and_that_is_no_feed_is_set_aside(tmp_path: Path) -> None:
    inbox.leave(tmp_path, read(LINE))
    (tmp_path / inbox.FOLDER / "0-strange.csv").write_bytes(b"\xff")
    taken: list[object] = []
    assert inbox.take(tmp_path, taken.extend) == 1
    assert [path.name for path in (tmp_path / inbox.FOLDER).iterdir()] == ["0-strange.csv.broken"]


# The command


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def run(data: Path) -> Run:
    def run(*words: str, input: str | None = None) -> Result:  # noqa: A002
        return CliRunner().invoke(main, ["readings", *words], env={"BARAZA_DATA": str(data)}, input=input)

    return run


@pytest.fixture
def at_work(data: Path) -> Iterator[Journal]:
    """A box that has the folder and its journal open."""
    lock = lock_folder(data)
    with closing(Journal(data / JOURNAL)) as journal:
        yield journal
    lock.release()


def test_readings_are_added_and_listed(run: Run, tmp_path: Path) -> None:
    assert "no readings yet" in run().stdout
    file = tmp_path / "today.csv"
    file.write_text(f"sensor,quantity,value,unit,time\n{LINE.replace('2027', '2024')}\n", encoding="utf-8")
    assert run("add", str(file)).stdout == "Added 1 reading.\n"
    assert run("add", "-", input="store,grain-moisture,13.5,%\n").exit_code == 0
    rows = json.loads(run("--json").stdout)
    assert [(row["sensor"], row["value"], row["unit"]) for row in rows] == [
        ("field-1", 12.0, "%"),
        ("store", 13.5, "%"),
    ]
    assert "grain-moisture" in run().stdout


def test_of_a_file_with_a_bad_line_nothing_is_added(run: Run) -> None:
    refused = run("add", "-", input=f"{LINE}\nfield-1,soil-moisture,120,%\n")
    assert refused.exit_code == 1
    assert "line 2: soil-moisture cannot be 120 %" in refused.stderr
    assert json.loads(run("--json").stdout) == []


def test_the_last_reading_of_a_sensor_is_listed(run: Run) -> None:
    run("add", "-", input="a,soil-moisture,1,%,2024-02-01T10:00Z\na,soil-moisture,2,%,2024-02-03T10:00Z\n")
    run("add", "-", input="a,soil-moisture,3,%,2024-02-02T10:00Z\n")  # an older file, added later
    assert [row["value"] for row in json.loads(run("--json").stdout)] == [2.0]


def test_beside_a_box_at_work_they_are_left_for_it(run: Run, data: Path, at_work: Journal) -> None:
    at_work.record([Reading("a", "soil-moisture", 1.0, "%", "2024-02-01T10:00:00+00:00")])
    added = run("add", "-", input=LINE.replace("2027", "2024"))
    assert "The box at work takes them up" in added.stdout
    assert at_work.feeds(9) == [("a", "soil-moisture")]
    assert [row["sensor"] for row in json.loads(run("--json").stdout)] == ["a", "field-1"]
    assert inbox.take(data, at_work.record) == 1
    assert at_work.readings("field-1", "soil-moisture")[0].value == 12


def test_what_was_left_for_a_box_that_stopped_is_added_with_the_next(run: Run, data: Path) -> None:
    inbox.leave(data, read(LINE.replace("2027", "2024")))
    run("add", "-", input="b,soil-moisture,9,%")
    assert inbox.waiting(data) == []
    assert [row["sensor"] for row in json.loads(run("--json").stdout)] == ["b", "field-1"]


def test_what_can_be_measured_is_listed(run: Run) -> None:
    assert "soil-moisture      %   0 to 75" in run("quantities").stdout
