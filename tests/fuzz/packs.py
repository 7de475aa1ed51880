"""Fuzzes what reads a pack: any bytes are refused with an error of ours, or are a pack and come out as it is.

    python -m tests.fuzz.packs FOLDER [options of libFuzzer, as -max_total_time=600]

FOLDER keeps what was found to lead to new code. The first byte of an input says what is made of the rest: an archive as
it is; a `pack.toml` in an archive that lists no more than it says; or an archive whose numbers are put right, so that
mutations reach what lies behind the first checks.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import struct
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["appliance.packs"]):
    from appliance.packs import archive, manifest, zipped

from appliance.errors import BarazaError
from appliance.limits import LIMITS
from tests.unit.packs.forged import Part, forge
from tests.unit.packs.test_archive import GOATS, HENS, packed
from tests.unit.packs.test_archive import manifest as listing

# What the seeds ask for has room in these, or their tables would never be read.
SMALL = replace(LIMITS, manifest_bytes=16 * 1024, pack_files=20, pack_bytes=2**28, disk_reserve_bytes=0)
MEMORY = Path("/dev/shm")
FILES = dict((GOATS, HENS))
MANIFESTS = tuple((Path(__file__).resolve().parents[1] / "data").rglob("pack.toml"))
WORD = re.compile(rb"\[\[?[\w.-]+\]\]?|[\w-]+ = |\"[^\"\n]{1,60}\"")  # of a manifest: a table, a field, a value


def check(data: bytes, place: Path) -> None:
    """Read `data` as a pack in the empty folder `place`. Raises AssertionError if something is wrong with us."""
    source, target = place / "it.pack", place / "box"
    source.write_bytes(made_of(data))
    try:
        found = archive.extract(source, target, SMALL)
    except BarazaError:
        found = None
    left = {path for path in place.rglob("*") if not path.is_dir()} - {source}
    assert all(path.is_relative_to(target) and not path.is_symlink() for path in left), left
    assert sum(path.stat().st_size for path in left) <= SMALL.pack_bytes + SMALL.manifest_bytes
    if found is not None:
        assert {path.relative_to(target).as_posix() for path in left} == {
            *(each.path for each in found.files),
            "pack.toml",
        }
        for each in found.files:
            content = (target / each.path).read_bytes()
            assert (len(content), hashlib.sha256(content).hexdigest()) == (each.size, each.sha256)
        archive.create(target, place / "again.pack")
        assert archive.check(place / "again.pack", SMALL)[0] == found


def made_of(data: bytes) -> bytes:
    kind, rest = data[:1], data[1:]
    if kind == b"m":
        parts = [Part(name.encode(), content) for name, content in FILES.items()]
        return forge(Part(b"pack.toml", rest), *parts)
    if kind == b"r":
        return righted(rest)
    return rest


def righted(raw: bytes) -> bytes:
    """The place and the length of the directory put right, where there is one."""
    begin, at = raw.find(zipped.ENTRY_SIGN), raw.rfind(zipped.END_SIGN)
    if begin < 0 or at < begin or at + zipped.END.size > len(raw):
        return raw
    count = raw[begin:at].count(zipped.ENTRY_SIGN)
    return raw[: at + 4] + struct.pack("<4H2IH", 0, 0, count, count, at - begin, begin, 0)


def seeds(folder: Path) -> None:
    """What the fuzzing begins with: sound packs of every kind."""
    folder.mkdir(parents=True, exist_ok=True)
    for method in (0, 8):
        raw = packed(GOATS, HENS, method=method)
        for kind in b"ar":
            (folder / f"seed-{method}-{chr(kind)}").write_bytes(bytes([kind]) + raw)
    (folder / "seed-plain").write_bytes(b"m" + listing(GOATS, HENS))
    for path in MANIFESTS:
        (folder / f"seed-{path.parent.parent.name}-{path.parent.name}").write_bytes(b"m" + path.read_bytes())


def words(file: Path) -> None:
    """The words of real manifests, for libFuzzer to put together: it does not find a name of a field by chance."""
    found = sorted({word for path in MANIFESTS for word in WORD.findall(path.read_bytes())})
    spelled = ("".join(f"\\x{byte:02x}" for byte in word) for word in found)
    file.write_text("".join(f'"{each}"\n' for each in spelled), encoding="ascii")


def one_input(data: bytes) -> None:
    place = Path(tempfile.mkdtemp(prefix="baraza-fuzz-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        check(data, place)
    finally:
        shutil.rmtree(place)


def main() -> None:
    """Fuzz until libFuzzer is told to stop; a finding ends it with the input in a file."""
    folder = Path(sys.argv[1])
    seeds(folder)
    words(dictionary := folder.with_name("words.dict"))
    for path in MANIFESTS:
        assert manifest.parse_manifest(path.read_bytes(), "it", SMALL).files
    atheris.Setup([*sys.argv, f"-dict={dictionary}"], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
