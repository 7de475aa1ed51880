"""Whether the box was switched off properly is known at the next start."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.storage import running
from appliance.storage.lock import lock_folder


def at(hour: int) -> datetime:
    return datetime(2026, 5, 3, hour, tzinfo=UTC)


def test_a_clean_stop_is_known(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert running.last_run(data) is None
    run = running.begin(data, lambda: at(8))
    assert (run.cut, run.cuts) == ("", 0)
    running.end(data, run, lambda: at(9))
    assert running.last_run(data) == running.Run("2026-05-03T08:00:00+00:00", "2026-05-03T09:00:00+00:00")
    assert running.begin(data, lambda: at(10)).cut == ""


def test_a_cut_is_known_with_since_when_and_counted(tmp_path: Path) -> None:
    running.begin(tmp_path, lambda: at(8))
    second = running.begin(tmp_path, lambda: at(9))
    assert (second.cut, second.cuts) == ("2026-05-03T08:00:00+00:00", 1)
    running.end(tmp_path, second, lambda: at(10))
    third = running.begin(tmp_path, lambda: at(11))
    assert (third.cut, third.cuts) == ("", 1)
    assert running.begin(tmp_path, lambda: at(12)).cuts == 2


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"started": 1, "stopped": "", "cut": "", "cuts": "x"}', b"\xff"]
)
def test_a_file_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / running.RUN).write_bytes(content)
    assert running.last_run(tmp_path) is None
    assert running.begin(tmp_path).cut == ""


def test_a_box_at_work_is_known_by_its_lock(tmp_path: Path) -> None:
    assert not running.is_at_work(tmp_path / "missing")
    lock = lock_folder(tmp_path)
    assert running.is_at_work(tmp_path)
    lock.release()
    assert not running.is_at_work(tmp_path)


def test_a_lock_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not running.is_at_work(tmp_path / "file")
