"""What one box hands on, another takes: with its publisher's signature, or with the box's own."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from appliance.errors import CancelledError, KeysError, PackFileError, PackNotInstalledError, UnknownPublisherError
from appliance.packs import archive
from appliance.packs.keys import make_keys, read_keys, renew_root
from appliance.packs.onward import MEASURES, Why
from appliance.packs.own import BOX, ONWARD, folder_name
from appliance.packs.publish import Changes, Published, publish
from appliance.packs.sharing import Sharing
from appliance.packs.sources import FolderSource, find_repositories
from appliance.packs.stored import Measures, length_of, measure
from tests.forger import Clock, Forger, names
from tests.publisher import NOW, nobody, version
from tests.village import Village, archives

pytestmark = pytest.mark.usefixtures("quick_words")

# With the publisher's signature


def test_another_box_takes_the_very_archive_that_the_publisher_signed(
    published: bytes, first: Village, second: Village, stick: Path, onto: Path
) -> None:
    (done,) = first.exports(onto)
    assert (done.pack, done.root, done.own, done.new) == ("tiny 0.1.0", "publisher", False, True)
    assert done.place == onto / "baraza" / "publisher"
    assert archives(onto) == archives(stick)
    second.trusts(published)
    assert second.installs(onto) == ["tiny 0.1.0"]


def test_and_a_third_gets_it_from_the_second(
    published: bytes, first: Village, second: Village, tmp_path: Path, clock: Clock, stick: Path, onto: Path
) -> None:
    first.exports(onto)
    second.trusts(published)
    second.installs(onto)
    second.exports(tmp_path / "further")
    assert archives(tmp_path / "further") == archives(stick)
    third = Village(tmp_path / "third", clock)
    third.trusts(published)
    assert third.installs(tmp_path / "further") == ["tiny 0.1.0"]


def test_a_box_that_began_with_a_later_root_hands_on_to_one_that_knows_the_first(
    put: Callable[..., Published],
    keys: Path,
    stick: Path,
    onto: Path,
    tiny_pack: Path,
    first: Village,
    second: Village,
) -> None:
    for _ in range(2):
        renewed = renew_root(keys, nobody, new_packs_key=True)
    put(tiny_pack, clock=NOW)
    first.trusts(renewed.roots[2])
    second.trusts(renewed.roots[0])
    first.installs(stick)
    first.exports(onto)
    assert sorted(path.name for path in onto.rglob("*.root.json")) == ["1.root.json", "2.root.json", "3.root.json"]
    assert second.installs(onto) == ["tiny 0.1.0"]
    assert second.trust.root("publisher").version == 3


def test_roots_of_before_are_kept_only_if_each_signed_the_next(
    put: Callable[..., Published], keys: Path, stick: Path, tiny_pack: Path, first: Village, tmp_path: Path
) -> None:
    renewed = renew_root(keys, nobody)
    put(tiny_pack, clock=NOW)
    forged = make_keys(tmp_path / "thief").roots[0]
    (stick / "metadata" / "1.root.json").write_bytes(forged)
    first.trusts(renewed.roots[1])
    first.installs(stick)
    assert dict(first.trust.remembered())["publisher"].earlier == ()
    assert [each.root for each in first.onward.exportable()] == [""]  # so the box itself has to vouch for it


def test_what_a_cooperative_signed_goes_on_with_its_signature(
    stick: Path, onto: Path, tiny_pack: Path, first: Village, second: Village
) -> None:
    forger = Forger(stick)
    forger.delegate("coop", 9, "tiny-*/*")
    forger.add(version(tiny_pack, "0.1.0", "tiny-coop"), "coop")
    forger.put(3)
    for box in (first, second):
        box.trusts(forger.roots[0])
    assert first.installs(stick) == ["tiny-coop 0.1.0"]
    (done,) = first.exports(onto)
    assert (done.root, done.own) == ("publisher", False)
    assert second.installs(onto) == ["tiny-coop 0.1.0"]


def test_a_pack_that_only_an_older_release_listed_goes_under_the_box(
    put: Callable[..., Published], published: bytes, first: Village, stick: Path, tiny_pack: Path
) -> None:
    put(version(tiny_pack, "0.2.0"), prune=True, clock=NOW)
    first.trust.open(FolderSource(stick))
    (each,) = first.onward.exportable()
    assert (each.root, each.why) == ("", Why.UNLISTED)


def test_an_expired_release_is_not_handed_on(published: bytes, first: Village, clock: Clock, onto: Path) -> None:
    clock.now = NOW + timedelta(days=364)
    first.trust.time.ran()
    clock.now = NOW + timedelta(days=500)
    (each,) = first.onward.exportable()
    assert (each.root, each.why) == ("", Why.EXPIRED)
    (done,) = first.exports(onto)
    assert done.own


def test_a_deflated_archive_cannot_be_made_again_so_the_box_signs_it(
    stick: Path, onto: Path, tiny_pack: Path, first: Village, second: Village
) -> None:
    forger = Forger(stick)
    target = forger.add(tiny_pack)
    old = forger.archive(target)
    deflated = old.with_name("deflated")
    with zipfile.ZipFile(old) as stored, zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED) as packed:
        for member in stored.infolist():
            info = zipfile.ZipInfo(member.filename)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, member.external_attr
            packed.writestr(info, stored.read(member))
    raw = deflated.read_bytes()
    target.length, target.hashes = len(raw), {"sha256": hashlib.sha256(raw).hexdigest()}
    deflated.rename(forger.archive(target))
    forger.put(2)
    for box in (first, second):
        box.trusts(forger.roots[0])
    assert first.installs(stick) == ["tiny 0.1.0"]
    (each,) = first.onward.exportable()
    assert (each.root, each.why) == ("", Why.PACKED)
    (done,) = first.exports(onto)
    assert done.own
    with pytest.raises(UnknownPublisherError):
        second.installs(onto)
    second.trusts(first.trust.root_bytes(BOX), "kijiji")
    assert second.installs(onto) == ["tiny 0.1.0"]


# With the signature of the box


def test_what_nobody_signed_the_box_signs_and_another_takes_it_once_it_knows_the_words(
    first: Village, second: Village, tiny_pack: Path, onto: Path
) -> None:
    first.store.install(tiny_pack)
    (done,) = first.exports(onto)
    words = first.onward.own.root().words
    assert (done.own, done.words, done.root) == (True, words, folder_name(words))
    with pytest.raises(UnknownPublisherError) as refused:
        second.installs(onto)
    assert refused.value.fields["words"] == words
    (folder,) = find_repositories(onto)
    stranger = second.trust.stranger(FolderSource(folder))
    second.trust.add("kijiji", stranger.root, words, ["knowledge"])
    assert names(second.trust, folder) == []
    second.trust.limit("kijiji", ["translation"], unattended=False)
    assert second.installs(onto) == ["tiny 0.1.0"]


def test_the_box_knows_its_own_stick_again(first: Village, tiny_pack: Path, onto: Path) -> None:
    first.store.install(tiny_pack)
    first.exports(onto)
    (folder,) = find_repositories(onto)
    assert first.trust.open(FolderSource(folder)).root.name == BOX


def test_two_sticks_get_the_same_release_and_a_new_pack_makes_the_next(
    first: Village, tiny_pack: Path, tmp_path: Path
) -> None:
    first.store.install(tiny_pack)
    first.exports(tmp_path / "a")
    first.exports(tmp_path / "b")
    assert {path.name for path in tmp_path.glob("[ab]/**/*.snapshot.json")} == {"1.snapshot.json"}
    first.store.install(version(tiny_pack, "0.1.0", "other"))
    first.exports(tmp_path / "a", "other")
    (folder,) = find_repositories(tmp_path / "a")
    assert names(first.trust, folder) == ["other 0.1.0", "tiny 0.1.0"]
    assert [path.name for path in folder.glob("metadata/*.snapshot.json")] == ["2.snapshot.json"]


def test_a_stick_gets_only_what_was_asked_for_and_the_rest_is_listed_but_missing(
    first: Village, second: Village, tiny_pack: Path, onto: Path, tmp_path: Path
) -> None:
    first.store.install(tiny_pack)
    first.exports(tmp_path / "before")
    first.store.install(version(tiny_pack, "0.1.0", "other"))
    first.exports(onto, "other")
    second.trusts(first.trust.root_bytes(BOX))
    assert second.installs(onto) == ["other 0.1.0"]
    with pytest.raises(PackNotInstalledError):
        first.exports(onto, "other", "nothing")


def test_a_release_of_the_box_is_renewed_at_half_its_life_and_its_root_before_it_ends(
    first: Village, tiny_pack: Path, onto: Path, clock: Clock
) -> None:
    first.store.install(tiny_pack)
    first.exports(onto)
    for days, release, root in ((199, 1, 1), (201, 2, 1)):
        clock.now = NOW + timedelta(days=days)
        first.exports(onto)
        (folder,) = find_repositories(onto)
        opened = first.trust.open(FolderSource(folder))
        assert (opened.release, opened.root.version) == (release, root)
    for year in range(1, 9):  # a clock that leaps is not gone by: the box is on from time to time
        clock.now = NOW + timedelta(days=201 + 360 * year)
        first.trust.time.ran()
    first.exports(onto)
    assert first.trust.open(FolderSource(folder)).root.version == 2


def test_a_box_whose_metadata_were_lost_signs_under_a_new_number(
    first: Village, second: Village, tiny_pack: Path, onto: Path
) -> None:
    first.store.install(tiny_pack)
    first.exports(onto)
    second.trusts(first.trust.root_bytes(BOX))
    second.installs(onto)
    shutil.rmtree(first.data / ONWARD)
    first.exports(onto)
    (folder,) = find_repositories(onto)
    assert second.trust.open(FolderSource(folder)).release == 2


def test_a_keeper_may_call_somebody_else_box_and_this_box_by_another_name(
    published: bytes, first: Village, tiny_pack: Path, onto: Path
) -> None:
    first.trust.remove("publisher")
    first.trusts(published, BOX)
    first.store.install(version(tiny_pack, "0.1.0", "own"))
    first.exports(onto, "own")
    (folder,) = find_repositories(onto)
    with pytest.raises(UnknownPublisherError):
        first.trust.open(FolderSource(folder))
    stranger = first.trust.stranger(FolderSource(folder))
    first.trust.remove(BOX)
    first.trust.add("me", stranger.root, stranger.words)
    (done,) = first.exports(onto, "own")
    assert (done.own, done.new) == (True, False)
    assert first.onward.releases() == ()


def test_metadata_of_the_box_that_are_damaged_are_signed_anew(first: Village, tiny_pack: Path, onto: Path) -> None:
    first.store.install(tiny_pack)
    first.exports(onto)
    (first.data / ONWARD / "metadata" / "1.targets.json").write_bytes(b"{")
    first.exports(onto)
    (folder,) = find_repositories(onto)
    assert first.trust.open(FolderSource(folder)).release == 2


def test_keys_of_the_box_that_are_damaged_are_told_and_never_replaced(
    first: Village, tiny_pack: Path, onto: Path
) -> None:
    first.store.install(tiny_pack)
    first.onward.own.root()
    (first.data / "keys" / BOX / "1.root.json").write_bytes(b"{")
    with pytest.raises(KeysError):
        first.onward.own.root()
    with pytest.raises(KeysError):
        first.exports(onto)
    sharing = Sharing(first.onward, first.store, on=True)
    sharing.prepare()
    assert sharing.index()["roots"] == []


def test_a_publisher_of_whom_nothing_was_read_yet_has_nothing_to_hand_on(
    first: Village, tiny_pack: Path, keys: Path
) -> None:
    first.trusts(read_keys(keys).roots[0])
    first.store.install(tiny_pack)
    assert [each.root for each in first.onward.exportable()] == [""]


def test_two_boxes_have_folders_of_their_own_on_a_stick(
    first: Village, second: Village, tiny_pack: Path, onto: Path
) -> None:
    for box in (first, second):
        box.store.install(tiny_pack)
        box.exports(onto)
    assert len(find_repositories(onto)) == 2


def test_a_stick_for_one_pack_has_the_release_that_neighbours_get_of_all(
    first: Village, tiny_pack: Path, onto: Path
) -> None:
    """Else a box that saw what a neighbour gives would refuse the stick as one of before."""
    first.store.install(tiny_pack)
    broken = first.store.install(version(tiny_pack, "0.1.0", "broken"))
    first.store.install(version(tiny_pack, "0.1.0", "other"))
    (broken.path / broken.manifest.files[0].path).unlink()
    first.exports(onto, "other")
    (all_of_it,) = first.onward.pack(["other", "tiny"])
    assert all_of_it.release.number == 1
    assert [each.offer.name for each in all_of_it.release.listed] == ["other", "tiny"]


# Archives made again


def test_an_archive_is_told_in_its_length_before_it_is_read(tiny_pack: Path, tmp_path: Path) -> None:
    archive.create(tiny_pack, tmp_path / "tiny.pack")
    raw = (tmp_path / "tiny.pack").read_bytes()
    measured = measure(tiny_pack)
    assert measured.length == length_of(archive.head(tiny_pack)) == len(raw)
    assert measured.sha256 == hashlib.sha256(raw).hexdigest()


def test_a_pack_is_measured_once_and_again_if_that_is_lost(
    tiny_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kept" / MEASURES
    readings: list[int] = []

    def of(measures: Measures) -> str:
        return measures.of(tiny_pack, lambda done, total: readings.append(done)).sha256

    first = of(Measures(path))
    assert readings
    readings.clear()
    assert of(Measures(path)) == first
    assert not readings
    path.write_bytes(b'{"x": 1')
    assert of(Measures(path)) == first
    assert readings


def test_a_pack_that_is_damaged_is_not_handed_on(first: Village, tiny_pack: Path, onto: Path) -> None:
    pack = first.store.install(tiny_pack)
    file = pack.path / max(pack.manifest.files, key=lambda each: each.size).path
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    with pytest.raises(PackFileError):
        first.exports(onto)
    assert not list(onto.rglob("*.pack"))


def test_measuring_can_be_cancelled(tiny_pack: Path) -> None:
    with pytest.raises(CancelledError):
        measure(tiny_pack, cancelled=lambda: True)


def test_a_publisher_of_other_forms_than_ours_is_not_handed_on(stick: Path, tiny_pack: Path, first: Village) -> None:
    forger = Forger(stick, consistent=False)
    forger.add(tiny_pack)
    forger.put(2)
    first.trusts(forger.roots[0])
    first.installs(stick)
    assert first.onward.releases() == ()


def test_keys_of_the_box_do_not_make_it_the_publisher_whose_keys_lie_beside_them(
    first: Village, tiny_pack: Path, onto: Path
) -> None:
    mine = make_keys(first.data / "keys")
    publish(onto, mine.folder, Changes((tiny_pack,)), nobody, clock=NOW)
    assert first.onward.own.root().words != read_keys(mine.folder).words
