"""The disk of a box, and what lies beside it and is not cut: archives to install, folders of the software."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path

from appliance import app, config, limits
from appliance.app import Appliance
from appliance.packs import archive
from appliance.storage import sealed

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "data" / "tiny" / "pack"
PACK = "tiny"
VERSIONS = ("0.1.0", "0.2.0", "0.3.0")
BAD = "0.9.0"  # does not say what it said where it was made
PASSPHRASE = "four words of chalk"

# What comes with the software is read once: no cut changes it.
app.DraftingService = cache(app.DraftingService)  # type: ignore[misc,assignment]
LIMITS = replace(limits.LIMITS, reserve_file_bytes=16 * 1024)  # it holds nothing, and would be copied each time
sealed.WORK = (10, 1, 1)  # a passphrase is stretched for a quarter of a second otherwise, and cuts nothing


class Box(Appliance):
    """A real box; it opens engines when they are asked for, and not ahead, which takes longer than all the rest."""

    def _warm(self) -> None:
        pass


@dataclass(frozen=True)
class Place:
    disk: Path  # recorded, and cut
    shelf: Path

    @property
    def config(self) -> config.Config:
        """A box without shipped packs and articles."""
        return config.load(
            {
                "BARAZA_DATA": str(self.disk / "data"),
                "BARAZA_PACKS": str(self.shelf / "shipped"),
                "BARAZA_KNOWLEDGE": str(self.shelf / "articles"),
                "BARAZA_THREADS": "1",
                "BARAZA_MEMORY": "400M",
                "BARAZA_PROVIDER": "cpu",
            }
        )

    @property
    def data(self) -> Path:
        return self.disk / "data"

    @property
    def stick(self) -> Path:
        return self.disk / "stick"

    @property
    def reader(self) -> Path:
        """What another box remembers of the publishers whom it trusts."""
        return self.disk / "reader"

    @contextmanager
    def box(self) -> Iterator[Appliance]:
        """A box that is switched on, and off again afterwards, as it should be."""
        box = Box(self.config, LIMITS)
        try:
            box.start()
            yield box
        finally:
            box.close()

    def archive(self, version: str) -> Path:
        return self.shelf / f"{PACK}-{version}.pack"


def furnish(shelf: Path) -> None:
    """Make what lies beside the disk: two versions of a real, small pack."""
    for name in ("shipped", "articles"):
        (shelf / name).mkdir(parents=True)
    for version in (*VERSIONS, BAD):
        folder = shelf / version
        shutil.copytree(TINY, folder)
        _change_version(folder, version)
        if version == BAD:
            with (folder / "pack.toml").open("a", encoding="utf-8") as manifest:
                manifest.write('\n[selftest]\nen-es = "The water is clean. ⇒ El agua está limpia."\n')
        archive.create(folder, Place(shelf, shelf).archive(version))


def _change_version(folder: Path, version: str) -> None:
    words = folder / "words.es.txt"
    old = words.read_bytes()
    new = old + f"v{version.replace('.', '')}\n".encode()
    words.write_bytes(new)
    manifest = folder / "pack.toml"
    text = manifest.read_text(encoding="utf-8").replace('version = "0.1.0"', f'version = "{version}"', 1)
    text = text.replace(sha256(old).hexdigest(), sha256(new).hexdigest())
    text = text.replace(f'path = "words.es.txt"\nsize = {len(old)}', f'path = "words.es.txt"\nsize = {len(new)}')
    manifest.write_text(text, encoding="utf-8")
