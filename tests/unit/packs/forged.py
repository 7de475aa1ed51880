"""Archives made wrong on purpose, byte by byte: what no honest tool would write."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

LOCAL, ENTRY = "<4s5H3I2H", "<4s6H3I5H2I"
END, END64, LOCATOR = "<4s4H2IH", "<4sQ2H2I4Q", "<4sIQI"
FULL = 0xFFFFFFFF


@dataclass
class Part:
    """A member. `local` and `entry` overwrite what its own header and the directory say; `data` is what lies there.

    Fields: version, flags, method, crc, packed, size, name, extra; of the entry also comment, disk, outer, at.
    """

    name: bytes = b"a.bin"
    content: bytes = b"twelve goats"
    method: int = 0
    data: bytes | None = None
    local: dict[str, Any] = field(default_factory=dict)
    entry: dict[str, Any] = field(default_factory=dict)
    gap: bytes = b""  # before its header

    @property
    def packed(self) -> bytes:
        if self.data is not None:
            return self.data
        return deflate(self.content) if self.method == 8 else self.content

    def said(self) -> dict[str, Any]:
        return {
            "version": 20,
            "flags": 0,
            "method": self.method,
            "crc": zlib.crc32(self.content),
            "packed": len(self.packed),
            "size": len(self.content),
            "name": self.name,
            "extra": b"",
            "comment": b"",
            "disk": 0,
            "outer": 0o100644 << 16,
        }


def both(**fields: Any) -> dict[str, dict[str, Any]]:
    """The same for the header and the directory: `Part(…, **both(flags=1))`."""
    return {"local": dict(fields), "entry": dict(fields)}


def deflate(content: bytes) -> bytes:
    engine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return engine.compress(content) + engine.flush()


def local_header(said: dict[str, Any]) -> bytes:
    numbers = (said["version"], said["flags"], said["method"], 0, 33, said["crc"], said["packed"], said["size"])
    lengths = (len(said["name"]), len(said["extra"]))
    return struct.pack(LOCAL, b"PK\3\4", *numbers, *lengths) + bytes(said["name"]) + bytes(said["extra"])


def entry_header(said: dict[str, Any], at: int) -> bytes:
    numbers = (0x0314, said["version"], said["flags"], said["method"], 0, 33, said["crc"], said["packed"], said["size"])
    lengths = (len(said["name"]), len(said["extra"]), len(said["comment"]))
    head = struct.pack(ENTRY, b"PK\1\2", *numbers, *lengths, said["disk"], 0, said["outer"], said.get("at", at))
    return head + bytes(said["name"]) + bytes(said["extra"]) + bytes(said["comment"])


def forge(
    *parts: Part,
    before: bytes = b"",
    between: bytes = b"",
    after: bytes = b"",
    shift: int = 0,
    wide: dict[str, int] | None = None,
    tail: bytes = b"",
    **end: int,
) -> bytes:
    """The bytes of an archive. `before` all, `between` the members and the directory, `after` the end; `tail` is put
    into the directory after its entries. `shift` is added to all places, as tools do that put something before.
    `wide`: with the end of ZIP64, so changed. `end`: fields of the end, changed.
    """
    raw, entries = before, b""
    for part in parts:
        raw += part.gap
        entries += entry_header({**part.said(), **part.entry}, len(raw) - shift)
        raw += local_header({**part.said(), **part.local}) + part.packed
    raw += between
    begin, count = len(raw) - shift, len(parts)
    entries += tail
    raw += entries
    if wide is not None:
        said = {"size": 44, "disk": 0, "here": count, "count": count, "length": len(entries), "begin": begin, **wide}
        where = wide.get("at", len(raw) - shift)
        raw += struct.pack(
            END64, b"PK\6\6", said["size"], 45, 45, said["disk"], 0, said["here"], said["count"], said["length"],
            said["begin"],
        )  # fmt: skip
        raw += wide.get("hole", 0) * b"\0" + struct.pack(LOCATOR, b"PK\6\7", 0, where, wide.get("disks", 1))
    told = {"disk": 0, "here": count, "count": count, "length": len(entries), "begin": begin, "comment": 0, **end}
    raw += struct.pack(
        END, b"PK\5\6", told["disk"], 0, told["here"], told["count"], told["length"], told["begin"], told["comment"]
    )
    return raw + after


def zip64(*numbers: int, tag: int = 1, length: int | None = None) -> bytes:
    """The extra field of ZIP64."""
    return struct.pack(f"<2H{len(numbers)}Q", tag, 8 * len(numbers) if length is None else length, *numbers)
