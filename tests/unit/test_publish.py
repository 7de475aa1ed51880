"""Packs are published as a repository that a client of The Update Framework accepts, and nothing else."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tuf.api.exceptions import (
    BadVersionNumberError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, Root, TargetFile, Targets, Timestamp

from appliance.errors import (
    DiskFullError,
    FolderInUseError,
    KeysError,
    KeysLockedError,
    PackArchiveError,
    PackFileError,
    PackPublishedError,
    RepositoryError,
    StorageError,
)
from appliance.packs import archive
from appliance.packs import keys as keys_module
from appliance.packs.fingerprint import WORDS, fingerprint
from appliance.packs.keys import make_keys, next_release, read_keys, read_ledger, renew_root, signer_of
from appliance.packs.offer import custom_of, read_offer
from appliance.packs.publish import LIFE, Changes, Published, publish, read_offers
from appliance.packs.store import PackStore, verify
from appliance.storage.lock import lock_folder
from tests.client import client, fetch

PASSPHRASE = "seven goats on the mountain"
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def nobody() -> str:
    raise AssertionError("nobody is asked for a passphrase when the keys are not locked")


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


def root_of(keys: Path) -> bytes:
    return (keys / "1.root.json").read_bytes()


def version(pack: Path, number: str, name: str = "tiny") -> Path:
    """A copy of the pack with another version (and name): a pack of its own."""
    other = pack.parent / f"{name}-{number}"
    shutil.copytree(pack, other)
    manifest = other / "pack.toml"
    text = manifest.read_text(encoding="utf-8").replace('"0.1.0"', f'"{number}"', 1)
    manifest.write_text(text.replace('name = "tiny"', f'name = "{name}"', 1), encoding="utf-8")
    return other


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def listed(folder: Path, keys: Path) -> list[str]:
    return [f"{offer.name} {offer.version}" for offer in read_offers(folder, read_keys(keys).root)]


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
    (tiny_pack / "words.en.txt").write_bytes(bytes(reversed((tiny_pack / "words.en.txt").read_bytes())))
    pack = tiny_pack
    if packed:
        pack = tmp_path / "tiny.pack"
        archive.create(tiny_pack, pack)
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


@pytest.mark.parametrize("name", ["1.targets.json", "1.snapshot.json", "timestamp.json"])
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


# Failures: the folder holds the old release or the new one, whole


def clones_at_every_flush(monkeypatch: pytest.MonkeyPatch, folder: Path, into: Path) -> list[Path]:
    """What a reader would find if the stick were pulled out just before, and just after, each flush."""
    clones: list[Path] = []
    flush = os.fsync

    def watched(descriptor: int) -> None:
        for moment in ("before", "after"):
            if moment == "after":
                flush(descriptor)
            clones.append(into / f"{len(clones)}-{moment}")
            shutil.copytree(folder, clones[-1])

    monkeypatch.setattr(os, "fsync", watched)
    return clones


def test_a_stick_pulled_out_at_any_moment_holds_the_old_release_or_the_new(
    put: Callable[..., Published],
    keys: Path,
    stick: Path,
    tiny_pack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(tiny_pack)
    newer = version(tiny_pack, "0.2.0")
    with monkeypatch.context() as patched:
        clones = clones_at_every_flush(patched, stick, tmp_path / "clones")
        put(newer, prune=True)
    seen = []
    for number, clone in enumerate(clones):
        updater = client(clone, tmp_path / "boxes" / str(number), root_of(keys))
        updater.refresh()
        (offer,) = read_offers(clone, read_keys(keys).root)
        fetch(updater, "tiny", offer.version)
        seen.append(offer.version)
    assert len(seen) > 10
    assert seen == sorted(seen)
    assert set(seen) == {"0.1.0", "0.2.0"}


def test_a_disk_that_fails_at_any_step_keeps_the_old_release_and_the_next_try_makes_the_new(
    put: Callable[..., Published],
    keys: Path,
    stick: Path,
    tiny_pack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(tiny_pack)
    newer = version(tiny_pack, "0.2.0")
    flush, failures = os.fsync, 0
    while True:
        left = failures

        def failing(descriptor: int) -> None:
            nonlocal left
            if left == 0:
                raise OSError(5, "Input/output error")
            left -= 1
            flush(descriptor)

        try:
            with monkeypatch.context() as patched:
                patched.setattr(os, "fsync", failing)
                put(newer)
            break
        except StorageError:
            failures += 1
            updater = client(stick, tmp_path / "boxes" / str(failures), root_of(keys))
            fetch(updater, "tiny", "0.1.0")
            assert [path.name for path in stick.rglob(".*")] == []
    assert failures > 8
    assert listed(stick, keys) == ["tiny 0.1.0", "tiny 0.2.0"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 900 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900k", "none", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_stick_keeps_the_old_release(
    put: Callable[..., Published], keys: Path, small_disk: Path, home: Path, tiny_pack: Path
) -> None:
    small = version(tiny_pack, "0.0.1", "small")
    put(small, to=small_disk)
    free = shutil.disk_usage(small_disk).free
    with pytest.raises(DiskFullError):
        for number in range(2, 20):
            put(version(tiny_pack, f"0.0.{number}", "large"), to=small_disk)
    assert shutil.disk_usage(small_disk).free <= free
    fetch(client(small_disk, home, root_of(keys)), "small", "0.0.1")
    put(remove=("small",), to=small_disk)


def test_a_web_server_may_read_what_is_published_and_fat_which_knows_no_modes_takes_it(
    put: Callable[..., Published], stick: Path, tiny_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    put(tiny_pack)
    assert {stat.S_IMODE(path.stat().st_mode) for path in stick.rglob("*.json")} == {0o644}
    monkeypatch.setattr(os, "fchmod", refuse)
    assert put(tiny_pack, to=tmp_path / "fat").offers


def test_a_second_publisher_at_the_same_time_waits_his_turn(
    put: Callable[..., Published], keys: Path, tiny_pack: Path
) -> None:
    lock = lock_folder(keys)
    with pytest.raises(FolderInUseError):
        put(tiny_pack)
    lock.release()
    put(tiny_pack)


# Keys


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


# Roots


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


# Offers


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../etc"},
        {"name": "other"},
        {"version": "1.0"},
        {"kind": "program"},
        {"title": "x" * 501},
        {"title": None},
        {"languages": "en"},
        {"languages": ["en", 3]},
        {"size": -1},
        {"size": True},
        {"memory": 1.5},
        {"manifest": "short"},
        {"licence": 3},
    ],
)
def test_an_offer_that_is_not_of_its_form_is_refused(
    put: Callable[..., Published], keys: Path, stick: Path, tiny_pack: Path, change: dict[str, object]
) -> None:
    offer = put(tiny_pack).offers[0]
    custom = {**custom_of(offer), **change}
    target = TargetFile(1, {"sha256": "0" * 64}, offer.path, {"custom": custom})
    with pytest.raises(RepositoryError, match="not of its form"):
        read_offer(target, "stick")
    target.unrecognized_fields["custom"] = custom_of(offer)
    assert read_offer(target, "stick") == offer
    with pytest.raises(RepositoryError):
        read_offer(replace_path(target, "tiny/else.pack"), "stick")


def replace_path(target: TargetFile, path: str) -> TargetFile:
    return TargetFile(target.length, target.hashes, path, target.unrecognized_fields)
