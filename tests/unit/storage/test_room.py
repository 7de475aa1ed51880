"""The reserve of the disk is there when it is needed, and made again when there is room."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.errors import DiskFullError, ReserveError, StorageError
from appliance.limits import LIMITS
from appliance.storage.room import Room, free_bytes

SMALL = replace(LIMITS, reserve_bytes=1_000, reserve_file_bytes=100_000)


def test_the_file_takes_the_room_that_it_says(tmp_path: Path) -> None:
    room = Room(tmp_path / "data", SMALL)
    assert room.prepare()
    assert room.file.stat().st_size == 100_000
    assert room.file.stat().st_blocks * 512 >= 100_000
    assert room.prepare()
    assert room.release()
    assert not room.release()
    assert not room.file.exists()


def test_a_file_that_a_cut_left_smaller_is_made_whole(tmp_path: Path) -> None:
    room = Room(tmp_path, SMALL)
    room.file.write_bytes(b"x")
    assert room.prepare()
    assert room.file.stat().st_size == 100_000


def test_a_disk_that_is_nearly_full_gets_no_file(tmp_path: Path) -> None:
    room = Room(tmp_path, SMALL, lambda _: 100_999)
    assert not room.prepare()
    assert not room.file.exists()


@pytest.mark.parametrize(("free", "more", "refused"), [(2_000, 1_000, False), (2_000, 1_001, True), (999, 0, True)])
def test_a_write_that_would_take_of_the_reserve_is_refused(tmp_path: Path, free: int, more: int, refused: bool) -> None:
    room = Room(tmp_path, SMALL, lambda _: free)
    if refused:
        with pytest.raises(ReserveError):
            room.check(more)
    else:
        room.check(more)


def test_a_disk_that_does_not_say_how_full_it_is_is_an_error_of_storage(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        Room(tmp_path / "missing").check(0)
    assert free_bytes(tmp_path) > 0


def test_an_allocation_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.posix_fallocate", full)
    room = Room(tmp_path, SMALL)
    with pytest.raises(DiskFullError):
        room.prepare()
    assert not room.file.exists()


def test_work_that_frees_room_gets_the_reserve_once_and_it_is_made_again(tmp_path: Path) -> None:
    room = Room(tmp_path, SMALL)
    room.prepare()
    tries: list[bool] = []

    def work() -> None:
        tries.append(room.file.exists())
        if len(tries) == 1:
            raise DiskFullError(path="x")

    with room.housekeeping() as run:
        run(work)
    assert tries == [True, False]
    assert room.file.exists()


def test_work_that_finds_the_disk_full_without_a_reserve_says_so(tmp_path: Path) -> None:
    def work() -> None:
        raise DiskFullError(path="x")

    with pytest.raises(DiskFullError), Room(tmp_path, SMALL, lambda _: 0).housekeeping() as run:
        run(work)
