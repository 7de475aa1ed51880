"""The archive of a pack: a ZIP with `pack.toml` first, read as something a stranger may have made.

Nothing is taken from the archive but the members that its `pack.toml` lists, each read up to the size listed
there and no further, so a lying ZIP directory cannot fill the disk.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from appliance.errors import DiskFullError, PackArchiveError, PackFileError
from appliance.limits import LIMITS, Limits
from appliance.packs.manifest import MANIFEST, Manifest, PackFile, parse_manifest, read_manifest
from appliance.storage.atomic import ensure_folder, storage_errors

BLOCK = 256 * 1024
Progress = Callable[[int, int], None]


def extract(source: Path, target: Path, limits: Limits = LIMITS, progress: Progress | None = None) -> Manifest:
    """Write the pack in archive `source` to the new folder `target`; `progress(bytes, of)` as it goes.

    Raises:
        PackArchiveError: it is no ZIP, or its members are not what its `pack.toml` lists.
        PackManifestError: `pack.toml` is wrong.
        DiskFullError: there is no room for the pack and the reserve.
    """
    with _opened(source, limits) as (archive, manifest, raw):
        _check_room(target.parent, manifest, limits)
        _write(archive, manifest, raw, target, progress)
    return manifest


def check(source: Path, limits: Limits = LIMITS, progress: Progress | None = None) -> tuple[Manifest, bytes]:
    """Read the archive `source` through, writing nothing: its manifest, and the bytes of its `pack.toml`.

    Raises:
        PackArchiveError, PackManifestError: as for `extract`.
        PackFileError: a file is not the one that `pack.toml` lists.
    """
    with _opened(source, limits) as (archive, manifest, raw):
        done = _Done(manifest.size, progress)
        for file in manifest.files:
            digest = hashlib.sha256()
            with archive.open(file.path) as stream:
                while block := stream.read(BLOCK):
                    digest.update(block)
                    done.add(len(block))
            if digest.hexdigest() != file.sha256:
                reason = "its content is not what pack.toml says (sha256)"
                raise PackFileError(pack=manifest.name, file=file.path, reason=reason)
    return manifest, raw


def copy_folder(source: Path, target: Path, limits: Limits = LIMITS, progress: Progress | None = None) -> Manifest:
    """The same from a folder. Raises PackManifestError, PackFileError, DiskFullError."""
    manifest = read_manifest(source, limits)
    _check_room(target.parent, manifest, limits)
    done = _Done(manifest.size, progress)
    for file in manifest.files:
        path = source / file.path
        if path.is_symlink() or not path.is_file():
            raise PackFileError(pack=manifest.name, file=file.path, reason="is missing")
        with path.open("rb") as stream:
            _copy(stream, target / file.path, file, manifest, done)
    with (source / MANIFEST).open("rb") as stream:
        _copy(stream, target / MANIFEST, PackFile(MANIFEST, limits.manifest_bytes, ""), manifest, done, exact=False)
    return manifest


def create(folder: Path, target: Path, progress: Progress | None = None) -> None:
    """Write the archive of the pack in `folder`: the same bytes each time for the same files.

    Raises:
        PackManifestError: `pack.toml` is missing or wrong.
        OSError: a file cannot be read, or `target` cannot be written; nothing is left of it then.
    """
    manifest = read_manifest(folder)
    done = _Done(manifest.size, progress)
    partial = target.with_name(f".{target.name}.partial")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name in (MANIFEST, *sorted(file.path for file in manifest.files)):
                _add(archive, folder / name, name, done)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(target)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _add(archive: zipfile.ZipFile, path: Path, name: str, done: _Done) -> None:
    member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    member.file_size = path.stat().st_size  # known beforehand, so that a file above 2 GiB gets ZIP64's fields
    with path.open("rb") as stream, archive.open(member, "w") as out:
        while block := stream.read(BLOCK):
            out.write(block)
            done.add(len(block))


@contextmanager
def _opened(source: Path, limits: Limits) -> Iterator[tuple[zipfile.ZipFile, Manifest, bytes]]:
    """The archive, its manifest and the bytes of that, once the members are those that it lists."""

    def wrong(reason: str) -> PackArchiveError:
        return PackArchiveError(archive=source.name, reason=reason)

    try:
        with zipfile.ZipFile(source) as archive:
            members = archive.infolist()
            if not members or members[0].filename != MANIFEST:
                raise wrong("its first member is not pack.toml")
            if len(members) > limits.pack_files + 1:
                raise wrong(f"it has more than {limits.pack_files} files")
            with archive.open(members[0]) as stream:
                raw = stream.read(limits.manifest_bytes + 1)
            manifest = parse_manifest(raw, source.name, limits)
            _check_members(members, manifest, wrong)
            yield archive, manifest, raw
    except FileNotFoundError:
        raise wrong("there is no such file") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise wrong(f"it is damaged or cut short ({error})") from error


def _check_members(
    members: list[zipfile.ZipInfo], manifest: Manifest, wrong: Callable[[str], PackArchiveError]
) -> None:
    names = [member.filename for member in members]
    if len(set(map(str.casefold, names))) != len(names):
        raise wrong("two of its members have the same name")
    listed = {file.path: file for file in manifest.files}
    if set(names) != {MANIFEST, *listed}:
        odd = sorted(set(names) ^ {MANIFEST, *listed})[0]
        raise wrong(f"{odd[:80]} is not both in the archive and in pack.toml")
    for member in members[1:]:
        if member.file_size != listed[member.filename].size:
            raise wrong(
                f"{member.filename} has {member.file_size} bytes, pack.toml says {listed[member.filename].size}"
            )


def _check_room(folder: Path, manifest: Manifest, limits: Limits) -> None:
    free = shutil.disk_usage(folder).free
    if free < manifest.size + limits.disk_reserve_bytes:
        raise DiskFullError(path=str(folder))


def _write(archive: zipfile.ZipFile, manifest: Manifest, raw: bytes, target: Path, progress: Progress | None) -> None:
    done = _Done(manifest.size, progress)
    for file in manifest.files:
        with archive.open(file.path) as stream:
            _copy(stream, target / file.path, file, manifest, done)
    ensure_folder(target)
    with storage_errors(target), (target / MANIFEST).open("wb") as out:
        out.write(raw)
        out.flush()
        os.fsync(out.fileno())


def _copy(
    stream: IO[bytes], target: Path, file: PackFile, manifest: Manifest, done: _Done, *, exact: bool = True
) -> None:
    """Copy at most `file.size` bytes to the disk; with `exact`, a source longer or shorter is refused."""
    ensure_folder(target.parent)
    left = file.size
    with storage_errors(target), target.open("xb") as out:
        while block := stream.read(min(BLOCK, left + 1)):
            left -= len(block)
            if left < 0:
                break
            out.write(block)
            done.add(len(block))
        out.flush()
        os.fsync(out.fileno())
    if left < 0 or (exact and left):
        raise PackFileError(pack=manifest.name, file=file.path, reason=f"does not have the {file.size} bytes listed")


class _Done:
    """Counts the bytes copied, for whoever watches."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total, self._progress, self._bytes = total, progress, 0

    def add(self, count: int) -> None:
        self._bytes += count
        if self._progress:
            self._progress(min(self._bytes, self._total), self._total)
