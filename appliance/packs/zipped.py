"""The bytes of a `.pack`: a ZIP of one plain layout, and nothing else that a ZIP could be.

A member's header, its data, the next member's header, … , the directory, the end. No gap, no overlap, nothing before or
after, no comment, no encryption, no name that is not a plain relative path, and a directory that says of each member
what the member's own header says. Readers of ZIP differ in what they forgive, and attacks live in the difference; here
nothing is forgiven, so that there is one way only to read an archive. Written are stored members only; deflated ones,
as packs had them before, are still read. Why so: docs/decisions/0022-installing.md.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from appliance.errors import PackArchiveError
from appliance.packs.manifest import is_plain_path

BLOCK = 1024 * 1024  # bytes
RING = 6  # blocks in turn, so that those handed out may still be worked on while the next is read

LOCAL = struct.Struct("<4s5H3I2H")  # sign, version, flags, method, time, date, crc, packed, size, name, extra
ENTRY = struct.Struct("<4s6H3I5H2I")  # sign, made by, version, …, size, name, extra, comment, disk, inner, outer, at
END = struct.Struct("<4s4H2IH")  # sign, disk, its disk, entries here, entries, length, at, comment
END64 = struct.Struct("<4sQ2H2I4Q")  # sign, length, made by, version, disk, its disk, entries here, entries, length, at
LOCATOR = struct.Struct("<4sIQI")  # sign, disk, at, disks
LOCAL_SIGN, ENTRY_SIGN, END_SIGN = b"PK\3\4", b"PK\1\2", b"PK\5\6"
END64_SIGN, LOCATOR_SIGN = b"PK\6\6", b"PK\6\7"

STORED, DEFLATED = 0, 8
FULL, FULL_COUNT = 0xFFFFFFFF, 0xFFFF  # the true number stands in a field of ZIP64
FLAGS = 0x0806  # how hard deflate tried, and “names are UTF-8”: they change nothing
ENCRYPTED = 0x2041  # by either of the two ways of ZIP, or the directory
ZIP64 = 1  # the only extra field that a pack may need
VERSION, VERSION64, UNIX = 20, 45, 3
EPOCH = (0, 33)  # time and date of every member: 1980-01-01
REGULAR = (stat.S_IFREG | 0o644) << 16
FOLDER_OR_LABEL = 0x18  # attributes of DOS
LONGEST = ENTRY.size + 200 + 28  # bytes of an entry of the directory

Wrong = Callable[[str], PackArchiveError]
Block = bytes | memoryview


@dataclass(frozen=True)
class Member:
    """A file in an archive: `packed` bytes from `start` on, that unpack to `size`."""

    name: str
    size: int
    packed: int
    deflated: bool
    crc: int
    start: int


@dataclass(frozen=True)
class _Head:
    """What a header says of its member; its own and the directory's must say the same."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int


@dataclass(frozen=True)
class _End:
    count: int
    length: int
    begin: int


# Reading


def read_members(descriptor: int, most: int, wrong: Wrong) -> tuple[Member, ...]:
    """The members of the archive behind `descriptor`, in their order, which is that of their data.

    Raises:
        PackArchiveError: `wrong(reason)`; it has more than `most` members, or is not of the layout above.
    """
    end = _read_end(descriptor, wrong)
    if end.count > most:
        raise wrong(f"it has {end.count} members, more than {most}")
    if end.length > end.count * LONGEST:
        raise wrong("its directory is too long for its members")
    raw = _read(descriptor, end.begin, end.length, wrong)
    members: list[Member] = []
    at, place = 0, 0
    for _ in range(end.count):
        head, offset, place = _read_entry(raw, place, wrong)
        if offset != at:
            raise wrong("its members overlap, or there is something before or between them")
        member = _member(descriptor, head, at, wrong)
        at = member.start + member.packed
        members.append(member)
    if place != len(raw):
        raise wrong("its directory has more than its members")
    if at != end.begin:
        raise wrong("there is something between its members and its directory")
    names = {member.name.casefold() for member in members}
    if len(names) != len(members):
        raise wrong("two of its members have the same name")
    return tuple(members)


def read_whole(descriptor: int, member: Member, most: int, wrong: Wrong) -> bytes:
    """All of a small member, of `most` bytes, its checksum compared. Raises PackArchiveError."""
    if member.size > most:
        raise wrong(f"{member.name} is larger than {most} bytes")
    content = b"".join(bytes(block) for block in read_blocks(descriptor, member, wrong))
    if zlib.crc32(content) != member.crc:
        raise wrong(f"it is damaged ({member.name})")
    return content


def read_blocks(descriptor: int, member: Member, wrong: Wrong) -> Iterator[Block]:
    """The content of `member`, exactly as many bytes as it says; a block is overwritten when RING - 1 more were taken.

    Its checksum is not compared: who takes the blocks knows their sha256.

    Raises:
        PackArchiveError: it unpacks to more or less, or cannot be read.
    """
    return (_inflated if member.deflated else _stored)(descriptor, member, wrong)


def _stored(descriptor: int, member: Member, wrong: Wrong) -> Iterator[Block]:
    yield from blocks_of(descriptor, member.start, member.size, wrong)


def blocks_of(descriptor: int, start: int, size: int, wrong: Callable[[str], Exception]) -> Iterator[memoryview]:
    """`size` bytes of a file from `start` on; a block is overwritten when RING - 1 more were taken."""
    length = max(1, min(BLOCK, size))
    ring: list[memoryview] = []
    done = number = 0
    while done < size:
        if len(ring) < RING:
            ring.append(memoryview(bytearray(length)))
        view = ring[number % RING][: min(length, size - done)]
        try:
            count = os.preadv(descriptor, [view], start + done)
        except OSError as error:
            raise wrong(f"it cannot be read ({error.strerror})") from error
        if not count:
            raise wrong("it is damaged or cut short")
        yield view[:count]
        done += count
        number += 1


def _inflated(descriptor: int, member: Member, wrong: Wrong) -> Iterator[Block]:
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    left, packed = member.size, member.packed
    while not engine.eof:
        rest = engine.unconsumed_tail
        if not rest and packed:
            rest = _read(descriptor, member.start + member.packed - packed, min(BLOCK, packed), wrong)
            packed -= len(rest)
        try:
            block = engine.decompress(rest, BLOCK)
        except zlib.error as error:
            raise wrong(f"{member.name} is damaged ({error})") from error
        left -= len(block)
        if left < 0:
            raise wrong(f"{member.name} unpacks to more than the {member.size} bytes it says")
        if block:
            yield block
        elif not rest and not engine.eof:
            raise wrong(f"{member.name} is damaged or cut short")
    if left or packed or engine.unused_data:
        raise wrong(f"{member.name} does not unpack to the {member.size} bytes it says")


def _read_end(descriptor: int, wrong: Wrong) -> _End:
    """Where the directory is; it ends where the end begins, and the end is the end of the file."""
    at = os.fstat(descriptor).st_size - END.size
    if at < 0:
        raise wrong("it is damaged or cut short")
    sign, disk, its_disk, here, count, length, begin, comment = END.unpack(_read(descriptor, at, END.size, wrong))
    if sign != END_SIGN or comment:
        raise wrong("it is damaged or cut short, or something was put after its end")
    if disk or its_disk or here != count:
        raise wrong("it is a part of several")
    end = _End(count, length, begin)
    raw = _read(descriptor, at - LOCATOR.size, LOCATOR.size, wrong) if at >= LOCATOR.size else b""
    if raw.startswith(LOCATOR_SIGN):
        at, wide = _read_end64(descriptor, raw, at - LOCATOR.size, wrong)
        pairs = ((count, FULL_COUNT, wide.count), (length, FULL, wide.length), (begin, FULL, wide.begin))
        if any(narrow not in (full, true) for narrow, full, true in pairs):
            raise wrong("its two ends do not say the same")
        end = wide
    if end.begin + end.length != at:
        raise wrong("its directory does not reach from its members to its end")
    return end


def _read_end64(descriptor: int, locator: bytes, before: int, wrong: Wrong) -> tuple[int, _End]:
    """Where the end of ZIP64 begins, and what it says; it lies just before its locator."""
    _, disk, at, disks = LOCATOR.unpack(locator)
    if at != before - END64.size or disk or disks != 1:
        raise wrong("its ZIP64 end is not where it should be")
    sign, size, _, _, disk, its_disk, here, count, length, begin = END64.unpack(
        _read(descriptor, at, END64.size, wrong)
    )
    if (sign, size, disk, its_disk, here) != (END64_SIGN, END64.size - 12, 0, 0, count):
        raise wrong("its ZIP64 end is not of its form")
    return at, _End(count, length, begin)


def _read_entry(raw: bytes, place: int, wrong: Wrong) -> tuple[_Head, int, int]:
    """What the directory says of a member, where that is, and where the next entry begins."""
    if place + ENTRY.size > len(raw):
        raise wrong("its directory is cut short")
    sign, *_, flags, method, _, _, crc, packed, size, name_length, extra_length, comment, disk, _, outer, at = (
        ENTRY.unpack_from(raw, place)
    )
    if sign != ENTRY_SIGN:
        raise wrong("its directory is damaged")
    name_begin = place + ENTRY.size
    extra_begin = name_begin + name_length
    following = extra_begin + extra_length
    if following > len(raw):
        raise wrong("its directory is cut short")
    if comment or disk:
        raise wrong("a member has a comment, or is elsewhere")
    _check_kind(outer, wrong)
    size, packed, at = _widened((size, packed, at), raw[extra_begin:following], wrong)
    return _Head(raw[name_begin:extra_begin], flags, method, crc, packed, size), at, following


def _check_kind(outer: int, wrong: Wrong) -> None:
    """Refuse what is not a plain file, whatever system it says it was made on."""
    kind = stat.S_IFMT(outer >> 16)
    if kind not in (0, stat.S_IFREG):
        raise wrong("a member is a link, a folder or a device")
    if outer & FOLDER_OR_LABEL:
        raise wrong("a member is a folder")


def _member(descriptor: int, head: _Head, at: int, wrong: Wrong) -> Member:
    """The member whose header is `at`, which must say what the directory does."""
    raw = _read(descriptor, at, LOCAL.size, wrong)
    sign, _, flags, method, _, _, crc, packed, size, name_length, extra_length = LOCAL.unpack(raw)
    if sign != LOCAL_SIGN:
        raise wrong("a member is not where the directory says")
    rest = _read(descriptor, at + LOCAL.size, name_length + extra_length, wrong)
    size, packed = _widened((size, packed), rest[name_length:], wrong)
    if _Head(rest[:name_length], flags, method, crc, packed, size) != head:
        raise wrong("a member and the directory do not say the same")
    name = _plain_name(head.name, wrong)
    if flags & ENCRYPTED:
        raise wrong(f"{name} is encrypted")
    if flags & ~FLAGS:
        raise wrong(f"{name} does not say its size before its data")
    if method not in (STORED, DEFLATED):
        raise wrong(f"{name} is compressed in a way that no pack is ({method})")
    if method == STORED and packed != size:
        raise wrong(f"{name} has two sizes")
    return Member(name, size, packed, method == DEFLATED, crc, at + LOCAL.size + len(rest))


def _plain_name(raw: bytes, wrong: Wrong) -> str:
    name = raw.decode("ascii", errors="replace")  # what is not ASCII is refused with the rest
    if not is_plain_path(name):
        raise wrong(f"it has a member called {name[:80]!r}, which is not a plain relative path")
    return name


def _widened(fields: tuple[int, ...], extra: bytes, wrong: Wrong) -> tuple[int, ...]:
    """`fields`, with those that are full taken from `extra`: the field of ZIP64 with just these, and no other field."""
    full = fields.count(FULL)
    if not full and not extra:
        return fields
    form = struct.Struct(f"<2H{full}Q")
    if not full or len(extra) != form.size or form.unpack(extra)[:2] != (ZIP64, 8 * full):
        raise wrong("a member has fields that no pack needs, or lacks one")
    wide = iter(form.unpack(extra)[2:])
    return tuple(next(wide) if field == FULL else field for field in fields)


def _read(descriptor: int, at: int, length: int, wrong: Wrong) -> bytes:
    """Exactly `length` bytes. Raises PackArchiveError."""
    parts = []
    while length:
        try:
            part = os.pread(descriptor, length, at)
        except OSError as error:
            raise wrong(f"it cannot be read ({error.strerror})") from error
        if not part:
            raise wrong("it is damaged or cut short")
        parts.append(part)
        at += len(part)
        length -= len(part)
    return b"".join(parts)


# Writing


class Layout:
    """What stands between the contents of an archive: a header before each member, the directory and the end after all.

    It follows from names, sizes and checksums alone, so an archive can be told in its whole length before it is read.
    """

    def __init__(self) -> None:
        self.length, self._entries = 0, list[bytes]()  # bytes of the archive so far

    def member(self, name: str, size: int, crc: int) -> bytes:
        """The header of the next member; its `size` bytes of content come after it."""
        at, header = self.length, header_of(name, size, crc)
        self.length += len(header) + size
        (wide_size, wide_at), extra = _narrowed(size, at)
        version = VERSION64 if extra else VERSION
        entry = ENTRY.pack(
            *(ENTRY_SIGN, UNIX << 8 | version, version, 0, STORED, *EPOCH, crc, wide_size, wide_size),
            *(len(name), len(extra), 0, 0, 0, REGULAR, wide_at),
        )
        self._entries.append(entry + name.encode("ascii") + extra)
        return header

    def end(self) -> bytes:
        """The directory and the end; the archive is `length` bytes long then."""
        begin, count, directory = self.length, len(self._entries), b"".join(self._entries)
        length, wide = len(directory), b""
        if begin >= FULL:
            made = (END64_SIGN, END64.size - 12, UNIX << 8 | VERSION64, VERSION64, 0, 0, count, count, length, begin)
            wide = END64.pack(*made) + LOCATOR.pack(LOCATOR_SIGN, 0, begin + length, 1)
        end = directory + wide + END.pack(END_SIGN, 0, 0, count, count, length, min(begin, FULL), 0)
        self.length += len(end)
        return end


class Writer:
    """Writes an archive: `add` each member, then `finish`. The same members make the same bytes everywhere."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._layout = out, Layout()

    def add(self, name: str, blocks: Iterable[Block], size: int) -> None:
        """Store the `size` bytes of `blocks` as `name`. Raises OSError, and what `blocks` raises."""
        at, crc = self._out.tell(), 0
        self._out.write(header_of(name, size, crc))
        for block in blocks:
            crc = zlib.crc32(block, crc)
            self._out.write(block)
        after = self._out.tell()
        self._out.seek(at)
        self._out.write(self._layout.member(name, size, crc))  # now that the checksum is known
        self._out.seek(after)

    def finish(self) -> None:
        """Write the directory and the end."""
        self._out.write(self._layout.end())


def header_of(name: str, size: int, crc: int) -> bytes:
    """What stands before the content of a member."""
    (wide_size, _), extra = _narrowed(size, 0)
    version = VERSION64 if extra else VERSION
    head = LOCAL.pack(LOCAL_SIGN, version, 0, STORED, *EPOCH, crc, wide_size, wide_size, len(name), len(extra))
    return head + name.encode("ascii") + extra


def _narrowed(size: int, at: int) -> tuple[tuple[int, int], bytes]:
    """`size` and `at` as fields of 32 bits, and the field of ZIP64 with those that have no room there."""
    wide = [size, size] * (size >= FULL) + [at] * (at >= FULL)
    extra = struct.pack(f"<2H{len(wide)}Q", ZIP64, 8 * len(wide), *wide) if wide else b""
    return (min(size, FULL), min(at, FULL)), extra
