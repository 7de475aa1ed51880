"""Roots added, limited and removed; what the box remembers of them survives cuts and damage."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import Metadata, Root, Targets

from appliance.errors import (
    BarazaError,
    DiskFullError,
    RepositoryError,
    RepositoryOlderError,
    RepositoryRefusedError,
    RootDamagedError,
    RootError,
    RootNotFoundError,
    RootWordsError,
    SourceLostError,
    UnknownPublisherError,
)
from appliance.packs import roots as kept
from appliance.packs.fingerprint import fingerprint
from appliance.packs.keys import read_keys
from appliance.packs.publish import Published
from appliance.packs.sources import FolderSource, SourceReadError
from appliance.packs.trust import Trust, development_root
from tests.forger import NOW, Clock, Forger, names, signer
from tests.publisher import version

DEVELOPMENT = Path(__file__).parents[3] / "models" / "development"


def words_of(forger: Forger) -> str:
    return fingerprint(Metadata[Root].from_bytes(forger.roots[-1]).signed)


# Roots


def test_what_publish_writes_is_read(
    put: Callable[..., Published], keys: Path, stick: Path, home: Path, tiny_pack: Path
) -> None:
    put(tiny_pack)
    trust = Trust(home / "trust")
    with pytest.raises(UnknownPublisherError) as caught:
        trust.open(FolderSource(stick))
    stranger = trust.stranger(FolderSource(stick))
    assert caught.value.fields["words"] == stranger.words == read_keys(keys).words
    trust.add("ministry", stranger.root, stranger.words)
    repository = trust.open(FolderSource(stick))
    assert [offer.name for offer in repository.offers] == ["tiny"]
    assert repository.label == str(stick)
    with repository.archive(repository.offers[0]) as path:
        assert path.is_relative_to(stick)
    assert repository.present(repository.offers[0])
    put(version(tiny_pack, "0.2.0"))
    assert names(trust, stick) == ["tiny 0.1.0", "tiny 0.2.0"]


def test_a_root_is_added_limited_and_removed(box: Trust, forger: Forger, stick: Path) -> None:
    root = box.root("publisher")
    assert (root.kinds, root.unattended, root.version, root.release) == (None, False, 1, 0)
    assert root.words == words_of(forger)
    assert box.root_bytes("publisher") == forger.roots[0]
    limited = box.limit("publisher", ["knowledge"], True)
    assert (limited.kinds, limited.unattended) == (frozenset({"knowledge"}), True)
    assert limited.may_bring("knowledge") and not limited.may_bring("translation")
    repository = box.open(FolderSource(stick))
    assert repository.offers == ()
    assert "may not bring packs of its kind" in repository.problems[0]
    assert box.roots() == (box.root("publisher"),)
    box.remove("publisher")
    assert box.roots() == ()
    with pytest.raises(RootNotFoundError):
        box.root("publisher")
    with pytest.raises(RootNotFoundError):
        box.remove("publisher")
    with pytest.raises(RootNotFoundError):
        box.limit("publisher", None, False)
    with pytest.raises(UnknownPublisherError):
        box.open(FolderSource(stick))


def test_the_words_must_be_those_of_the_root(box: Trust, stick: Path) -> None:
    other = Forger(stick.parent / "other", first=40)
    with pytest.raises(RootWordsError):
        box.add("other", other.roots[0], box.root("publisher").words)
    with pytest.raises(RootWordsError):
        box.add("other", other.roots[0], "")
    assert box.add("other", other.roots[0], f"  {words_of(other).upper()}\n").name == "other"


def test_a_root_is_not_added_twice_nor_over_another(box: Trust, forger: Forger, stick: Path) -> None:
    with pytest.raises(RootError, match="trusted already, as publisher"):
        box.add("again", forger.roots[0], words_of(forger))
    other = Forger(stick.parent / "other", first=40)
    with pytest.raises(RootError, match="there is a root of that name"):
        box.add("publisher", other.roots[0], words_of(other))


@pytest.mark.parametrize("name", ["", "Ministry", "../up", "development", "a" * 65, "a/b"])
def test_a_root_needs_a_plain_name(box: Trust, stick: Path, name: str) -> None:
    other = Forger(stick.parent / "other", first=40)
    with pytest.raises(RootError, match="a name has small letters"):
        box.add(name, other.roots[0], words_of(other))


@pytest.mark.parametrize("kinds", [[], ["recipes"]])
def test_a_limit_is_to_kinds_that_there_are(box: Trust, kinds: list[str]) -> None:
    with pytest.raises(RootError):
        box.limit("publisher", kinds, False)


@pytest.mark.parametrize("fault", ["no root", "unsigned", "large", "another role"])
def test_what_is_no_sound_root_is_not_added(box: Trust, stick: Path, fault: str) -> None:
    other = Forger(stick.parent / "other", first=40)
    words = words_of(other)
    other.put()
    raw = {
        "no root": b"{}",
        "unsigned": other.write_root(2, []),
        "large": other.roots[0] + b" " * 65_536,
        "another role": (other.folder / "metadata" / "timestamp.json").read_bytes(),
    }[fault]
    with pytest.raises(RootError):
        box.add("other", raw, words)


def test_a_stranger_is_shown_with_what_he_says_he_brings(box: Trust, stick: Path, tiny_pack: Path, home: Path) -> None:
    other = Forger(stick.parent / "other", first=40)
    other.add(tiny_pack)
    other.rotate(Targets.type, 50)
    other.put(3)
    stranger = box.stranger(FolderSource(other.folder))
    assert (stranger.version, stranger.words, stranger.root) == (2, words_of(other), other.roots[1])
    assert [offer.name for offer in stranger.offers] == ["tiny"]
    other.timestamp.expires = NOW.replace(year=2025)
    other.put(4)
    assert box.stranger(FolderSource(other.folder)).offers == ()
    assert [root.name for root in box.roots()] == ["publisher"]


def test_a_stranger_whose_own_root_did_not_sign_is_not_shown(box: Trust, stick: Path) -> None:
    other = Forger(stick.parent / "other", first=40)
    other.signers["timestamp"] = [signer(60)]
    other.put(3)
    with pytest.raises(RepositoryError, match="did not sign it so"):
        box.open(FolderSource(other.folder))
    with pytest.raises(SourceLostError):
        box.stranger(FolderSource(other.folder / "gone"))


def test_a_publisher_whose_first_keys_were_others_is_known_by_the_newest_root(
    forger: Forger, stick: Path, home: Path, clock: Clock
) -> None:
    forger.rotate(Root.type, 30)
    forger.put(6)
    trust = Trust(home / "trust", clock=clock)
    stranger = trust.stranger(FolderSource(stick))
    assert stranger.version == 2
    trust.add("publisher", stranger.root, stranger.words)
    assert names(trust, stick) == ["tiny 0.1.0"]
    forger.rotate(Root.type, 31)
    forger.put(7)
    assert names(trust, stick) == ["tiny 0.1.0"]
    assert trust.root("publisher").words == words_of(forger) != stranger.words


def test_an_offer_of_a_form_that_is_not_known_is_left_out(
    box: Trust, forger: Forger, stick: Path, tiny_pack: Path
) -> None:
    target = forger.add(version(tiny_pack, "0.2.0"))
    target.custom["kind"] = "hologram"  # type: ignore[index]
    forger.put(6)
    repository = box.open(FolderSource(stick))
    assert [offer.version for offer in repository.offers] == ["0.1.0"]
    assert "is not a pack that this version of the software knows" in repository.problems[0]


# The development root


def test_the_development_root_is_trusted_only_where_it_is_set(home: Path, stick: Path, clock: Clock) -> None:
    forger = Forger(stick, first=40)
    forger.put(1)
    trust = Trust(home / "trust", clock=clock, development=forger.roots[0])
    assert [root.name for root in trust.roots()] == ["development"]
    assert trust.open(FolderSource(stick)).release == 1
    forger.put(2)
    assert trust.open(FolderSource(stick)).release == 2
    assert trust.root("development").release == 2
    assert trust.limit("development", ["knowledge"], True).unattended
    on_a_box = Trust(home / "trust", clock=clock)
    assert on_a_box.roots() == ()
    with pytest.raises(UnknownPublisherError):
        on_a_box.open(FolderSource(stick))
    with pytest.raises(RootNotFoundError):
        on_a_box.root("development")
    with pytest.raises(RootNotFoundError):
        on_a_box.limit("development", None, False)
    renewed = Trust(home / "trust", clock=clock, development=Forger(stick.parent / "new", first=80).roots[0])
    assert renewed.root("development").release == 0


def test_no_keeper_can_trust_the_development_root(box: Trust) -> None:
    root = development_root(DEVELOPMENT / "1.root.json")
    assert root is not None
    with pytest.raises(RootError, match="everybody has its private key"):
        box.add("ministry", root, read_keys(DEVELOPMENT).words)


def test_a_development_root_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert development_root(None) is None
    with pytest.raises(RootError, match="No such file"):
        development_root(tmp_path / "none")


# What is remembered


def state_files(home: Path) -> list[Path]:
    return [home / "trust" / "publisher" / name for name in (kept.STATE, kept.COPY)]


@pytest.mark.parametrize("damaged", [0, 1])
@pytest.mark.parametrize("content", [None, b"", b"{}", "flipped"], ids=["gone", "empty", "other", "a bit"])
def test_one_damaged_copy_forgets_nothing(
    box: Trust, forger: Forger, stick: Path, home: Path, damaged: int, content: bytes | str | None
) -> None:
    old = forger.copied(stick.parent / "old")
    forger.put(6)
    box.open(FolderSource(stick))
    path = state_files(home)[damaged]
    if content is None:
        path.unlink()
    else:
        raw = bytearray(path.read_bytes())
        raw[300] ^= 4
        path.write_bytes(raw if isinstance(content, str) else content)
    assert old is forger
    with pytest.raises(RepositoryOlderError):
        box.open(FolderSource(stick.parent / "old"))
    forger.put(7)
    box.open(FolderSource(stick))
    assert state_files(home)[0].read_bytes() == state_files(home)[1].read_bytes()
    assert path.with_name(path.name + ".broken").exists() == (content is not None)
    assert box.problems() == ()


def test_two_damaged_copies_are_told_and_never_taken_for_nothing_seen(
    box: Trust, forger: Forger, stick: Path, home: Path
) -> None:
    box.open(FolderSource(stick))
    for path in state_files(home):
        path.write_bytes(b"\0" * path.stat().st_size)  # what a cut leaves of a file that was not flushed
    assert box.roots() == ()
    assert [error.fields["name"] for error in box.problems()] == ["publisher"]
    with pytest.raises(RootDamagedError):
        box.root("publisher")
    with pytest.raises(UnknownPublisherError):
        box.open(FolderSource(stick))
    with pytest.raises(RootError, match="damaged; remove it first"):
        box.add("publisher", forger.roots[0], words_of(forger))
    box.remove("publisher")
    box.add("publisher", forger.roots[0], words_of(forger))
    assert names(box, stick) == ["tiny 0.1.0"]


def test_a_copy_that_was_altered_is_not_gone_by(box: Trust, home: Path) -> None:
    path = state_files(home)[0]
    path.write_bytes(path.read_bytes().replace(b'"unattended": false', b'"unattended": true '))
    assert not box.root("publisher").unattended


def test_a_state_of_another_format_is_not_guessed_at(box: Trust, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "FORMAT", 2)
    with pytest.raises(RootDamagedError):
        box.root("publisher")


def test_every_step_of_remembering_leaves_the_old_or_the_new(
    box: Trust, forger: Forger, stick: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each write, flush and rename fails in turn, as the disk does when the power goes."""
    from appliance.storage import atomic

    box.open(FolderSource(stick))
    steps = [("mkstemp", atomic.tempfile), ("fsync", atomic.os), ("write", atomic.os), ("replace", Path)]
    release, failed = 5, 0
    for name, owner in steps:
        for number in (1, 2):  # of the two copies
            release += 1
            forger.put(release)
            real, calls = getattr(owner, name), [0]

            def failing(
                *given: Any, real: Any = real, calls: list[int] = calls, number: int = number, **named: Any
            ) -> Any:
                calls[0] += 1
                if calls[0] == number:
                    raise OSError(5, "Input/output error")
                return real(*given, **named)

            with monkeypatch.context() as patched:
                patched.setattr(owner, name, failing)
                with pytest.raises(BarazaError):
                    box.open(FolderSource(stick))
            assert Trust(home / "trust", clock=Clock()).root("publisher").release in (release - 1, release)
            box.open(FolderSource(stick))
            failed += 1
    assert failed == 8


def test_what_is_remembered_is_flushed_before_it_counts(
    box: Trust, forger: Forger, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client of tuf 7 renames its files without a flush; none of them is what the box goes by."""
    from appliance.storage import atomic

    flushed: list[str] = []
    real = atomic.os.fsync
    monkeypatch.setattr(atomic.os, "fsync", lambda descriptor: (flushed.append("fsync"), real(descriptor))[1])
    box.open(FolderSource(stick))
    assert len(flushed) >= 4  # both copies, and the folder after each


def test_nothing_is_written_when_nothing_is_new(box: Trust, stick: Path, home: Path) -> None:
    box.open(FolderSource(stick))
    before = [path.stat().st_mtime_ns for path in state_files(home)]
    box.open(FolderSource(stick))
    assert [path.stat().st_mtime_ns for path in state_files(home)] == before


def test_a_full_disk_refuses_and_forgets_nothing(
    box: Trust, forger: Forger, stick: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.open(FolderSource(stick))
    forger.put(6)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("appliance.storage.atomic.tempfile.mkstemp", full)
    with pytest.raises(DiskFullError):
        box.open(FolderSource(stick))
    monkeypatch.undo()
    assert box.root("publisher").release == 5
    monkeypatch.setattr("appliance.packs.trust.TemporaryDirectory", full)
    with pytest.raises(DiskFullError):
        box.open(FolderSource(stick))


def test_what_one_program_saw_is_not_undone_by_another(
    box: Trust, forger: Forger, stick: Path, home: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line looks at release 5 while the page takes release 6 from another stick."""
    forger.copied(stick.parent / "old")
    forger.put(6)
    real = Trust._keep
    other = Trust(home / "trust", clock=clock)

    def meanwhile(self: Trust, *given: Any) -> bool:
        monkeypatch.undo()
        other.open(FolderSource(stick))
        return real(self, *given)

    monkeypatch.setattr(Trust, "_keep", meanwhile)
    with pytest.raises(RepositoryOlderError):
        box.open(FolderSource(stick.parent / "old"))
    assert box.root("publisher").release == 6


def test_a_root_that_changes_all_the_time_ends_the_attempts(
    box: Trust, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trust, "_keep", lambda *_: False)
    with pytest.raises(RootError, match="changes it all the time"):
        box.open(FolderSource(stick))


def test_a_root_removed_meanwhile_is_not_brought_back(box: Trust, stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Trust._keep

    def removed(self: Trust, *given: Any) -> bool:
        monkeypatch.undo()
        self.remove("publisher")
        return real(self, *given)

    monkeypatch.setattr(Trust, "_keep", removed)
    with pytest.raises(RootNotFoundError):
        box.open(FolderSource(stick))
    assert box.roots() == ()


def test_two_threads_change_roots_one_after_the_other(box: Trust, stick: Path, home: Path, clock: Clock) -> None:
    others = [Forger(stick.parent / f"other{number}", first=100 + 10 * number) for number in range(4)]

    def add(number: int) -> None:
        Trust(home / "trust", clock=clock).add(f"other{number}", others[number].roots[0], words_of(others[number]))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(box.roots()) == 5


def test_an_error_that_nobody_foresaw_is_a_refusal(box: Trust, stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(*_: object) -> None:
        raise AttributeError("no such field")

    monkeypatch.setattr("appliance.packs.client.Client.all_targets", odd)
    with pytest.raises(RepositoryRefusedError, match="no such field"):
        box.open(FolderSource(stick))


def test_an_archive_that_goes_away_while_it_is_read_is_told(
    box: Trust, forger: Forger, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = box.open(FolderSource(stick))

    def gone(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("appliance.packs.repository._Watched.readinto", gone)
    with pytest.raises(SourceLostError), repository.archive(repository.offers[0]):
        pass


def test_an_error_of_whoever_uses_the_archive_is_theirs(box: Trust, stick: Path) -> None:
    repository = box.open(FolderSource(stick))
    with pytest.raises(OSError, match="of the installer"), repository.archive(repository.offers[0]):
        raise OSError(5, "of the installer")


@pytest.mark.parametrize("at", ["timestamp.json", "6.snapshot.json", "6.targets.json", "6.coop.json"])
def test_a_stick_pulled_out_at_any_file_is_told_and_can_be_put_in_again(
    box: Trust, forger: Forger, stick: Path, at: str
) -> None:
    forger.delegate("coop", 70, "coop-*/*")
    forger.put(6)

    class PulledOut(FolderSource):
        def _fetch(self, url: str) -> Iterator[bytes]:
            if url.endswith(at):
                raise SourceReadError(f"{url}: Input/output error")
            return super()._fetch(url)

    with pytest.raises(SourceLostError, match="Input/output error"):
        box.open(PulledOut(stick))
    assert names(box, stick) == ["tiny 0.1.0"]
