"""Packs put into a signed repository (The Update Framework) in a folder: a stick, or what a web server hands out.

FOLDER/metadata/N.root.json, R.targets.json, R.snapshot.json, timestamp.json
FOLDER/targets/NAME/SHA256.NAME-VERSION.pack

R is the release. Everything of a new release is written under names of its own; `timestamp.json`, put in place last,
makes it the one that counts. Until then, and after any failure, the folder holds the old release, whole.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from appliance.errors import PackPublishedError, RepositoryError
from appliance.packs import archive
from appliance.packs.keys import (
    EVERYBODY,
    RENEW_BEFORE,
    Keyring,
    Passphrase,
    check_place,
    next_release,
    read_keys,
    signer_of,
)
from appliance.packs.manifest import MANIFEST
from appliance.packs.offer import Offer, custom_of, offer_of, read_offer
from appliance.packs.store import verify, version_key
from appliance.storage.atomic import ensure_folder, flush_folder, storage_error, storage_errors, write_atomically
from appliance.storage.lock import lock_folder

LIFE = timedelta(days=400)  # of a release: a village that gets a stick twice a year may miss one
METADATA, TARGETS = "metadata", "targets"
SIGNED_AT = "signed_at"  # a field of ours in the timestamp: when it was signed, for boxes whose clock tells nothing
OUR_METADATA = re.compile(r"(\d{1,9})\.(targets|snapshot)\.json")
OUR_ARCHIVE = re.compile(r"[0-9a-f]{64}\.[a-z0-9-]+-\d+\.\d+\.\d+\.pack")
LEFT_OVER = re.compile(r"\.[a-z0-9._-]+\.(?:tmp|partial|pack)")
BLOCK = 1024 * 1024

T = TypeVar("T", Targets, Snapshot, Timestamp)
Progress = Callable[[str, int, int], None]  # what is done, bytes, of how many


@dataclass(frozen=True)
class Changes:
    """`packs`: folders and `.pack` files to add; `remove`: names of packs to take out; `prune`: of every pack keep the
    newest version only.
    """

    packs: tuple[Path, ...] = ()
    remove: tuple[str, ...] = ()
    prune: bool = False


@dataclass(frozen=True)
class Published:
    """The release that was signed, when it expires, and every pack in it."""

    keyring: Keyring
    release: int
    expires: datetime
    offers: tuple[Offer, ...]

    @property
    def root_ends_soon(self) -> bool:
        """Whether it is time to renew the root."""
        return self.keyring.root.expires < self.expires - LIFE + RENEW_BEFORE


def publish(
    folder: Path,
    keys: Path,
    changes: Changes,
    passphrase: Passphrase,
    progress: Progress = lambda label, done, total: None,
    clock: datetime | None = None,
) -> Published:
    """Make the next release of the repository in `folder` (begun if it is empty), signed with the keys in `keys`.

    Raises:
        KeysError, KeysLockedError: the keys are missing, locked, or lie where they do not belong.
        RepositoryError: the folder holds another publisher's packs, or not what its metadata say.
        PackPublishedError: this version of a pack is there with other content.
        PackManifestError, PackFileError, PackArchiveError: a pack is not sound.
        StorageError: there is no room, or the folder cannot be written; the release before is whole.
    """
    check_place(keys, apart=folder)
    keyring = read_keys(keys)
    lock = lock_folder(keys)
    try:
        signer = signer_of(keyring, Targets.type, passphrase)
        return _Release(folder, keyring, progress).make(changes, signer, clock)
    finally:
        lock.release()


def read_offers(folder: Path, root: Root) -> tuple[Offer, ...]:
    """The packs of the repository in `folder`, by name and version, its signatures checked, its dates not.

    Raises:
        RepositoryError: it is not signed by the keys of `root`, or not whole.
    """
    return _offers(_read(folder, root).targets.signed, folder)


@dataclass(frozen=True)
class _State:
    """The release in a folder, checked; `release` is 0 for an empty folder."""

    release: int
    targets: Metadata[Targets]
    snapshot: Metadata[Snapshot]


class _Release:
    """The making of one release."""

    def __init__(self, folder: Path, keyring: Keyring, progress: Progress) -> None:
        self._folder, self._keyring, self._progress = folder, keyring, progress
        self._state = _read(folder, keyring.root)
        self._kept = frozenset(_archive_path(folder, each) for each in self._state.targets.signed.targets.values())

    def make(self, changes: Changes, signer: CryptoSigner, clock: datetime | None) -> Published:
        targets = self._state.targets.signed
        for name in changes.remove:
            self._remove(targets, name)
        try:
            ensure_folder(self._folder / METADATA)
            for pack in changes.packs:
                self._add(targets, pack)
            if changes.prune:
                self._prune(targets)
            self._check_whole(targets)
            ledger = next_release(self._keyring.folder, self._state.release, clock)
            expires = ledger.signed + LIFE
            timestamp = self._write(signer, ledger.release, expires)
        except BaseException:
            with suppress(OSError):  # the first error is the one to tell
                self._sweep(self._state.release, self._kept)
            raise
        # If this fails, the disk may have taken it all the same: both releases are whole then, and nothing is swept.
        write_atomically(self._folder / METADATA / "timestamp.json", timestamp, EVERYBODY)
        with suppress(OSError):  # housekeeping: the release is made
            self._sweep(ledger.release, {_archive_path(self._folder, each) for each in targets.targets.values()})
        return Published(self._keyring, ledger.release, expires, _offers(targets, self._folder))

    def _remove(self, targets: Targets, name: str) -> None:
        paths = [offer.path for offer in _offers(targets, self._folder) if offer.name == name]
        if not paths:
            raise RepositoryError(path=str(self._folder), reason=f"there is no pack {name} in it")
        for path in paths:
            del targets.targets[path]

    def _prune(self, targets: Targets) -> None:
        newest = {offer.name: offer.path for offer in _offers(targets, self._folder)}  # the newest comes last
        for path in set(targets.targets) - set(newest.values()):
            del targets.targets[path]

    def _add(self, targets: Targets, pack: Path) -> None:
        label = pack.name

        def show(done: int, total: int) -> None:
            self._progress(label, done, total)

        offer = self._examine(pack, show)
        label = f"{offer.name} {offer.version}"
        known = targets.targets.get(offer.path)
        if known and read_offer(known, str(self._folder)).manifest != offer.manifest:
            raise PackPublishedError(pack=f"{offer.name} {offer.version}")
        if known and _is_intact(_archive_path(self._folder, known), known):
            return
        home = self._folder / TARGETS / offer.name
        ensure_folder(home)
        with storage_errors(home):
            new = home / f".{offer.name}-{offer.version}.pack"
            if pack.is_dir():
                archive.create(pack, new, show)
            else:
                _copy(pack, new, show)
            target = TargetFile.from_file(offer.path, str(new), ["sha256"])
            target.unrecognized_fields["custom"] = custom_of(offer)
            new.replace(_archive_path(self._folder, target))
            flush_folder(home)
        targets.targets[offer.path] = target

    def _examine(self, pack: Path, show: archive.Progress) -> Offer:
        """The offer of a pack that was read through and is sound."""
        if pack.is_dir():
            manifest = verify(pack).manifest
            raw = (pack / MANIFEST).read_bytes()
        else:
            manifest, raw = archive.check(pack, progress=show)
        return offer_of(manifest, hashlib.sha256(raw).hexdigest())

    def _check_whole(self, targets: Targets) -> None:
        """Sign nothing that is not there. Content is compared when it is read: this is only about files lost."""
        for target in targets.targets.values():
            path = _archive_path(self._folder, target)
            if not path.is_file() or path.stat().st_size != target.length:
                reason = f"{target.path} is missing or cut short; publish that pack again, or take it out (--remove)"
                raise RepositoryError(path=str(self._folder), reason=reason)

    def _write(self, signer: CryptoSigner, release: int, expires: datetime) -> bytes:
        """Write the metadata of the release, but for its timestamp: that is returned."""
        folder, state = self._folder / METADATA, self._state
        for version, raw in enumerate(self._keyring.roots, 1):
            path = folder / f"{version}.root.json"
            if not path.is_file() or path.read_bytes() != raw:
                write_atomically(path, raw, EVERYBODY)
        raw = _signed(state.targets, release, expires, signer)
        write_atomically(folder / f"{release}.targets.json", raw, EVERYBODY)
        state.snapshot.signed.meta["targets.json"] = _described(release, raw)
        raw = _signed(state.snapshot, release, expires, signer)
        write_atomically(folder / f"{release}.snapshot.json", raw, EVERYBODY)
        told = {SIGNED_AT: f"{expires - LIFE:%Y-%m-%dT%H:%M:%SZ}"}
        timestamp = Timestamp(snapshot_meta=_described(release, raw), unrecognized_fields=told)
        return _signed(Metadata(timestamp), release, expires, signer)

    def _sweep(self, release: int, kept: frozenset[Path] | set[Path]) -> None:
        """Remove what no release uses any more and what a cut left; files that are not ours stay."""
        for path in list((self._folder / METADATA).glob("*")):
            ours = OUR_METADATA.fullmatch(path.name)
            if LEFT_OVER.fullmatch(path.name) or (ours and int(ours[1]) != release):
                path.unlink()
        for path in list((self._folder / TARGETS).glob("*/*")):
            if LEFT_OVER.fullmatch(path.name) or (OUR_ARCHIVE.fullmatch(path.name) and path not in kept):
                path.unlink()
        for home in list((self._folder / TARGETS).glob("*")):
            with suppress(OSError):
                home.rmdir()  # only if nothing is in it


def _read(folder: Path, root: Root) -> _State:
    """The release in `folder`, checked before it is signed anew: the folder may have been in other hands."""
    metadata = folder / METADATA
    with storage_errors(folder):
        if not metadata.is_dir() or not any(OUR_METADATA.fullmatch(path.name) for path in metadata.iterdir()):
            return _State(0, Metadata(Targets()), Metadata(Snapshot()))
    try:
        timestamp = Metadata[Timestamp].from_bytes((metadata / "timestamp.json").read_bytes())
        root.verify_delegate(Timestamp.type, timestamp.signed_bytes, timestamp.signatures)
        described = timestamp.signed.snapshot_meta
        raw = (metadata / f"{described.version}.snapshot.json").read_bytes()
        described.verify_length_and_hashes(raw)
        snapshot = Metadata[Snapshot].from_bytes(raw)
        root.verify_delegate(Snapshot.type, snapshot.signed_bytes, snapshot.signatures)
        described = snapshot.signed.meta["targets.json"]
        raw = (metadata / f"{described.version}.targets.json").read_bytes()
        described.verify_length_and_hashes(raw)
        targets = Metadata[Targets].from_bytes(raw)
        root.verify_delegate(Targets.type, targets.signed_bytes, targets.signatures)
    except FileNotFoundError as error:
        reason = f"{Path(str(error.filename)).name} is missing; publish into an empty folder"
        raise RepositoryError(path=str(folder), reason=reason) from error
        _offers(targets.signed, folder)
    except OSError as error:
        raise storage_error(folder, error) from error
    except (TufError, AttributeError, KeyError, ValueError) as error:
        reason = "its metadata are damaged, or signed with other keys; publish into an empty folder"
        raise RepositoryError(path=str(folder), reason=reason) from error
    used = max(timestamp.signed.version, snapshot.signed.version, targets.signed.version)
    return _State(used, targets, snapshot)


def _signed(metadata: Metadata[T], release: int, expires: datetime, signer: CryptoSigner) -> bytes:
    metadata.signed.version, metadata.signed.expires = release, expires
    metadata.sign(signer)
    return metadata.to_bytes()


def _described(release: int, raw: bytes) -> MetaFile:
    return MetaFile(release, len(raw), {"sha256": hashlib.sha256(raw).hexdigest()})


def _offers(targets: Targets, folder: Path) -> tuple[Offer, ...]:
    found = [read_offer(target, str(folder)) for target in targets.targets.values()]
    return tuple(sorted(found, key=lambda offer: (offer.name, version_key(offer.version))))


def _archive_path(folder: Path, target: TargetFile) -> Path:
    home, _, name = target.path.rpartition("/")
    return folder / TARGETS / home / f"{target.hashes['sha256']}.{name}"


def _is_intact(path: Path, target: TargetFile) -> bool:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == target.hashes["sha256"]
    except OSError:
        return False


def _copy(source: Path, target: Path, show: archive.Progress) -> None:
    """Copy `source` over `target`, and to the disk itself. Raises OSError."""
    total, done = source.stat().st_size, 0
    with source.open("rb") as stream, target.open("wb") as out:
        while block := stream.read(BLOCK):
            out.write(block)
            done += len(block)
            show(done, total)
        out.flush()
        os.fsync(out.fileno())
