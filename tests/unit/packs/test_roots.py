"""A root that is renewed, and the words by which people know it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tuf.api.exceptions import (
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, Root, Targets

from appliance.errors import (
    KeysError,
    RepositoryError,
)
from appliance.packs.fingerprint import WORDS, fingerprint
from appliance.packs.keys import make_keys, read_keys, renew_root
from appliance.packs.publish import Changes, Published, publish
from tests.client import client, fetch
from tests.publisher import NOW, nobody, root_of, version


def test_a_renewed_root_is_followed_and_keeps_its_words(
    put: Callable[..., Published], keys: Path, stick: Path, home: Path, tiny_pack: Path
) -> None:
    put(tiny_pack)
    client(stick, home, root_of(keys)).refresh()
    words = read_keys(keys).words
    renewed = renew_root(keys, nobody, clock=NOW)
    put(version(tiny_pack, "0.2.0"))
    assert (renewed.words, renewed.root.version, len(renewed.roots)) == (words, 2, 2)
    assert fetch(client(stick, home), "tiny", "0.2.0").is_file()


def test_a_stolen_packs_key_counts_no_longer_once_the_root_names_another(
    put: Callable[..., Published], keys: Path, stick: Path, home: Path, tiny_pack: Path, tmp_path: Path
) -> None:
    put(tiny_pack)
    shutil.copytree(keys, tmp_path / "thief")
    renew_root(keys, nobody, new_packs_key=True)
    fresh = tmp_path / "fresh"
    put(tiny_pack, to=fresh)
    client(fresh, home, root_of(keys)).refresh()
    for _ in range(3):  # above every release that the box has seen
        publish(stick, tmp_path / "thief", Changes((tiny_pack,)), nobody)
    with pytest.raises(UnsignedMetadataError):
        client(stick, home).refresh()
    with pytest.raises(RepositoryError, match="other keys"):
        put(tiny_pack, to=stick)


@pytest.mark.parametrize("damage", ["signature", "version", "kind"])
def test_a_root_that_does_not_follow_from_the_one_before_is_refused(keys: Path, tmp_path: Path, damage: str) -> None:
    renew_root(keys, nobody)
    path = keys / "2.root.json"
    if damage == "signature":
        path.write_bytes(make_keys(tmp_path / "stranger").roots[0])
    elif damage == "version":
        path.write_bytes(root_of(keys))
    else:
        path.write_bytes(Metadata(Targets()).to_bytes())
    with pytest.raises(KeysError, match=r"2\.root\.json"):
        read_keys(keys)


def test_the_fingerprint_is_of_the_keys_whatever_the_file_calls_them(keys: Path, tmp_path: Path) -> None:
    root = read_keys(keys).root
    words = fingerprint(root)
    assert len(words.split()) == 8
    assert fingerprint(make_keys(tmp_path / "other").root) != words
    (keyid,) = root.roles[Root.type].keyids
    key = root.keys[keyid]
    key.keyid = "00" * 32
    root.keys["00" * 32] = key
    root.roles[Root.type].keyids = ["00" * 32]
    assert fingerprint(root) == words
    root.roles[Root.type].threshold = 2
    assert fingerprint(root) != words


def test_the_words_are_short_and_cannot_be_taken_for_each_other() -> None:
    def alike(one: str, other: str) -> bool:
        short, long = sorted((one, other), key=len)
        if len(short) == len(long):
            return sum(here != there for here, there in zip(short, long, strict=True)) < 2
        return any(long[:cut] + long[cut + 1 :] == short for cut in range(len(long)))

    assert len(WORDS) == len({word[:4] for word in WORDS}) == 256
    assert all(word.isascii() and word.islower() and 3 <= len(word) <= 8 for word in WORDS)
    assert not [(one, other) for one in WORDS for other in WORDS if one < other and alike(one, other)]
