"""Are the packs that came with the software those that its makers signed?

FOLDER/metadata/…                the metadata of The Update Framework, as on a stick
FOLDER/NAME/VERSION/pack.toml    the targets: each lists the sha256 of every file of its pack

They are as old as the software and no older, so nothing here expires.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tuf.api.exceptions import DownloadError
from tuf.api.exceptions import RepositoryError as TufError

from appliance.packs.client import Client
from appliance.packs.keys import EARLIEST
from appliance.packs.manifest import MANIFEST
from appliance.packs.sources import FolderSource
from appliance.packs.store import PackStore


@dataclass(frozen=True)
class Signed:
    """One shipped pack, `NAME VERSION`; `wrong` says why nobody vouches for it, "" if somebody does."""

    pack: str
    wrong: str = ""


def check_shipped(folder: Path, root: bytes) -> tuple[Signed, ...]:
    """What `root` signed of the packs in `folder`; content beyond `pack.toml` is what `verify` checks."""
    packs = list(PackStore(folder, folder / ".none").folders())
    try:
        with TemporaryDirectory(prefix="baraza-trust-") as work:
            client = Client(Path(work), FolderSource(folder), root, EARLIEST)
            client.refresh()
            targets = client.all_targets()
    except (TufError, DownloadError, OSError) as error:
        return tuple(Signed(_label(pack), f"the signatures are missing or wrong: {error}") for pack in packs)
    found = []
    for pack in packs:
        target = targets.get(f"{pack.parent.name}/{pack.name}/{MANIFEST}")
        wrong = "nobody signed it"
        if target is not None:
            try:
                target.verify_length_and_hashes((pack / MANIFEST).read_bytes())
                wrong = ""
            except (TufError, OSError):
                wrong = "its pack.toml is not the one that was signed"
        found.append(Signed(_label(pack), wrong))
    return tuple(found)


def _label(pack: Path) -> str:
    return f"{pack.parent.name} {pack.name}"
