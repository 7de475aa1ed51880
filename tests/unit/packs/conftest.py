"""A publisher with keys that are not locked, a stick and a box."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import Metadata, Root

from appliance.packs.fingerprint import fingerprint
from appliance.packs.keys import make_keys
from appliance.packs.publish import Changes, Published, publish
from appliance.packs.trust import Trust
from tests.forger import Clock, Forger
from tests.publisher import nobody


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return make_keys(tmp_path / "keys").folder


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    return tmp_path / "stick"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "box"


@pytest.fixture
def put(keys: Path, stick: Path) -> Callable[..., Published]:
    def put(*packs: Path, to: Path = stick, clock: datetime | None = None, **changes: Any) -> Published:
        return publish(to, keys, Changes(packs, **changes), nobody, clock=clock)

    return put


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def forger(stick: Path, tiny_pack: Path) -> Forger:
    """A sound release 5 with one pack on the stick."""
    forger = Forger(stick)
    forger.add(tiny_pack)
    forger.put(5)
    return forger


@pytest.fixture
def box(forger: Forger, home: Path, clock: Clock) -> Trust:
    """A box that trusts the forger and has seen nothing of his yet."""
    trust = Trust(home / "trust", clock=clock)
    trust.add("publisher", forger.roots[0], fingerprint(Metadata[Root].from_bytes(forger.roots[0]).signed))
    return trust
