"""The keys of a publisher: one for the root, kept apart where possible, and one that signs packs.

FOLDER/root-KEYID.key     private; needed to make and to renew the root only
FOLDER/packs-KEYID.key    private; signs targets, snapshot and timestamp of every repository of this publisher
FOLDER/N.root.json        every version of the root; public
FOLDER/ledger.json        the last release that was signed and when, so that no number is given twice

Why so: docs/decisions/0009-signed-packs.md. Nothing here asks a person anything: a passphrase comes from the caller.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from appliance.errors import KeysError, KeysLockedError
from appliance.packs.fingerprint import fingerprint
from appliance.storage.atomic import NOBODY_ELSE, ensure_folder, remove_leftovers, storage_errors, write_atomically
from appliance.storage.lock import lock_folder

Passphrase = Callable[[], str]  # asked only when a key is locked

ROOT_LIFE = timedelta(days=3653)
RENEW_BEFORE = timedelta(days=730)
EARLIEST = datetime(2026, 11, 1, tzinfo=UTC)  # when this was written: a clock that says less is wrong
EVERYBODY = 0o644
LEDGER = "ledger.json"
PACKS_ROLES = (Targets.type, Snapshot.type, Timestamp.type)
BEGIN = b"-----BEGIN "
STRETCH = re.compile(rb"passphrase stretched by scrypt: salt ([0-9a-f]{32})\n")
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**16, 8, 2  # 64 MiB, about 0.8 s a guess


@dataclass(frozen=True)
class Keyring:
    """The public part of a folder of keys; `roots` are the bytes of every version of the root, the first one first."""

    folder: Path
    roots: tuple[bytes, ...]
    root: Root

    @property
    def words(self) -> str:
        """The fingerprint, for people to compare."""
        return fingerprint(self.root)


@dataclass(frozen=True)
class Ledger:
    """The newest release signed with the keys (0: none yet), and when that was."""

    release: int
    signed: datetime


def make_keys(folder: Path, passphrase: str = "", clock: datetime | None = None) -> Keyring:
    """Make both keys and the first root in `folder`; locked with `passphrase` unless it is empty.

    Raises:
        KeysError: there are keys already, or the folder is no place for them.
        StorageError: the folder cannot be written.
    """
    check_place(folder)
    with _locked(folder):
        if _root_path(folder, 1).exists():
            raise KeysError(path=str(folder), reason="there are keys here already")
        with suppress(PermissionError):  # FAT knows no modes of folders
            folder.chmod(0o700)
        signers = {name: _new_key(folder, name, passphrase) for name in ("root", "packs")}
        root = Root(version=1, expires=_now(clock, EARLIEST) + ROOT_LIFE, consistent_snapshot=True)
        root.add_key(signers["root"].public_key, Root.type)
        for role in PACKS_ROLES:
            root.add_key(signers["packs"].public_key, role)
        _write_root(folder, root, signers["root"])
    return read_keys(folder)


def read_keys(folder: Path) -> Keyring:
    """The public part of the keys in `folder`; no passphrase is needed.

    Raises:
        KeysError: there are none, or a version of the root is missing, damaged or not signed by the one before.
    """
    roots: list[bytes] = []
    newest: Metadata[Root] | None = None
    with storage_errors(folder):
        while (path := _root_path(folder, len(roots) + 1)).is_file():
            raw = path.read_bytes()
            newest = _follow(newest, raw, path)
            roots.append(raw)
    if newest is None:
        raise KeysError(path=str(folder), reason="there are none; make them with `baraza keys make`")
    return Keyring(folder, tuple(roots), newest.signed)


def renew_root(
    folder: Path, passphrase: Passphrase, *, new_packs_key: bool = False, clock: datetime | None = None
) -> Keyring:
    """Sign the next version of the root; with `new_packs_key` the packs' key of before counts no longer.

    Raises:
        KeysError, KeysLockedError: the root's key is not there, or cannot be opened.
    """
    keyring = read_keys(folder)
    with _locked(folder):
        secret = _once(passphrase)
        signer = signer_of(keyring, Root.type, secret)
        root = deepcopy(keyring.root)
        root.version += 1
        root.expires = _now(clock, read_ledger(folder).signed) + ROOT_LIFE
        if new_packs_key:
            used = _is_locked(_key_path(keyring, Root.type))
            key = _new_key(folder, "packs", secret() if used else "").public_key
            for role in PACKS_ROLES:
                for keyid in list(root.roles[role].keyids):
                    root.revoke_key(keyid, role)
                root.add_key(key, role)
        _write_root(folder, root, signer)
    return read_keys(folder)


def signer_of(keyring: Keyring, role: str, passphrase: Passphrase) -> CryptoSigner:
    """What signs for `role` of the root.

    Raises:
        KeysError: the key is not in the folder, is damaged, or can be read by others.
        KeysLockedError: the passphrase is missing or wrong.
    """
    path = _key_path(keyring, role)
    try:
        raw = path.read_bytes()
        open_to_all = stat.S_IMODE(path.stat().st_mode) & 0o077
    except FileNotFoundError:
        raise KeysError(path=str(path), reason="this key is needed; put it back where it was") from None
    except OSError as error:
        raise KeysError(path=str(path), reason=error.strerror or str(error)) from error
    locked = STRETCH.match(raw)
    if open_to_all and not locked:
        raise KeysError(path=str(path), reason=f"others can read it; chmod 600 {path.name}")
    password = _stretched(passphrase(), bytes.fromhex(locked[1].decode())) if locked else None
    try:
        key = load_pem_private_key(raw[max(raw.find(BEGIN), 0) :], password)
        return CryptoSigner(key, cast(SSlibKey, keyring.root.get_key(keyring.root.roles[role].keyids[0])))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if locked:
            raise KeysLockedError(path=str(path)) from error
        raise KeysError(path=str(path), reason="it is damaged, or another key") from error


def read_ledger(folder: Path) -> Ledger:
    """The ledger of the keys. Raises KeysError if it is damaged: it is never silently begun anew."""
    path = folder / LEDGER
    try:
        values = json.loads(path.read_text(encoding="ascii"))
        ledger = Ledger(int(values["release"]), datetime.fromisoformat(values["signed"]))
        if ledger.release >= 0 and ledger.signed.tzinfo is not None:
            return ledger
    except FileNotFoundError:
        return Ledger(0, EARLIEST)
    except OSError as error:
        raise KeysError(path=str(path), reason=error.strerror or str(error)) from error
    except (ValueError, TypeError, KeyError):
        pass
    raise KeysError(path=str(path), reason="it is damaged; a copy of the folder may have it whole")


def next_release(folder: Path, used: int, clock: datetime | None = None) -> Ledger:
    """Take the next release number, above `used` and above all given before; it is on the disk when this returns.

    Two sticks never get the same number: a box takes what it saw under one as known, and would pass over the other.
    """
    before = read_ledger(folder)
    ledger = Ledger(max(before.release, used) + 1, _now(clock, before.signed))
    text = json.dumps({"release": ledger.release, "signed": ledger.signed.isoformat(timespec="seconds")})
    remove_leftovers(folder / LEDGER)
    write_atomically(folder / LEDGER, text.encode("ascii"))
    return ledger


def check_place(folder: Path, apart: Path | None = None) -> None:
    """Refuse a folder that gets copied or published, with the private keys in it.

    Raises:
        KeysError: `folder` is in a Git checkout, or it and `apart` (where packs are published) are not apart.
    """
    here = folder.resolve()
    if any((parent / ".git").exists() for parent in (here, *here.parents)):
        raise KeysError(path=str(folder), reason="private keys do not belong in a Git checkout; choose another folder")
    there = apart.resolve() if apart else None
    if there and (here == there or here in there.parents or there in here.parents):
        raise KeysError(path=str(folder), reason=f"private keys do not belong where packs are published ({there})")


def _now(clock: datetime | None, before: datetime) -> datetime:
    """The time to sign with: a clock that fell back to 1970 would make what nobody accepts."""
    return max(clock or datetime.now(UTC), before, EARLIEST)


def _root_path(folder: Path, version: int) -> Path:
    return folder / f"{version}.root.json"


def _key_path(keyring: Keyring, role: str) -> Path:
    keyid = keyring.root.roles[role].keyids[0]
    return keyring.folder / f"{'root' if role == Root.type else 'packs'}-{keyid[:8]}.key"


def _follow(before: Metadata[Root] | None, raw: bytes, path: Path) -> Metadata[Root]:
    """A version of the root, signed by itself and by the one before."""
    try:
        root = Metadata[Root].from_bytes(raw)
        for signed_by in (before or root, root):
            signed_by.signed.verify_delegate(Root.type, root.signed_bytes, root.signatures)
        if root.signed.version != (before.signed.version + 1 if before else 1):
            raise KeysError(path=str(path), reason="its version is not the one of its name")
    except (TufError, AttributeError, ValueError) as error:
        raise KeysError(path=str(path), reason="it is damaged, or not signed by the root before it") from error
    return root


def _write_root(folder: Path, root: Root, signer: CryptoSigner) -> None:
    metadata = Metadata(root)
    metadata.sign(signer)
    write_atomically(_root_path(folder, root.version), metadata.to_bytes(), EVERYBODY)


def _new_key(folder: Path, name: str, passphrase: str) -> CryptoSigner:
    key = Ed25519PrivateKey.generate()
    signer = CryptoSigner(key)
    path = folder / f"{name}-{signer.public_key.keyid[:8]}.key"
    write_atomically(path, _sealed(key, passphrase))
    with storage_errors(path):
        if not passphrase and stat.S_IMODE(path.stat().st_mode) != NOBODY_ELSE:
            path.unlink()
            raise KeysError(path=str(folder), reason="this disk lets others read every file; give a passphrase")
    return signer


def _sealed(key: Ed25519PrivateKey, passphrase: str) -> bytes:
    """The key as PKCS #8; its own 2,048 rounds are too few for what people remember, so the passphrase is stretched."""
    if not passphrase:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    salt = os.urandom(16)
    protection = BestAvailableEncryption(_stretched(passphrase, salt))
    note = f"passphrase stretched by scrypt: salt {salt.hex()}\n".encode()
    return note + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)


def _stretched(passphrase: str, salt: bytes) -> bytes:
    memory = 2 * 128 * SCRYPT_N * SCRYPT_R
    said = unicodedata.normalize("NFC", passphrase).encode()
    stretched = hashlib.scrypt(said, salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, maxmem=memory, dklen=32)
    return stretched.hex().encode()


def _is_locked(path: Path) -> bool:
    with storage_errors(path):
        return bool(STRETCH.match(path.read_bytes()))


def _once(passphrase: Passphrase) -> Passphrase:
    """A person is asked once, however many keys the answer opens."""
    said: list[str] = []

    def ask() -> str:
        if not said:
            said.append(passphrase())
        return said[0]

    return ask


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    ensure_folder(folder)
    lock = lock_folder(folder)
    try:
        yield
    finally:
        lock.release()
