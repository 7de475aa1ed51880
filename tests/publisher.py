"""What the tests of publishing share: packs of several versions, and what lies in a folder."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from appliance.packs.keys import read_keys
from appliance.packs.publish import read_offers

PASSPHRASE = "seven goats on the mountain"
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def nobody() -> str:
    raise AssertionError("nobody is asked for a passphrase when the keys are not locked")


def root_of(keys: Path) -> bytes:
    return (keys / "1.root.json").read_bytes()


def version(pack: Path, number: str, name: str = "tiny") -> Path:
    """A copy of the pack with another version (and name): a pack of its own."""
    other = pack.parent / f"{name}-{number}"
    shutil.copytree(pack, other)
    manifest = other / "pack.toml"
    text = manifest.read_text(encoding="utf-8").replace('"0.1.0"', f'"{number}"', 1)
    manifest.write_text(text.replace('name = "tiny"', f'name = "{name}"', 1), encoding="utf-8")
    return other


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def listed(folder: Path, keys: Path) -> list[str]:
    return [f"{offer.name} {offer.version}" for offer in read_offers(folder, read_keys(keys).root)]
