"""A release of a repository: read back and checked, and the metadata of the next one signed and written.

FOLDER/metadata/N.root.json, R.targets.json, R.snapshot.json, timestamp.json

R is the release. Everything of a new one has a name of its own; `timestamp.json`, put in place last, makes it count.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from appliance.errors import RepositoryError
from appliance.packs.keys import EVERYBODY, Keyring
from appliance.packs.offer import Offer, read_offer
from appliance.packs.store import version_key
from appliance.storage.atomic import storage_error, storage_errors, write_atomically

LIFE = timedelta(days=400)  # of a release: a village that gets a stick twice a year may miss one
METADATA, TARGETS, TIMESTAMP = "metadata", "targets", "timestamp.json"
OUR_METADATA = re.compile(r"\d{1,9}\.(?!root\.json)[A-Za-z0-9%._-]+\.json")
OUR_ARCHIVE = re.compile(r"[0-9a-f]{64}\.[a-z0-9-]+-\d+\.\d+\.\d+\.pack")
LEFT_OVER = re.compile(r"\.[A-Za-z0-9%._-]+\.(?:tmp|partial|pack)")
SIGNED_AT = "signed_at"  # a field of ours in the timestamp: when it was signed, for boxes whose clock tells nothing

DAMAGE = (TufError, AttributeError, KeyError, ValueError)  # what reading metadata raises that are none, or not ours

T = TypeVar("T", Targets, Snapshot, Timestamp)


@dataclass(frozen=True)
class Standing:
    """The release in a folder, checked; `release` is 0 for an empty folder.

    `roles`: what cooperatives signed, to whom a part of the names was delegated; whose is damaged is left out.
    """

    release: int
    targets: Metadata[Targets]
    snapshot: Metadata[Snapshot]
    roles: Mapping[str, Metadata[Targets]] = field(default_factory=dict)

    @property
    def places(self) -> frozenset[str]:
        """Where its metadata and its archives lie."""
        found = {f"{METADATA}/{self.release}.{role}.json" for role in (Targets.type, Snapshot.type)}
        found |= {f"{METADATA}/{each.signed.version}.{role}.json" for role, each in self.roles.items()}
        for metadata in (self.targets, *self.roles.values()):
            found |= {place_of(target) for target in metadata.signed.targets.values()}
        return frozenset(found)


def standing(folder: Path, root: Root) -> Standing:
    """The release in `folder`, checked before it is signed anew: the folder may have been in other hands.

    A timestamp that is lost or damaged is made anew with the next release; all else must be as it was signed.

    Raises:
        RepositoryError: it is not signed by the keys of `root`, not whole, or lists what is no pack.
        StorageError: it cannot be read.
    """
    metadata = folder / METADATA
    with storage_errors(folder):
        if not metadata.is_dir() or not any(OUR_METADATA.fullmatch(path.name) for path in metadata.iterdir()):
            return Standing(0, Metadata(Targets()), Metadata(Snapshot()))
    try:
        try:
            found = _told(metadata, root)
        except (FileNotFoundError, *DAMAGE):
            newest = _untold(metadata, root)
            if newest is None:
                raise
            found = newest
        offers_of(found.targets.signed, folder)
        return found
    except FileNotFoundError as error:
        reason = f"{Path(str(error.filename)).name} is missing; publish into an empty folder"
        raise RepositoryError(path=str(folder), reason=reason) from error
    except OSError as error:
        raise storage_error(folder, error) from error
    except DAMAGE as error:
        reason = "its metadata are damaged, or signed with other keys; publish into an empty folder"
        raise RepositoryError(path=str(folder), reason=reason) from error


def _told(metadata: Path, root: Root) -> Standing:
    """The release that the timestamp tells of. Raises OSError, DAMAGE."""
    timestamp = Metadata[Timestamp].from_bytes((metadata / TIMESTAMP).read_bytes())
    root.verify_delegate(Timestamp.type, timestamp.signed_bytes, timestamp.signatures)
    found = _described(metadata, timestamp.signed.snapshot_meta, root)
    return replace(found, release=max(found.release, timestamp.signed.version))


def _untold(metadata: Path, root: Root) -> Standing | None:
    """The newest release that is whole but for its timestamp: FAT may lose that one when a stick is pulled out."""
    names = [path.name for path in metadata.glob(f"*.{Snapshot.type}.json") if OUR_METADATA.fullmatch(path.name)]
    for number in sorted((int(name.partition(".")[0]) for name in names), reverse=True):
        with suppress(OSError, *DAMAGE):
            found = _described(metadata, MetaFile(number), root)
            if found.snapshot.signed.version == number:
                return found
    return None


def _described(metadata: Path, described: MetaFile, root: Root) -> Standing:
    """The release with this snapshot. Raises OSError, DAMAGE."""
    raw = (metadata / f"{described.version}.snapshot.json").read_bytes()
    described.verify_length_and_hashes(raw)
    snapshot = Metadata[Snapshot].from_bytes(raw)
    root.verify_delegate(Snapshot.type, snapshot.signed_bytes, snapshot.signatures)
    described = snapshot.signed.meta["targets.json"]
    raw = (metadata / f"{described.version}.targets.json").read_bytes()
    described.verify_length_and_hashes(raw)
    targets = Metadata[Targets].from_bytes(raw)
    root.verify_delegate(Targets.type, targets.signed_bytes, targets.signatures)
    roles = roles_in(metadata.parent, targets.signed, snapshot.signed)
    return Standing(max(snapshot.signed.version, targets.signed.version), targets, snapshot, roles)


def roles_in(folder: Path, targets: Targets, snapshot: Snapshot) -> dict[str, Metadata[Targets]]:
    """What cooperatives signed, as `snapshot` lists it, each checked with the key that `targets` has of them.

    What is not sound, or gone, is left out.
    """
    found = {}
    for role in (targets.delegations and targets.delegations.roles) or {}:
        with suppress(OSError, RepositoryError, *DAMAGE):
            described = snapshot.meta[f"{role}.json"]
            raw = (folder / METADATA / f"{described.version}.{role}.json").read_bytes()
            described.verify_length_and_hashes(raw)
            found[role] = read_role(role, raw, targets, folder)
    return found


def read_role(role: str, raw: bytes, targets: Targets, folder: Path) -> Metadata[Targets]:
    """The metadata `raw` of a cooperative, signed with the key that `targets` has of it.

    Raises DAMAGE, RepositoryError: it is not, or lists what is no pack.
    """
    metadata = Metadata[Targets].from_bytes(raw)
    targets.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    offers_of(metadata.signed, folder)
    return metadata


def write_release(
    folder: Path, keyring: Keyring, state: Standing, release: int, expires: datetime, signer: CryptoSigner
) -> bytes:
    """Write the metadata of the release to `folder`/metadata, but for its timestamp: that is returned.

    `state` has the targets as they are to be, and the snapshot of the release before. Raises StorageError.
    """
    home = folder / METADATA
    for version, raw in enumerate(keyring.roots, 1):
        path = home / f"{version}.root.json"
        if not path.is_file() or path.read_bytes() != raw:
            write_atomically(path, raw, EVERYBODY)
    raw = signed(state.targets, release, expires, signer)
    write_atomically(home / f"{release}.targets.json", raw, EVERYBODY)
    state.snapshot.signed.meta["targets.json"] = described_by(release, raw)
    raw = signed(state.snapshot, release, expires, signer)
    write_atomically(home / f"{release}.snapshot.json", raw, EVERYBODY)
    told = {SIGNED_AT: f"{expires - LIFE:%Y-%m-%dT%H:%M:%SZ}"}
    timestamp = Timestamp(snapshot_meta=described_by(release, raw), unrecognized_fields=told)
    return signed(Metadata(timestamp), release, expires, signer)


def signed(metadata: Metadata[T], release: int, expires: datetime, signer: CryptoSigner) -> bytes:
    """`metadata` as the release `release`, signed by `signer` alone."""
    metadata.signed.version, metadata.signed.expires = release, expires
    metadata.sign(signer)
    return metadata.to_bytes()


def described_by(version: int, raw: bytes) -> MetaFile:
    """What a role says of the metadata `raw` of another."""
    return MetaFile(version, len(raw), {"sha256": hashlib.sha256(raw).hexdigest()})


def offers_of(targets: Targets, folder: Path) -> tuple[Offer, ...]:
    """The packs in `targets`, by name and version. Raises RepositoryError: one of them is no pack."""
    found = [read_offer(target, str(folder)) for target in targets.targets.values()]
    return tuple(sorted(found, key=lambda offer: (offer.name, version_key(offer.version))))


def sweep(folder: Path, kept: Container[str]) -> None:
    """Remove what no release uses any more, and what a cut left; `kept`: what stays, by its place in `folder`.

    Files that are not ours stay, too. Raises OSError.
    """
    for path in list((folder / METADATA).glob("*")):
        ours = OUR_METADATA.fullmatch(path.name) and f"{METADATA}/{path.name}" not in kept
        if ours or LEFT_OVER.fullmatch(path.name):
            path.unlink()
    for path in list((folder / TARGETS).glob("*/*")):
        ours = OUR_ARCHIVE.fullmatch(path.name) and path.relative_to(folder).as_posix() not in kept
        if ours or LEFT_OVER.fullmatch(path.name):
            path.unlink()
    for home in list((folder / TARGETS).glob("*")):
        with suppress(OSError):
            home.rmdir()  # only if nothing is in it


def place_of(target: TargetFile) -> str:
    """Where the archive of `target` lies in a repository: its hash stands before its name."""
    home, _, name = target.path.rpartition("/")
    return f"{TARGETS}/{home}/{target.hashes['sha256']}.{name}"
