"""The packs that come with the software: signed by the development key, which a box does not trust."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from appliance.health import signed
from appliance.health.finding import Level
from appliance.packs.keys import make_keys, read_keys
from appliance.packs.manifest import MANIFEST
from appliance.packs.shipped import check_shipped
from models.sign import KEYS, PASSPHRASE, STARTER, sign
from tests.publisher import version


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys") / "keys", PASSPHRASE).folder


@pytest.fixture
def starter(tmp_path: Path, tiny_pack: Path) -> Path:
    for number in ("0.1.0", "0.2.0"):
        pack = tiny_pack if number == "0.1.0" else version(tiny_pack, number)
        shutil.copytree(pack, tmp_path / "starter" / "tiny" / number)
    return tmp_path / "starter"


def wrong(starter: Path, keys: Path) -> dict[str, str]:
    return {each.pack: each.wrong for each in check_shipped(starter, read_keys(keys).roots[0])}


def test_every_starter_pack_in_the_repository_is_signed() -> None:
    """If this is red, a pack was built anew: run `make sign`."""
    checked = check_shipped(STARTER, read_keys(KEYS).roots[0])
    assert len(checked) >= 4
    assert [f"{each.pack}: {each.wrong}" for each in checked if each.wrong] == []


def test_packs_are_signed_once_and_anew_when_they_changed(starter: Path, keys: Path, tmp_path: Path) -> None:
    assert sign(starter, keys)
    assert wrong(starter, keys) == {"tiny 0.1.0": "", "tiny 0.2.0": ""}
    assert not sign(starter, keys)
    shutil.rmtree(starter / "tiny" / "0.1.0")
    assert wrong(starter, keys) == {"tiny 0.2.0": ""}
    assert sign(starter, keys)
    assert sorted(path.name for path in (starter / "metadata").iterdir()) == [
        "1.root.json",
        "2.snapshot.json",
        "2.targets.json",
        "timestamp.json",
    ]


def test_a_pack_that_was_altered_or_added_is_told(starter: Path, keys: Path) -> None:
    sign(starter, keys)
    manifest = starter / "tiny" / "0.1.0" / MANIFEST
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    shutil.copytree(starter / "tiny" / "0.2.0", starter / "other" / "0.2.0")
    assert wrong(starter, keys) == {
        "other 0.2.0": "nobody signed it",
        "tiny 0.1.0": "its pack.toml is not the one that was signed",
        "tiny 0.2.0": "",
    }
    found = signed.check(starter, read_keys(keys).roots[0])
    assert [each.level for each in found] == [Level.WARNING, Level.WARNING]
    assert "make sign" in found[0].advice


def test_packs_signed_by_others_or_by_nobody_are_told(starter: Path, keys: Path) -> None:
    assert "missing or wrong" in wrong(starter, keys)["tiny 0.1.0"]
    sign(starter, keys)
    assert "timestamp was signed by 0/1 keys" in wrong(starter, KEYS)["tiny 0.1.0"]


def test_the_doctor_looks_only_where_a_root_is_set(starter: Path, keys: Path) -> None:
    assert signed.check(starter, None) == []
    sign(starter, keys)
    (finding,) = signed.check(starter, read_keys(keys).roots[0])
    assert (finding.level, finding.found) == (Level.GOOD, "2 shipped packs are signed")
