"""Signed repositories as nobody would publish them: every attack on a stick begins as one of these.

One key for each role, so that each can be stolen, lost or replaced alone. Every file can be written by itself.
"""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from appliance.packs import archive
from appliance.packs.offer import custom_of, offer_of
from appliance.packs.sources import FolderSource
from appliance.packs.store import verify
from appliance.packs.trust import Trust

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
FRESH, STALE = NOW + timedelta(days=400), NOW - timedelta(days=1)
ROLES = (Root.type, Timestamp.type, Snapshot.type, Targets.type)


@cache
def signer(number: int) -> CryptoSigner:
    """A key of this run of the tests."""
    return CryptoSigner.generate_ed25519()


class Clock:
    """A clock that stands where it is put."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Forger:
    """A publisher who does what he likes in `folder`; `first` is the number of his first key."""

    def __init__(self, folder: Path, first: int = 0, expires: datetime = FRESH, consistent: bool = True) -> None:
        self.folder, self.hashes = folder, True
        self.signers = {role: [signer(first + number)] for number, role in enumerate(ROLES)}
        self.delegated: dict[str, Targets] = {}
        self.roots: list[bytes] = []
        self.root = Root(version=1, expires=expires, consistent_snapshot=consistent)
        for role, (key,) in self.signers.items():
            self.root.add_key(key.public_key, role)
        self.targets = Targets(version=1, expires=expires)
        self.snapshot = Snapshot(version=1, expires=expires)
        self.timestamp = Timestamp(version=1, expires=expires)
        self.roots.append(self.write_root(1))

    def next_root(self) -> None:
        """Sign the root as it is under the next number, with the keys that `signers` has."""
        self.root.version += 1
        self.roots.append(self.write_root(self.root.version))

    def write_root(self, number: int, signers: list[CryptoSigner] | None = None) -> bytes:
        """The root as it is now, under the name of version `number`."""
        raw = self._signed(self.root, self.signers[Root.type] if signers is None else signers)
        self.write(f"{number}.root.json", raw)
        return raw

    def rotate(self, role: str, number: int, *more: CryptoSigner) -> None:
        """Replace the key of `role` by key `number`, in a new root signed by the old keys (and `more`)."""
        for keyid in list(self.root.roles[role].keyids):
            self.root.revoke_key(keyid, role)
        self.root.add_key(signer(number).public_key, role)
        old, self.signers[role] = self.signers[role], [signer(number)]
        if role == Root.type:
            self.signers[role] = [*old, signer(number), *more]
        self.next_root()
        self.signers[role] = [signer(number)]

    def add(self, pack: Path, role: str = Targets.type) -> TargetFile:
        """List the pack in `role`, and put its archive where it belongs."""
        manifest = verify(pack).manifest
        offer = offer_of(manifest, hashlib.sha256((pack / "pack.toml").read_bytes()).hexdigest())
        new = self.folder / "targets" / offer.name / "new.pack"
        new.parent.mkdir(parents=True, exist_ok=True)
        archive.create(pack, new)
        target = TargetFile.from_file(offer.path, str(new), ["sha256"])
        target.unrecognized_fields["custom"] = custom_of(offer)
        new.rename(self.archive(target))
        (self.targets if role == Targets.type else self.delegated[role]).targets[offer.path] = target
        return target

    def archive(self, target: TargetFile) -> Path:
        home, _, name = target.path.rpartition("/")
        prefix = f"{target.hashes['sha256']}." if self.root.consistent_snapshot else ""
        return self.folder / "targets" / home / f"{prefix}{name}"

    def delegate(self, role: str, number: int, *paths: str, terminating: bool = False) -> Targets:
        """Let key `number` list targets under `paths`."""
        key = signer(number).public_key
        self.targets.delegations = self.targets.delegations or Delegations({}, {})
        assert self.targets.delegations.roles is not None
        self.targets.delegations.roles[role] = DelegatedRole(role, [], 1, terminating, list(paths))
        self.targets.add_key(key, role)
        self.signers[role] = [signer(number)]
        self.delegated[role] = Targets(version=1, expires=FRESH)
        return self.delegated[role]

    def put(self, version: int = 0) -> None:
        """Sign a whole release, all roles under one number."""
        if version:
            for each in (self.targets, self.snapshot, self.timestamp, *self.delegated.values()):
                each.version = version
        for role in self.delegated:
            self.put_delegated(role)
        self.put_targets()
        self.put_snapshot()
        self.put_timestamp()

    def put_delegated(self, role: str) -> None:
        raw = self._signed(self.delegated[role], self.signers[role])
        self.write(self.named(role, self.delegated[role].version), raw)
        self.snapshot.meta[f"{role}.json"] = self._described(self.delegated[role], raw)

    def put_targets(self) -> None:
        raw = self._signed(self.targets, self.signers[Targets.type])
        self.write(self.named(Targets.type, self.targets.version), raw)
        self.snapshot.meta["targets.json"] = self._described(self.targets, raw)

    def put_snapshot(self) -> None:
        raw = self._signed(self.snapshot, self.signers[Snapshot.type])
        self.write(self.named(Snapshot.type, self.snapshot.version), raw)
        self.timestamp.snapshot_meta = self._described(self.snapshot, raw)

    def put_timestamp(self) -> None:
        self.write("timestamp.json", self._signed(self.timestamp, self.signers[Timestamp.type]))

    def write(self, name: str, raw: bytes) -> Path:
        path = self.folder / "metadata" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        return path

    def named(self, role: str, version: int) -> str:
        return f"{version}.{role}.json" if self.root.consistent_snapshot else f"{role}.json"

    def copied(self, to: Path) -> Forger:
        """What lies on the stick now, kept for later."""
        shutil.copytree(self.folder, to)
        return self

    @staticmethod
    def _signed(signed: Signed, signers: list[CryptoSigner]) -> bytes:
        metadata = Metadata(signed)
        for each in signers:
            metadata.sign(each, append=True)
        return metadata.to_bytes()

    def _described(self, signed: Signed, raw: bytes) -> MetaFile:
        if not self.hashes:
            return MetaFile(signed.version)
        return MetaFile(signed.version, len(raw), {"sha256": hashlib.sha256(raw).hexdigest()})


def names(trust: Trust, folder: Path) -> list[str]:
    """The packs that the box finds in `folder`."""
    return [f"{offer.name} {offer.version}" for offer in trust.open(FolderSource(folder)).offers]
