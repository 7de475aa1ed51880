"""A write is old or new, whatever happens in the middle of it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.errors import DiskFullError, ReadOnlyError, StorageError
from appliance.storage.atomic import ensure_folder, remove_leftovers, write_atomically, written_atomically

OLD = b"old " * 5_000
NEW = b"new! " * 6_000
STEPS = ("tempfile.mkstemp", "os.write", "os.fsync of the file", "os.replace", "os.fsync of the folder")

# Kills itself when it is about to take step N of a write; half of the content is written when it dies in os.write.
CUT_AT_STEP = """
import os, signal, sys, tempfile
from pathlib import Path
from appliance.storage.atomic import write_atomically

def die_instead(step, module, name, before=lambda *given: None):
    real = getattr(module, name)
    def call(*given, **named):
        global step_now
        step_now += 1
        if step_now == int(sys.argv[2]):
            before(*given)
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given, **named)
    setattr(module, name, call)

step_now = -1
really_write = os.write
die_instead(0, tempfile, "mkstemp")
die_instead(1, os, "write", lambda descriptor, content: really_write(descriptor, content[: len(content) // 2]))
die_instead(2, os, "fsync")
die_instead(3, os, "replace")
write_atomically(Path(sys.argv[1]), b"new! " * 6_000)
"""

WRITE_FOR_EVER = """
import itertools, sys
from pathlib import Path
from appliance.storage.atomic import write_atomically

for number in itertools.count():
    write_atomically(Path(sys.argv[1]), b"%d " % (number % 10) * 50_000)
    print(number, flush=True)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file.json"
    path.write_bytes(OLD)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail(monkeypatch: pytest.MonkeyPatch, step: str, number: int) -> None:
    """Let `step` of the next write fail with the error `number`."""
    call, _, what = step.partition(" of the ")
    real, calls = getattr(os, call.removeprefix("os."), None), iter(("file", "folder"))

    def failing(*given: object, **named: object) -> object:
        if what and next(calls) != what:
            return real(*given, **named)  # type: ignore[misc]
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(call, failing)


def test_new_content_replaces_the_old_and_leaves_nothing_beside(file: Path) -> None:
    write_atomically(file, NEW)
    assert file.read_bytes() == NEW
    assert names(file.parent) == ["file.json"]


def test_an_empty_file_can_be_written(file: Path) -> None:
    write_atomically(file, b"")
    assert file.read_bytes() == b""


def test_only_the_user_of_the_box_may_read_what_is_written(file: Path) -> None:
    write_atomically(file, NEW)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_disk_that_takes_a_little_at_a_time_gets_all(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr("os.write", lambda descriptor, content: write(descriptor, content[:999]))
    write_atomically(file, NEW)
    assert file.read_bytes() == NEW


@pytest.mark.parametrize("step", STEPS[:-1])
def test_a_step_that_fails_leaves_the_old_content_and_nothing_beside(
    file: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    fail(monkeypatch, step, errno.EIO)
    with pytest.raises(StorageError) as told:
        write_atomically(file, NEW)
    assert told.value.fields == {"path": str(file), "reason": "Input/output error"}
    assert file.read_bytes() == OLD
    assert names(file.parent) == ["file.json"]


def test_a_folder_that_cannot_be_flushed_is_an_error_and_the_content_is_whole(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, STEPS[-1], errno.EIO)
    with pytest.raises(StorageError):
        write_atomically(file, NEW)
    assert file.read_bytes() == NEW
    assert names(file.parent) == ["file.json"]


def test_a_file_system_without_flush_of_folders_can_be_written(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(monkeypatch, STEPS[-1], errno.EINVAL)
    write_atomically(file, NEW)
    assert file.read_bytes() == NEW


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, DiskFullError),
        (errno.EDQUOT, DiskFullError),
        (errno.EROFS, ReadOnlyError),
        (errno.EACCES, ReadOnlyError),
        (errno.EPERM, ReadOnlyError),
        (errno.EIO, StorageError),
    ],
)
def test_what_the_disk_says_is_told_at_every_step(
    file: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, expected: type[StorageError]
) -> None:
    fail(monkeypatch, step, number)
    with pytest.raises(expected) as told:
        write_atomically(file, NEW)
    assert type(told.value) is expected


def test_a_temporary_file_that_cannot_be_removed_does_not_hide_the_first_error(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, "os.write", errno.ENOSPC)
    fail(monkeypatch, "os.unlink", errno.EIO)
    with pytest.raises(DiskFullError):
        write_atomically(file, NEW)


@pytest.mark.parametrize("step", range(len(STEPS)), ids=STEPS)
def test_a_power_cut_before_any_step_leaves_old_or_new(
    file: Path, start_child: Callable[..., subprocess.Popen[str]], step: int
) -> None:
    child = start_child(CUT_AT_STEP, str(file), str(step))
    assert child.wait(30) == -signal.SIGKILL
    assert file.read_bytes() == (NEW if STEPS[step] == "os.fsync of the folder" else OLD)
    remove_leftovers(file)
    assert names(file.parent) == ["file.json"]


@pytest.mark.parametrize("writes", [1, 2, 5, 11, 23])
def test_a_process_killed_while_it_writes_leaves_one_whole_write(
    file: Path, start_child: Callable[..., subprocess.Popen[str]], writes: int
) -> None:
    child = start_child(WRITE_FOR_EVER, str(file))
    assert child.stdout is not None
    for _ in range(writes):
        child.stdout.readline()
    child.kill()
    child.wait(30)
    words = file.read_bytes().split()
    assert len(words) == 50_000
    assert len(set(words)) == 1


def test_leftovers_of_other_files_are_not_touched(tmp_path: Path) -> None:
    for name in (".file.json.abc.tmp", ".other.json.abc.tmp", "file.json", "file.json.tmp"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path / "file.json")
    assert names(tmp_path) == [".other.json.abc.tmp", "file.json", "file.json.tmp"]


def test_leftovers_in_a_missing_folder_are_none(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "missing" / "file.json")
    assert names(tmp_path) == []


def test_a_full_disk_keeps_the_old_content_and_is_said(small_disk: Path) -> None:
    file = small_disk / "file.json"
    write_atomically(file, OLD)
    with pytest.raises(DiskFullError):
        write_atomically(file, b"x" * 60_000)
    assert file.read_bytes() == OLD
    assert names(small_disk) == ["file.json"]
    write_atomically(file, NEW)
    assert file.read_bytes() == NEW


def test_a_disk_that_became_read_only_keeps_the_old_content_and_is_said(
    small_disk: Path, make_read_only: Callable[[Path], None]
) -> None:
    file = small_disk / "file.json"
    write_atomically(file, OLD)
    make_read_only(small_disk)
    with pytest.raises(ReadOnlyError):
        write_atomically(file, NEW)
    with pytest.raises(ReadOnlyError):
        ensure_folder(small_disk / "folder")
    assert file.read_bytes() == OLD


def test_a_missing_folder_is_an_error_of_storage(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"):
        write_atomically(tmp_path / "missing" / "file.json", NEW)


def test_folders_are_made_with_those_above_them_and_flushed_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr("appliance.storage.atomic.flush_folder", flushed.append)
    ensure_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert flushed == [tmp_path, tmp_path / "a"]


def test_a_folder_that_is_there_stays_as_it_is(file: Path) -> None:
    ensure_folder(file.parent)
    assert names(file.parent) == ["file.json"]


@pytest.mark.parametrize("below", ["", "folder"])
def test_a_file_in_the_way_of_a_folder_is_an_error_of_storage(file: Path, below: str) -> None:
    with pytest.raises(StorageError, match="Not a directory"):
        ensure_folder(file / below)


def test_a_content_in_parts_can_be_read_by_others_if_its_mode_says_so(file: Path) -> None:
    with written_atomically(file, 0o644) as parts:
        parts.write(NEW[:100])
        parts.write(NEW[100:])
        parts.seek(0)
        assert parts.read() == NEW
        assert file.read_bytes() == OLD
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (NEW, 0o644)
    assert names(file.parent) == ["file.json"]


def test_a_content_in_parts_that_broke_off_leaves_the_old_one(file: Path) -> None:
    with pytest.raises(RuntimeError), written_atomically(file) as parts:
        parts.write(NEW)
        raise RuntimeError
    assert file.read_bytes() == OLD
    assert names(file.parent) == ["file.json"]


def test_a_disk_that_knows_no_modes_is_written_all_the_same(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr("os.fchmod", refuse)
    write_atomically(file, NEW, 0o644)
    assert file.read_bytes() == NEW
