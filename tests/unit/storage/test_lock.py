"""Only one process works on a data folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.errors import FolderInUseError
from appliance.storage import lock
from appliance.storage.lock import lock_folder

HOLD = """
import sys
from pathlib import Path
from appliance.storage.lock import lock_folder
lock = lock_folder(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        with pytest.raises(FolderInUseError, match="at work"):
            lock_folder(tmp_path)
        holder.kill()
        holder.wait()
    lock_folder(tmp_path).release()


def test_a_lock_can_be_released_and_taken_again(tmp_path: Path) -> None:
    held = lock_folder(tmp_path)
    held.release()
    held.release()  # once more does no harm
    again = lock_folder(tmp_path)
    with pytest.raises(FolderInUseError):
        lock_folder(tmp_path)
    again.release()


def test_a_folder_that_cannot_be_written_needs_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> int:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(lock.os, "open", refuse)
    lock_folder(tmp_path).release()
