"""Whatever fails while packs are published, the folder holds the old release or the new one, whole."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.errors import (
    DiskFullError,
    FolderInUseError,
    StorageError,
)
from appliance.packs.keys import read_keys
from appliance.packs.publish import Published, read_offers
from appliance.storage.lock import lock_folder
from tests.client import client, fetch
from tests.publisher import listed, root_of, version


def clones_at_every_flush(monkeypatch: pytest.MonkeyPatch, folder: Path, into: Path) -> list[Path]:
    """What a reader would find if the stick were pulled out just before, and just after, each flush."""
    clones: list[Path] = []
    flush = os.fsync

    def watched(descriptor: int) -> None:
        for moment in ("before", "after"):
            if moment == "after":
                flush(descriptor)
            clones.append(into / f"{len(clones)}-{moment}")
            shutil.copytree(folder, clones[-1])

    monkeypatch.setattr(os, "fsync", watched)
    return clones


def test_a_stick_pulled_out_at_any_moment_holds_the_old_release_or_the_new(
    put: Callable[..., Published],
    keys: Path,
    stick: Path,
    tiny_pack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(tiny_pack)
    newer = version(tiny_pack, "0.2.0")
    with monkeypatch.context() as patched:
        clones = clones_at_every_flush(patched, stick, tmp_path / "clones")
        put(newer, prune=True)
    seen = []
    for number, clone in enumerate(clones):
        updater = client(clone, tmp_path / "boxes" / str(number), root_of(keys))
        updater.refresh()
        (offer,) = read_offers(clone, read_keys(keys).root)
        fetch(updater, "tiny", offer.version)
        seen.append(offer.version)
    assert len(seen) > 10
    assert seen == sorted(seen)
    assert set(seen) == {"0.1.0", "0.2.0"}


def test_a_disk_that_fails_at_any_step_keeps_the_old_release_and_the_next_try_makes_the_new(
    put: Callable[..., Published],
    keys: Path,
    stick: Path,
    tiny_pack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(tiny_pack)
    newer = version(tiny_pack, "0.2.0")
    flush, failures = os.fsync, 0
    while True:
        left = failures

        def failing(descriptor: int) -> None:
            nonlocal left
            if left == 0:
                raise OSError(5, "Input/output error")
            left -= 1
            flush(descriptor)

        try:
            with monkeypatch.context() as patched:
                patched.setattr(os, "fsync", failing)
                put(newer)
            break
        except StorageError:
            failures += 1
            updater = client(stick, tmp_path / "boxes" / str(failures), root_of(keys))
            fetch(updater, "tiny", "0.1.0")
            assert [path.name for path in stick.rglob(".*")] == []
    assert failures > 8
    assert listed(stick, keys) == ["tiny 0.1.0", "tiny 0.2.0"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 900 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900k", "none", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_stick_keeps_the_old_release(
    put: Callable[..., Published], keys: Path, small_disk: Path, home: Path, tiny_pack: Path
) -> None:
    small = version(tiny_pack, "0.0.1", "small")
    put(small, to=small_disk)
    free = shutil.disk_usage(small_disk).free
    with pytest.raises(DiskFullError):
        for number in range(2, 20):
            put(version(tiny_pack, f"0.0.{number}", "large"), to=small_disk)
    assert shutil.disk_usage(small_disk).free <= free
    fetch(client(small_disk, home, root_of(keys)), "small", "0.0.1")
    put(remove=("small",), to=small_disk)


def test_a_web_server_may_read_what_is_published_and_fat_which_knows_no_modes_takes_it(
    put: Callable[..., Published], stick: Path, tiny_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    put(tiny_pack)
    assert {stat.S_IMODE(path.stat().st_mode) for path in stick.rglob("*.json")} == {0o644}
    monkeypatch.setattr(os, "fchmod", refuse)
    assert put(tiny_pack, to=tmp_path / "fat").offers


def test_a_second_publisher_at_the_same_time_waits_his_turn(
    put: Callable[..., Published], keys: Path, tiny_pack: Path
) -> None:
    lock = lock_folder(keys)
    with pytest.raises(FolderInUseError):
        put(tiny_pack)
    lock.release()
    put(tiny_pack)
