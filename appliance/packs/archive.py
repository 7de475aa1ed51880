"""The archive of a pack: a ZIP with `pack.toml` first, read as something a stranger may have made.

Nothing is taken from the archive but the members that its `pack.toml` lists, each read up to the size listed there and
no further, its sha256 compared on the way; `zipped` sees to it that the ZIP can be read in one way only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import DiskFullError, PackArchiveError, PackFileError, PackManifestError
from appliance.limits import LIMITS, Limits
from appliance.packs import zipped
from appliance.packs.copying import Copying, never
from appliance.packs.copying import Progress as Progress  # for those who only pack
from appliance.packs.manifest import MANIFEST, Manifest, PackFile, parse_manifest
from appliance.packs.zipped import Member, Writer, Wrong, read_blocks, read_members, read_whole
from appliance.storage.atomic import ensure_folder, flush_folder, storage_errors

CLUSTER = 4096  # bytes: what a file takes on a disk is a multiple of this


@dataclass(frozen=True)
class Head:
    """What an archive, or a folder, says it holds: the bytes of its `pack.toml`, and what they mean."""

    manifest: Manifest
    raw: bytes

    @property
    def digest(self) -> str:
        """The sha256 of `pack.toml`: it lists that of every file, so this is the pack's."""
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def room(self) -> int:
        """Bytes that the pack takes on a disk, about."""
        sizes = [len(self.raw), *(file.size for file in self.manifest.files)]
        return sum(-(-size // CLUSTER) * CLUSTER for size in sizes) + CLUSTER * len(sizes)


def head(source: Path, limits: Limits = LIMITS, expected: str | None = None) -> Head:
    """The head of the archive, or the folder, `source`, its members checked, their content not.

    Raises:
        PackArchiveError: it is no ZIP of a pack, or its `pack.toml` has not the sha256 `expected`.
        PackManifestError: `pack.toml` is wrong.
    """
    if source.is_dir():
        return _folder_head(source, limits, expected)
    with _opened(source, limits, expected) as opened:
        return opened.head


def extract(
    source: Path,
    target: Path,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
    *,
    expected: str | None = None,
    cancelled: Callable[[], bool] = never,
) -> Manifest:
    """Write the pack in archive `source` to the new folder `target`, and to the disk itself.

    `progress(bytes, of)` is called as it goes. `expected`: the sha256 that its `pack.toml` must have.

    Raises:
        PackArchiveError: it is no ZIP, its members are not what its `pack.toml` lists, or it is not the pack expected.
        PackManifestError: `pack.toml` is wrong.
        PackFileError: a file is not the one that `pack.toml` lists.
        DiskFullError: there is no room for the pack and the reserve.
        StorageError: the folder cannot be written.
        CancelledError: `cancelled()` was true.
    """
    with _opened(source, limits, expected) as opened:
        check_room(target.parent, opened.head, limits)
        ensure_folder(target)
        with Copying(opened.head.manifest.size, progress, cancelled) as copying:
            for member, file in opened.files:
                path = target / file.path
                ensure_folder(path.parent)
                _compare(opened.head.manifest, file, copying.write(opened.blocks(member), path))
            copying.write([opened.head.raw], target / MANIFEST)
    _flush_folders(target)
    return opened.head.manifest


def check(source: Path, limits: Limits = LIMITS, progress: Progress | None = None) -> tuple[Manifest, bytes]:
    """Read the archive `source` through, writing nothing: its manifest, and the bytes of its `pack.toml`.

    Raises:
        PackArchiveError, PackManifestError, PackFileError: as for `extract`.
    """
    with _opened(source, limits, None) as opened, Copying(opened.head.manifest.size, progress) as copying:
        for member, file in opened.files:
            _compare(opened.head.manifest, file, copying.read(opened.blocks(member)))
    return opened.head.manifest, opened.head.raw


def copy_folder(
    source: Path,
    target: Path,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
    *,
    expected: str | None = None,
    cancelled: Callable[[], bool] = never,
) -> Manifest:
    """The same as `extract` from a folder. Raises the same."""
    found = _folder_head(source, limits, expected)
    manifest = found.manifest
    check_room(target.parent, found, limits)
    ensure_folder(target)
    with Copying(manifest.size, progress, cancelled) as copying:
        for file in manifest.files:
            path = target / file.path
            ensure_folder(path.parent)
            with opened_file(source, file, manifest) as blocks:
                _compare(manifest, file, copying.write(blocks, path))
        copying.write([found.raw], target / MANIFEST)
    _flush_folders(target)
    return manifest


def create(folder: Path, target: Path, progress: Progress | None = None) -> None:
    """Write the archive of the pack in `folder`: the same bytes each time, on every machine, for the same files.

    Raises:
        PackManifestError: `pack.toml` is missing or wrong.
        PackFileError: a file is not the one that `pack.toml` lists.
        StorageError, OSError: `target` cannot be written; nothing is left of it then.
    """
    found = _folder_head(folder, LIMITS, None)
    manifest, partial = found.manifest, target.with_name(f".{target.name}.partial")
    try:
        with partial.open("wb") as out, Copying(manifest.size, progress) as copying:
            archive = Writer(out)
            archive.add(MANIFEST, [found.raw], len(found.raw))
            for file in sorted(manifest.files, key=lambda each: each.path):
                with opened_file(folder, file, manifest) as blocks:
                    archive.add(file.path, copying.through(blocks, file.sha256, differs(manifest, file)), file.size)
            archive.finish()
            out.flush()
            os.fsync(out.fileno())
        partial.replace(target)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def rewrite(source: Path, target: Path, progress: Progress | None = None) -> None:
    """Write the archive `source` once more, stored: the bytes that `create` makes of the same pack.

    Raises:
        PackArchiveError, PackManifestError, PackFileError: as for `extract`.
        OSError: `target` cannot be written; nothing is left of it then.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        with (
            _opened(source, LIMITS, None) as opened,
            partial.open("wb") as out,
            Copying(opened.head.manifest.size, progress) as copying,
        ):
            archive = Writer(out)
            archive.add(MANIFEST, [opened.head.raw], len(opened.head.raw))
            for member, file in sorted(opened.files, key=lambda pair: pair[1].path):
                blocks = copying.through(opened.blocks(member), file.sha256, differs(opened.head.manifest, file))
                archive.add(file.path, blocks, file.size)
            archive.finish()
            out.flush()
            os.fsync(out.fileno())
        partial.replace(target)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def check_room(folder: Path, found: Head, limits: Limits) -> None:
    """Raise DiskFullError unless the pack goes into `folder` and leaves the reserve."""
    with storage_errors(folder):
        free = shutil.disk_usage(folder).free
    if free < found.room + limits.disk_reserve_bytes:
        raise DiskFullError(path=str(folder))


@dataclass(frozen=True)
class _Opened:
    """An archive whose members are those that its manifest lists."""

    descriptor: int
    members: tuple[Member, ...]
    head: Head
    wrong: Wrong

    @property
    def files(self) -> Iterator[tuple[Member, PackFile]]:
        """Every member with what the manifest says of it, in the order of the archive: a stick is read in one go."""
        listed = {file.path: file for file in self.head.manifest.files}
        return ((member, listed[member.name]) for member in self.members[1:])

    def blocks(self, member: Member) -> Iterator[zipped.Block]:
        return read_blocks(self.descriptor, member, self.wrong)


@contextmanager
def _opened(source: Path, limits: Limits, expected: str | None) -> Iterator[_Opened]:
    def wrong(reason: str) -> PackArchiveError:
        return PackArchiveError(archive=source.name, reason=reason)

    descriptor = _open_plain(source, wrong)
    try:
        members = read_members(descriptor, limits.pack_files + 1, wrong)
        if not members or members[0].name != MANIFEST:
            raise wrong(f"its first member is not {MANIFEST}")
        raw = read_whole(descriptor, members[0], limits.manifest_bytes, wrong)
        found = _head(raw, source.name, limits, expected, wrong)
        _check_members(members, found.manifest, limits, wrong)
        yield _Opened(descriptor, members, found, wrong)
    finally:
        os.close(descriptor)


def _open_plain(path: Path, wrong: Wrong) -> int:
    """Open a plain file to read. A pipe on a stick would hold the box for ever: it is opened without waiting."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise wrong("there is no such file") from None
    except OSError as error:
        raise wrong(f"it cannot be opened ({error.strerror})") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise wrong("it is not a plain file")
    return descriptor


def _head(raw: bytes, label: str, limits: Limits, expected: str | None, wrong: Wrong) -> Head:
    if expected is not None and hashlib.sha256(raw).hexdigest() != expected:
        raise wrong(f"its {MANIFEST} is not the one that was expected (sha256)")
    return Head(parse_manifest(raw, label, limits), raw)


def _check_members(members: tuple[Member, ...], manifest: Manifest, limits: Limits, wrong: Wrong) -> None:
    listed = {file.path: file for file in manifest.files}
    odd = {member.name for member in members[1:]} ^ set(listed)
    if odd:
        raise wrong(f"{min(odd)[:80]} is not both in the archive and in {MANIFEST}")
    for member in members[1:]:
        if member.size != listed[member.name].size:
            raise wrong(f"{member.name} has {member.size} bytes, {MANIFEST} says {listed[member.name].size}")
        if member.size > limits.pack_ratio * max(member.packed, CLUSTER):
            raise wrong(f"{member.name} unpacks to more than {limits.pack_ratio} times its size")


def _compare(manifest: Manifest, file: PackFile, digest: str) -> None:
    if digest != file.sha256:
        raise differs(manifest, file)


def differs(manifest: Manifest, file: PackFile) -> PackFileError:
    return PackFileError(pack=manifest.name, file=file.path, reason=f"its content is not what {MANIFEST} says (sha256)")


def _folder_head(folder: Path, limits: Limits, expected: str | None) -> Head:
    def wrong(reason: str) -> PackArchiveError:
        return PackArchiveError(archive=folder.name, reason=reason)

    try:
        with (folder / MANIFEST).open("rb") as file:
            raw = file.read(limits.manifest_bytes + 1)
    except OSError as error:
        raise PackManifestError(pack=folder.name, reason=f"it cannot be read: {error.strerror}") from error
    return _head(raw, folder.name, limits, expected, wrong)


@contextmanager
def opened_file(folder: Path, file: PackFile, manifest: Manifest) -> Iterator[Iterator[zipped.Block]]:
    """The blocks of a file of a pack in a folder, which must be plain and of the size listed."""

    def wrong(reason: str) -> PackFileError:
        return PackFileError(pack=manifest.name, file=file.path, reason=reason)

    path = folder / file.path
    if path.is_symlink() or not path.is_file():
        raise wrong("is missing")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise wrong(f"cannot be read ({error.strerror})") from error
    try:
        size = os.fstat(descriptor).st_size
        if size != file.size:
            raise wrong(f"has {size} bytes, {MANIFEST} says {file.size}")
        yield zipped.blocks_of(descriptor, 0, size, wrong)
    finally:
        os.close(descriptor)


def _flush_folders(top: Path) -> None:
    """Make the names of all that was written survive a power cut."""
    with storage_errors(top):
        for folder in (*(path for path in top.rglob("*") if path.is_dir()), top, top.parent):
            flush_folder(folder)
