"""Every attack that python-tuf's own tests of its client name, on a stick; the checks: docs/packs-security.md.

`box` trusts the forger's root; `forger` has put a sound release 5 on the stick. Each test is red when its check is
taken out (`make mutants`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

from appliance.errors import (
    PackArchiveError,
    PackMissingError,
    RepositoryError,
    RepositoryExpiredError,
    RepositoryOlderError,
    RepositoryRefusedError,
    SourceLostError,
    UnknownPublisherError,
)
from appliance.limits import Limits
from appliance.packs.sources import FolderSource, SourceReadError
from appliance.packs.trust import Trust
from tests.forger import FRESH, NOW, STALE, Forger, names, signer
from tests.publisher import version

SOUND = ["tiny 0.1.0"]


def refused(box: Trust, stick: Path, why: str = ".") -> RepositoryRefusedError:
    """The stick is refused, and once more: a refusal leaves nothing behind that would let it through later."""
    with pytest.raises(RepositoryRefusedError, match=why):
        box.open(FolderSource(stick))
    with pytest.raises(RepositoryRefusedError, match=why) as caught:
        box.open(FolderSource(stick))
    return caught.value


def test_a_sound_release_is_taken(box: Trust, forger: Forger, stick: Path) -> None:
    repository = box.open(FolderSource(stick))
    assert (repository.root.name, repository.release, repository.expires) == (
        "publisher",
        5,
        FRESH.replace(microsecond=0),
    )
    assert names(box, stick) == SOUND
    assert box.root("publisher").release == 5


# The root


def test_a_new_root_is_followed_from_version_to_version(box: Trust, forger: Forger, stick: Path) -> None:
    forger.rotate(Targets.type, 10)
    forger.rotate(Root.type, 11)
    forger.rotate(Timestamp.type, 12)
    forger.put(6)
    assert names(box, stick) == SOUND
    assert box.root("publisher").version == 4
    assert names(box, stick) == SOUND


def test_a_root_not_signed_by_the_one_before_is_refused(box: Trust, forger: Forger, stick: Path) -> None:
    forger.signers[Root.type] = [signer(20)]
    forger.root.revoke_key(forger.root.roles[Root.type].keyids[0], Root.type)
    forger.root.add_key(signer(20).public_key, Root.type)
    forger.next_root()
    refused(box, stick, "root was signed by 0/1 keys")
    assert box.root("publisher").version == 1


def test_a_root_not_signed_by_its_own_new_keys_is_refused(box: Trust, forger: Forger, stick: Path) -> None:
    old = forger.signers[Root.type]
    forger.root.revoke_key(forger.root.roles[Root.type].keyids[0], Root.type)
    forger.root.add_key(signer(20).public_key, Root.type)
    forger.signers[Root.type] = old
    forger.next_root()
    refused(box, stick, "root was signed by 0/1 keys")


@pytest.mark.parametrize(
    ("keys", "threshold", "signed_by", "good"),
    [
        ((0, 30, 31), 2, (0, 30), True),
        ((0, 30, 31), 2, (0,), False),
        ((0, 30, 31), 2, (0, 0), False),
        ((30, 31, 32), 3, (0, 30, 31, 32), True),
        ((30, 31, 32), 3, (0, 30, 31), False),
        ((30, 31, 32), 3, (30, 31, 32), False),
    ],
    ids=["two of three", "one of three", "one twice", "all rotated", "too few new", "no old"],
)
def test_a_root_needs_as_many_keys_as_it_says(
    box: Trust,
    forger: Forger,
    stick: Path,
    keys: tuple[int, ...],
    threshold: int,
    signed_by: tuple[int, ...],
    good: bool,
) -> None:
    forger.root.revoke_key(forger.root.roles[Root.type].keyids[0], Root.type)
    for key in keys:
        forger.root.add_key(signer(key).public_key, Root.type)
    forger.root.roles[Root.type].threshold = threshold
    forger.signers[Root.type] = [signer(key) for key in signed_by]
    forger.next_root()
    if good:
        assert names(box, stick) == SOUND
    else:
        refused(box, stick, "root was signed by")
    assert box.root("publisher").version == (2 if good else 1)


def test_an_intermediate_root_that_is_not_signed_stops_the_way(box: Trust, forger: Forger, stick: Path) -> None:
    forger.root.version += 1
    forger.write_root(2, [])
    forger.next_root()
    refused(box, stick, "root was signed by 0/1 keys")
    assert box.root("publisher").version == 1


def test_an_intermediate_root_may_have_expired(box: Trust, forger: Forger, stick: Path) -> None:
    forger.root.expires = STALE
    forger.next_root()
    forger.root.expires = FRESH
    forger.next_root()
    assert names(box, stick) == SOUND


def test_the_final_root_must_not_have_expired_and_is_remembered(box: Trust, forger: Forger, stick: Path) -> None:
    forger.root.expires = STALE
    forger.next_root()
    with pytest.raises(RepositoryExpiredError):
        box.open(FolderSource(stick))
    assert box.root("publisher").version == 2
    forger.root.expires = FRESH
    forger.next_root()
    assert names(box, stick) == SOUND


@pytest.mark.parametrize("number", [1, 3, 9], ids=["the same", "skipped", "far ahead"])
def test_a_root_under_a_name_of_another_version_is_refused(
    box: Trust, forger: Forger, stick: Path, number: int
) -> None:
    forger.root.version = number
    forger.write_root(2)
    refused(box, stick, "[Ee]xpected root version 2")


def test_a_wrong_root_is_told_even_beside_a_timestamp_that_cannot_be_read(
    box: Trust, forger: Forger, stick: Path
) -> None:
    forger.root.version = 9
    forger.write_root(2)
    forger.write("timestamp.json", b"{}")
    refused(box, stick, "root version 2")


def test_an_older_root_than_the_box_follows_is_not_gone_back_to(box: Trust, forger: Forger, stick: Path) -> None:
    thief = forger.signers[Targets.type]
    forger.copied(stick.parent / "old")
    forger.rotate(Targets.type, 10)
    forger.put(6)
    assert names(box, stick) == SOUND
    old = Forger(stick.parent / "old")
    assert old.signers[Targets.type] == thief
    old.put(7)  # with the stolen key, under the root that still names it
    refused(box, old.folder, "targets was signed by 0/1 keys")


def test_no_more_roots_are_followed_at_one_time_than_the_limit(
    box: Trust, forger: Forger, stick: Path, home: Path
) -> None:
    for _ in range(5):
        forger.next_root()
    box.open(FolderSource(stick, Limits(root_rotations=3)))
    assert box.root("publisher").version == 4
    box.open(FolderSource(stick, Limits(root_rotations=3)))
    assert box.root("publisher").version == 6


def test_a_stranger_who_shows_the_root_of_a_publisher_is_refused(box: Trust, forger: Forger, stick: Path) -> None:
    stranger = Forger(stick.parent / "stranger", first=40)
    stranger.put(6)
    shutil.copy(stick / "metadata" / "1.root.json", stranger.folder / "metadata" / "1.root.json")
    refused(box, stranger.folder, "timestamp was signed by 0/1 keys")


def test_a_publisher_whom_nobody_added_is_not_trusted(box: Trust, stick: Path) -> None:
    stranger = Forger(stick.parent / "stranger", first=40)
    stranger.put(6)
    with pytest.raises(UnknownPublisherError):
        box.open(FolderSource(stranger.folder))


# Signatures of the other roles


@pytest.mark.parametrize("role", [Timestamp.type, Snapshot.type, Targets.type])
@pytest.mark.parametrize("by", [(), (50,)], ids=["unsigned", "by another key"])
def test_a_role_not_signed_by_its_key_is_refused(
    box: Trust, forger: Forger, stick: Path, role: str, by: tuple[int, ...]
) -> None:
    forger.signers[role] = [signer(each) for each in by]
    forger.put(6)
    refused(box, stick, f"{role} was signed by 0/1 keys")


@pytest.mark.parametrize("role", [Timestamp.type, Snapshot.type, Targets.type])
def test_the_key_of_one_role_does_not_sign_for_another(box: Trust, forger: Forger, stick: Path, role: str) -> None:
    other = Snapshot.type if role == Targets.type else Targets.type
    forger.signers[role] = forger.signers[other]
    forger.put(6)
    refused(box, stick, f"{role} was signed by 0/1 keys")


@pytest.mark.parametrize("role", [Timestamp.type, Snapshot.type, Targets.type])
@pytest.mark.parametrize(
    ("signed_by", "good"),
    [((50, 52), True), ((50, 51, 52), True), ((50,), False), ((50, 50), False), ((50, 59), False)],
    ids=["two", "three", "one", "one twice", "one and a stranger"],
)
def test_a_role_needs_as_many_keys_as_the_root_says(
    box: Trust, forger: Forger, stick: Path, role: str, signed_by: tuple[int, ...], good: bool
) -> None:
    forger.root.revoke_key(forger.root.roles[role].keyids[0], role)
    for key in (50, 51, 52):
        forger.root.add_key(signer(key).public_key, role)
    forger.root.roles[role].threshold = 2
    forger.next_root()
    forger.signers[role] = [signer(key) for key in signed_by]
    forger.put(6)
    if good:
        assert names(box, stick) == SOUND
    else:
        refused(box, stick, f"{role} was signed by 1/2 keys")


@pytest.mark.parametrize("role", [Timestamp.type, Snapshot.type, Targets.type])
def test_a_key_that_was_replaced_signs_no_more(box: Trust, forger: Forger, stick: Path, role: str) -> None:
    old = forger.signers[role]
    forger.rotate(role, 60)
    forger.signers[role] = old
    forger.put(6)
    refused(box, stick, f"{role} was signed by 0/1 keys")
    forger.signers[role] = [signer(60)]
    forger.put(7)
    assert names(box, stick) == SOUND


# Rollback


def test_an_older_release_is_refused(box: Trust, forger: Forger, stick: Path, tiny_pack: Path) -> None:
    forger.copied(stick.parent / "old")
    forger.add(version(tiny_pack, "0.2.0"))
    forger.put(6)
    assert names(box, stick) == ["tiny 0.1.0", "tiny 0.2.0"]
    with pytest.raises(RepositoryOlderError, match="release 5 of publisher, and this box has seen release 6"):
        box.open(FolderSource(stick.parent / "old"))
    assert box.root("publisher").release == 6


def test_an_older_timestamp_is_refused_though_it_lists_a_newer_snapshot(
    box: Trust, forger: Forger, stick: Path
) -> None:
    box.open(FolderSource(stick))
    forger.put(6)
    forger.timestamp.version = 4
    forger.put_timestamp()
    with pytest.raises(RepositoryOlderError):
        box.open(FolderSource(stick))


def test_another_timestamp_of_the_same_version_changes_nothing(
    box: Trust, forger: Forger, stick: Path, tiny_pack: Path
) -> None:
    box.open(FolderSource(stick))
    forger.add(version(tiny_pack, "0.2.0"))
    forger.targets.version = forger.snapshot.version = 6
    forger.put()  # timestamp 5 again, with another snapshot
    assert names(box, stick) == SOUND


def test_a_newer_timestamp_with_an_older_snapshot_is_refused(box: Trust, forger: Forger, stick: Path) -> None:
    box.open(FolderSource(stick))
    forger.put(6)
    forger.snapshot.version = 4
    forger.put_snapshot()
    forger.timestamp.version = 7
    forger.put_timestamp()
    refused(box, stick, "snapshot version must be >= 5")


def test_a_newer_snapshot_with_older_targets_is_refused(box: Trust, forger: Forger, stick: Path) -> None:
    box.open(FolderSource(stick))
    forger.targets.version = 4
    forger.snapshot.version = forger.timestamp.version = 6
    forger.put()
    refused(box, stick, "targets.json version")


def test_a_newer_snapshot_that_leaves_a_role_out_is_refused(box: Trust, forger: Forger, stick: Path) -> None:
    forger.delegate("coop", 70, "coop-*/*")
    forger.put(6)
    box.open(FolderSource(stick))
    del forger.snapshot.meta["coop.json"]
    del forger.delegated["coop"]
    forger.put(7)
    refused(box, stick, "missing info for 'coop.json'")


def test_an_expired_release_that_was_seen_still_protects_from_older_ones(
    box: Trust, forger: Forger, stick: Path, clock: object
) -> None:
    forger.copied(stick.parent / "old")
    forger.put(6)
    box.open(FolderSource(stick))
    old = Forger(stick.parent / "old", expires=FRESH + timedelta(days=400))
    old.targets = forger.targets
    old.put(5)  # a stolen key would sign that: an old number with a new date
    clock.now = NOW + timedelta(days=401)  # type: ignore[attr-defined]
    with pytest.raises(RepositoryRefusedError):
        box.open(FolderSource(old.folder))


# Freeze


@pytest.mark.parametrize("role", [Timestamp.type, Snapshot.type, Targets.type])
def test_an_expired_role_is_refused(box: Trust, forger: Forger, stick: Path, role: str) -> None:
    signed = {Timestamp.type: forger.timestamp, Snapshot.type: forger.snapshot, Targets.type: forger.targets}[role]
    signed.expires = STALE
    forger.put(6)
    error = refused(box, stick, "2026-12-01")
    assert isinstance(error, RepositoryExpiredError)


@pytest.mark.parametrize("role", [Timestamp.type, Snapshot.type, Targets.type])
def test_a_role_that_was_taken_is_refused_when_it_expires(
    box: Trust, forger: Forger, stick: Path, role: str, clock: object
) -> None:
    """Freeze by showing the same stick again and again; the expiry of what is remembered is looked at each time."""
    signed = {Timestamp.type: forger.timestamp, Snapshot.type: forger.snapshot, Targets.type: forger.targets}[role]
    signed.expires = NOW + timedelta(days=10)
    forger.put(6)
    assert names(box, stick) == SOUND
    clock.now = NOW + timedelta(days=11)  # type: ignore[attr-defined]
    with pytest.raises(RepositoryExpiredError):
        box.open(FolderSource(stick))


# Mix and match


def test_a_snapshot_of_another_release_is_refused(box: Trust, forger: Forger, stick: Path) -> None:
    """The files of two true releases, mixed."""
    forger.put(6)
    shutil.copy(stick / "metadata" / "5.snapshot.json", stick / "metadata" / "6.snapshot.json")
    refused(box, stick, "does not match expected")


def test_targets_of_another_release_are_refused(box: Trust, forger: Forger, stick: Path) -> None:
    forger.put(6)
    shutil.copy(stick / "metadata" / "5.targets.json", stick / "metadata" / "6.targets.json")
    refused(box, stick, "does not match expected")


@pytest.mark.parametrize("role", [Snapshot.type, Targets.type])
def test_without_hashes_the_versions_still_must_match(box: Trust, forger: Forger, stick: Path, role: str) -> None:
    forger.hashes = False
    forger.put(6)
    forger.put(7)
    shutil.copy(stick / "metadata" / f"6.{role}.json", stick / "metadata" / f"7.{role}.json")
    refused(box, stick, "Expected .*7, got v?(version )?6")


@pytest.mark.parametrize("role", [Snapshot.type, Targets.type])
def test_a_role_with_the_right_version_and_another_content_is_refused(
    box: Trust, forger: Forger, stick: Path, role: str
) -> None:
    forger.put(6)
    kept = {name: (stick / "metadata" / name).read_bytes() for name in ("6.snapshot.json", "timestamp.json")}
    forger.targets.expires = forger.snapshot.expires = FRESH - timedelta(days=10)  # as long, and signed by its key
    forger.put_targets()
    if role == Snapshot.type:
        forger.put_snapshot()
        del kept["6.snapshot.json"]
    for name, raw in kept.items():
        forger.write(name, raw)
    refused(box, stick, "Observed hash")


def test_a_role_in_the_place_of_another_is_refused(box: Trust, forger: Forger, stick: Path) -> None:
    shutil.copy(stick / "metadata" / "5.targets.json", stick / "metadata" / "timestamp.json")
    refused(box, stick, "Expected 'timestamp', got 'targets'")


# Fast-forward


@pytest.mark.parametrize("role", [Timestamp.type, Snapshot.type, Targets.type])
def test_new_keys_mend_a_release_number_that_a_thief_drove_up(
    box: Trust, forger: Forger, stick: Path, role: str
) -> None:
    signed = {Timestamp.type: forger.timestamp, Snapshot.type: forger.snapshot, Targets.type: forger.targets}[role]
    signed.version = 99_999
    forger.timestamp.version = max(forger.timestamp.version, 6)
    forger.put()
    assert names(box, stick) == SOUND
    forger.rotate(Snapshot.type, 81)
    forger.rotate(Timestamp.type, 82)
    forger.put(1)
    assert names(box, stick) == SOUND
    assert box.root("publisher").release == 1


# Endless data and odd files


@pytest.mark.parametrize("name", ["1.root.json", "2.root.json", "timestamp.json", "5.snapshot.json", "5.targets.json"])
def test_endless_metadata_are_cut_off(box: Trust, forger: Forger, stick: Path, name: str) -> None:
    with (stick / "metadata" / name).open("ab") as stream:
        stream.truncate(40 * 1024**3)  # a file with holes, which takes no room
    with pytest.raises(RepositoryError):
        box.open(FolderSource(stick))


def test_metadata_that_name_a_huge_length_of_their_own_are_cut_off(box: Trust, forger: Forger, stick: Path) -> None:
    forger.timestamp.snapshot_meta.length = 40 * 1024**3
    forger.timestamp.version = 6
    forger.put_timestamp()
    with (stick / "metadata" / "5.snapshot.json").open("ab") as stream:
        stream.truncate(40 * 1024**3)
    refused(box, stick, "exceeding the maximum allowed length of 2097152")


@pytest.mark.parametrize(
    "nested", [b"[" * 10_000, b'{"signed": ' * 3_000, b"\xff\xfe\x00", b"{}", b"null", b"7" * 10_000]
)
def test_metadata_that_are_no_metadata_are_refused(box: Trust, forger: Forger, stick: Path, nested: bytes) -> None:
    forger.write("timestamp.json", nested)
    refused(box, stick)


# Targets


def test_an_archive_of_another_content_is_refused(box: Trust, forger: Forger, stick: Path) -> None:
    (target,) = forger.targets.targets.values()
    path = forger.archive(target)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    repository = box.open(FolderSource(stick))
    with pytest.raises(RepositoryRefusedError, match="Observed hash"), repository.archive(repository.offers[0]):
        pass


@pytest.mark.parametrize("more", [-1, 1, 40 * 1024**3], ids=["shorter", "longer", "endless"])
def test_an_archive_of_another_length_is_refused(box: Trust, forger: Forger, stick: Path, more: int) -> None:
    (target,) = forger.targets.targets.values()
    with forger.archive(target).open("r+b") as stream:
        stream.truncate(target.length + more)
    repository = box.open(FolderSource(stick))
    assert not repository.present(repository.offers[0])
    with pytest.raises(RepositoryRefusedError), repository.archive(repository.offers[0]):
        pass


def test_an_archive_that_is_listed_but_not_there_is_told(box: Trust, forger: Forger, stick: Path) -> None:
    (target,) = forger.targets.targets.values()
    forger.archive(target).unlink()
    repository = box.open(FolderSource(stick))
    assert not repository.present(repository.offers[0])
    with pytest.raises(PackMissingError), repository.archive(repository.offers[0]):
        pass


def test_an_archive_that_nobody_listed_is_not_offered(box: Trust, forger: Forger, stick: Path, tiny_pack: Path) -> None:
    """Arbitrary software and extraneous dependencies: only what the targets role lists is there for the box."""
    forger.add(version(tiny_pack, "9.9.9"))  # written to the stick, and never signed
    assert names(box, stick) == SOUND


def test_an_archive_of_another_pack_than_is_listed_is_refused(
    box: Trust, forger: Forger, stick: Path, tiny_pack: Path
) -> None:
    """Signed with the right key: by a publisher who calls a translation model knowledge, because he may bring that."""
    (target,) = forger.targets.targets.values()
    target.custom["kind"] = "knowledge"  # type: ignore[index]
    forger.put(6)
    box.limit("publisher", ["knowledge"], False)
    repository = box.open(FolderSource(stick))
    assert [offer.kind for offer in repository.offers] == ["knowledge"]
    offer = repository.offers[0]
    with pytest.raises(RepositoryRefusedError, match="another pack than is listed"), repository.archive(offer):
        pass


def test_a_pack_whose_listed_manifest_is_another_is_refused(box: Trust, forger: Forger, stick: Path) -> None:
    (target,) = forger.targets.targets.values()
    target.custom["manifest"] = "0" * 64  # type: ignore[index]
    forger.put(6)
    repository = box.open(FolderSource(stick))
    with pytest.raises(PackArchiveError, match="not the one"), repository.archive(repository.offers[0]):
        pass


def test_a_repository_without_consistent_snapshots_is_read_too(
    stick: Path, home: Path, tiny_pack: Path, clock: object
) -> None:
    forger = Forger(stick, consistent=False)
    forger.add(tiny_pack)
    forger.put(5)
    trust = Trust(home / "trust", clock=clock)  # type: ignore[arg-type]
    trust.add("publisher", forger.roots[0], trust.stranger(FolderSource(stick)).words)
    repository = trust.open(FolderSource(stick))
    with repository.archive(repository.offers[0]) as path:
        assert path == stick / "targets" / "tiny" / "tiny-0.1.0.pack"


@pytest.mark.parametrize("odd", ["link", "pipe", "folder"])
def test_an_archive_that_is_no_plain_file_is_refused(box: Trust, forger: Forger, stick: Path, odd: str) -> None:
    (target,) = forger.targets.targets.values()
    path = forger.archive(target)
    whole = path.rename(stick.parent / "whole.pack")
    if odd == "link":
        path.symlink_to(whole)
    elif odd == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    repository = box.open(FolderSource(stick))
    assert not repository.present(repository.offers[0])
    with pytest.raises(RepositoryError, match="not a plain file"), repository.archive(repository.offers[0]):
        pass


# Missing pieces


@pytest.mark.parametrize("name", ["1.root.json", "timestamp.json", "5.snapshot.json", "5.targets.json"])
def test_a_repository_that_misses_a_file_is_refused(box: Trust, forger: Forger, stick: Path, name: str) -> None:
    (stick / "metadata" / name).unlink()
    with pytest.raises(RepositoryError):
        box.open(FolderSource(stick))


def test_a_stick_that_is_gone_is_told_as_such(box: Trust, forger: Forger, stick: Path) -> None:
    repository = box.open(FolderSource(stick))
    stick.rename(stick.parent / "elsewhere")
    with pytest.raises(SourceLostError):
        box.open(FolderSource(stick))
    with pytest.raises(SourceLostError):
        repository.present(repository.offers[0])
    with pytest.raises(SourceLostError), repository.archive(repository.offers[0]):
        pass


# Delegations


def test_a_cooperative_brings_packs_under_its_own_names(
    box: Trust, forger: Forger, stick: Path, tiny_pack: Path
) -> None:
    forger.delegate("coop", 70, "coop-*/*")
    forger.add(version(tiny_pack, "1.0.0", name="coop-maize"), role="coop")
    forger.put(6)
    assert names(box, stick) == ["coop-maize 1.0.0", "tiny 0.1.0"]
    repository = box.open(FolderSource(stick))
    with repository.archive(repository.offers[0]) as path:
        assert path.is_file()


def test_a_cooperative_brings_nothing_under_other_names(
    box: Trust, forger: Forger, stick: Path, tiny_pack: Path
) -> None:
    forger.delegate("coop", 70, "coop-*/*")
    forger.add(version(tiny_pack, "9.0.0"), role="coop")
    forger.put(6)
    assert names(box, stick) == SOUND


def test_a_cooperative_does_not_stand_before_the_publisher(
    box: Trust, forger: Forger, stick: Path, tiny_pack: Path
) -> None:
    forger.delegate("coop", 70, "*/*")
    other = version(tiny_pack, "0.1.0", name="other") / "pack.toml"
    other.write_text(other.read_text(encoding="utf-8").replace('name = "other"', 'name = "tiny"', 1), encoding="utf-8")
    theirs = forger.add(other.parent, role="coop")
    ours = forger.add(tiny_pack)
    theirs.custom["title"] = "of the cooperative"  # type: ignore[index]
    forger.put(6)
    assert ours.path == theirs.path
    assert [offer.title for offer in box.open(FolderSource(stick)).offers] != ["of the cooperative"]


@pytest.mark.parametrize("fault", ["unsigned", "expired", "missing", "older", "not in the snapshot"])
def test_a_faulty_cooperative_takes_only_its_own_packs_along(
    box: Trust, forger: Forger, stick: Path, tiny_pack: Path, fault: str
) -> None:
    coop = forger.delegate("coop", 70, "coop-*/*")
    forger.add(version(tiny_pack, "1.0.0", name="coop-maize"), role="coop")
    if fault == "unsigned":
        forger.signers["coop"] = [signer(71)]
    if fault == "expired":
        coop.expires = STALE
    forger.put(6)
    if fault == "missing":
        (stick / "metadata" / "6.coop.json").unlink()
    if fault == "older":
        coop.version = 5
        kept = forger.snapshot.meta["coop.json"]
        forger.put_delegated("coop")
        shutil.move(stick / "metadata" / "5.coop.json", stick / "metadata" / "6.coop.json")
        forger.snapshot.meta["coop.json"] = kept
    if fault == "not in the snapshot":
        del forger.snapshot.meta["coop.json"]
        forger.snapshot.version = forger.timestamp.version = 7
        forger.put_snapshot()
        forger.put_timestamp()
    repository = box.open(FolderSource(stick))
    assert [offer.name for offer in repository.offers] == ["tiny"]
    assert "what coop signed is left out" in repository.problems[0]


def test_a_stick_pulled_out_while_cooperatives_are_read_is_told_as_that(
    box: Trust, forger: Forger, stick: Path, tiny_pack: Path
) -> None:
    """A role that is not sound is asked for again: that the stick is gone by then must not pass for “nothing there”."""
    forger.delegate("first", 70, "coop-*/*")
    forger.delegate("second", 71, "coop-*/*")
    forger.add(version(tiny_pack, "1.0.0", name="coop-maize"), role="second")
    forger.signers["first"] = [signer(72)]
    forger.put(6)
    before = box.root("publisher")

    class PulledOut(FolderSource):
        readings = 0

        def _fetch(self, url: str) -> Iterator[bytes]:
            if url.endswith("first.json"):
                self.readings += 1
                if self.readings > 1:
                    raise SourceReadError(f"{url}: the stick is gone")
            return super()._fetch(url)

    source = PulledOut(stick)
    with pytest.raises(SourceLostError, match="the stick is gone"):
        box.open(source)
    assert source.readings > 1
    assert box.root("publisher").words == before.words
    assert names(box, stick) == SOUND


def test_what_stands_behind_a_faulty_cooperative_is_left_out_with_it(
    box: Trust, forger: Forger, stick: Path, tiny_pack: Path
) -> None:
    """The first one may have listed the same pack otherwise: nobody can tell while what it signed is not sound."""
    forger.delegate("first", 70, "coop-*/*")
    forger.delegate("second", 71, "coop-*/*")
    forger.add(version(tiny_pack, "1.0.0", name="coop-maize"), role="second")
    forger.signers["first"] = [signer(72)]
    forger.put(6)
    assert names(box, stick) == SOUND


def test_a_cooperative_that_went_back_to_an_older_release_is_refused(box: Trust, forger: Forger, stick: Path) -> None:
    coop = forger.delegate("coop", 70, "coop-*/*")
    forger.put(6)
    box.open(FolderSource(stick))
    forger.put(7)
    coop.version = 5
    forger.put_delegated("coop")
    forger.snapshot.version = forger.timestamp.version = 8
    forger.put_snapshot()
    forger.put_timestamp()
    refused(box, stick, "coop.json version")


def test_delegations_in_a_circle_end(box: Trust, forger: Forger, stick: Path) -> None:
    forger.delegate("one", 71, "*/*")
    two = forger.delegate("two", 72, "*/*")
    two.delegations = forger.targets.delegations
    forger.delegated["one"].delegations = forger.targets.delegations
    forger.put(6)
    assert names(box, stick) == SOUND


def test_no_more_delegations_are_read_than_the_limit(box: Trust, forger: Forger, stick: Path, tiny_pack: Path) -> None:
    for number in range(6):
        forger.delegate(f"coop{number}", 70 + number, f"coop{number}-*/*")
        forger.add(version(tiny_pack, "1.0.0", name=f"coop{number}-maize"), role=f"coop{number}")
    forger.put(6)
    opened = box.open(FolderSource(stick, Limits(delegations=3)))
    assert len(opened.offers) == 4
    assert len(names(box, stick)) == 7


@pytest.mark.parametrize("name", ["../../../escaped", "a/b", ".", "a" * 300, "ö"])
def test_a_role_of_any_name_reads_and_writes_no_other_file(
    box: Trust, forger: Forger, stick: Path, home: Path, name: str
) -> None:
    role = forger.delegate("coop", 70, "*/*")
    delegations = forger.targets.delegations
    assert delegations is not None and delegations.roles is not None
    delegations.roles[name] = delegations.roles.pop("coop")
    delegations.roles[name].name = name
    del forger.delegated["coop"]
    role.version = 6
    for each in (forger.targets, forger.snapshot, forger.timestamp):
        each.version = 6
    forger.snapshot.meta[f"{name}.json"] = forger.snapshot.meta["targets.json"]
    forger.put()
    assert names(box, stick) == SOUND
    assert not list(home.parent.rglob("*escaped*"))
