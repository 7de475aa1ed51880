"""The packs of a box: those that came with the software (read only) and those installed since.

installed/NAME/VERSION/…      the files of a pack, verified before the folder got its name; VERSION~2 if it came again
installed/NAME/active         the version in use, the one before, and whether it is on trial (`choice`)

Who changes anything here holds installed/.lock; who reads needs none, for every change is one step.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from appliance import __version__
from appliance.errors import (
    BarazaError,
    FolderInUseError,
    NoPreviousVersionError,
    PackError,
    PackFileError,
    PackManifestError,
    PackNotInstalledError,
    PacksBusyError,
    PackSelftestError,
    PackTooNewError,
    StorageError,
)
from appliance.limits import LIMITS, Limits
from appliance.packs import archive
from appliance.packs.archive import Head
from appliance.packs.choice import ACTIVE, TRIALS, Choice, read_choice, write_choice
from appliance.packs.copying import Progress, never
from appliance.packs.manifest import MANIFEST, NAME, VERSION, Manifest, PackFile, read_manifest
from appliance.storage.atomic import ensure_folder, flush_folder, remove_leftovers, storage_errors
from appliance.storage.lock import FolderLock, lock_folder

log = logging.getLogger(__name__)

BLOCK = 1024 * 1024
GLANCE, GLANCES = 0.1, 50  # seconds between two looks at whether another program is done, and how many
STAGED, REMOVED = ".installing-", ".removed-"
FOLDER = re.compile(rf"{VERSION.pattern}(?:~[1-9]\d{{0,3}})?")


@dataclass(frozen=True)
class InstalledPack:
    path: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        return f"{self.manifest.name} {self.manifest.version}"


Selftest = Callable[[InstalledPack], None]  # raises a BarazaError if the pack does not work here


def verify(folder: Path, limits: Limits = LIMITS, progress: Callable[[int], None] | None = None) -> InstalledPack:
    """Check every file of a pack against its `pack.toml`; `progress(bytes)` is told as they are read.

    Raises:
        PackManifestError: `pack.toml` is missing or wrong.
        PackFileError: a file is missing, is a link, has another size or sha256, or is not listed.
    """
    manifest = read_manifest(folder, limits)
    for file in manifest.files:
        _verify_file(folder, file, manifest, progress)
    listed = {file.path for file in manifest.files} | {MANIFEST}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if not path.is_dir() and name not in listed:
            raise PackFileError(pack=manifest.name, file=name, reason="is not listed in pack.toml")
    return InstalledPack(folder, manifest)


def _verify_file(folder: Path, file: PackFile, manifest: Manifest, progress: Callable[[int], None] | None) -> None:
    def wrong(reason: str) -> PackFileError:
        return PackFileError(pack=manifest.name, file=file.path, reason=reason)

    path = folder / file.path
    if path.is_symlink() or not path.is_file():
        raise wrong("is missing")
    size = path.stat().st_size
    if size != file.size:
        raise wrong(f"has {size} bytes, pack.toml says {file.size}")
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
            if progress:
                progress(len(block))
    if digest.hexdigest() != file.sha256:
        raise wrong("its content is not what pack.toml says (sha256)")


class PackStore:
    """Finds, installs and activates packs. `shipped` is read only; `installed` is made when needed."""

    def __init__(
        self,
        shipped: Path,
        installed: Path,
        limits: Limits = LIMITS,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`pause(seconds)` is called while another program changes the packs, as a box does a moment at its start."""
        self._shipped, self._installed, self._limits, self._pause = shipped, installed, limits, pause

    # What there is

    def active(self) -> list[InstalledPack]:
        """The packs in use, by name: of each, the activated version, else the newest there is."""
        names = {name for folder in (self._shipped, self._installed) for name in _subfolders(folder, NAME.fullmatch)}
        packs = [self.find(name) for name in sorted(names)]
        return [pack for pack in packs if pack is not None]

    def find(self, name: str) -> InstalledPack | None:
        """The version of pack `name` in use, if there is one whose `pack.toml` can be read."""
        choice, found = read_choice(self._installed / name), self._found(name)
        chosen = next((folder for folder in choice.in_use if folder in found), None)
        if chosen is None:
            others = [folder for folder in found if not choice.trial or folder != choice.folder]
            chosen = max(others, key=_folder_key, default=None)
        return found[chosen] if chosen else None

    def previous(self, name: str) -> InstalledPack | None:
        """The version that `rollback` would put in use."""
        choice, found, current = read_choice(self._installed / name), self._found(name), self.find(name)
        before = (found[folder] for folder in choice.in_use if folder in found and found[folder] != current)
        return next(before, None)

    def versions(self, name: str) -> dict[str, InstalledPack]:
        """All versions of pack `name` on the box whose `pack.toml` can be read."""
        found = self._found(name)
        versions = {found[folder].manifest.version: found[folder] for folder in sorted(found, key=_folder_key)}
        current = self.find(name)
        return {**versions, current.manifest.version: current} if current else versions

    def folders(self) -> Iterator[Path]:
        """The folder of every version of every pack, usable or not: what `verify` goes over."""
        for root in (self._shipped, self._installed):
            for name in _subfolders(root, NAME.fullmatch):
                for version in _subfolders(root / name, FOLDER.fullmatch):
                    yield root / name / version

    def problems(self) -> list[PackManifestError]:
        """Why a version on the box is passed over: its `pack.toml` cannot be read, or belongs elsewhere."""
        found: list[PackManifestError] = []
        for folder in self.folders():
            try:
                manifest = read_manifest(folder, self._limits)
            except PackManifestError as error:
                found.append(error)
            else:
                if (manifest.name, manifest.version) != (folder.parent.name, _version_of(folder.name)):
                    place = f"{folder.parent.name}/{folder.name}"
                    found.append(PackManifestError(pack=place, reason=f"it is of {manifest.name} {manifest.version}"))
        return found

    def stamp(self) -> frozenset[tuple[str, int, int]]:
        """Differs once another version of a pack was put in use, by this process or another."""
        marks = set()
        for name in _subfolders(self._installed, NAME.fullmatch):
            with suppress(OSError):
                status = (self._installed / name / ACTIVE).stat()
                marks.add((name, status.st_ino, status.st_mtime_ns))
        return frozenset(marks)

    # What changes it

    def install(
        self,
        source: Path,
        progress: Progress | None = None,
        *,
        expected: str | None = None,
        selftest: Selftest | None = None,
        cancelled: Callable[[], bool] = never,
    ) -> InstalledPack:
        """Copy a pack (its archive, or a folder) to the box, verify it, try it out, and put it in use.

        The copy is made beside its place and gets its name when all of it is verified and on the disk. Then it is on
        trial: `selftest(pack)` raises if it does not work here. Whatever happens before it has passed, the version
        before stays in use; after it the version before is kept, for `rollback`. A pack that is on the box already,
        whole, is not copied again.

        Args:
            source: untrusted.
            progress: told (bytes, of how many).
            expected: the sha256 that `pack.toml` must have.
            selftest: none: it is put in use untried.
            cancelled: asked while it is copied.

        Raises:
            PackArchiveError, PackManifestError, PackFileError: the pack is not sound, or not the one expected.
            PackTooNewError: it is for a newer Baraza.
            PacksBusyError: another installation is at work.
            StorageError: there is no room, or the folder cannot be written.
            CancelledError: `cancelled()` was true; and what `selftest` raises.
        """
        with self._alone(GLANCES):
            self._sweep()
            head = archive.head(source, self._limits, expected)
            _check_age(head.manifest)
            current, pack = self.find(head.manifest.name), self._whole(head)
            if pack is not None and pack == current:
                return pack
            if pack is not None:
                self._put_on_trial(pack, current)
            else:
                pack = self._stage(source, head, current, progress, cancelled)
            return self._try_out(pack, selftest)

    def activate(self, name: str, version: str) -> None:
        """Put a version that is on the box in use. Raises PackNotInstalledError if it is not there."""
        with self._alone(GLANCES):
            if not NAME.fullmatch(name) or version not in self.versions(name):
                raise PackNotInstalledError(pack=f"{name} {version}")
            self._switch(name, self.versions(name)[version])

    def rollback(self, name: str) -> InstalledPack:
        """Put the version before the one in use back; it becomes the one before, so that this undoes itself.

        Raises:
            PackNotInstalledError: there is no such pack.
            NoPreviousVersionError: there is no version before.
            PacksBusyError, StorageError: it cannot be done now.
        """
        with self._alone(GLANCES):
            if not NAME.fullmatch(name) or self.find(name) is None:
                raise PackNotInstalledError(pack=name)
            before = self.previous(name)
            if before is None:
                raise NoPreviousVersionError(pack=name)
            self._switch(name, before)
            return before

    def settle(self, selftest: Selftest | None = None) -> list[BarazaError]:
        """Finish what a cut left: remove what is half there, try out again what was on trial, or give it up.

        Returns why what was given up was; nothing is done while another process installs.

        Raises:
            StorageError: the folder cannot be written.
        """
        told: list[BarazaError] = []
        if not self._installed.is_dir():
            return told
        with suppress(PacksBusyError), self._alone():
            self._sweep()
            for name in _subfolders(self._installed, NAME.fullmatch):
                try:
                    self._settle(name, selftest)
                except StorageError:
                    raise
                except BarazaError as error:
                    told.append(error)
        return told

    def tidy(self, keep: Iterable[Path] = ()) -> None:
        """Remove versions older than the one before the one in use, but none of the folders in `keep`.

        Nothing is done while another process installs. Raises StorageError.
        """
        kept = set(keep)
        if not self._installed.is_dir():
            return
        with suppress(PacksBusyError), self._alone():
            for name in _subfolders(self._installed, NAME.fullmatch):
                home, choice = self._home(name), read_choice(self._home(name))
                gone = [folder for folder in choice.old if home / folder not in kept]
                for folder in gone:
                    self._discard(home / folder)
                if gone:
                    write_choice(home, choice.without(*gone))

    # One after the other

    @contextmanager
    def _alone(self, glances: int = 0) -> Iterator[None]:
        """Nobody else changes the packs, in this process or another.

        Raises PacksBusyError: somebody does still, after so many glances more.
        """
        lock = self._lock(glances)
        try:
            yield
        finally:
            lock.release()

    def _lock(self, glances: int) -> FolderLock:
        for left in range(glances, -1, -1):
            try:
                return lock_folder(self._installed)
            except FolderInUseError:
                if left:
                    self._pause(GLANCE)
        raise PacksBusyError

    def _stage(
        self,
        source: Path,
        head: Head,
        current: InstalledPack | None,
        progress: Progress | None,
        cancelled: Callable[[], bool],
    ) -> InstalledPack:
        """The pack, copied to a folder of its own and on trial."""
        with (
            storage_errors(self._installed),
            tempfile.TemporaryDirectory(prefix=STAGED, dir=self._installed, ignore_cleanup_errors=True) as temporary,
        ):
            staged = Path(temporary) / "pack"
            copy = archive.copy_folder if source.is_dir() else archive.extract
            copy(source, staged, self._limits, progress, expected=head.digest, cancelled=cancelled)
            pack = InstalledPack(self._home(head.manifest.name) / self._free_folder(head.manifest), head.manifest)
            # Said first: a folder that has its name is in use, or the file beside it says that it is on trial.
            self._put_on_trial(pack, current)
            try:
                staged.rename(pack.path)
                flush_folder(pack.path.parent)
            except OSError:
                self._give_up(pack.manifest.name)
                raise
        return pack

    def _put_on_trial(self, pack: InstalledPack, current: InstalledPack | None) -> None:
        home = self._home(pack.manifest.name)
        ensure_folder(home)
        write_choice(home, read_choice(home).on_trial(pack.path.name, current.path.name if current else ""))

    def _try_out(self, pack: InstalledPack, selftest: Selftest | None) -> InstalledPack:
        """The pack on trial, in use once it has passed; given up if not."""
        try:
            if selftest:
                selftest(pack)
        except (Exception, KeyboardInterrupt):
            self._give_up(pack.manifest.name)
            raise
        self._pass(pack)
        return pack

    def _pass(self, pack: InstalledPack) -> None:
        home = self._home(pack.manifest.name)
        raw, choice = (pack.path / MANIFEST).read_bytes(), read_choice(home)
        found = self._found(pack.manifest.name)
        same = {each for each in choice.previous if each in found and (found[each].path / MANIFEST).read_bytes() == raw}
        write_choice(home, choice.passed(same))

    def _give_up(self, name: str) -> None:
        """Put things back as they were before the trial, and remove what was on it."""
        home = self._home(name)
        choice = read_choice(home)
        self._discard(home / choice.folder)
        before = choice.given_up().without(choice.folder)
        shipped = max(_subfolders(self._shipped / name, FOLDER.fullmatch), key=_folder_key, default="")
        if before == Choice(shipped) and not (home / shipped).exists():
            before = Choice()  # as it came with the software, and so it follows what comes with the next
        write_choice(home, before)

    def _settle(self, name: str, selftest: Selftest | None) -> None:
        """Raises what speaks against the pack that was on trial."""
        home = self._home(name)
        choice = read_choice(home)
        if not choice.trial:
            return
        pack = self._found(name).get(choice.folder)
        if pack is None:  # cut before it had its name: nobody has been told that it was installed
            log.warning("the installation of %s %s was cut", name, choice.folder)
            self._give_up(name)
        elif choice.trial >= TRIALS:
            self._give_up(name)
            raise PackSelftestError(pack=pack.name, reason="the box stopped while it was tried out")
        else:
            write_choice(home, replace(choice, trial=choice.trial + 1))
            self._try_out(pack, lambda pack: self._try_again(pack, selftest))

    def _try_again(self, pack: InstalledPack, selftest: Selftest | None) -> None:
        verify(pack.path, self._limits)
        if selftest:
            selftest(pack)

    def _switch(self, name: str, pack: InstalledPack) -> None:
        current, home = self.find(name), self._home(name)
        ensure_folder(home)
        write_choice(home, read_choice(home).switched(pack.path.name, current.path.name if current else ""))

    # Folders

    def _home(self, name: str) -> Path:
        return self._installed / name

    def _found(self, name: str) -> dict[str, InstalledPack]:
        """Every folder of a version whose `pack.toml` can be read and is of this version."""
        found: dict[str, InstalledPack] = {}
        for root in (self._shipped, self._installed):
            for folder in _subfolders(root / name, FOLDER.fullmatch):
                try:
                    manifest = read_manifest(root / name / folder, self._limits)
                except PackManifestError:
                    continue  # `problems` tells it
                if (manifest.name, manifest.version) == (name, _version_of(folder)):
                    found[folder] = InstalledPack(root / name / folder, manifest)
        return found

    def _whole(self, head: Head) -> InstalledPack | None:
        """Where this very pack is already, whole."""
        for pack in self._found(head.manifest.name).values():
            with suppress(OSError, PackError):
                if (pack.path / MANIFEST).read_bytes() == head.raw:
                    return verify(pack.path, self._limits)
        return None

    def _free_folder(self, manifest: Manifest) -> str:
        """A name that no folder has: that of the version, else with a number, for the same version built again."""
        taken = {folder.name for folder in self.folders() if folder.parent.name == manifest.name}
        numbered = (f"{manifest.version}~{number}" for number in itertools.count(2))
        return next(folder for folder in itertools.chain([manifest.version], numbered) if folder not in taken)

    def _discard(self, folder: Path) -> None:
        """Remove the folder of a version; a cut leaves all of it under its name, or none."""
        if not folder.is_dir():
            return
        with storage_errors(folder):
            gone = self._installed / f"{REMOVED}{folder.parent.name}-{folder.name}"
            shutil.rmtree(gone, ignore_errors=True)
            folder.rename(gone)
            flush_folder(self._installed)  # it is away for certain before it is emptied
            flush_folder(folder.parent)
        shutil.rmtree(gone, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what an installation left that was cut short."""
        for prefix in (STAGED, REMOVED):
            for path in self._installed.glob(f"{prefix}*"):
                shutil.rmtree(path, ignore_errors=True)
        for name in _subfolders(self._installed, NAME.fullmatch):
            remove_leftovers(self._home(name) / ACTIVE)


def version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _check_age(manifest: Manifest) -> None:
    if version_key(manifest.least_appliance) > version_key(__version__):
        raise PackTooNewError(
            pack=f"{manifest.name} {manifest.version}", needs=manifest.least_appliance, has=__version__
        )


def _version_of(folder: str) -> str:
    return folder.partition("~")[0]


def _folder_key(folder: str) -> tuple[int, ...]:
    version, _, number = folder.partition("~")
    return (*version_key(version), int(number or 1))


def _subfolders(folder: Path, accepts: Callable[[str], object]) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and accepts(entry.name))
    except OSError:
        return []
