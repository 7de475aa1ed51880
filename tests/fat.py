"""FAT for tests that need no root: images made and read by mtools, and what it refuses, for ordinary folders."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

FAT32 = 34 * 1024 * 1024  # bytes: the smallest there is, and nearly all of it a hole


def through_fat(folder: Path, image: Path, stick: Path) -> None:
    """Copy `folder` to a FAT32 stick that is made for it, as baraza, and what is on the stick then to `stick`."""
    missing = [name for name in ("mformat", "mcopy") if shutil.which(name) is None]
    if missing:
        pytest.skip("mtools is not installed here")
    with image.open("wb") as file:
        file.truncate(FAT32)
    _tool("mformat", "-i", image, "-F", "-v", "PACKS", "::")
    _tool("mcopy", "-s", "-Q", "-i", image, folder, "::baraza")
    if shutil.which("fsck.vfat"):
        _tool("fsck.vfat", "-n", image)
    stick.mkdir(parents=True)
    _tool("mcopy", "-s", "-Q", "-i", image, "::baraza", stick)


def like_fat(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nothing has links or modes, and folders cannot be flushed: as on FAT mounted for another user."""
    flush = os.fsync

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    def flushed(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        flush(descriptor)

    for name in ("fchmod", "chmod", "link", "symlink", "utime", "chown"):
        monkeypatch.setattr(os, name, refused)
    monkeypatch.setattr(os, "fsync", flushed)


def _tool(*words: str | Path) -> None:
    found = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert found.returncode == 0, (words, found.stdout, found.stderr)
