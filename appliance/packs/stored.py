"""The archive of an installed pack, made again from its folder: the very bytes that its publisher signed.

A member's checksum stands before its content, so a pack is read once to measure it; from then on its archive can be
given out as it is made, with its length known beforehand. What was measured is kept in one small file: a pack never
changes once it is on the box. Deflated archives, as older tools made them, cannot be made again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance.errors import CancelledError, StorageError
from appliance.limits import LIMITS, Limits
from appliance.packs.archive import Head, differs, head, opened_file
from appliance.packs.copying import Progress, never
from appliance.packs.manifest import MANIFEST, SHA256, PackFile
from appliance.packs.zipped import Block, Layout
from appliance.storage.atomic import ensure_folder, remove_leftovers, write_atomically

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stored:
    """The archive of a pack: its `length` in bytes, its sha256, and the CRC-32 of its files in the order of paths."""

    length: int
    sha256: str
    checksums: tuple[int, ...]


def length_of(found: Head) -> int:
    """Bytes of the archive of the pack `found`; nothing but its `pack.toml` is needed."""
    layout = Layout()
    layout.member(MANIFEST, len(found.raw), 0)
    for file in _files(found):
        layout.member(file.path, file.size, 0)
    layout.end()
    return layout.length


def measure(folder: Path, progress: Progress | None = None, cancelled: Callable[[], bool] = never) -> Stored:
    """Read the pack in `folder` through, twice; `progress` is told (bytes, of how many) of both readings.

    Raises:
        PackManifestError, PackFileError: it is not whole.
        CancelledError: `cancelled()` was true.
    """
    found = head(folder)
    total, done = 2 * found.manifest.size, 0

    def count(block: Block) -> None:
        nonlocal done
        if cancelled():
            raise CancelledError
        done = min(done + len(block), total)
        if progress:
            progress(done, total)

    checksums = []
    for file in _files(found):
        crc = 0
        with opened_file(folder, file, found.manifest) as parts:
            for part in parts:
                crc = zlib.crc32(part, crc)
                count(part)
        checksums.append(crc)
    digest, length = hashlib.sha256(), 0
    for block in blocks(folder, tuple(checksums)):
        digest.update(block)
        length += len(block)
        count(block)
    return Stored(length, digest.hexdigest(), tuple(checksums))


def blocks(folder: Path, checksums: tuple[int, ...]) -> Iterator[Block]:
    """The archive of the pack in `folder`, block by block; a block is overwritten when RING - 1 more were taken.

    Each file is held against its sha256 as it is read.

    Raises:
        PackManifestError, PackFileError: the pack is not whole any more.
    """
    found, layout = head(folder), Layout()
    yield layout.member(MANIFEST, len(found.raw), zlib.crc32(found.raw))
    yield found.raw
    for file, checksum in zip(_files(found), checksums, strict=True):
        yield layout.member(file.path, file.size, checksum)
        digest = hashlib.sha256()
        with opened_file(folder, file, found.manifest) as parts:
            for part in parts:
                digest.update(part)
                yield part
        if digest.hexdigest() != file.sha256:
            raise differs(found.manifest, file)
    yield layout.end()


def _files(found: Head) -> list[PackFile]:
    """The files in the order of the archive."""
    return sorted(found.manifest.files, key=lambda each: each.path)


class Measures:
    """What was measured, in the file `path`, by the sha256 of `pack.toml`; lost, it is measured again."""

    def __init__(self, path: Path, limits: Limits = LIMITS) -> None:
        self._path, self._limits = path, limits
        self._known: dict[str, Stored] | None = None

    def find(self, manifest: str) -> Stored | None:
        """What is known of the pack whose `pack.toml` has the sha256 `manifest`."""
        if self._known is None:
            self._known = self._read()
        return self._known.get(manifest)

    def of(self, folder: Path, progress: Progress | None = None, cancelled: Callable[[], bool] = never) -> Stored:
        """The measure of the pack in `folder`, taken now if need be, and kept. Raises as `measure`."""
        manifest = head(folder).digest
        known = self.find(manifest)
        if known is None:
            known = measure(folder, progress, cancelled)
            self._keep(manifest, known)
        return known

    def _keep(self, manifest: str, measured: Stored) -> None:
        known = {**(self._known or {}), manifest: measured}
        self._known = dict(list(known.items())[-self._limits.measured_packs :])
        with suppress(StorageError):  # it saves a reading, nothing more
            ensure_folder(self._path.parent)
            remove_leftovers(self._path)
            write_atomically(self._path, json.dumps({key: asdict(each) for key, each in self._known.items()}).encode())

    def _read(self) -> dict[str, Stored]:
        try:
            rows = json.loads(self._path.read_bytes())
            return {
                key: Stored(int(row["length"]), str(row["sha256"]), tuple(map(int, row["checksums"])))
                for key, row in rows.items()
                if SHA256.fullmatch(key)
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("%s is damaged, and the packs are measured again: %s", self._path, error)
            return {}
