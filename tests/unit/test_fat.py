"""What is written to a stick with FAT on it, and read from there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from appliance.packs.keys import make_keys, read_keys
from appliance.packs.publish import Changes, publish
from appliance.packs.shelf import sources_at
from appliance.packs.trust import Trust
from appliance.storage.backup import make_backup
from tests.fat import like_fat, through_fat
from tests.publisher import files, nobody, version

NAME = re.compile(r'[^\x00-\x1f"*/:<>?\\|]{1,255}(?<![ .])')


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return make_keys(tmp_path / "keys").folder


def test_packs_are_published_onto_fat_again_and_again(
    tmp_path: Path, keys: Path, tiny_pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = version(tiny_pack, "0.2.0")
    with monkeypatch.context() as now:
        like_fat(now)
        publish(tmp_path / "stick" / "baraza", keys, Changes((tiny_pack,)), nobody)
        publish(tmp_path / "stick" / "baraza", keys, Changes((newer,)), nobody)
    trust = Trust(tmp_path / "trust")
    trust.add("ministry", (keys / "1.root.json").read_bytes(), read_keys(keys).words)
    (source,) = sources_at(str(tmp_path / "stick"))
    repository = trust.open(source)
    assert [offer.version for offer in repository.offers] == ["0.1.0", "0.2.0"]
    assert all(map(repository.present, repository.offers))
    names = [Path(name).name for name in files(tmp_path / "stick")]
    assert not [name for name in names if not NAME.fullmatch(name)]
    assert len({str(name).casefold() for name in files(tmp_path / "stick")}) == len(names)


def test_a_backup_is_written_onto_fat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "stick").mkdir()
    like_fat(monkeypatch)
    made = make_backup(tmp_path / "data", tmp_path / "stick", "seven goats on the mountain")
    assert made.path.is_file()
    assert NAME.fullmatch(made.path.name)
    assert [path.name for path in (tmp_path / "stick").iterdir()] == [made.path.name]


def test_what_other_machines_leave_on_a_stick_is_passed_over(tmp_path: Path, keys: Path, tiny_pack: Path) -> None:
    publish(tmp_path / "made", keys, Changes((tiny_pack,)), nobody)
    for odd in ("metadata/._timestamp.json", "targets/tiny/._tiny-0.1.0.pack", "metadata/Thumbs.db", ".DS_Store"):
        (tmp_path / "made" / odd).write_bytes(b"odd")
    stick = tmp_path / "stick"
    through_fat(tmp_path / "made", tmp_path / "stick.img", stick)
    for odd in ("System Volume Information", ".Trashes", "LOST.DIR", "FOUND.000"):
        (stick / odd).mkdir()
    trust = Trust(tmp_path / "trust")
    trust.add("ministry", (keys / "1.root.json").read_bytes(), read_keys(keys).words)
    (source,) = sources_at(str(stick))
    repository = trust.open(source)
    (offer,) = repository.offers
    with repository.archive(offer) as path:
        assert path.read_bytes() == next((tmp_path / "made" / "targets").rglob("*[!_]tiny-0.1.0.pack")).read_bytes()
    shutil.rmtree(stick)
