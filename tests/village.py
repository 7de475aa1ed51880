"""Boxes of several villages that give each other packs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from tuf.api.metadata import Metadata, Root

from appliance.packs.export import Exported, export
from appliance.packs.fingerprint import fingerprint
from appliance.packs.onward import Onward
from appliance.packs.sources import FolderSource, find_repositories
from appliance.packs.store import PackStore
from appliance.packs.trust import Trust


class Village:
    """A box with its packs and the roots that it trusts."""

    def __init__(self, folder: Path, clock: Callable[[], datetime]) -> None:
        self.data = folder
        self.trust = Trust(folder / "trust", clock=clock)
        self.store = PackStore(folder / "none", folder / "packs")
        self.onward = Onward(self.trust, self.store, folder)

    def trusts(self, root: bytes, name: str = "publisher", kinds: list[str] | None = None) -> None:
        self.trust.add(name, root, fingerprint(Metadata[Root].from_bytes(root).signed), kinds)

    def installs(self, stick: Path) -> list[str]:
        """Everything that is offered by somebody it trusts."""
        done = []
        for folder in find_repositories(stick):
            repository = self.trust.open(FolderSource(folder))
            for offer in repository.offers:
                if repository.present(offer):
                    with repository.archive(offer) as path:
                        done.append(self.store.install(path, expected=offer.manifest).name)
        return done

    def exports(self, stick: Path, *packs: str) -> tuple[Exported, ...]:
        stick.mkdir(exist_ok=True)
        return export(self.onward, self.trust, stick, packs or [each.manifest.name for each in self.store.active()])


def archives(stick: Path) -> dict[str, str]:
    """The sha256 of every archive on a stick, by its name."""
    found = {path.name: path.read_bytes() for path in stick.rglob("*.pack") if path.is_file()}
    return {name: hashlib.sha256(raw).hexdigest() for name, raw in found.items()}
