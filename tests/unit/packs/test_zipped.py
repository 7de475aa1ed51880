"""An archive is read in one way or not at all: every attack here is refused for its own reason."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.errors import PackArchiveError
from appliance.packs import zipped
from appliance.packs.zipped import BLOCK, Member, Writer, read_blocks, read_members, read_whole
from tests.unit.packs.forged import FULL, Part, both, deflate, forge, zip64

A, B = Part(b"a.bin"), Part(b"b.bin", b"seven hens " * 50)


def wrong(reason: str) -> PackArchiveError:
    return PackArchiveError(archive="it", reason=reason)


def read(raw: bytes, folder: Path, most: int = 10) -> dict[str, bytes]:
    """The members of the archive `raw`, unpacked."""
    path = folder / "it.pack"
    path.write_bytes(raw)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        members = read_members(descriptor, most, wrong)
        return {each.name: read_whole(descriptor, each, 2**24, wrong) for each in members}
    finally:
        os.close(descriptor)


def named(name: bytes) -> bytes:
    return forge(Part(name))


def quoted() -> bytes:
    """Two members share their data: the directory is honest of each, and the first seems to hold the second."""
    inner = forge(B)[: -22 - 46 - len(B.name)]
    return forge(Part(b"a.bin", inner), Part(b"b.bin", B.content, data=b"", entry={"at": 30 + 5}))


# name of the attack → the archive, and why it is refused
ATTACKS: dict[str, tuple[Callable[[], bytes], str]] = {
    "absolute name": (lambda: named(b"/etc/passwd"), "not a plain relative path"),
    "parent folder": (lambda: named(b"../evil"), "not a plain relative path"),
    "parent folder inside": (lambda: named(b"a/../../evil"), "not a plain relative path"),
    "dot folder": (lambda: named(b"./a.bin"), "not a plain relative path"),
    "backslash": (lambda: named(b"..\\evil"), "not a plain relative path"),
    "drive letter": (lambda: named(b"C:evil"), "not a plain relative path"),
    "hidden name": (lambda: named(b".profile"), "not a plain relative path"),
    "double slash": (lambda: named(b"a//b"), "not a plain relative path"),
    "folder": (lambda: named(b"folder/"), "not a plain relative path"),
    "empty name": (lambda: named(b""), "not a plain relative path"),
    "line break in a name": (lambda: named(b"a.bin\nb.bin"), "not a plain relative path"),
    "control character in a name": (lambda: named(b"a\x1b[2J.bin"), "not a plain relative path"),
    "NUL in a name": (lambda: named(b"a.bin\0.txt"), "not a plain relative path"),
    "name too long": (lambda: named(b"a" * 201), "not a plain relative path"),
    "two forms of one letter": (lambda: named("a\u0301.bin".encode()), "not a plain relative path"),
    "letter that folds to another": (lambda: named("\u212a.bin".encode()), "not a plain relative path"),
    "link": (lambda: forge(Part(b"a.bin", b"/etc/passwd", entry={"outer": 0o120777 << 16})), "link, a folder or a"),
    "device": (lambda: forge(Part(entry={"outer": 0o060660 << 16})), "link, a folder or a device"),
    "pipe": (lambda: forge(Part(entry={"outer": 0o010660 << 16})), "link, a folder or a device"),
    "folder of DOS": (lambda: forge(Part(b"a", b"", entry={"outer": 0x10})), "a member is a folder"),
    "same name twice": (lambda: forge(A, Part(b"a.bin", b"other")), "two of its members have the same name"),
    "same name but for case": (lambda: forge(A, Part(b"A.BIN", b"other")), "two of its members have the same name"),
    "encrypted": (lambda: forge(Part(**both(flags=1))), "is encrypted"),
    "encrypted strongly": (lambda: forge(Part(**both(flags=0x40))), "is encrypted"),
    "size after the data": (lambda: forge(Part(**both(flags=8))), "does not say its size before"),
    "patched data": (lambda: forge(Part(**both(flags=0x20))), "does not say its size before"),
    "unknown compression": (lambda: forge(Part(**both(method=14))), "compressed in a way that no pack is"),
    "stored with two sizes": (lambda: forge(Part(**both(size=5))), "has two sizes"),
    "something put before": (lambda: forge(A, before=b"#!/bin/sh\n", shift=10), "not reach from its members"),
    "something put before, places told": (lambda: forge(A, before=b"#!/bin/sh\n"), "something before or between"),
    "something put after": (lambda: forge(A, after=b"trailer"), "put after its end"),
    "comment after the end": (lambda: forge(A, after=b"hello", comment=5), "put after its end"),
    "second end in the comment": (
        lambda: forge(A, after=forge(B), comment=len(forge(B))),
        "not reach from its members",
    ),
    "something between members": (lambda: forge(A, Part(b"b.bin", gap=b"hidden")), "something before or between"),
    "hidden member": (
        lambda: forge(A, Part(b"b.bin", gap=forge(Part(b"pack.toml"))[:-22])),
        "something before or between",
    ),
    "something before the directory": (lambda: forge(A, between=b"hidden"), "between its members and its directory"),
    "overlapping members": (quoted, "members overlap"),
    "same data twice": (lambda: forge(A, Part(b"b.bin", A.content, entry={"at": 0})), "members overlap"),
    "other name in the header": (lambda: forge(Part(local={"name": b"b.bin"})), "do not say the same"),
    "other size in the header": (lambda: forge(Part(local={"size": 5, "packed": 5})), "do not say the same"),
    "other checksum in the header": (lambda: forge(Part(local={"crc": 1})), "do not say the same"),
    "other compression in the header": (lambda: forge(Part(local={"method": 8})), "do not say the same"),
    "encrypted in the header only": (lambda: forge(Part(local={"flags": 1})), "do not say the same"),
    "no header": (lambda: forge(A).replace(b"PK\3\4", b"XX\3\4"), "not where the directory says"),
    "too many members": (lambda: forge(*(Part(b"%d" % number) for number in range(11))), "more than 10"),
    "fewer members than told": (lambda: forge(A, here=2, count=2), "directory is cut short"),
    "more members than told": (lambda: forge(A, B, here=1, count=1), "directory has more than its members"),
    "something in the directory": (lambda: forge(A, tail=b"hidden"), "directory has more than its members"),
    "huge directory": (lambda: forge(A, tail=b"\0" * 300), "too long for its members"),
    "directory elsewhere": (lambda: forge(A, begin=0), "not reach from its members to its end"),
    "no directory": (lambda: forge(A).replace(b"PK\1\2", b"XX\1\2"), "its directory is damaged"),
    "name longer than the directory": (
        lambda: forge(A).replace(struct.pack("<3H", 5, 0, 0), struct.pack("<3H", 99, 0, 0)),
        "directory is cut short",
    ),
    "comment of a member": (lambda: forge(Part(entry={"comment": b"hello"})), "has a comment, or is elsewhere"),
    "member on another disk": (lambda: forge(Part(entry={"disk": 1})), "has a comment, or is elsewhere"),
    "part of several": (lambda: forge(A, disk=1), "a part of several"),
    "counts that differ": (lambda: forge(A, here=0), "a part of several"),
    "name in an extra field": (
        lambda: forge(Part(**both(extra=struct.pack("<2HBI", 0x7075, 12, 1, zlib.crc32(b"a.bin")) + b"../evil"))),
        "fields that no pack needs",
    ),
    "ZIP64 not needed": (lambda: forge(Part(**both(extra=zip64(12, 12)))), "fields that no pack needs"),
    "ZIP64 missing": (lambda: forge(Part(**both(size=FULL))), "fields that no pack needs, or lacks one"),
    "ZIP64 with too little": (
        lambda: forge(Part(**both(size=FULL, packed=FULL, extra=zip64(12)))),
        "fields that no pack needs, or lacks one",
    ),
    "ZIP64 with another length": (
        lambda: forge(Part(**both(size=FULL, extra=zip64(12, length=16)))),
        "fields that no pack needs, or lacks one",
    ),
    "ZIP64 that says another size": (
        lambda: forge(Part(**both(size=FULL, packed=FULL, extra=zip64(12, 2**40)))),
        "has two sizes",
    ),
    "ZIP64 end that says another place": (lambda: forge(A, wide={"begin": 5}), "two ends do not say the same"),
    "ZIP64 end elsewhere": (lambda: forge(A, wide={"at": 0}), "ZIP64 end is not where it should be"),
    "ZIP64 end before a hole": (lambda: forge(A, wide={"hole": 9}), "ZIP64 end is not where it should be"),
    "ZIP64 end on two disks": (lambda: forge(A, wide={"disks": 2}), "ZIP64 end is not where it should be"),
    "ZIP64 end with more": (lambda: forge(A, wide={"size": 60}), "ZIP64 end is not of its form"),
    "ZIP64 end with two counts": (lambda: forge(A, wide={"here": 2}), "ZIP64 end is not of its form"),
    "unpacks to more": (lambda: forge(Part(b"a.bin", b"x" * 5000, 8, **both(size=100))), "unpacks to more than"),
    "bomb": (lambda: forge(Part(b"a.bin", bytes(2**23), 8, **both(size=100))), "unpacks to more than the 100"),
    "unpacks to less": (lambda: forge(Part(b"a.bin", b"x" * 50, 8, **both(size=100))), "does not unpack to the 100"),
    "something after what is packed": (
        lambda: forge(Part(b"a.bin", b"x" * 50, 8, data=deflate(b"x" * 50) + b"hidden")),
        "does not unpack to the 50 bytes",
    ),
    "packed data cut short": (
        lambda: forge(Part(b"a.bin", b"goats " * 50, 8, data=deflate(b"goats " * 50)[:-4])),
        "damaged or cut short",
    ),
    "packed data damaged": (lambda: forge(Part(b"a.bin", b"x" * 50, 8, data=b"\xff" * 20)), "a.bin is damaged"),
    "content damaged": (lambda: forge(Part(data=b"twelve ghost")), r"it is damaged \(a.bin\)"),
    "nothing": (lambda: b"", "damaged or cut short"),
    "no ZIP": (lambda: b"PK, but no ZIP, although it is long enough for one", "damaged or cut short"),
    "data missing": (lambda: forge(Part(**both(packed=10_000, size=10_000))), "its members overlap|directory"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused(attack: str, tmp_path: Path) -> None:
    make, reason = ATTACKS[attack]
    with pytest.raises(PackArchiveError, match=reason):
        read(make(), tmp_path)


def test_what_is_in_order_is_read(tmp_path: Path) -> None:
    packed = Part(b"in/c.txt", b"goats and hens " * 200_000, 8)
    found = read(forge(A, B, packed, Part(b"empty", b"")), tmp_path)
    assert found == {"a.bin": A.content, "b.bin": B.content, "in/c.txt": packed.content, "empty": b""}


def test_nothing_packed_by_deflate_is_read(tmp_path: Path) -> None:
    assert read(forge(Part(b"empty", b"", 8)), tmp_path) == {"empty": b""}


def test_what_fills_whole_blocks_of_deflate_is_read(tmp_path: Path) -> None:
    content = bytes(3 * BLOCK)
    assert read(forge(Part(b"a.bin", content, 8)), tmp_path) == {"a.bin": content}


def test_zip64_is_read_where_it_says_the_truth(tmp_path: Path) -> None:
    wide = zip64(len(B.content), len(B.content))
    part = Part(B.name, B.content, **both(size=FULL, packed=FULL, extra=wide))
    assert read(forge(A, part, wide={}), tmp_path) == {"a.bin": A.content, "b.bin": B.content}
    assert read(forge(A, wide={}, begin=FULL, length=FULL, count=0xFFFF, here=0xFFFF), tmp_path)


def test_archives_of_other_tools_are_read(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", method) as archive:
            archive.writestr("a.bin", A.content)
            archive.writestr("b.bin", B.content)
        assert read(made.getvalue(), tmp_path) == {"a.bin": A.content, "b.bin": B.content}


def test_every_single_byte_changed_is_refused_or_means_nothing(tmp_path: Path) -> None:
    """What is not refused must be read as it was: dates, versions and attributes are all that may differ."""
    raw = forge(A, Part(b"b.bin", b"goats " * 20, 8))
    whole = read(raw, tmp_path)
    for place in range(len(raw)):
        for change in (0x01, 0x80):
            changed = bytearray(raw)
            changed[place] ^= change
            try:
                found = read(bytes(changed), tmp_path)
            except PackArchiveError:
                continue
            assert found == whole, place


def test_every_cut_is_refused(tmp_path: Path) -> None:
    raw = forge(A, B)
    for length in range(len(raw)):
        with pytest.raises(PackArchiveError):
            read(raw[:length], tmp_path)


def test_a_large_member_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "it.pack"
    path.write_bytes(forge(A))
    descriptor = os.open(path, os.O_RDONLY)
    (member,) = read_members(descriptor, 1, wrong)
    with pytest.raises(PackArchiveError, match="larger than 5 bytes"):
        read_whole(descriptor, member, 5, wrong)
    os.close(descriptor)


def test_blocks_come_in_a_ring_of_memory(tmp_path: Path) -> None:
    path = tmp_path / "it"
    content = os.urandom(10 * BLOCK + 17)
    path.write_bytes(content)
    descriptor = os.open(path, os.O_RDONLY)
    member = Member("it", len(content), len(content), False, 0, 0)
    digest = hashlib.sha256()
    seen = []
    for block in read_blocks(descriptor, member, wrong):
        digest.update(block)
        seen.append(block)
    assert digest.digest() == hashlib.sha256(content).digest()
    assert len({id(block.obj) for block in seen if isinstance(block, memoryview)}) == zipped.RING
    os.close(descriptor)


def test_a_disk_that_gives_a_little_at_a_time_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preadv = os.preadv
    raw = forge(A, B)
    monkeypatch.setattr(zipped.os, "preadv", lambda where, views, at: preadv(where, [views[0][:7]], at))
    monkeypatch.setattr(zipped.os, "pread", lambda where, length, at: preadv_bytes(preadv, where, min(length, 7), at))
    assert read(raw, tmp_path) == {"a.bin": A.content, "b.bin": B.content}


def preadv_bytes(preadv: Callable[..., int], descriptor: int, length: int, at: int) -> bytes:
    block = bytearray(length)
    return bytes(block[: preadv(descriptor, [block], at)])


def test_a_stick_pulled_out_while_it_is_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.write_bytes(forge(A, B))
    descriptor = os.open(path, os.O_RDONLY)
    members = read_members(descriptor, 2, wrong)
    os.close(descriptor)
    for work in (lambda: list(read_blocks(descriptor, members[0], wrong)), lambda: _reread(descriptor)):
        with pytest.raises(PackArchiveError, match="cannot be read"):
            work()


def _reread(descriptor: int) -> None:
    zipped._read(descriptor, 0, 5, wrong)


def test_a_file_that_shrinks_while_it_is_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.write_bytes(forge(A, B))
    descriptor = os.open(path, os.O_RDONLY)
    members = read_members(descriptor, 2, wrong)
    os.truncate(path, 20)
    with pytest.raises(PackArchiveError, match="cut short"):
        list(read_blocks(descriptor, members[1], wrong))
    os.close(descriptor)


# Writing


def written(*parts: Part) -> bytes:
    out = io.BytesIO()
    archive = Writer(out)
    for part in parts:
        archive.add(part.name.decode(), [part.content[:5], part.content[5:]], len(part.content))
    archive.finish()
    return out.getvalue()


def test_what_is_written_is_the_same_bytes_for_ever() -> None:
    """A pack that was signed years ago must come out of a box as the very archive that was signed."""
    digest = hashlib.sha256(written(A, B)).hexdigest()
    assert written(A, B) == forge(A, B)
    assert digest == "e9fc3f2f179cdc6ec3e8b6db122f76e50cf58f1b4d6494211ab2972004c10789"


def test_what_is_written_is_read_by_us_and_by_others(tmp_path: Path) -> None:
    raw = written(A, B)
    assert read(raw, tmp_path) == {"a.bin": A.content, "b.bin": B.content}
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert archive.testzip() is None
        assert archive.read("b.bin") == B.content


class Sparse(io.RawIOBase):
    """A file of terabytes that keeps only what is not zeros."""

    def __init__(self) -> None:
        self.kept: dict[int, bytes] = {}
        self.place = self.length = 0

    def tell(self) -> int:
        return self.place

    def seek(self, place: int, whence: int = 0) -> int:
        self.place = place
        return place

    def write(self, block: object) -> int:
        view = bytes(memoryview(block)) if len(memoryview(block)) < BLOCK else b""  # type: ignore[arg-type]
        length = len(memoryview(block))  # type: ignore[arg-type]
        if view:
            self.kept[self.place] = view
        self.place += length
        self.length = max(self.length, self.place)
        return length


def test_what_is_larger_than_four_gigabytes_is_written_and_read_with_zip64(tmp_path: Path) -> None:
    size, block = 5 * 1024**3, memoryview(bytes(64 * BLOCK))
    out = Sparse()
    archive = Writer(out)  # type: ignore[arg-type]
    archive.add("large.bin", (block for _ in range(size // len(block))), size)
    archive.add("small.bin", [b"twelve goats"], 12)
    archive.finish()
    path = tmp_path / "large.pack"
    with path.open("wb") as file:  # with holes: it takes no room
        for place, content in out.kept.items():
            file.seek(place)
            file.write(content)
    with path.open("rb") as file:
        large, small = read_members(file.fileno(), 2, wrong)
        assert (large.size, large.packed, small.size) == (size, size, 12)
        assert small.start > FULL
        assert read_whole(file.fileno(), small, 100, wrong) == b"twelve goats"
    with zipfile.ZipFile(path) as other:
        assert [each.file_size for each in other.infolist()] == [size, 12]
        assert other.read("small.bin") == b"twelve goats"
