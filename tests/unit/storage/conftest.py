"""Real small disks, where the tests may mount them, and child processes that are killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if _run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)) != 0:
        pytest.skip("this machine does not let tests mount a file system")
    yield disk
    _run("umount", "-l", str(disk))


@pytest.fixture
def make_read_only() -> Callable[[Path], None]:
    """Let a mounted disk take no more writes, as a worn-out SD card does."""

    def remount(disk: Path) -> None:
        assert _run("mount", "-o", "remount,ro", str(disk)) == 0

    return remount


@pytest.fixture
def start_child() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python code in a process of its own."""
    children = []

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *arguments]
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def _run(*command: str) -> int:
    return subprocess.run(command, check=False, capture_output=True).returncode
