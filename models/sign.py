"""Sign the starter packs with the development key: `make sign`, whenever one of them was built anew.

The key says where packs come from, not that they are good: everybody has it (models/development/README.md).
"""

from __future__ import annotations

import hashlib
import shutil
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import Metadata, MetaFile, Signed, Snapshot, TargetFile, Targets, Timestamp

from appliance.packs.keys import EARLIEST, read_keys, signer_of
from appliance.packs.manifest import MANIFEST
from appliance.packs.shipped import check_shipped
from appliance.packs.store import PackStore, verify

HERE = Path(__file__).parent
STARTER, KEYS = HERE / "starter", HERE / "development"
PASSPHRASE = "development"  # noqa: S105  # no secret: it only keeps the key file usable with any mode of the file
LIFE = timedelta(days=36_525)


def sign(folder: Path = STARTER, keys: Path = KEYS) -> bool:
    """Sign every pack in `folder`; False if all of them, and no others, were signed as they are.

    Raises:
        PackManifestError, PackFileError: a pack is not whole; nothing was written.
        KeysError: the keys are not there.
    """
    keyring = read_keys(keys)
    packs = list(PackStore(folder, folder / ".none").folders())
    for pack in packs:
        verify(pack)
    targets = Targets(expires=EARLIEST + LIFE)
    for pack in packs:
        path = f"{pack.parent.name}/{pack.name}/{MANIFEST}"
        targets.targets[path] = TargetFile.from_file(path, str(folder / path), ["sha256"])
    before = _release(folder / "metadata")
    whole = not any(each.wrong for each in check_shipped(folder, keyring.roots[-1]))
    if whole and _listed(folder / "metadata", before) == set(targets.targets):
        return False
    signer = signer_of(keyring, Targets.type, lambda: PASSPHRASE)
    _write(folder / "metadata", before + 1, targets, signer, keyring.roots)
    return True


def _write(home: Path, release: int, targets: Targets, signer: CryptoSigner, roots: tuple[bytes, ...]) -> None:
    """Make the metadata anew, beside the old, and put them in its place."""
    with TemporaryDirectory(dir=home.parent, prefix=".signing-") as temporary:
        new = Path(temporary) / "metadata"
        new.mkdir()
        for number, raw in enumerate(roots, 1):
            (new / f"{number}.root.json").write_bytes(raw)
        raw = _signed(targets, release, signer)
        (new / f"{release}.targets.json").write_bytes(raw)
        snapshot = Snapshot(expires=targets.expires, meta={"targets.json": _described(release, raw)})
        raw = _signed(snapshot, release, signer)
        (new / f"{release}.snapshot.json").write_bytes(raw)
        timestamp = Timestamp(expires=targets.expires, snapshot_meta=_described(release, raw))
        (new / "timestamp.json").write_bytes(_signed(timestamp, release, signer))
        shutil.rmtree(home, ignore_errors=True)
        new.rename(home)


def _signed(signed: Signed, release: int, signer: CryptoSigner) -> bytes:
    signed.version = release
    metadata = Metadata(signed)
    metadata.sign(signer)
    return metadata.to_bytes()


def _described(release: int, raw: bytes) -> MetaFile:
    return MetaFile(release, len(raw), {"sha256": hashlib.sha256(raw).hexdigest()})


def _release(home: Path) -> int:
    try:
        return int(Metadata[Timestamp].from_bytes((home / "timestamp.json").read_bytes()).signed.version)
    except (OSError, TufError):
        return 0


def _listed(home: Path, release: int) -> set[str]:
    try:
        return set(Metadata[Targets].from_bytes((home / f"{release}.targets.json").read_bytes()).signed.targets)
    except (OSError, TufError):
        return set()


if __name__ == "__main__":
    print("Signed the starter packs anew." if sign() else "The starter packs are signed as they are.")  # noqa: T201
