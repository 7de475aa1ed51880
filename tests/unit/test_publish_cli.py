"""Keys and publishing from the command line of the box."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli import main
from appliance.packs.keys import read_keys
from appliance.packs.publish import read_offers

WORDS = re.compile(r"^root: (?:[a-z]+ ){7}[a-z]+$", re.MULTILINE)


@pytest.fixture
def run(tmp_path: Path, tiny_pack: Path) -> Callable[..., Result]:
    """A box with the tiny pack, and its command line."""
    shutil.copytree(tiny_pack, tmp_path / "shipped" / "tiny" / "0.1.0")

    def run(*words: str | Path, passphrase: str = "") -> Result:
        environment = {"BARAZA_DATA": str(tmp_path / "data"), "BARAZA_PACKS": str(tmp_path / "shipped")}
        environment["BARAZA_KEYS_PASSPHRASE"] = passphrase
        return CliRunner().invoke(main, [str(word) for word in words], env=environment)

    return run


def test_the_packs_in_use_are_published_and_keys_made_on_the_way(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("packs", "publish", tmp_path / "stick")
    assert result.exit_code == 0, result.output
    assert "not locked with a passphrase" in result.output
    assert "Release 1" in result.output
    (offer,) = read_offers(tmp_path / "stick", read_keys(tmp_path / "data" / "keys").root)
    assert offer.name == "tiny"


def test_the_words_are_the_same_wherever_they_are_shown(run: Callable[..., Result], tmp_path: Path) -> None:
    made = WORDS.search(run("keys", "make").output)
    published = WORDS.search(run("packs", "publish", tmp_path / "stick", "tiny").output)
    renewed = run("keys", "renew", "--new-packs-key").output
    assert made is not None
    assert published is not None
    assert made[0] == published[0] == WORDS.findall(renewed)[0] == WORDS.findall(run("keys", "show").output)[0]
    assert "version 2" in renewed


def test_taking_a_pack_out_adds_none(run: Callable[..., Result], tmp_path: Path) -> None:
    run("packs", "publish", tmp_path / "stick")
    result = run("packs", "publish", tmp_path / "stick", "--remove", "tiny")
    assert result.exit_code == 0, result.output
    assert not read_offers(tmp_path / "stick", read_keys(tmp_path / "data" / "keys").root)


def test_locked_keys_ask_for_their_passphrase(run: Callable[..., Result], tmp_path: Path) -> None:
    made = run("keys", "make", passphrase="seven goats on the mountain")
    assert "not locked" not in made.output
    refused = run("packs", "publish", tmp_path / "stick")
    assert refused.exit_code == 1
    assert "passphrase is missing or wrong" in refused.output
    assert run("packs", "publish", tmp_path / "stick", passphrase="seven goats on the mountain").exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("packs", "publish", "STICK", "nothing"), "No pack nothing is installed"),
        (("packs", "publish", "STICK", "--remove", "nothing"), "no pack nothing in it"),
        (("packs", "publish", "STICK", "--keys", "STICK/keys"), "do not belong where packs are published"),
        (("keys", "show"), "baraza keys make"),
        (("keys", "renew"), "baraza keys make"),
    ],
)
def test_a_mistake_is_said_in_one_line_and_nothing_is_made(
    run: Callable[..., Result], tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    result = run(*(word.replace("STICK", str(tmp_path / "stick")) for word in words))
    assert result.exit_code == 1
    assert said in result.output
    assert not list((tmp_path / "stick").rglob("*.json")) if (tmp_path / "stick").exists() else True
