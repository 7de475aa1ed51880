"""Packs are published as a repository that a client of The Update Framework accepts, and nothing else."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.exceptions import (
    BadVersionNumberError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, Timestamp

from appliance.errors import (
    KeysError,
    PackArchiveError,
    PackFileError,
    PackPublishedError,
    RepositoryError,
)
from appliance.packs import archive
from appliance.packs.keys import make_keys, next_release, read_keys, read_ledger, signer_of
from appliance.packs.offer import read_offer
from appliance.packs.publish import LIFE, Changes, Published, publish
from appliance.packs.release import standing, write_release
from appliance.packs.store import PackStore, verify
from tests.client import client, fetch
from tests.publisher import NOW, files, listed, nobody, root_of, version

# What a client gets


def test_a_client_that_knows_only_the_root_gets_every_pack_and_a_box_installs_it(
    put: Callable[..., Published], keys: Path, stick: Path, home: Path, tiny_pack: Path, tmp_path: Path
) -> None:
    archive.create(version(tiny_pack, "0.2.0", "other"), tmp_path / "other.pack")
    put(tiny_pack, tmp_path / "other.pack")
    updater = client(stick, home, root_of(keys))
    store = PackStore(tmp_path / "shipped", tmp_path / "installed")
    for name, number in (("tiny", "0.1.0"), ("other", "0.2.0")):
        assert store.install(fetch(updater, name, number)).name == f"{name} {number}"
    assert (store.find("tiny") or verify(stick)).manifest == verify(tiny_pack).manifest


def test_what_is_on_a_stick_can_be_shown_without_opening_the_packs(
    put: Callable[..., Published], keys: Path, stick: Path, home: Path, tiny_pack: Path
) -> None:
    put(tiny_pack)
    target = client(stick, home, root_of(keys)).get_targetinfo("tiny/tiny-0.1.0.pack")
    assert target is not None
    offer, manifest = read_offer(target, "stick"), verify(tiny_pack).manifest
    assert (offer.name, offer.version, offer.kind, offer.languages) == ("tiny", "0.1.0", "translation", ("en", "es"))
    assert (offer.size, offer.memory, offer.licence) == (manifest.size, manifest.memory_bytes, manifest.licence)


def test_an_old_client_finds_the_new_version_and_the_version_before_is_kept(
    put: Callable[..., Published], keys: Path, stick: Path, home: Path, tiny_pack: Path
) -> None:
    put(tiny_pack)
    fetch(client(stick, home, root_of(keys)), "tiny", "0.1.0")
    put(version(tiny_pack, "0.2.0"))
    updater = client(stick, home)
    assert fetch(updater, "tiny", "0.2.0").is_file()
    assert fetch(updater, "tiny", "0.1.0").is_file()


def test_an_altered_pack_is_refused(
    put: Callable[..., Published], keys: Path, stick: Path, home: Path, tiny_pack: Path
) -> None:
    put(tiny_pack)
    (path,) = (stick / "targets" / "tiny").iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(LengthOrHashMismatchError):
        fetch(client(stick, home, root_of(keys)), "tiny", "0.1.0")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("1.targets.json", LengthOrHashMismatchError),
        ("1.snapshot.json", LengthOrHashMismatchError),
        ("timestamp.json", UnsignedMetadataError),
    ],
)
def test_altered_metadata_are_refused(
    put: Callable[..., Published],
    keys: Path,
    stick: Path,
    home: Path,
    tiny_pack: Path,
    name: str,
    error: type[Exception],
) -> None:
    put(tiny_pack, clock=NOW)
    path = stick / "metadata" / name
    path.write_bytes(path.read_bytes().replace(b'"expires":"2028', b'"expires":"2088', 1))
    assert b"2088" in path.read_bytes()
    with pytest.raises(error):
        client(stick, home, root_of(keys)).refresh()


def test_a_release_of_before_is_refused_by_a_client_that_saw_a_later_one(
    put: Callable[..., Published], keys: Path, stick: Path, home: Path, tiny_pack: Path, tmp_path: Path
) -> None:
    put(tiny_pack)
    shutil.copytree(stick, tmp_path / "old")
    put(version(tiny_pack, "0.2.0"))
    client(stick, home, root_of(keys)).refresh()
    with pytest.raises(BadVersionNumberError):
        client(tmp_path / "old", home).refresh()


def test_an_expired_timestamp_is_refused(
    put: Callable[..., Published], keys: Path, stick: Path, home: Path, tiny_pack: Path
) -> None:
    put(tiny_pack)
    path = stick / "metadata" / "timestamp.json"
    timestamp = Metadata[Timestamp].from_bytes(path.read_bytes())
    timestamp.signed.expires = datetime(2026, 11, 2, tzinfo=UTC)
    timestamp.sign(signer_of(read_keys(keys), Timestamp.type, nobody))
    path.write_bytes(timestamp.to_bytes())
    with pytest.raises(ExpiredMetadataError):
        client(stick, home, root_of(keys)).refresh()


def test_a_release_serves_a_village_that_missed_one_of_two_visits_a_year(
    put: Callable[..., Published], tiny_pack: Path
) -> None:
    published = put(tiny_pack, clock=NOW)
    assert published.expires == NOW + LIFE > NOW + timedelta(days=366)


def test_a_client_that_trusts_another_publisher_refuses_the_stick(
    put: Callable[..., Published], stick: Path, home: Path, tiny_pack: Path, tmp_path: Path
) -> None:
    put(tiny_pack)
    stranger = make_keys(tmp_path / "stranger")
    with pytest.raises(UnsignedMetadataError):
        client(stick, home, stranger.roots[0]).refresh()


# What is kept and what is not


def test_pruning_keeps_the_newest_version_only(
    put: Callable[..., Published], keys: Path, stick: Path, tiny_pack: Path
) -> None:
    put(version(tiny_pack, "0.9.0"), version(tiny_pack, "0.10.0"), version(tiny_pack, "0.3.0", "other"))
    assert len(list(stick.glob("targets/*/*.pack"))) == 3
    published = put(prune=True)
    assert [offer.version for offer in published.offers] == ["0.3.0", "0.10.0"]
    assert listed(stick, keys) == ["other 0.3.0", "tiny 0.10.0"]
    assert len(list(stick.glob("targets/*/*.pack"))) == 2


def test_a_pack_is_taken_out_with_all_its_versions(
    put: Callable[..., Published], keys: Path, stick: Path, tiny_pack: Path
) -> None:
    put(tiny_pack, version(tiny_pack, "0.2.0"), version(tiny_pack, "0.1.0", "other"))
    put(remove=("tiny",))
    assert listed(stick, keys) == ["other 0.1.0"]
    assert not (stick / "targets" / "tiny").exists()
    with pytest.raises(RepositoryError, match="no pack tiny"):
        put(remove=("tiny",))


def test_the_same_pack_again_is_not_written_again(
    put: Callable[..., Published], stick: Path, tiny_pack: Path, tmp_path: Path
) -> None:
    first = put(tiny_pack)
    (path,) = stick.glob("targets/*/*.pack")
    before = path.stat().st_mtime_ns
    archive.create(tiny_pack, tmp_path / "again.pack")
    second = put(tmp_path / "again.pack")
    assert (second.release, second.offers) == (first.release + 1, first.offers)
    assert path.stat().st_mtime_ns == before


def test_the_same_version_with_other_content_is_refused(
    put: Callable[..., Published], stick: Path, tiny_pack: Path
) -> None:
    put(tiny_pack)
    before = files(stick)
    manifest = tiny_pack / "pack.toml"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("Tiny", "Tinier"), encoding="utf-8")
    with pytest.raises(PackPublishedError, match=r"tiny 0\.1\.0.*Raise its version"):
        put(tiny_pack)
    assert files(stick) == before


def test_files_that_are_not_ours_stay(put: Callable[..., Published], stick: Path, tiny_pack: Path) -> None:
    for name in ("photo.jpg", "metadata/notes.json", "targets/letters/letter.txt"):
        (stick / name).parent.mkdir(parents=True, exist_ok=True)
        (stick / name).write_text("mine", encoding="utf-8")
    put(tiny_pack)
    put(version(tiny_pack, "0.2.0"), prune=True)
    assert sum(content == b"mine" for content in files(stick).values()) == 3


def test_a_pack_lost_from_the_stick_is_said_and_can_be_published_again(
    put: Callable[..., Published], stick: Path, tiny_pack: Path
) -> None:
    put(tiny_pack)
    (path,) = stick.glob("targets/*/*.pack")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RepositoryError, match=r"tiny-0\.1\.0\.pack is missing or cut short"):
        put(version(tiny_pack, "0.2.0"))
    assert len(put(tiny_pack).offers) == 1


@pytest.mark.parametrize("packed", [False, True])
def test_a_pack_that_is_not_sound_is_not_signed(
    put: Callable[..., Published], stick: Path, tiny_pack: Path, tmp_path: Path, packed: bool
) -> None:
    words = (tiny_pack / "words.en.txt").read_bytes()
    pack = tiny_pack
    if packed:
        pack = tmp_path / "tiny.pack"
        archive.create(tiny_pack, pack)
        pack.write_bytes(pack.read_bytes().replace(words, bytes(reversed(words))))  # a pack is stored as it is
    else:
        (tiny_pack / "words.en.txt").write_bytes(bytes(reversed(words)))
    with pytest.raises(PackFileError, match=r"words\.en\.txt.*sha256"):
        put(pack)
    assert not list(stick.glob("targets/*/*"))
    assert not list(stick.glob("metadata/*.json"))


def test_what_is_no_archive_is_said(put: Callable[..., Published], tmp_path: Path) -> None:
    (tmp_path / "no.pack").write_bytes(b"PK, but no ZIP")
    with pytest.raises(PackArchiveError):
        put(tmp_path / "no.pack")


# Whose folder it is


def test_the_folder_of_another_publisher_is_left_as_it_is(
    put: Callable[..., Published], stick: Path, tiny_pack: Path, tmp_path: Path
) -> None:
    stranger = make_keys(tmp_path / "stranger").folder
    publish(stick, stranger, Changes((tiny_pack,)), nobody)
    before = files(stick)
    with pytest.raises(RepositoryError, match="other keys"):
        put(version(tiny_pack, "0.2.0"))
    assert files(stick) == before


@pytest.mark.parametrize("name", ["1.targets.json", "1.snapshot.json"])
def test_what_somebody_slipped_into_a_stick_is_never_signed(
    put: Callable[..., Published], stick: Path, tiny_pack: Path, name: str
) -> None:
    put(tiny_pack)
    path = stick / "metadata" / name
    path.write_bytes(path.read_bytes().replace(b"2", b"3", 1))
    newer = version(tiny_pack, "0.2.0")
    with pytest.raises(RepositoryError, match="damaged"):
        put(newer)
    path.unlink()
    with pytest.raises(RepositoryError, match="missing"):
        put(newer)


@pytest.mark.parametrize("damage", ["gone", "empty", "zeros", "altered", "of a stranger"])
def test_a_timestamp_that_a_stick_lost_is_made_anew_by_the_next_release(
    put: Callable[..., Published], stick: Path, keys: Path, tiny_pack: Path, tmp_path: Path, damage: str
) -> None:
    put(tiny_pack)
    first = put(version(tiny_pack, "0.2.0"))
    path = stick / "metadata" / "timestamp.json"
    raw = path.read_bytes()
    stranger = tmp_path / "strange"
    publish(stranger, make_keys(tmp_path / "stranger").folder, Changes((tiny_pack,)), nobody)
    path.unlink()
    if damage != "gone":
        path.write_bytes(
            {
                "empty": b"",
                "zeros": bytes(len(raw)),
                "altered": raw.replace(b"2", b"3", 1),
                "of a stranger": (stranger / "metadata" / "timestamp.json").read_bytes(),
            }[damage]
        )
    again = put(version(tiny_pack, "0.3.0"))
    assert again.release == first.release + 1
    assert listed(stick, keys) == ["tiny 0.1.0", "tiny 0.2.0", "tiny 0.3.0"]


def test_a_release_without_a_timestamp_must_be_what_was_signed_under_its_number(
    put: Callable[..., Published], stick: Path, tiny_pack: Path
) -> None:
    """Whoever has the stick may put an old list under a new name: it is not gone by, and no other is there."""
    put(tiny_pack)
    metadata = stick / "metadata"
    (metadata / "1.snapshot.json").rename(metadata / "7.snapshot.json")
    (metadata / "timestamp.json").unlink()
    with pytest.raises(RepositoryError, match="missing"):
        put(version(tiny_pack, "0.2.0"))


def test_release_numbers_rise_over_all_the_sticks_of_a_publisher(
    put: Callable[..., Published], keys: Path, stick: Path, home: Path, tiny_pack: Path, tmp_path: Path
) -> None:
    first = put(tiny_pack)
    second = put(version(tiny_pack, "0.2.0"), to=tmp_path / "second")
    assert second.release > first.release
    client(stick, home, root_of(keys)).refresh()
    assert fetch(client(tmp_path / "second", home), "tiny", "0.2.0").is_file()


def test_a_lost_ledger_never_gives_a_number_of_the_stick_again(
    put: Callable[..., Published], keys: Path, tiny_pack: Path
) -> None:
    put(tiny_pack)
    put(tiny_pack)
    (keys / "ledger.json").unlink()
    assert put(tiny_pack).release == 3


def test_a_damaged_ledger_is_said_and_not_begun_anew(
    put: Callable[..., Published], keys: Path, tiny_pack: Path
) -> None:
    (keys / "ledger.json").write_text('{"release": "many"}', encoding="ascii")
    with pytest.raises(KeysError, match=r"ledger\.json"):
        put(tiny_pack)


def test_a_clock_that_fell_back_signs_with_the_time_of_the_release_before(keys: Path) -> None:
    next_release(keys, 0, NOW)
    assert next_release(keys, 0, datetime(1970, 1, 1, tzinfo=UTC)).signed == NOW
    assert read_ledger(keys).release == 2


def test_an_archive_that_was_deflated_is_published_stored_so_that_boxes_can_hand_it_on(
    put: Callable[..., Published], stick: Path, keys: Path, tiny_pack: Path, tmp_path: Path
) -> None:
    archive.create(tiny_pack, tmp_path / "stored.pack")
    deflate(tmp_path / "stored.pack", tmp_path / "tiny.pack")
    put(tmp_path / "tiny.pack")
    (path,) = stick.glob("targets/tiny/*.pack")
    assert path.read_bytes() == (tmp_path / "stored.pack").read_bytes()
    assert listed(stick, keys) == ["tiny 0.1.0"]


def test_one_that_was_published_deflated_is_published_stored_the_next_time(
    put: Callable[..., Published],
    stick: Path,
    keys: Path,
    tiny_pack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive.create(tiny_pack, tmp_path / "stored.pack")
    with monkeypatch.context() as patched:
        patched.setattr(archive, "create", lambda folder, target, show: deflate(tmp_path / "stored.pack", target))
        put(tiny_pack)
    put(tiny_pack)
    (path,) = stick.glob("targets/tiny/*.pack")
    assert path.read_bytes() == (tmp_path / "stored.pack").read_bytes()
    assert put(tiny_pack).release == 3


def deflate(source: Path, target: Path) -> None:
    """The same pack as older tools packed it."""
    with zipfile.ZipFile(source) as stored, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for member in stored.infolist():
            info = zipfile.ZipInfo(member.filename)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, member.external_attr
            packed.writestr(info, stored.read(member))


def test_what_lists_something_that_is_no_pack_is_never_signed_anew(
    put: Callable[..., Published], stick: Path, keys: Path, tiny_pack: Path
) -> None:
    """Told before anything is written: a release would be signed otherwise, and only its telling would fail."""
    put(tiny_pack)
    keyring = read_keys(keys)
    state = standing(stick, keyring.root)
    (target,) = state.targets.signed.targets.values()
    target.unrecognized_fields["custom"]["kind"] = "spell"
    signer = signer_of(keyring, "targets", nobody)
    raw = write_release(stick, keyring, state, 2, NOW + LIFE, signer)
    (stick / "metadata" / "timestamp.json").write_bytes(raw)
    before = files(stick)
    with pytest.raises(RepositoryError, match="not of its form"):
        put(version(tiny_pack, "0.2.0"))
    assert files(stick) == before
