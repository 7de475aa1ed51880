"""Roots, looking at a stick and installing from it, at the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance import config
from appliance.app import Appliance
from appliance.cli import main
from appliance.limits import Limits
from appliance.packs.keys import make_keys, read_keys, renew_root
from appliance.packs.look import Box, Change, Obstacle, look
from appliance.packs.offer import offer_of
from appliance.packs.publish import Changes, publish
from appliance.packs.store import PackStore, verify
from appliance.packs.trusted_time import utc_now
from tests.publisher import nobody, version

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A box with no pack at all, and its command line."""
    (tmp_path / "shipped").mkdir()

    def run(*words: str | Path, input: str | None = None) -> Result:  # noqa: A002
        environment = {"BARAZA_DATA": str(tmp_path / "data"), "BARAZA_PACKS": str(tmp_path / "shipped")}
        return CliRunner().invoke(main, [str(word) for word in words], env=environment, input=input)

    return run


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return make_keys(tmp_path / "keys").folder


@pytest.fixture
def stick(tmp_path: Path, tiny_pack: Path, keys: Path) -> Path:
    publish(tmp_path / "stick" / "baraza", keys, Changes((tiny_pack,)), nobody)
    return tmp_path / "stick"


@pytest.fixture
def trusted(run: Run, stick: Path, keys: Path) -> Run:
    assert run("roots", "add", "ministry", stick, "--words", read_keys(keys).words).exit_code == 0
    return run


def said(result: Result) -> object:
    return json.loads(result.stdout)


def test_a_stranger_is_shown_with_words_to_compare_and_nothing_is_installed(run: Run, stick: Path, keys: Path) -> None:
    result = run("packs", "look", stick)
    assert result.exit_code == 0, result.output
    assert read_keys(keys).words in result.output
    assert "tiny 0.1.0  says the stranger" in result.output
    refused = run("packs", "install", stick)
    assert refused.exit_code == 1
    assert read_keys(keys).words in refused.output
    assert said(run("packs", "look", stick, "--json"))[0]["root"] is None  # type: ignore[index]


def test_the_words_are_never_taken_from_the_stick(run: Run, stick: Path) -> None:
    result = run("roots", "add", "ministry", stick)
    assert result.exit_code == 1
    assert "--words" in result.output
    assert run("roots", "add", "ministry", stick, "--words", "acorn " * 8).exit_code == 1
    assert "None yet" in run("roots", "list").output


def test_the_words_are_asked_for_where_somebody_sits(
    run: Run, stick: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.commands.roots._somebody_is_there", lambda: True)
    result = run("roots", "add", "ministry", stick, input=f"{read_keys(keys).words}\n")
    assert result.exit_code == 0, result.output
    assert "ministry is trusted now" in result.output


def test_a_pack_is_looked_at_and_installed(trusted: Run, stick: Path) -> None:
    look = trusted("packs", "look", stick)
    assert "release 1 of ministry" in look.output
    assert "new" in look.output
    result = trusted("packs", "install", stick)
    assert result.exit_code == 0, result.output
    assert "tiny 0.1.0 is installed" in result.output
    (row,) = said(trusted("packs", "look", stick, "--json"))  # type: ignore[misc]
    assert row["packs"][0]["change"] == "same"
    assert (row["root"], row["release"], row["clock_believed"], row["problems"]) == ("ministry", 1, True, [])
    assert "Nothing there is newer" in trusted("packs", "install", stick).output
    assert trusted("packs", "install", stick, "tiny").exit_code == 0
    assert trusted("packs", "install", stick, "other").exit_code == 1


def test_the_newest_of_several_versions_is_installed(trusted: Run, stick: Path, tiny_pack: Path, keys: Path) -> None:
    publish(stick / "baraza", keys, Changes((version(tiny_pack, "0.2.0"), version(tiny_pack, "0.10.0"))), nobody)
    assert "tiny 0.10.0 is installed" in trusted("packs", "install", stick).output


def test_the_newest_of_two_publishers_on_one_stick_is_installed(
    trusted: Run, stick: Path, tiny_pack: Path, tmp_path: Path
) -> None:
    other = make_keys(tmp_path / "others").folder
    publish(stick / "another", other, Changes((version(tiny_pack, "0.3.0"),)), nobody)
    words = read_keys(other).words
    assert trusted("roots", "add", "other", stick / "another", "--words", words).exit_code == 0
    assert "tiny 0.3.0 is installed" in trusted("packs", "install", stick, "tiny").output


def test_a_refused_stick_is_told_and_sets_the_exit_status(
    trusted: Run, stick: Path, tiny_pack: Path, keys: Path, tmp_path: Path
) -> None:
    shutil.copytree(stick, tmp_path / "old")
    publish(stick / "baraza", keys, Changes((version(tiny_pack, "0.2.0"),)), nobody)
    assert trusted("packs", "look", stick).exit_code == 0
    result = trusted("packs", "look", tmp_path / "old")
    assert result.exit_code == 1
    assert "REFUSED" in result.output
    (row,) = said(trusted("packs", "look", tmp_path / "old", "--json"))  # type: ignore[misc]
    assert row["error"] == "repository_older"
    assert trusted("packs", "install", tmp_path / "old", "tiny").exit_code == 1


def test_a_pack_that_nobody_signed_is_installed_on_the_keepers_own_word(run: Run, tiny_pack: Path) -> None:
    result = run("packs", "install", tiny_pack)
    assert result.exit_code == 0, result.output
    assert "Nobody signed tiny: you vouch for it yourself." in result.stderr
    assert run("packs", "install", tiny_pack / "none").exit_code == 1


@pytest.mark.parametrize("place", ["none", "https://example.org/packs", "http://8.8.8.8/", "empty"])
def test_a_place_without_packs_is_told(run: Run, tmp_path: Path, place: str) -> None:
    (tmp_path / "empty").mkdir()
    result = run("packs", "look", place if "//" in place else tmp_path / place)
    assert result.exit_code == 1
    assert "Error" in result.output


def test_a_root_is_shown_limited_handed_on_and_removed(trusted: Run, keys: Path, tmp_path: Path, stick: Path) -> None:
    assert trusted("packs", "look", stick).exit_code == 0
    assert read_keys(keys).words in trusted("roots", "show", "ministry").output
    (row,) = said(trusted("roots", "list", "--json"))  # type: ignore[misc]
    assert row == said(trusted("roots", "show", "ministry", "--json"))
    assert (row["kinds"], row["unattended"], row["version"], row["release"]) == (None, False, 1, 1)
    limited = trusted("roots", "limit", "ministry", "--kind", "knowledge", "--unattended").output
    assert "knowledge; unattended" in limited
    assert "may not bring" in trusted("packs", "look", stick).output
    assert "knowledge; attended" in trusted("roots", "limit", "ministry", "--attended").output
    assert "everything; attended" in trusted("roots", "limit", "ministry", "--all").output
    trusted("roots", "show", "ministry", "--save", tmp_path / "root.json")
    assert trusted("roots", "remove", "ministry").exit_code == 0
    assert trusted("roots", "show", "ministry").exit_code == 1
    again = trusted("roots", "add", "ministry", tmp_path / "root.json", "--words", read_keys(keys).words)
    assert again.exit_code == 0, again.output
    assert "ministry" in trusted("roots", "list").output


def test_one_stick_with_two_strangers_needs_a_folder_to_be_named(
    run: Run, stick: Path, tmp_path: Path, tiny_pack: Path
) -> None:
    other = make_keys(tmp_path / "others").folder
    publish(stick / "other", other, Changes((tiny_pack,)), nobody)
    words = read_keys(other).words
    assert "2 publishers" in run("roots", "add", "other", stick, "--words", words).output
    assert run("roots", "add", "other", stick / "other", "--words", words).exit_code == 0


def test_a_damaged_root_is_listed(trusted: Run, tmp_path: Path) -> None:
    for path in (tmp_path / "data" / "trust" / "ministry").glob("*.json"):
        path.write_bytes(b"")
    assert "ministry is damaged" in trusted("roots", "list").stderr


def test_the_clock_is_shown_and_can_be_said_to_be_right(run: Run) -> None:
    assert "judged by" in run("roots", "clock").output
    assert run("roots", "clock", "--right").exit_code == 0


def test_a_clean_run_is_remembered_for_the_day_the_clock_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "shipped").mkdir()
    environment = {"BARAZA_DATA": str(tmp_path / "data"), "BARAZA_PACKS": str(tmp_path / "shipped")}
    appliance = Appliance(config.load(environment))
    appliance.start()
    assert appliance.trust.roots() == ()
    before = appliance.trust.time.floor()
    appliance.close()
    assert before < appliance.trust.time.floor() <= utc_now()


def test_a_renewed_root_is_followed_at_the_command_line(trusted: Run, stick: Path, keys: Path) -> None:
    renew_root(keys, nobody)
    publish(stick / "baraza", keys, Changes(), nobody)
    trusted("packs", "look", stick)
    assert said(trusted("roots", "show", "ministry", "--json"))["version"] == 2  # type: ignore[index,call-overload]


# What would change


def test_what_would_change_is_compared_with_the_box(tmp_path: Path, tiny_pack: Path) -> None:
    (tmp_path / "shipped").mkdir()
    store = PackStore(tmp_path / "shipped", tmp_path / "packs")
    manifest = verify(tiny_pack).manifest
    box = Box(10**10, 10**12, "1.0.0")

    def change(pack: Path, digest: str | None = None) -> tuple[Change, str]:
        from hashlib import sha256

        found = digest or sha256((pack / "pack.toml").read_bytes()).hexdigest()
        (seen,) = look([offer_of(verify(pack).manifest, found)], [True], store, box)
        assert seen.obstacles == ()
        assert seen.brings == (seen.change in (Change.NEW, Change.NEWER))
        return seen.change, seen.installed

    assert change(tiny_pack) == (Change.NEW, "")
    store.install(tiny_pack)
    assert change(tiny_pack) == (Change.SAME, manifest.version)
    assert change(tiny_pack, "0" * 64) == (Change.OTHER, manifest.version)
    assert change(version(tiny_pack, "0.1.10")) == (Change.NEWER, "0.1.0")
    store.install(version(tiny_pack, "0.2.0"))
    assert change(tiny_pack) == (Change.OLDER, "0.2.0")


def test_a_pack_that_cannot_be_read_is_another_one_than_is_offered(tmp_path: Path, tiny_pack: Path) -> None:
    (tmp_path / "shipped").mkdir()
    store = PackStore(tmp_path / "shipped", tmp_path / "packs")
    installed = store.install(tiny_pack)
    offer = offer_of(verify(tiny_pack).manifest, "0" * 64)
    kept, store.find = installed, lambda _name: kept  # type: ignore[method-assign]
    (installed.path / "pack.toml").unlink()  # between the two readings: a card that gives up
    (seen,) = look([offer], [True], store, Box(10**10, 10**12, "1.0.0"))
    assert (seen.change, seen.installed) == (Change.OTHER, "0.1.0")


def test_what_stands_in_the_way_is_told(tmp_path: Path, tiny_pack: Path) -> None:
    from dataclasses import replace

    store = PackStore(tmp_path / "shipped", tmp_path / "packs")
    offer = replace(offer_of(verify(tiny_pack).manifest, "0" * 64), least_appliance="2.10.0", memory=2_000, size=500)
    (seen,) = look([offer], [False], store, Box(1_999, 1_499, "2.9.0"), Limits(disk_reserve_bytes=1_000))
    assert seen.obstacles == (Obstacle.MISSING, Obstacle.MEMORY, Obstacle.DISK, Obstacle.APPLIANCE)
    (seen,) = look([offer], [True], store, Box(2_000, 1_500, "2.10.0"), Limits(disk_reserve_bytes=1_000))
    assert seen.obstacles == ()
