"""A publisher's keys: for the owner only, locked or not, and never where others could take them."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tuf.api.metadata import Root, Targets

from appliance.errors import (
    KeysError,
    KeysLockedError,
)
from appliance.packs import keys as keys_module
from appliance.packs.keys import make_keys, read_keys, renew_root, signer_of
from appliance.packs.publish import Changes, Published, publish
from tests.publisher import PASSPHRASE, files, nobody


def test_keys_are_for_their_owner_only_and_made_once(keys: Path) -> None:
    private = sorted(keys.glob("*.key"))
    assert [path.name.split("-")[0] for path in private] == ["packs", "root"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    before = files(keys)
    with pytest.raises(KeysError, match="there are keys here already"):
        make_keys(keys)
    assert files(keys) == before


def test_a_key_that_others_can_read_is_not_used(put: Callable[..., Published], keys: Path, tiny_pack: Path) -> None:
    (path,) = keys.glob("packs-*.key")
    path.chmod(0o644)
    with pytest.raises(KeysError, match="others can read it; chmod 600"):
        put(tiny_pack)


def test_locked_keys_open_with_their_passphrase_only(tmp_path: Path, tiny_pack: Path, stick: Path) -> None:
    keys = make_keys(tmp_path / "keys", PASSPHRASE).folder
    assert all(b"ENCRYPTED" in path.read_bytes() for path in keys.glob("*.key"))
    for wrong in ("", PASSPHRASE + "s"):
        with pytest.raises(KeysLockedError):
            publish(stick, keys, Changes((tiny_pack,)), lambda wrong=wrong: wrong)  # type: ignore[misc]
    assert not stick.exists()
    assert publish(stick, keys, Changes((tiny_pack,)), lambda: PASSPHRASE).release == 1


def test_the_root_s_key_may_lie_elsewhere_until_the_root_is_renewed(
    put: Callable[..., Published], keys: Path, tiny_pack: Path
) -> None:
    (path,) = keys.glob("root-*.key")
    path.unlink()
    put(tiny_pack)
    with pytest.raises(KeysError, match=rf"{path.name}.*this key is needed"):
        renew_root(keys, nobody)


def test_locked_keys_are_opened_for_a_new_packs_key_with_one_question(tmp_path: Path) -> None:
    keys = make_keys(tmp_path / "keys", PASSPHRASE).folder
    asked: list[str] = []

    def ask() -> str:
        asked.append(PASSPHRASE)
        return PASSPHRASE

    before = {path.name for path in keys.glob("packs-*.key")}
    renewed = renew_root(keys, ask, new_packs_key=True)
    assert (len(asked), renewed.root.version) == (1, 2)
    (new,) = {path.name for path in keys.glob("packs-*.key")} - before
    assert b"ENCRYPTED" in (keys / new).read_bytes()
    assert signer_of(renewed, Targets.type, ask).public_key.keyid.startswith(new[len("packs-") : -len(".key")])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"release": 3}',
        b'{"release": "many", "signed": "2026-12-01T12:00:00+00:00"}',
        b'{"release": -1, "signed": "2026-12-01T12:00:00+00:00"}',
        b'{"release": 3, "signed": "2026-12-01T12:00:00"}',
    ],
)
def test_a_damaged_ledger_is_never_begun_anew(
    put: Callable[..., Published], keys: Path, stick: Path, tiny_pack: Path, raw: bytes
) -> None:
    """It would give a number a second time, and boxes would pass the release over."""
    put(tiny_pack)
    before = files(stick)
    (keys / "ledger.json").write_bytes(raw)
    with pytest.raises(KeysError, match="it is damaged; a copy of the folder may have it whole"):
        put(tiny_pack, remove=("tiny",))
    assert files(stick) == before
    assert (keys / "ledger.json").read_bytes() == raw


def test_a_ledger_or_a_key_that_cannot_be_read_is_said(
    put: Callable[..., Published], keys: Path, tiny_pack: Path
) -> None:
    (keys / "ledger.json").mkdir()
    with pytest.raises(KeysError, match=r"ledger\.json.*Is a directory"):
        put(tiny_pack)
    (key,) = keys.glob("packs-*.key")
    key.unlink()
    key.mkdir()
    with pytest.raises(KeysError, match=rf"{key.name}.*Is a directory"):
        put(tiny_pack)


@pytest.mark.parametrize("damage", [b"", b"-----BEGIN PRIVATE KEY-----\nno\n", b"\xff\x00"])
def test_a_damaged_key_is_said(put: Callable[..., Published], keys: Path, tiny_pack: Path, damage: bytes) -> None:
    (path,) = keys.glob("packs-*.key")
    path.write_bytes(damage)
    with pytest.raises(KeysError, match="damaged"):
        put(tiny_pack)


def test_a_key_of_another_root_is_not_used(
    put: Callable[..., Published], keys: Path, tiny_pack: Path, tmp_path: Path
) -> None:
    (ours,) = keys.glob("packs-*.key")
    (theirs,) = make_keys(tmp_path / "stranger").folder.glob("packs-*.key")
    shutil.copyfile(theirs, ours)
    with pytest.raises(KeysError, match="another key"):
        put(tiny_pack)


@pytest.mark.parametrize("place", ["stick", "stick/keys", "."])
def test_keys_never_lie_where_packs_are_published(tmp_path: Path, tiny_pack: Path, place: str) -> None:
    keys = make_keys(tmp_path / "top" / place).folder
    with pytest.raises(KeysError, match="where packs are published"):
        publish(tmp_path / "top" / "stick", keys, Changes((tiny_pack,)), nobody)


def test_keys_never_lie_in_a_checkout(tmp_path: Path) -> None:
    (tmp_path / "project" / ".git").mkdir(parents=True)
    with pytest.raises(KeysError, match="Git checkout"):
        make_keys(tmp_path / "project" / "deep" / "keys")
    (tmp_path / "way-in").symlink_to(tmp_path / "project")
    with pytest.raises(KeysError, match="Git checkout"):
        make_keys(tmp_path / "way-in" / "keys")
    assert not list(tmp_path.rglob("*.key"))


def test_a_disk_that_keeps_nothing_private_gets_no_open_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = keys_module.write_atomically

    def as_on_fat(path: Path, content: bytes, mode: int = 0o600) -> None:
        write(path, content, mode)
        path.chmod(0o755)

    monkeypatch.setattr(keys_module, "write_atomically", as_on_fat)
    with pytest.raises(KeysError, match="give a passphrase"):
        make_keys(tmp_path / "fat")
    assert not list((tmp_path / "fat").glob("*.key"))
    locked = make_keys(tmp_path / "fat", PASSPHRASE)
    assert signer_of(locked, Root.type, lambda: PASSPHRASE)


def test_without_keys_it_is_said_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="baraza keys make"):
        read_keys(tmp_path / "nowhere")
