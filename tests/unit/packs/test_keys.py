"""A publisher's keys: for the owner only, locked or not, and never where others could take them."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tuf.api.metadata import Root

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
