"""Packs put into a signed repository (The Update Framework) in a folder: a stick, or what a web server hands out.

FOLDER/metadata/N.root.json, R.targets.json, R.snapshot.json, timestamp.json
FOLDER/targets/NAME/SHA256.NAME-VERSION.pack

R is the release. Everything of a new release is written under names of its own; `timestamp.json`, put in place last,
makes it the one that counts. Until then, and after any failure, the folder holds the old release, whole.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Root, Targets

from appliance.errors import RepositoryError
from appliance.packs.archives import Progress, put_archive
from appliance.packs.delegate import Delegate, delegate, revoke, take
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
from appliance.packs.offer import Offer
from appliance.packs.release import LIFE as LIFE  # for those who publish
from appliance.packs.release import (
    METADATA,
    TIMESTAMP,
    Standing,
    offers_of,
    place_of,
    roles_in,
    standing,
    sweep,
    write_release,
)
from appliance.packs.store import version_key
from appliance.storage.atomic import ensure_folder, write_atomically
from appliance.storage.lock import lock_folder


@dataclass(frozen=True)
class Changes:
    """`packs`: folders and `.pack` files to add; `remove`: names of packs to take out; `prune`: of every pack keep the
    newest version only.

    Of cooperatives (`delegate`): those that may list packs from now on, the names of those that may not any more, and
    the folders in which they `offer` theirs.
    """

    packs: tuple[Path, ...] = ()
    remove: tuple[str, ...] = ()
    prune: bool = False
    delegate: tuple[Delegate, ...] = ()
    revoke: tuple[str, ...] = ()
    take: tuple[Path, ...] = ()


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
    return _all_offers(standing(folder, root), folder)


def _all_offers(state: Standing, folder: Path) -> tuple[Offer, ...]:
    found = [offer for each in (state.targets, *state.roles.values()) for offer in offers_of(each.signed, folder)]
    return tuple(sorted(found, key=lambda offer: (offer.name, version_key(offer.version))))


class _Release:
    """The making of one release."""

    def __init__(self, folder: Path, keyring: Keyring, progress: Progress) -> None:
        self._folder, self._keyring, self._progress = folder, keyring, progress
        self._state = standing(folder, keyring.root)
        self._kept = self._state.places

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
            self._change_cooperatives(changes)
            self._check_whole()
            ledger = next_release(self._keyring.folder, self._state.release, clock)
            expires = ledger.signed + LIFE
            timestamp = write_release(self._folder, self._keyring, self._state, ledger.release, expires, signer)
        except BaseException:
            with suppress(OSError):  # the first error is the one to tell
                sweep(self._folder, self._kept)
            raise
        # If this fails, the disk may have taken it all the same: both releases are whole then, and nothing is swept.
        write_atomically(self._folder / METADATA / TIMESTAMP, timestamp, EVERYBODY)
        with suppress(OSError):  # housekeeping: the release is made
            sweep(self._folder, replace(self._state, release=ledger.release).places)
        return Published(self._keyring, ledger.release, expires, _all_offers(self._state, self._folder))

    def _remove(self, targets: Targets, name: str) -> None:
        paths = [offer.path for offer in offers_of(targets, self._folder) if offer.name == name]
        if not paths:
            raise RepositoryError(path=str(self._folder), reason=f"there is no pack {name} in it")
        for path in paths:
            del targets.targets[path]

    def _prune(self, targets: Targets) -> None:
        newest = {offer.name: offer.path for offer in offers_of(targets, self._folder)}  # the newest comes last
        for path in set(targets.targets) - set(newest.values()):
            del targets.targets[path]

    def _add(self, targets: Targets, pack: Path) -> None:
        target = put_archive(self._folder, pack, targets.targets, self._progress)
        targets.targets[target.path] = target

    def _change_cooperatives(self, changes: Changes) -> None:
        """Take out, let in, and take over what those who were let in have brought."""
        targets = self._state.targets.signed
        for name in changes.revoke:
            revoke(targets, name, self._folder)
        for cooperative in changes.delegate:
            delegate(targets, cooperative)
        roles = roles_in(self._folder, targets, self._state.snapshot.signed)  # of those who may still list packs
        self._state = replace(self._state, roles=roles)
        for source in changes.take:
            self._state = take(self._state, self._folder, source, self._progress)

    def _check_whole(self) -> None:
        """Sign nothing that is not there. Content is compared when it is read: this is only about files lost."""
        for metadata in (self._state.targets, *self._state.roles.values()):
            for target in metadata.signed.targets.values():
                path = self._folder / place_of(target)
                if not path.is_file() or path.stat().st_size != target.length:
                    reason = (
                        f"{target.path} is missing or cut short; publish that pack again, or take it out (--remove)"
                    )
                    raise RepositoryError(path=str(self._folder), reason=reason)
