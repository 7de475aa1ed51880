"""Each check finds what is wrong and says what to do."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import onnxruntime
import pytest

from appliance.config import Config, Memory
from appliance.health import clock, disk, documents, memory, models, packs, provider, writing
from appliance.health.doctor import examine
from appliance.health.finding import Level
from appliance.inference.engines import Engines
from appliance.inference.memory import Machine
from appliance.limits import LIMITS
from appliance.packs.manifest import Manifest
from appliance.packs.store import InstalledPack, PackStore, verify


def test_a_sound_box_has_nothing_bad(settings: Config) -> None:
    findings = examine(settings)
    checks = set("disk reserve inodes memory provider power heat clock stop writing saved journal root keeper".split())
    checks |= {"pack", "model"}
    assert {each.check for each in findings} == checks
    assert not [each for each in findings if each.level is Level.BAD]
    assert not list(settings.data.iterdir())


@pytest.mark.parametrize(
    ("free", "level"), [(10 * 2**20, Level.BAD), (100 * 2**20, Level.WARNING), (10 * 2**30, Level.GOOD)]
)
def test_a_disk_that_fills_up_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: Level) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(total=1, used=1, free=free))
    found = disk.check(tmp_path / "not" / "yet" / "there", LIMITS)
    assert found.level is level
    assert bool(found.advice) == (level is not Level.GOOD)


def test_too_little_memory_is_told_with_the_pack_that_has_no_room(starter: InstalledPack) -> None:
    need = starter.manifest.memory_bytes
    machine = Machine(2**40, 2**39)
    for most, level in ((need - 1, Level.BAD), (need + 1, Level.GOOD)):
        found = memory.check([starter], Memory(most), machine)
        assert found.level is level
        assert (starter.name in found.found) == (level is Level.BAD)
    assert memory.check([starter, starter], Memory(need + 1), machine).level is Level.WARNING
    assert memory.check([starter], Memory(), Machine(2**30, need, "control group")).level is Level.BAD


def test_what_computes_is_told_and_why() -> None:
    assert provider.check("auto").found.startswith("cpu computes: ")
    assert provider.check("cpu").level is Level.GOOD
    if "XnnpackExecutionProvider" not in onnxruntime.get_available_providers():
        found = provider.check("xnnpack")
        assert (found.level, "without it" in found.found) == (Level.WARNING, True)


@pytest.mark.parametrize(("year", "level"), [(1970, Level.WARNING), (2027, Level.GOOD), (2080, Level.WARNING)])
def test_a_clock_that_lies_is_told_but_stops_nothing(year: int, level: Level) -> None:
    assert clock.check(lambda: datetime(year, 6, 1, tzinfo=UTC)).level is level


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in the way")
    found = writing.check(tmp_path / "data")
    assert found.level is Level.BAD
    assert "BARAZA_DATA" in found.advice


def test_documents_that_were_set_aside_are_told_until_they_are_moved(tmp_path: Path) -> None:
    path = tmp_path / "documents.json"
    assert documents.check(path).level is Level.GOOD
    aside = tmp_path / "documents.json.broken"
    aside.write_text("{")
    assert (documents.check(path).level, str(aside) in documents.check(path).found) == (Level.WARNING, True)
    aside.unlink()
    assert documents.check(path).level is Level.GOOD


def test_a_data_folder_that_is_not_there_yet_has_nothing_set_aside(tmp_path: Path) -> None:
    assert documents.check(tmp_path / "not" / "yet" / "documents.json").level is Level.GOOD


def test_a_changed_pack_is_told(tiny_pack: Path, tmp_path: Path) -> None:
    store = PackStore(tmp_path / "none", tmp_path / "installed")
    installed = store.install(tiny_pack)
    assert [each.level for each in packs.check(store, LIMITS)] == [Level.GOOD]
    (installed.path / "spm.model").write_bytes(b"changed")
    (found,) = packs.check(store, LIMITS)
    assert found.level is Level.BAD
    assert "spm.model" in found.found


def test_a_box_without_a_model_is_told() -> None:
    (found,) = models.check([], 1)
    assert (found.level, "install" in found.advice) == (Level.BAD, True)


def test_a_model_that_does_not_load_is_told(tiny_pack: Path, starter: InstalledPack) -> None:
    manifest: Manifest = starter.manifest
    assert models.check([InstalledPack(tiny_pack / "nowhere", manifest)], 1)[0].level is Level.BAD


@pytest.mark.parametrize(
    ("lines", "level", "words"),
    [
        ({}, Level.GOOD, "says what it said"),
        ({"en-es": "The water is clean. ⇒ {said}"}, Level.GOOD, "says what it said"),
        ({"en-es": "The water is clean. ⇒ Nothing like it"}, Level.WARNING, "'Nothing like it'"),
        ({"en-es": "The water is clean."}, Level.BAD, "not of its form"),
        ({"en-fr": "The water is clean. ⇒ {said}"}, Level.BAD, "does not translate en-fr"),
    ],
)
def test_what_a_model_says_is_compared_with_what_it_said_where_it_was_made(
    tiny_pack: Path, lines: dict[str, str], level: Level, words: str
) -> None:
    pack = verify(tiny_pack)
    engines = Engines(10**9, 1)
    with engines.translator(pack) as translator:
        said = translator.translate(["The water is clean."], "en", "es")[0].text
    engines.close()
    told = {way: line.format(said=said) for way, line in lines.items()}
    (found,) = models.check([InstalledPack(pack.path, replace(pack.manifest, selftest=told))], 1)
    assert (found.level, words in found.found) == (level, True), found
