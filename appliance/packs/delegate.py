"""A cooperative's own key: a publisher lets it list packs under its own name, and needs its public key for that only.

The cooperative makes the metadata of its role itself (`offer`), in a folder with the archives; the publisher takes that
folder in (`Changes.take`), since it is the publisher's snapshot that says which of them is the newest. Boxes that trust
the publisher take the cooperative's packs then, under `NAME/…` and `NAME-…/…`, and no others of it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.signer import Key, SSlibKey
from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, Root, Snapshot, Targets, Timestamp

from appliance.errors import KeysError, RepositoryError
from appliance.packs.archives import Progress, put_archive, take_archive
from appliance.packs.keys import EVERYBODY, Passphrase, check_place, next_release, read_keys, signer_of
from appliance.packs.manifest import NAME
from appliance.packs.release import (
    LIFE,
    METADATA,
    OUR_METADATA,
    TIMESTAMP,
    Standing,
    described_by,
    place_of,
    read_role,
    signed,
    sweep,
)
from appliance.storage.atomic import ensure_folder, storage_errors, write_atomically
from appliance.storage.lock import lock_folder

LARGEST = 16 * 1024  # bytes of a public key
TOP = (Root.type, Timestamp.type, Snapshot.type, Targets.type)


@dataclass(frozen=True)
class Delegate:
    """A cooperative, as a publisher names it, and its public key."""

    name: str
    key: Key


def public_key(keys: Path) -> bytes:
    """The public part of the key for packs in the folder `keys`, to be given to a publisher. Raises KeysError."""
    root = read_keys(keys).root
    key = root.get_key(root.roles[Targets.type].keyids[0])
    return json.dumps(key.to_dict(), indent=1).encode("ascii") + b"\n"


def read_public_key(path: Path) -> Key:
    """The key in a file that `public_key` wrote. Raises KeysError."""
    try:
        with path.open("rb") as file:
            values = json.loads(file.read(LARGEST))
        if (values["keytype"], values["scheme"]) != ("ed25519", "ed25519"):
            raise KeysError(path=str(path), reason="it is of a kind that no Baraza makes")
        public = values["keyval"]["public"]
        if not re.fullmatch(r"[0-9a-f]{64}", public):
            raise KeysError(path=str(path), reason="it is damaged")
        # Its id is worked out anew: what the file says of itself is not gone by.
        return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)))
    except OSError as error:
        raise KeysError(path=str(path), reason=error.strerror or str(error)) from error
    except (ValueError, TypeError, KeyError) as error:
        raise KeysError(path=str(path), reason="it is no public key; make it with `baraza keys public`") from error


def check_name(name: str) -> None:
    """Raises RepositoryError: no cooperative may be called so."""
    if not NAME.fullmatch(name) or name in TOP:
        reason = f"a cooperative is named by small letters, digits and hyphens, and not {', '.join(TOP)}"
        raise RepositoryError(path=name[:80], reason=reason)


def delegate(targets: Targets, to: Delegate) -> None:
    """Let the cooperative list packs under its name; a key that it had before counts no longer."""
    check_name(to.name)
    delegations = targets.delegations or Delegations({}, {})
    roles = dict(delegations.roles or {})
    if to.name in roles:
        for keyid in list(roles[to.name].keyids):
            targets.revoke_key(keyid, to.name)
    roles[to.name] = DelegatedRole(to.name, [], 1, False, [f"{to.name}/*", f"{to.name}-*/*"])
    delegations.roles = roles
    targets.delegations = delegations
    targets.add_key(to.key, to.name)


def revoke(targets: Targets, name: str, folder: Path) -> None:
    """Let the cooperative list nothing any more. Its line in the snapshot stays: boxes refuse one that left a role out.

    Raises RepositoryError: there is no such cooperative.
    """
    roles = (targets.delegations and targets.delegations.roles) or {}
    if name not in roles or targets.delegations is None:
        raise RepositoryError(path=str(folder), reason=f"there is no cooperative {name[:80]} in it")
    for keyid in list(roles[name].keyids):
        targets.revoke_key(keyid, name)
    left = {role: each for role, each in roles.items() if role != name}
    targets.delegations = Delegations(targets.delegations.keys, left) if left else None


def offer(
    folder: Path,
    keys: Path,
    name: str,
    packs: tuple[Path, ...],
    passphrase: Passphrase,
    progress: Progress = lambda label, done, total: None,
    clock: datetime | None = None,
) -> tuple[str, ...]:
    """Put `packs`, and no others, into `folder` as the cooperative `name`, signed with its keys; what they are.

    Raises:
        KeysError, KeysLockedError: the keys are missing, locked, or lie where they do not belong.
        RepositoryError: a pack is not called after the cooperative, or the folder has what somebody else signed.
        PackManifestError, PackFileError, PackArchiveError: a pack is not sound.
        StorageError: there is no room, or the folder cannot be written.
    """
    check_name(name)
    check_place(keys, apart=folder)
    keyring = read_keys(keys)
    _check_own(folder, name)
    lock = lock_folder(keys)
    try:
        signer = signer_of(keyring, Targets.type, passphrase)
        role = DelegatedRole(name, [], 1, False, [f"{name}/*", f"{name}-*/*"])
        targets = Targets()
        for pack in packs:
            target = put_archive(folder, pack, {}, progress)
            _check_path(role, target.path, folder)
            targets.targets[target.path] = target
        ledger = next_release(keys, _newest(folder, name), clock)
        raw = signed(Metadata(targets), ledger.release, ledger.signed + LIFE, signer)
        ensure_folder(folder / METADATA)
        write_atomically(folder / METADATA / f"{ledger.release}.{name}.json", raw, EVERYBODY)
        kept = {f"{METADATA}/{ledger.release}.{name}.json", *map(place_of, targets.targets.values())}
        with storage_errors(folder):
            sweep(folder, kept)
    finally:
        lock.release()
    return tuple(sorted(targets.targets))


def take(state: Standing, folder: Path, source: Path, progress: Progress) -> Standing:
    """What a cooperative put into `source`, taken into the repository in `folder`; the release that has it.

    Raises:
        RepositoryError: it is of no cooperative of this publisher, not sound, or older than what is there.
        StorageError: there is no room, or the folder cannot be written.
    """
    targets, roles = state.targets.signed, dict(state.roles)
    names = (targets.delegations and targets.delegations.roles) or {}
    offered = {name: number for name in names if (number := _newest(source, name))}
    if not offered:
        known = ", ".join(names) or "none"
        raise RepositoryError(path=str(source), reason=f"no cooperative of this publisher put it there ({known})")
    for name, number in offered.items():
        raw = _read(source, name, number)
        metadata = _checked(name, raw, state, source)
        for target in metadata.signed.targets.values():
            _check_path(names[name], target.path, source)
            take_archive(folder, source / place_of(target), target, progress)
        write_atomically(folder / METADATA / f"{number}.{name}.json", raw, EVERYBODY)
        state.snapshot.signed.meta[f"{name}.json"] = described_by(number, raw)
        roles[name] = metadata
    return replace(state, roles=roles)


def _checked(name: str, raw: bytes, state: Standing, source: Path) -> Metadata[Targets]:
    try:
        metadata = read_role(name, raw, state.targets.signed, source)
    except (TufError, AttributeError, ValueError) as error:
        reason = f"it is not signed with the key of {name}: {error}"
        raise RepositoryError(path=str(source), reason=reason) from error
    listed = state.snapshot.signed.meta.get(f"{name}.json")
    version = metadata.signed.version
    if listed and version < listed.version:
        reason = (
            f"it is release {version} of {name}, and {listed.version} was taken before, so boxes would refuse it; "
            "delegate another name to them"
        )
        raise RepositoryError(path=str(source), reason=reason)
    if listed and version == listed.version and listed != described_by(version, raw):
        reason = f"release {version} of {name} was taken before with another content; it must be offered anew"
        raise RepositoryError(path=str(source), reason=reason)
    return metadata


def _check_path(role: DelegatedRole, path: str, folder: Path) -> None:
    if not role.is_delegated_path(path):
        reason = f"{path[:80]} is not called after {role.name}: the name of its pack must begin so"
        raise RepositoryError(path=str(folder), reason=reason)


def _check_own(folder: Path, name: str) -> None:
    """What is replaced in `folder` must be of this cooperative: a publisher's stick would lose all it has."""
    with storage_errors(folder):
        try:
            found = [path.name for path in (folder / METADATA).iterdir()]
        except FileNotFoundError:
            return
    if any(each == TIMESTAMP or (OUR_METADATA.fullmatch(each) and not _is_of(each, name)) for each in found):
        raise RepositoryError(
            path=str(folder), reason="somebody else's packs lie there; offer into a folder of its own"
        )


def _is_of(file: str, name: str) -> bool:
    return file.partition(".")[2] == f"{name}.json"


def _newest(folder: Path, name: str) -> int:
    """The newest release that a cooperative put into `folder`, 0 for none. Raises StorageError."""
    with storage_errors(folder):
        try:
            found = [path.name for path in (folder / METADATA).iterdir()]
        except FileNotFoundError:
            return 0
    ours = [each for each in found if OUR_METADATA.fullmatch(each) and _is_of(each, name)]
    return max((int(each.partition(".")[0]) for each in ours), default=0)


def _read(folder: Path, name: str, number: int) -> bytes:
    with storage_errors(folder):
        return (folder / METADATA / f"{number}.{name}.json").read_bytes()
