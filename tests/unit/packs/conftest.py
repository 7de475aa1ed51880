"""A publisher with keys that are not locked, a stick and a box."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import Metadata, Root

from appliance.packs import fingerprint as fingerprint_module
from appliance.packs.fingerprint import fingerprint
from appliance.packs.keys import make_keys
from appliance.packs.publish import Changes, Published, publish
from appliance.packs.trust import Trust
from tests.forger import Clock, Forger
from tests.publisher import NOW, nobody
from tests.village import Village


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


@pytest.fixture
def quick_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words that are made in a moment: as good as others where every test has keys of its own."""
    monkeypatch.setattr(fingerprint_module, "SCRYPT_N", 2**4)


@pytest.fixture
def first(tmp_path: Path, clock: Clock) -> Village:
    return Village(tmp_path / "first", clock)


@pytest.fixture
def second(tmp_path: Path, clock: Clock) -> Village:
    return Village(tmp_path / "second", clock)


@pytest.fixture
def published(put: Callable[..., Published], tiny_pack: Path, stick: Path, keys: Path, first: Village) -> bytes:
    """The first box has installed a pack of a publisher, whose root this is."""
    put(tiny_pack, clock=NOW)
    root = (keys / "1.root.json").read_bytes()
    first.trusts(root)
    assert first.installs(stick) == ["tiny 0.1.0"]
    return root


@pytest.fixture
def onto(tmp_path: Path) -> Path:
    return tmp_path / "onto"
