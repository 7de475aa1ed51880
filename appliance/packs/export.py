"""Packs copied to a stick, for other boxes: for each publisher a repository in STICK/baraza.

STICK/baraza/NAME/metadata/N.root.json, R.targets.json, R.snapshot.json, timestamp.json
STICK/baraza/NAME/targets/PACK/SHA256.PACK-VERSION.pack

Archives come first, then metadata under names of their own, `timestamp.json` last: until then the repository that was
there before counts, whole. Where the stick holds a newer release of a publisher than this box had seen, the box learns
that release first, and nothing older is put in its place.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tuf.api.exceptions import DownloadError
from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import Metadata, Root

from appliance.errors import (
    BarazaError,
    DiskFullError,
    ExportFailedError,
    ExportFileError,
    ExportFullError,
    ReadOnlyError,
    StickReadOnlyError,
    StorageError,
)
from appliance.limits import LIMITS, Limits
from appliance.packs.copying import Copying, Progress, never
from appliance.packs.fingerprint import public_keys
from appliance.packs.keys import EVERYBODY
from appliance.packs.onward import Bundle, Onward, Parcel
from appliance.packs.release import TIMESTAMP, sweep
from appliance.packs.remembered import Release
from appliance.packs.sources import METADATA, FolderSource, SourceReadError, find_repositories
from appliance.packs.stored import blocks
from appliance.packs.trust import Trust
from appliance.packs.usb import MOUNTS, mounts_of
from appliance.storage.atomic import ensure_folder, flush_folder, storage_errors, write_atomically

HOME = "baraza"  # the folder of a stick where boxes look for packs
SLACK = 1024 * 1024  # bytes: for metadata, and what a file takes beyond its length
SMALL_FILES = ("vfat", "msdos", "fuseblk.vfat")
LARGEST = 2**32 - 1  # bytes of a file on FAT
TAKEN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True)
class Exported:
    """One pack that was copied: `root` is the publisher's name here, `words` are the eight of whoever signed it; `own`:
    this box did; `place`: the folder of the repository; `new`: it was not on the stick before.
    """

    pack: str
    root: str
    words: str
    own: bool
    place: Path
    new: bool


def export(
    onward: Onward,
    trust: Trust,
    target: Path,
    names: Sequence[str],
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = never,
    limits: Limits = LIMITS,
) -> tuple[Exported, ...]:
    """Copy the packs `names` to `target`, a stick or a folder; `progress` is told (bytes, of how many).

    Raises:
        PackNotInstalledError, PackManifestError, PackFileError: a pack is not on the box, or not whole.
        ExportFullError, ExportFileError: there is no room, or a file is too large for FAT: nothing was written.
        ExportFailedError, StickReadOnlyError: `target` does not take writes (any more). What was on it before counts.
        KeysError, StorageError: this box cannot sign what nobody else has signed.
        CancelledError: `cancelled()` was true.
    """
    names = list(dict.fromkeys(names))
    _learn(trust, target)
    before = onward.to_measure(names)
    total = before + onward.length(names)

    def reading(done: int, _: int) -> None:
        if progress:
            progress(done, total)

    bundles = onward.pack(names, reading, cancelled)
    work = [_Repository(bundle, _home(target, bundle.release, limits)) for bundle in bundles]
    missing = [parcel for each in work for parcel in each.missing]
    _check_room(target, missing)
    done: list[Exported] = []
    with as_a_stick(target, missing):
        for each in work:
            for parcel, new in each.write(_counted(progress, before, total), cancelled):
                before += parcel.stored.length
                offer, own = parcel.listed.offer, each.bundle.own
                release = each.bundle.release
                done.append(Exported(f"{offer.name} {offer.version}", release.name, release.words, own, each.home, new))
    return tuple(done)


def _learn(trust: Trust, target: Path) -> None:
    """Look at what is there already: a newer release of a publisher is the one to hand on."""
    try:
        found = find_repositories(target)
    except SourceReadError:
        return
    for folder in found:
        with suppress(BarazaError):  # a stranger's, an older one, a damaged one
            trust.open(FolderSource(folder))


class _Repository:
    """The repository of one publisher in the folder `home`."""

    def __init__(self, bundle: Bundle, home: Path) -> None:
        self.bundle, self.home = bundle, home

    @property
    def missing(self) -> list[Parcel]:
        """What is not there in its length; whether the rest is whole is found out when it is its turn."""
        return [parcel for parcel in self.bundle.parcels if _size(self._place(parcel)) != parcel.stored.length]

    def write(self, progress: Progress, cancelled: Callable[[], bool]) -> Iterator[tuple[Parcel, bool]]:
        """Write the archives that are missing, then the metadata; given is each archive, and whether it is new.

        If it fails, what it wrote is removed again as far as that goes, and the release of before counts.
        """
        written: list[Path] = []
        try:
            for parcel in self.bundle.parcels:
                path = self._place(parcel)
                new = not self._is_whole(parcel, progress, cancelled)
                if new:
                    ensure_folder(path.parent)
                    written.append(path)
                    self._write(parcel, path, progress, cancelled)
                yield parcel, new
            self._write_metadata()
        except BaseException:
            for path in written:
                with suppress(OSError):  # the first error is the one to tell
                    path.unlink(missing_ok=True)
            raise
        with storage_errors(self.home):
            # If this fails, it may be there all the same: both releases are whole then.
            write_atomically(self.home / METADATA / TIMESTAMP, self._file(METADATA + TIMESTAMP), EVERYBODY)
        with suppress(OSError):  # housekeeping
            release = self.bundle.release
            sweep(self.home, {*release.metadata, *(each.place for each in release.listed)})

    def _write(self, parcel: Parcel, path: Path, progress: Progress, cancelled: Callable[[], bool]) -> None:
        """Write the archive beside its place, and give it its name when all of it is on the stick."""
        offer = parcel.listed.offer
        partial = path.with_name(f".{offer.name}-{offer.version}.pack")
        with storage_errors(path):
            partial.unlink(missing_ok=True)  # of a cut
        try:
            with Copying(parcel.stored.length, progress, cancelled) as copying:
                copying.write(blocks(parcel.pack.path, parcel.stored.checksums), partial)
            with storage_errors(path):
                partial.replace(path)
                flush_folder(path.parent)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)

    def _is_whole(self, parcel: Parcel, progress: Progress, cancelled: Callable[[], bool]) -> bool:
        """Whether the archive is there already: a stick that was pulled out once may hold another of that length."""
        path = self._place(parcel)
        if _size(path) != parcel.stored.length:
            return False
        try:
            with path.open("rb") as stream, Copying(parcel.stored.length, progress, cancelled) as copying:
                return copying.read(iter(lambda: stream.read(SLACK), b"")) == parcel.stored.sha256
        except OSError:
            return False

    def _write_metadata(self) -> None:
        """Write every file but the timestamp under its own name."""
        ensure_folder(self.home / METADATA)
        for place, raw in self.bundle.release.metadata.items():
            path = self.home / place
            if place != METADATA + TIMESTAMP and not _holds(path, raw):
                write_atomically(path, raw, EVERYBODY)

    def _place(self, parcel: Parcel) -> Path:
        return self.home / parcel.listed.place

    def _file(self, place: str) -> bytes:
        return self.bundle.release.metadata[place]


def _home(target: Path, release: Release, limits: Limits) -> Path:
    """The folder of this publisher on the stick: where its packs are already, else a new one."""
    for folder in [*_found(target), *_folders(target / HOME)]:
        if _identity(folder, limits) == release.identity:
            return folder
    home, name, number = target / HOME, release.name, 1
    while (home / name).exists():
        number += 1
        name = f"{release.name}-{number}"
    return home / name


def _found(target: Path) -> tuple[Path, ...]:
    try:
        return find_repositories(target)
    except SourceReadError:
        return ()


def _folders(home: Path) -> list[Path]:
    """Those where a cut left no timestamp, too."""
    try:
        return sorted(path for path in home.iterdir() if TAKEN.fullmatch(path.name) and path.is_dir())
    except OSError:
        return []


def _identity(folder: Path, limits: Limits) -> str:
    """Whose repository it says it is; "" if it does not say."""
    try:
        raw = FolderSource(folder).download_bytes(f"{METADATA}1.root.json", limits.root_bytes)
        return public_keys(Metadata[Root].from_bytes(raw).signed)
    except (TufError, DownloadError, AttributeError, ValueError):
        return ""


def _check_room(target: Path, missing: Sequence[Parcel]) -> None:
    """Refuse before anything is written."""
    with as_a_stick(target, missing), storage_errors(target):
        if _needed(missing) > shutil.disk_usage(target).free:
            raise _full(target, missing)
    largest = largest_file(target)
    for parcel in missing:
        if parcel.stored.length > largest:
            raise ExportFileError(path=str(target), pack=parcel.pack.name)


def _needed(missing: Sequence[Parcel]) -> int:
    return sum(parcel.stored.length for parcel in missing) + SLACK


def _full(target: Path, missing: Sequence[Parcel]) -> ExportFullError:
    free = 0
    with suppress(OSError):
        free = shutil.disk_usage(target).free
    return ExportFullError(path=str(target), needs=-(-_needed(missing) // 10**6), free=free // 10**6)


def largest_file(folder: Path, mounts: Path = MOUNTS) -> int:
    """Bytes that a file in `folder` may have at most, as far as its file system is known to have a bound."""
    try:
        found = mounts_of(mounts.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        return 2**63 - 1
    there = folder.resolve()
    mount = next((found[str(each)] for each in (there, *there.parents) if str(each) in found), None)
    return LARGEST if mount and mount.filesystem in SMALL_FILES else 2**63 - 1


@contextmanager
def as_a_stick(target: Path, missing: Sequence[Parcel] = ()) -> Iterator[None]:
    """Tell of a disk that fails under `target` as of a stick: the box's own is not meant.

    Raises ExportError, StickReadOnlyError instead of StorageError.
    """
    try:
        yield
    except StorageError as error:
        on_stick = Path(str(error.fields.get("path", ""))).is_relative_to(target)
        if not on_stick or type(error) not in (DiskFullError, ReadOnlyError, StorageError):
            raise  # of the box's own disk, or something else altogether
        if isinstance(error, DiskFullError):
            raise _full(target, missing) from error
        if isinstance(error, ReadOnlyError):
            raise StickReadOnlyError(stick=target.name) from error
        if missing and isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EFBIG:
            largest = max(missing, key=lambda parcel: parcel.stored.length)
            raise ExportFileError(path=str(target), pack=largest.pack.name) from error
        raise ExportFailedError(path=str(target), reason=str(error.fields.get("reason", error))) from error


def _counted(progress: Progress | None, before: int, total: int) -> Progress:
    begun = before

    def show(done: int, of: int) -> None:
        nonlocal begun
        if progress:
            progress(min(begun + done, total), total)
        if done >= of:
            begun += of

    return show


def _size(path: Path) -> int:
    try:
        status = os.lstat(path)
        return status.st_size
    except OSError:
        return -1


def _holds(path: Path, raw: bytes) -> bool:
    try:
        return path.read_bytes() == raw
    except OSError:
        return False
