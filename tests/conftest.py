"""Fixtures that every room's tests use: real packs, a real appliance, a data folder of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance import config
from appliance.app import Appliance
from appliance.inference.translator import Translator
from appliance.packs.store import InstalledPack, verify

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data"
TINY = DATA / "tiny"


@pytest.fixture
def tiny_pack(tmp_path: Path) -> Path:
    """A copy of the tiny translation pack, to be damaged at will."""
    folder = tmp_path / "sources" / "tiny"
    shutil.copytree(TINY / "pack", folder)
    return folder


@pytest.fixture(scope="session")
def tiny() -> Translator:
    return Translator(verify(TINY / "pack"), threads=1)


@pytest.fixture(scope="session")
def expected() -> dict[str, Any]:
    """What transformers wrote with the tiny pack's model: `sources`, `limit`, `greedy`."""
    found: dict[str, Any] = json.loads((TINY / "expected.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="session")
def starter() -> InstalledPack:
    """The English–Spanish pack that comes with the repository."""
    (manifest,) = (ROOT / "models" / "starter").glob("starter-en-es/*/pack.toml")
    return verify(manifest.parent)


@pytest.fixture
def settings(tmp_path: Path) -> config.Config:
    return config.load({"BARAZA_DATA": str(tmp_path / "data"), "BARAZA_THREADS": "1"})


@pytest.fixture
def appliance(settings: config.Config) -> Iterator[Appliance]:
    """A box with the starter packs and an empty data folder, its worker not started."""
    box = Appliance(settings)
    yield box
    box.close()
