"""The box as a publisher: it signs what no other publisher's list names, with keys of its own.

DATA/keys/box     its keys, made when first needed; they are not in a backup, like all keys for signing packs
DATA/onward       the metadata of its newest release, so that every stick and every neighbour gets the same one

The archives are not kept: they are made again from the installed packs. A box that trusts this one, by its eight words,
takes what it signed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tuf.api.metadata import Metadata, Root, TargetFile, Targets

from appliance.errors import KeysError, RepositoryError, RootError
from appliance.limits import LIMITS, Limits
from appliance.packs.fingerprint import public_keys
from appliance.packs.keys import (
    EVERYBODY,
    RENEW_BEFORE,
    Keyring,
    check_place,
    make_keys,
    next_release,
    read_keys,
    renew_root,
    signer_of,
)
from appliance.packs.offer import Offer, custom_of
from appliance.packs.release import LIFE, METADATA, TIMESTAMP, Standing, standing, sweep, write_release
from appliance.packs.remembered import Release, read_release
from appliance.packs.stored import Stored
from appliance.packs.trust import Trust
from appliance.storage.atomic import ensure_folder, storage_errors, write_atomically
from appliance.storage.lock import lock_folder

BOX = "box"  # the name of its root, here
KEYS, ONWARD = Path("keys") / BOX, "onward"
RENEW_RELEASE = LIFE / 2


@dataclass(frozen=True)
class OwnRoot:
    """What a keeper reads out to others; `expires`: of the root."""

    words: str
    version: int
    expires: datetime


class Own:
    """The publisher of the box whose data lie in `data`."""

    _alone = threading.RLock()  # a stick is written to while others are given packs: each waits for the other to sign

    def __init__(self, data: Path, trust: Trust, limits: Limits = LIMITS) -> None:
        self._keys, self._home = data / KEYS, data / ONWARD
        self._trust, self._limits = trust, limits

    def root(self) -> OwnRoot:
        """The words of this box; its keys are made if it has none. Raises KeysError, StorageError."""
        with self._alone:
            keyring = self._keyring()
        return OwnRoot(keyring.words, keyring.root.version, keyring.root.expires)

    @property
    def exists(self) -> bool:
        """Whether the box has signed anything, or told its words, before."""
        return (self._keys / "1.root.json").is_file()

    @property
    def identity(self) -> str:
        """The public keys of its first root, by which it is recognised; "" if it has none that can be read."""
        try:
            first: Metadata[Root] = Metadata.from_bytes(read_keys(self._keys).roots[0])
        except KeysError:
            return ""
        return public_keys(first.signed)

    def release(self, packs: Iterable[tuple[Offer, Stored]]) -> Release:
        """A release that lists `packs`, and nothing else.

        A new one is signed only if the list has changed or the one before is past the half of its life.

        Raises:
            KeysError, FolderInUseError, StorageError: it cannot be signed.
        """
        with self._alone:
            keyring = self._keyring()
            lock = lock_folder(self._keys)
            try:
                state = self._standing(keyring)
                wanted = {offer.path: _target(offer, stored) for offer, stored in packs}
                fresh = state.targets.signed.expires - self._now() > RENEW_RELEASE
                if not state.release or not fresh or wanted != state.targets.signed.targets or self._moved_on(keyring):
                    self._sign(keyring, state, wanted)
            finally:
                lock.release()
            return self._read(keyring)

    def _sign(self, keyring: Keyring, state: Standing, wanted: dict[str, TargetFile]) -> None:
        targets = deepcopy(state.targets)
        targets.signed.targets = wanted
        signer = signer_of(keyring, Targets.type, _unlocked)
        ensure_folder(self._home / METADATA)
        ledger = next_release(self._keys, max(state.release, self._seen()), self._now())
        new = Standing(state.release, targets, state.snapshot)
        timestamp = write_release(self._home, keyring, new, ledger.release, ledger.signed + LIFE, signer)
        write_atomically(self._home / METADATA / TIMESTAMP, timestamp, EVERYBODY)
        with suppress(OSError):  # housekeeping
            sweep(self._home, Standing(ledger.release, targets, state.snapshot).places)

    def _now(self) -> datetime:
        """The day that the box judges by: a clock at 2038 makes no release of 2038."""
        return self._trust.time.judge().now

    def _keyring(self) -> Keyring:
        try:
            keyring = read_keys(self._keys)
        except KeysError:
            if self.exists:
                raise
            check_place(self._keys)
            keyring = make_keys(self._keys, clock=self._now())
        if keyring.root.expires - self._now() < RENEW_BEFORE:
            keyring = renew_root(self._keys, _unlocked, clock=self._now())
        with suppress(RootError):  # it is trusted already, or the keeper called somebody else so
            self._trust.add(BOX, keyring.roots[-1], keyring.words)
        return keyring

    def _standing(self, keyring: Keyring) -> Standing:
        """The release in the folder; what is damaged there is begun anew, under a new number all the same."""
        with suppress(RepositoryError):
            return standing(self._home, keyring.root)
        return standing(self._home / ".none", keyring.root)

    def _moved_on(self, keyring: Keyring) -> bool:
        """Whether the root was renewed since."""
        return not (self._home / METADATA / f"{keyring.root.version}.root.json").is_file()

    def _seen(self) -> int:
        """The newest release of this box that it met on a stick: its own folder may be older, after a restore."""
        try:
            return self._trust.root(BOX).release
        except RootError:
            return 0

    def _read(self, keyring: Keyring) -> Release:
        with storage_errors(self._home):
            files = {f"{METADATA}/{path.name}": path.read_bytes() for path in (self._home / METADATA).glob("*.json")}
        files |= {f"{METADATA}/{number}.root.json": raw for number, raw in enumerate(keyring.roots, 1)}
        release = read_release(folder_name(keyring.words), files, self._limits)
        if release is None:
            raise RepositoryError(path=str(self._home), reason="what this box signed cannot be read back")
        return release


def folder_name(words: str) -> str:
    """What the folder of this box is called on a stick, where other boxes may have theirs: `box-acorn-yellow`."""
    return "-".join((BOX, *words.split()[:2]))


def _target(offer: Offer, stored: Stored) -> TargetFile:
    custom = {"custom": custom_of(offer)}
    return TargetFile(stored.length, {"sha256": stored.sha256}, offer.path, unrecognized_fields=custom)


def _unlocked() -> str:
    """The keys of the box have no passphrase: it signs while nobody is there."""
    return ""
