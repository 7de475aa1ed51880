"""A publisher with keys that are not locked, a stick and a box."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from appliance.packs.keys import make_keys
from appliance.packs.publish import Changes, Published, publish
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
