"""Packs are verified, installed whole or not at all, and the version in use is the one chosen."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from appliance.errors import (
    BarazaError,
    DiskFullError,
    PackArchiveError,
    PackFileError,
    PackManifestError,
    PackNotInstalledError,
)
from appliance.packs import archive, choice
from appliance.packs.store import PackStore, verify


@pytest.fixture
def packs(tmp_path: Path) -> PackStore:
    return PackStore(tmp_path / "shipped", tmp_path / "installed")


@pytest.fixture
def tiny_archive(tiny_pack: Path, tmp_path: Path) -> Path:
    target = tmp_path / "tiny-0.1.0.pack"
    archive.create(tiny_pack, target)
    return target


def with_version(pack: Path, version: str) -> Path:
    manifest = pack / "pack.toml"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"0.1.0"', f'"{version}"', 1), encoding="utf-8")
    return pack


def rezip(source: Path, target: Path, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.infolist():
            changed = change(member.filename, old.read(member))
            if changed:
                new.writestr(*changed)
    return target


def test_a_sound_pack_is_verified(tiny_pack: Path) -> None:
    read = 0

    def progress(count: int) -> None:
        nonlocal read
        read += count

    assert verify(tiny_pack, progress=progress).manifest.size == read


@pytest.mark.parametrize("name", ["encoder.onnx", "decoder.onnx", "spm.model", "words.es.txt"])
def test_one_changed_byte_is_found(tiny_pack: Path, name: str) -> None:
    content = bytearray((tiny_pack / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tiny_pack / name).write_bytes(content)
    with pytest.raises(PackFileError, match=f"{name}.*sha256"):
        verify(tiny_pack)


def test_a_pack_toml_that_lies_about_a_size_is_found(tiny_pack: Path) -> None:
    manifest = tiny_pack / "pack.toml"
    size = (tiny_pack / "encoder.onnx").stat().st_size
    manifest.write_text(manifest.read_text().replace(f"size = {size}", f"size = {size - 1}"))
    with pytest.raises(PackFileError, match=f"encoder.onnx: has {size} bytes"):
        verify(tiny_pack)


def test_a_missing_an_extra_and_a_linked_file_are_found(tiny_pack: Path) -> None:
    (tiny_pack / "extra.so").write_bytes(b"x")
    with pytest.raises(PackFileError, match="not listed"):
        verify(tiny_pack)
    (tiny_pack / "extra.so").unlink()
    (tiny_pack / "encoder.onnx").rename(tiny_pack.parent / "elsewhere")
    with pytest.raises(PackFileError, match="missing"):
        verify(tiny_pack)
    (tiny_pack / "encoder.onnx").symlink_to(tiny_pack.parent / "elsewhere")
    with pytest.raises(PackFileError, match="missing"):
        verify(tiny_pack)


def test_an_archive_is_installed_and_in_use(packs: PackStore, tiny_archive: Path) -> None:
    steps: list[tuple[int, int]] = []
    pack = packs.install(tiny_archive, lambda done, total: steps.append((done, total)))
    assert steps[-1][0] == steps[-1][1] == pack.manifest.size
    assert [each.name for each in packs.active()] == ["tiny 0.1.0"]
    assert verify(pack.path).manifest == pack.manifest


def test_a_folder_is_installed_too(packs: PackStore, tiny_pack: Path) -> None:
    assert verify(packs.install(tiny_pack).path)


def test_a_newer_version_takes_over_and_the_older_can_be_taken_back(packs: PackStore, tiny_pack: Path) -> None:
    packs.install(tiny_pack)
    packs.install(with_version(tiny_pack, "0.2.0"))
    assert [each.name for each in packs.active()] == ["tiny 0.2.0"]
    packs.activate("tiny", "0.1.0")
    assert [each.name for each in packs.active()] == ["tiny 0.1.0"]
    with pytest.raises(PackNotInstalledError):
        packs.activate("tiny", "9.9.9")
    with pytest.raises(PackNotInstalledError):
        packs.activate("../tiny", "0.1.0")


def test_versions_are_compared_as_numbers(packs: PackStore, tiny_pack: Path, tmp_path: Path) -> None:
    for version in ("0.9.0", "0.10.0"):
        shutil.copytree(tiny_pack, tmp_path / "shipped" / "tiny" / version)
        with_version(tmp_path / "shipped" / "tiny" / version, version)
    assert packs.active()[0].manifest.version == "0.10.0"


def test_the_same_version_again_replaces_it(packs: PackStore, tiny_archive: Path) -> None:
    pack = packs.install(tiny_archive)
    (pack.path / "spm.model").write_bytes(b"damaged")
    assert verify(packs.install(tiny_archive).path)


def test_a_damaged_pack_changes_nothing(packs: PackStore, tiny_pack: Path) -> None:
    packs.install(tiny_pack)
    with_version(tiny_pack, "0.2.0")
    (tiny_pack / "spm.model").write_bytes(b"x" * (tiny_pack / "spm.model").stat().st_size)
    with pytest.raises(PackFileError):
        packs.install(tiny_pack)
    assert [each.name for each in packs.active()] == ["tiny 0.1.0"]


@pytest.mark.parametrize("cut_at", ["copy", "rename", "activate"])
def test_a_power_cut_while_installing_leaves_the_old_version_in_use(
    packs: PackStore, tiny_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_at: str
) -> None:
    packs.install(tiny_pack)
    with_version(tiny_pack, "0.2.0")

    class PowerCut(BaseException):
        pass

    def cut(*_args: object, **_kwargs: object) -> None:
        raise PowerCut

    with monkeypatch.context() as patch:
        if cut_at == "copy":
            patch.setattr(os, "fsync", cut)
        elif cut_at == "rename":
            patch.setattr(Path, "rename", cut)
        else:
            patch.setattr(choice, "write_atomically", cut)
        with pytest.raises(PowerCut):
            packs.install(tiny_pack)
    (active,) = packs.active()
    assert active.manifest.version == "0.1.0"
    assert verify(active.path)


def test_what_a_cut_installation_left_is_removed_by_the_next(packs: PackStore, tiny_pack: Path, tmp_path: Path) -> None:
    leftover = tmp_path / "installed" / ".installing-old"
    leftover.mkdir(parents=True)
    (leftover / "half").write_bytes(b"x")
    packs.install(tiny_pack)
    assert not leftover.exists()


def test_no_room_is_said_before_anything_is_copied(
    packs: PackStore, tiny_archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(total=1, used=1, free=1000))
    with pytest.raises(DiskFullError):
        packs.install(tiny_archive)
    assert [path.name for path in (tmp_path / "installed").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    "change",
    [
        lambda name, data: ("../" + name, data) if name == "spm.model" else (name, data),
        lambda name, data: ("/tmp/" + name, data) if name == "spm.model" else (name, data),
        lambda name, data: None if name == "spm.model" else (name, data),
        lambda name, data: (name, data + b"x" if name == "spm.model" else data),
        lambda name, data: (name, data[:-1] if name == "spm.model" else data),
        lambda name, data: (name, bytes(len(data)) if name == "spm.model" else data),
        lambda name, data: None if name == "pack.toml" else (name, data),
    ],
    ids=["parent", "absolute", "missing", "longer", "shorter", "other content", "no manifest"],
)
def test_an_archive_that_is_not_what_its_manifest_says_is_refused(
    packs: PackStore,
    tiny_archive: Path,
    tmp_path: Path,
    change: Callable[[str, bytes], tuple[str, bytes] | None],
) -> None:
    with pytest.raises((PackArchiveError, PackFileError)):
        packs.install(rezip(tiny_archive, tmp_path / "odd.pack", change))
    assert packs.active() == []
    assert not (tmp_path / "spm.model").exists()


def test_an_extra_member_is_refused(packs: PackStore, tiny_archive: Path) -> None:
    with zipfile.ZipFile(tiny_archive, "a") as zipped:
        zipped.writestr("run.sh", "#!/bin/sh")
    with pytest.raises(PackArchiveError, match=r"run\.sh"):
        packs.install(tiny_archive)


@pytest.mark.parametrize("keep", [0, 10, 1000, -30])
def test_a_truncated_archive_is_refused(packs: PackStore, tiny_archive: Path, keep: int) -> None:
    tiny_archive.write_bytes(tiny_archive.read_bytes()[:keep])
    with pytest.raises(PackArchiveError, match="damaged"):
        packs.install(tiny_archive)


def test_a_flipped_bit_anywhere_in_an_archive_never_installs_another_pack(
    packs: PackStore, tiny_archive: Path, tiny_pack: Path
) -> None:
    whole = tiny_archive.read_bytes()
    for position in range(0, len(whole), len(whole) // 150):
        changed = bytearray(whole)
        changed[position] ^= 0x10
        tiny_archive.write_bytes(changed)
        try:
            pack = packs.install(tiny_archive)
        except BarazaError:
            continue
        # Some bits of a ZIP mean nothing (a date, a flag): then the files must be those of the pack.
        for file in pack.manifest.files:
            assert (pack.path / file.path).read_bytes() == (tiny_pack / file.path).read_bytes()


def test_a_pack_whose_manifest_cannot_be_read_is_passed_over(packs: PackStore, tiny_pack: Path, tmp_path: Path) -> None:
    packs.install(tiny_pack)
    broken = tmp_path / "installed" / "tiny" / "0.2.0"
    broken.mkdir()
    (broken / "pack.toml").write_text("name = ")
    assert [each.name for each in packs.active()] == ["tiny 0.1.0"]
    with pytest.raises(PackManifestError):
        verify(broken)
    assert broken in list(packs.folders())


def test_the_same_pack_makes_the_same_archive(tiny_pack: Path, tmp_path: Path) -> None:
    archive.create(tiny_pack, tmp_path / "one.pack")
    for path in tiny_pack.iterdir():
        os.utime(path, (1, 1))
    archive.create(tiny_pack, tmp_path / "two.pack")
    assert (tmp_path / "one.pack").read_bytes() == (tmp_path / "two.pack").read_bytes()
