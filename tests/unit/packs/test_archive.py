"""The archive of a pack: only what its manifest lists comes out of it, and it can be made again as it was signed."""

from __future__ import annotations

import errno
import hashlib
import os
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.errors import (
    CancelledError,
    DiskFullError,
    PackArchiveError,
    PackError,
    PackFileError,
    PackManifestError,
    StorageError,
)
from appliance.limits import LIMITS
from appliance.packs import archive, copying
from appliance.packs.copying import Copying
from appliance.packs.manifest import MANIFEST
from tests.unit.packs.forged import Part, both, forge

PLAIN = """name = "plain"
version = "1.0.0"
kind = "knowledge"
title = "Plain"
languages = ["en"]
licence = "CC0-1.0"
about = ""
memory_bytes = 0
least_appliance = "0.1.0"
"""


def manifest(*files: tuple[str, bytes], text: str = PLAIN) -> bytes:
    """A `pack.toml` that lists `files`."""
    rows = (
        f'\n[[files]]\npath = "{name}"\nsize = {len(content)}\nsha256 = "{hashlib.sha256(content).hexdigest()}"\n'
        for name, content in files
    )
    return (text + "".join(rows)).encode()


def packed(
    *files: tuple[str, bytes], extra: tuple[Part, ...] = (), listed: bytes | None = None, method: int = 0
) -> bytes:
    """An archive with `files`, as its `pack.toml` says unless `listed` is another, and `extra` after them."""
    parts = [Part(name.encode(), content, method) for name, content in files]
    return forge(Part(MANIFEST.encode(), manifest(*files) if listed is None else listed, method), *parts, *extra)


GOATS, HENS = ("goats.md", b"goats " * 40), ("in/hens.md", b"hens " * 30)


@pytest.fixture
def put(tmp_path: Path) -> Callable[[bytes], Path]:
    def put(raw: bytes) -> Path:
        (tmp_path / "it.pack").write_bytes(raw)
        return tmp_path / "it.pack"

    return put


Put = Callable[[bytes], Path]

ATTACKS: dict[str, tuple[Callable[[], bytes], type[PackError], str]] = {
    "not in the manifest": (
        lambda: packed(GOATS, extra=(Part(b"run.sh"),)),
        PackArchiveError,
        "run.sh is not both in the archive and in",
    ),
    "second manifest": (
        lambda: packed(GOATS, extra=(Part(b"in/pack.toml"),)),
        PackArchiveError,
        "in/pack.toml is not both",
    ),
    "manifest but for case": (
        lambda: packed(GOATS, listed=manifest(GOATS, ("PACK.toml", b"x"))),
        PackManifestError,
        "named like the manifest",
    ),
    "missing": (lambda: packed(GOATS, listed=manifest(GOATS, HENS)), PackArchiveError, "in/hens.md is not both"),
    "longer than listed": (
        lambda: packed(("goats.md", b"goats and more"), listed=manifest(("goats.md", b"goats"))),
        PackArchiveError,
        "has 14 bytes, pack.toml says 5",
    ),
    "other content": (
        lambda: packed(("goats.md", b"goads"), listed=manifest(("goats.md", b"goats"))),
        PackFileError,
        "its content is not what pack.toml says",
    ),
    "other content, packed": (
        lambda: packed(("goats.md", b"goads"), listed=manifest(("goats.md", b"goats")), method=8),
        PackFileError,
        "its content is not what pack.toml says",
    ),
    "manifest not first": (
        lambda: forge(Part(b"goats.md", GOATS[1]), Part(b"pack.toml", manifest(GOATS))),
        PackArchiveError,
        "its first member is not pack.toml",
    ),
    "no manifest": (lambda: forge(), PackArchiveError, "its first member is not pack.toml"),
    "manifest damaged": (
        lambda: packed(GOATS).replace(b'"Plain"', b'"Plaim"'),
        PackArchiveError,
        r"it is damaged \(pack.toml\)",
    ),
    "manifest too large": (
        lambda: packed(GOATS, listed=manifest(GOATS) + b"#" * LIMITS.manifest_bytes),
        PackArchiveError,
        "larger than",
    ),
    "manifest is a bomb": (
        lambda: forge(Part(b"pack.toml", b"#" * 2**26, 8, **both(size=2**26))),
        PackArchiveError,
        "larger than",
    ),
    "manifest is a hidden bomb": (
        lambda: forge(Part(b"pack.toml", b"#" * 2**26, 8, **both(size=100))),
        PackArchiveError,
        "unpacks to more than the 100 bytes",
    ),
    "unpacks to a thousand times": (
        lambda: packed(("zeros.bin", bytes(2**23)), method=8),
        PackArchiveError,
        "unpacks to more than 100 times its size",
    ),
    "more than a pack may have": (
        lambda: packed(GOATS, listed=manifest(GOATS).replace(b"size = 240", b"size = 5000000000")),
        PackManifestError,
        "not a whole number from 0 to",
    ),
    "more than a pack may have together": (
        lambda: packed(GOATS, listed=b"\n".join(_huge(number) for number in range(3))),
        PackManifestError,
        "larger than 4294967296 bytes together",
    ),
    "file with the name of a folder": (
        lambda: packed(("a", b"x"), ("a/b", b"y")),
        PackManifestError,
        "name of a folder of another",
    ),
    "file with the name of a folder but for case": (
        lambda: packed(("A", b"x"), ("a/b", b"y")),
        PackManifestError,
        "name of a folder of another",
    ),
    "folder called as the manifest": (
        lambda: packed(("pack.toml/b", b"y")),
        PackManifestError,
        "name of a folder of another",
    ),
    "listed twice but for case": (
        lambda: packed(GOATS, listed=manifest(GOATS, ("GOATS.md", b"x"))),
        PackManifestError,
        "two of its files have the same name",
    ),
    "outside, and listed": (
        lambda: packed(GOATS, listed=manifest(GOATS, ("../evil", b"x"))),
        PackManifestError,
        "not a plain relative path",
    ),
    "more members than a pack may have": (
        lambda: packed(*((f"{number}.md", b"") for number in range(LIMITS.pack_files + 1))),
        PackArchiveError,
        "more than 2001",
    ),
}


def _huge(number: int) -> bytes:
    head = PLAIN.encode() if not number else b""
    return head + f'\n[[files]]\npath = "{number}"\nsize = {2**31}\nsha256 = "{"0" * 64}"\n'.encode()


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_and_leaves_nothing(attack: str, put: Put, tmp_path: Path) -> None:
    make, kind, reason = ATTACKS[attack]
    source = put(make())
    with pytest.raises(kind, match=reason):
        archive.extract(source, tmp_path / "box")
    with pytest.raises(kind, match=reason):
        archive.check(source)
    assert not (tmp_path / "evil").exists()


def test_an_attack_is_found_before_anything_is_written(put: Put, tmp_path: Path) -> None:
    with pytest.raises(PackArchiveError):
        archive.extract(put(packed(GOATS, extra=(Part(b"run.sh"),))), tmp_path / "box")
    assert not (tmp_path / "box").exists()


@pytest.mark.parametrize("method", [0, 8])
def test_a_pack_comes_out_as_it_went_in(put: Put, tmp_path: Path, method: int) -> None:
    told: list[tuple[int, int]] = []
    source = put(packed(GOATS, HENS, ("empty.md", b""), method=method))
    found = archive.extract(source, tmp_path / "box", progress=lambda done, total: told.append((done, total)))
    assert {path: (tmp_path / "box" / path).read_bytes() for path, _ in (GOATS, HENS)} == dict((GOATS, HENS))
    assert (tmp_path / "box" / MANIFEST).read_bytes() == manifest(GOATS, HENS, ("empty.md", b""))
    assert told[-1] == (found.size, found.size) == (390, 390)
    assert archive.check(source)[1] == (tmp_path / "box" / MANIFEST).read_bytes()


def test_an_installed_pack_becomes_the_archive_that_was_signed(put: Put, tmp_path: Path) -> None:
    folder = tmp_path / "factory"
    (folder / "in").mkdir(parents=True)
    for name, content in (GOATS, HENS, (MANIFEST, manifest(HENS, GOATS))):
        (folder / name).write_bytes(content)
    archive.create(folder, tmp_path / "signed.pack")
    archive.extract(tmp_path / "signed.pack", tmp_path / "box")
    archive.create(tmp_path / "box", tmp_path / "onward.pack")
    assert (tmp_path / "onward.pack").read_bytes() == (tmp_path / "signed.pack").read_bytes()
    with zipfile.ZipFile(tmp_path / "signed.pack") as opened:
        assert [each.filename for each in opened.infolist()] == [MANIFEST, "goats.md", "in/hens.md"]
        assert {each.compress_type for each in opened.infolist()} == {zipfile.ZIP_STORED}
        assert opened.testzip() is None


def test_a_damaged_pack_is_not_put_into_an_archive(tiny_pack: Path, tmp_path: Path) -> None:
    (tiny_pack / "words.en.txt").write_bytes(bytes(reversed((tiny_pack / "words.en.txt").read_bytes())))
    with pytest.raises(PackFileError, match=r"words\.en\.txt.*sha256"):
        archive.create(tiny_pack, tmp_path / "tiny.pack")
    (tiny_pack / "words.en.txt").write_bytes(b"short")
    with pytest.raises(PackFileError, match="has 5 bytes"):
        archive.create(tiny_pack, tmp_path / "tiny.pack")
    assert [path.name for path in tmp_path.iterdir()] == ["sources"]


def test_a_pack_that_is_not_the_one_expected_is_refused(put: Put, tiny_pack: Path, tmp_path: Path) -> None:
    source = put(packed(GOATS))
    digest = hashlib.sha256(manifest(GOATS)).hexdigest()
    assert archive.head(source, expected=digest).digest == digest
    for other in (source, tiny_pack):
        with pytest.raises(PackArchiveError, match="not the one that was expected"):
            archive.head(other, expected="0" * 64)
    with pytest.raises(PackArchiveError, match="not the one that was expected"):
        archive.extract(source, tmp_path / "box", expected="0" * 64)


def test_what_is_no_plain_file_does_not_hold_the_box(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pack")
    with pytest.raises(PackArchiveError, match="not a plain file"):
        archive.check(tmp_path / "pipe.pack")
    with pytest.raises(PackArchiveError, match="not a plain file"):
        archive.check(Path("/dev/zero"))
    with pytest.raises(PackArchiveError, match="no such file"):
        archive.check(tmp_path / "nothing.pack")
    with pytest.raises(PackArchiveError, match="cannot be opened"):
        archive.check(tmp_path / "pipe.pack" / "below.pack")


def test_a_large_pack_takes_little_memory(put: Put, tmp_path: Path) -> None:
    source = put(packed(("large.bin", os.urandom(2**20) * 48)))
    tracemalloc.start()
    try:
        archive.extract(source, tmp_path / "box")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * 2**20


def test_a_folder_is_copied_only_as_it_is_listed(tiny_pack: Path, tmp_path: Path) -> None:
    (tiny_pack / "words.en.txt").rename(tmp_path / "elsewhere")
    with pytest.raises(PackFileError, match="is missing"):
        archive.copy_folder(tiny_pack, tmp_path / "box")
    (tiny_pack / "words.en.txt").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PackFileError, match="is missing"):
        archive.copy_folder(tiny_pack, tmp_path / "box2")
    (tiny_pack / MANIFEST).unlink()
    with pytest.raises(PackManifestError, match="cannot be read"):
        archive.head(tiny_pack)


def test_a_file_that_may_not_be_read_is_said(tiny_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = os.open

    def refuse(path: object, *arguments: object, **more: object) -> int:
        if str(path).endswith("spm.model"):
            raise OSError(errno.EIO, "Input/output error")
        return plain(path, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(archive.os, "open", refuse)
    with pytest.raises(PackFileError, match=r"spm.model: cannot be read \(Input/output error\)"):
        archive.copy_folder(tiny_pack, tmp_path / "box")


# What the disk does


def full_after(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk takes `count` bytes and no more."""
    left, write = count, os.write

    def take(descriptor: int, block: memoryview) -> int:
        nonlocal left
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = write(descriptor, block[:left])
        left -= taken
        return taken

    monkeypatch.setattr(copying.os, "write", take)


def test_a_disk_that_is_full_in_the_middle_is_said(put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full_after(300, monkeypatch)
    with pytest.raises(DiskFullError):
        archive.extract(put(packed(GOATS, HENS)), tmp_path / "box")


def test_what_the_disk_takes_in_parts_is_written_whole(
    put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(copying.os, "write", lambda descriptor, block: write(descriptor, block[:7]))
    archive.extract(put(packed(GOATS)), tmp_path / "box")
    assert (tmp_path / "box" / "goats.md").read_bytes() == GOATS[1]


@pytest.mark.parametrize("call", ["fsync", "fdatasync"])
def test_a_flush_that_fails_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(copying.os, call, fail)
    monkeypatch.setattr(copying, "FLUSHED", 10)
    with Copying(100) as copying_, pytest.raises(StorageError, match="Input/output error"):
        copying_.write([b"twelve goats", b"seven hens, and more"], tmp_path / "it")


def test_what_was_written_is_flushed_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    flush = os.fdatasync

    def note(descriptor: int) -> None:
        flush(descriptor)
        flushed.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(copying.os, "fdatasync", note)
    monkeypatch.setattr(copying, "FLUSHED", 20)
    with Copying(100) as under_way:
        assert under_way.write([b"0123456789"] * 7, tmp_path / "it") == hashlib.sha256(b"0123456789" * 7).hexdigest()
    assert len(flushed) == 3
    assert flushed[0] >= 20


def test_a_copy_that_nobody_wants_any_more_ends(put: Put, tmp_path: Path) -> None:
    asked: list[bool] = []

    def cancelled() -> bool:
        asked.append(True)
        return len(asked) > 1

    with pytest.raises(CancelledError):
        archive.extract(put(packed(GOATS, HENS)), tmp_path / "box", cancelled=cancelled)
    assert len(asked) == 2


def test_more_blocks_than_the_ring_has_are_hashed_in_their_order(tmp_path: Path) -> None:
    content = os.urandom(30)
    blocks = [content[place : place + 1] for place in range(30)]
    with Copying(30) as under_way:
        assert under_way.read(blocks) == hashlib.sha256(content).hexdigest()


def test_the_room_that_a_pack_takes_is_asked_for_with_the_reserve(
    put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = put(packed(GOATS))
    needs = archive.head(source).room + LIMITS.disk_reserve_bytes
    for free, fits in ((needs, True), (needs - 1, False)):
        usage = replace_free(free)
        monkeypatch.setattr(archive.shutil, "disk_usage", usage)
        if fits:
            archive.check_room(tmp_path, archive.head(source), LIMITS)
        else:
            with pytest.raises(DiskFullError):
                archive.check_room(tmp_path, archive.head(source), LIMITS)


def replace_free(free: int) -> Callable[[Path], object]:
    class Usage:
        def __init__(self) -> None:
            self.free = free

    return lambda _folder: Usage()


def test_limits_are_those_that_are_given(put: Put, tmp_path: Path) -> None:
    small = replace(LIMITS, manifest_bytes=100)
    with pytest.raises(PackArchiveError, match="larger than 100 bytes"):
        archive.extract(put(packed(GOATS)), tmp_path / "box", small)
