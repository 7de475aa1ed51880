"""The packs of a box: those that came with the software (read only) and those installed since.

installed/NAME/VERSION/…      the files of a pack, verified before the folder got its name
installed/NAME/active         the version in use, one line; written atomically
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import PackFileError, PackManifestError, PackNotInstalledError
from appliance.limits import LIMITS, Limits
from appliance.packs import archive
from appliance.packs.manifest import MANIFEST, NAME, VERSION, Manifest, PackFile, read_manifest
from appliance.storage.atomic import ensure_folder, flush_folder, storage_errors, write_atomically

BLOCK = 1024 * 1024


@dataclass(frozen=True)
class InstalledPack:
    path: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        return f"{self.manifest.name} {self.manifest.version}"


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

    def __init__(self, shipped: Path, installed: Path, limits: Limits = LIMITS) -> None:
        self._shipped, self._installed, self._limits = shipped, installed, limits

    def active(self) -> list[InstalledPack]:
        """The packs in use, by name: of each, the activated version, else the newest there is."""
        names = {name for folder in (self._shipped, self._installed) for name in _subfolders(folder, NAME.fullmatch)}
        packs = [self.find(name) for name in sorted(names)]
        return [pack for pack in packs if pack is not None]

    def find(self, name: str) -> InstalledPack | None:
        """The version of pack `name` in use, if there is one whose `pack.toml` can be read."""
        versions = self.versions(name)
        chosen = self._activated(name)
        if chosen in versions:
            return versions[chosen]
        return versions[max(versions, key=version_key)] if versions else None

    def versions(self, name: str) -> dict[str, InstalledPack]:
        """All versions of pack `name` on the box whose `pack.toml` can be read."""
        found: dict[str, InstalledPack] = {}
        for root in (self._shipped, self._installed):
            for version in _subfolders(root / name, VERSION.fullmatch):
                try:
                    manifest = read_manifest(root / name / version, self._limits)
                except PackManifestError:
                    continue  # `problems` tells it
                if (manifest.name, manifest.version) == (name, version):
                    found[version] = InstalledPack(root / name / version, manifest)
        return found

    def folders(self) -> Iterator[Path]:
        """The folder of every version of every pack, usable or not: what `verify` goes over."""
        for root in (self._shipped, self._installed):
            for name in _subfolders(root, NAME.fullmatch):
                for version in _subfolders(root / name, VERSION.fullmatch):
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
                if (manifest.name, manifest.version) != (folder.parent.name, folder.name):
                    place = f"{folder.parent.name}/{folder.name}"
                    found.append(PackManifestError(pack=place, reason=f"it is of {manifest.name} {manifest.version}"))
        return found

    def install(self, source: Path, progress: Callable[[int, int], None] | None = None) -> InstalledPack:
        """Copy a pack (its archive, or a folder) to the box, verify it, and put it in use.

        The copy is made beside its place and renamed when all of it is verified and on the disk: a cut in
        the middle leaves the version before in use. The version before is kept.

        Raises:
            PackArchiveError, PackManifestError, PackFileError: the pack is not sound.
            StorageError: there is no room, or the folder cannot be written.
        """
        ensure_folder(self._installed)
        _remove_leftovers(self._installed)
        with (
            storage_errors(self._installed),
            tempfile.TemporaryDirectory(prefix=".installing-", dir=self._installed) as temporary,
        ):
            staged = Path(temporary) / "pack"
            if source.is_dir():
                archive.copy_folder(source, staged, self._limits, progress)
            else:
                archive.extract(source, staged, self._limits, progress)
            manifest = verify(staged, self._limits).manifest
            final = self._installed / manifest.name / manifest.version
            ensure_folder(final.parent)
            if final.exists():
                final.rename(Path(temporary) / "replaced")
            staged.rename(final)
            flush_folder(final.parent)
        self.activate(manifest.name, manifest.version)
        return InstalledPack(final, manifest)

    def activate(self, name: str, version: str) -> None:
        """Put a version that is on the box in use. Raises PackNotInstalledError if it is not there."""
        if not NAME.fullmatch(name) or version not in self.versions(name):
            raise PackNotInstalledError(pack=f"{name} {version}")
        ensure_folder(self._installed / name)
        write_atomically(self._installed / name / "active", f"{version}\n".encode())

    def _activated(self, name: str) -> str:
        try:
            return (self._installed / name / "active").read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""


def version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _subfolders(folder: Path, accepts: Callable[[str], object]) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and accepts(entry.name))
    except OSError:
        return []


def _remove_leftovers(folder: Path) -> None:
    """What an installation left that was cut short."""
    for path in folder.glob(".installing-*"):
        shutil.rmtree(path, ignore_errors=True)
