"""A backup brings a box back, and one that is not whole changes nothing."""

from __future__ import annotations

import io
import json
import os
import stat
import tarfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.errors import (
    BackupError,
    BackupLockedError,
    DiskFullError,
    FolderInUseError,
    ReadOnlyError,
    StorageError,
)
from appliance.limits import LIMITS
from appliance.storage import backup, sealed
from appliance.storage.backup import ABOUT, BEFORE, READY, STAGE, make_backup, remove_unfinished, restore, settle
from appliance.storage.documents import DOCUMENTS, Documents
from appliance.storage.journal import JOURNAL, Journal, KeptJob
from appliance.storage.lock import lock_folder
from appliance.storage.sealed import SealedWriter

WORDS = "four words are enough"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "WORK", (10, 1, 1))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    fill(folder, "The pump")
    return folder


@pytest.fixture
def saved(data: Path, tmp_path: Path) -> Path:
    return make_backup(data, tmp_path / "box.baraza", WORDS).path


def fill(data: Path, title: str) -> None:
    Documents(data / DOCUMENTS).create("phone", "letter", "en", title, {}, "Dear Sir")
    journal = Journal(data / JOURNAL)
    journal.keep(KeptJob(title, "o", "d", "translation", {"text": title}, "waiting"))
    journal.close()
    for name in (
        "trust/neighbour/state.json",
        "knowledge/goats/goats.md",
        "packs/big/1.0.0/pack.toml",
        "keys/root.key",
    ):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(f"{name} of {title}")
    (data / "trust" / ".lock").touch()
    (data / "settings.json").write_text("{}")


def titles(data: Path) -> list[str]:
    return [document.title for document in Documents(data / DOCUMENTS).list("phone")]


def requests(data: Path) -> list[str]:
    journal = Journal(data / JOURNAL)
    try:
        return [job.id for job in journal.jobs()]
    finally:
        journal.close()


def state(data: Path) -> dict[str, bytes]:
    """All that is in the folder, but for what comes and goes."""
    return {
        path.relative_to(data).as_posix(): path.read_bytes()
        for path in sorted(data.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def sealed_tar(path: Path, *members: tuple[tarfile.TarInfo | str, bytes]) -> Path:
    """A backup that somebody with the passphrase put together."""
    with path.open("wb") as file:
        writer = SealedWriter(file, WORDS)
        with tarfile.open(fileobj=writer, mode="w|") as archive:  # type: ignore[call-overload]
            for given, content in members:
                member = tarfile.TarInfo(given) if isinstance(given, str) else given
                member.size = len(content) if member.isreg() else 0
                archive.addfile(member, io.BytesIO(content))
        writer.finish()
    return path


def about(**more: object) -> tuple[str, bytes]:
    said = {"form": 1, "made_at": "2026", "software": "0", "documents": 0, "files": 0, **more}
    return ABOUT, json.dumps(said).encode()


def test_a_box_comes_back_on_an_empty_one(saved: Path, tmp_path: Path) -> None:
    new = tmp_path / "new" / "data"
    made = restore(saved, new, WORDS)
    assert (made.documents, made.files) == (1, 5)
    assert (titles(new), requests(new)) == (["The pump"], ["The pump"])
    assert (new / "trust/neighbour/state.json").read_text() == "trust/neighbour/state.json of The pump"
    assert (new / "knowledge/goats/goats.md").exists()
    assert (new / "settings.json").exists()
    assert not (new / "packs").exists()
    assert not (new / "keys").exists()
    assert not (new / STAGE).exists()
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600


def test_what_was_there_before_is_kept_and_the_rest_stays(saved: Path, data: Path) -> None:
    Documents(data / DOCUMENTS).create("phone", "letter", "en", "Later", {}, "")
    (data / "keeper").mkdir()
    (data / "keeper" / "pin").write_text("later")
    restore(saved, data, WORDS)
    assert titles(data) == ["The pump"]
    assert titles(data / BEFORE) == ["Later", "The pump"]
    assert (data / BEFORE / "documents.previous.json").exists()
    assert not (data / "documents.previous.json").exists()
    assert not (data / "keeper").exists()
    assert (data / BEFORE / "keeper" / "pin").read_text() == "later"
    assert (data / "packs/big/1.0.0/pack.toml").exists()
    assert (data / "keys/root.key").exists()


def test_a_second_restore_keeps_what_the_first_one_made(saved: Path, data: Path) -> None:
    restore(saved, data, WORDS)
    Documents(data / DOCUMENTS).create("phone", "letter", "en", "Second", {}, "")
    restore(saved, data, WORDS)
    assert titles(data / BEFORE) == ["Second", "The pump"]
    assert titles(data) == ["The pump"]


def test_a_box_at_work_can_be_backed_up_and_not_restored(data: Path, tmp_path: Path) -> None:
    lock = lock_folder(data)
    journal = Journal(data / JOURNAL)
    journal.keep(KeptJob("late", "o", "d", "translation", {}, "waiting"))
    made = make_backup(data, tmp_path, WORDS)
    assert made.path.parent == tmp_path
    assert made.path.suffix == ".baraza"
    with pytest.raises(FolderInUseError):
        restore(made.path, data, WORDS)
    journal.close()
    lock.release()
    restore(made.path, tmp_path / "new", WORDS)
    assert requests(tmp_path / "new") == ["The pump", "late"]


def test_an_empty_box_can_be_backed_up(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    made = make_backup(tmp_path / "data", tmp_path / "box.baraza", WORDS)
    assert (made.documents, made.files) == (0, 0)
    fill(tmp_path / "other", "The pump")
    restore(made.path, tmp_path / "other", WORDS)
    assert titles(tmp_path / "other") == []
    assert titles(tmp_path / "other" / BEFORE) == ["The pump"]


def test_a_backup_never_takes_the_place_of_a_file(data: Path, saved: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(BackupError, match="not overwritten"):
        make_backup(data, saved, WORDS)
    assert saved.read_bytes() == before


def test_a_short_passphrase_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="shorter than 8"):
        make_backup(data, tmp_path / "box.baraza", "1234567")
    assert not (tmp_path / "box.baraza").exists()


def test_the_clear_text_is_nowhere_in_the_backup_and_not_beside_it(saved: Path, data: Path) -> None:
    assert b"The pump" not in saved.read_bytes()
    assert not list(data.glob(".backup-*"))


@pytest.mark.parametrize("damage", ["bit", "end", "more", "wrong passphrase", "empty", "other"])
def test_a_backup_that_does_not_open_changes_nothing(saved: Path, data: Path, damage: str) -> None:
    raw = bytearray(saved.read_bytes())
    raw[len(raw) // 2] ^= damage == "bit"
    changed = {"end": raw[:-1], "more": raw + b"x", "empty": b"", "other": b"x" * 9999}
    saved.write_bytes(bytes(changed.get(damage, raw)))
    before = state(data)
    with pytest.raises(BackupLockedError if damage == "wrong passphrase" else BackupError):
        restore(saved, data, "wrong words" if damage == "wrong passphrase" else WORDS)
    assert state(data) == before
    assert not (data / STAGE).exists()


def link(name: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    "member",
    [
        "../documents.json",
        "/etc/passwd",
        "trust/../../x",
        "trust/.lock",
        "trust",
        "packs/x/pack.toml",
        "keys/root.key",
        "journal.db-wal",
        "knowledge/a\\b",
        "./settings.json",
        "knowledge//x",
        link("trust/x"),
        link("trust/x", tarfile.LNKTYPE),
        link("trust/x", tarfile.DIRTYPE),
        link("trust/x", tarfile.FIFOTYPE),
    ],
    ids=lambda member: member if isinstance(member, str) else str(member.type),
)
def test_what_does_not_belong_in_a_backup_is_refused(tmp_path: Path, data: Path, member: tarfile.TarInfo | str) -> None:
    before = state(data)
    with pytest.raises(BackupError):
        restore(sealed_tar(tmp_path / "x.baraza", about(), (member, b"x")), data, WORDS)
    assert state(data) == before


@pytest.mark.parametrize(
    "members",
    [
        [],
        [("settings.json", b"{}"), about()],
        [("settings.json", b"{}")],
        [about(), ("settings.json", b"{}"), ("settings.json", b"{}")],
        [about(form=2)],
        [(ABOUT, b"[]")],
        [(ABOUT, b"no json")],
        [about(), (DOCUMENTS, b"broken")],
        [about(), (JOURNAL, b"broken")],
        [about(), ("settings.json", b"x" * 5_000)],
    ],
)
def test_a_backup_that_is_not_of_its_form_changes_nothing(
    tmp_path: Path, data: Path, members: list[tuple[str, bytes]]
) -> None:
    before = state(data)
    with pytest.raises(BackupError):
        restore(sealed_tar(tmp_path / "x.baraza", *members), data, WORDS, replace(LIMITS, backup_bytes=4_000))
    assert state(data) == before


def test_a_stream_that_is_no_archive_is_refused(tmp_path: Path, data: Path) -> None:
    path = tmp_path / "x.baraza"
    with path.open("wb") as file:
        writer = SealedWriter(file, WORDS)
        writer.write(b"no archive" * 1000)
        writer.finish()
    with pytest.raises(BackupError, match="not whole inside"):
        restore(path, data, WORDS)


def test_too_much_is_not_backed_up(data: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="more than 2 files"):
        make_backup(data, tmp_path / "x.baraza", WORDS, replace(LIMITS, backup_files=2))
    with pytest.raises(BackupError, match="100 bytes"):
        make_backup(data, tmp_path / "x.baraza", WORDS, replace(LIMITS, backup_bytes=100))
    assert not (tmp_path / "x.baraza").exists()


def test_links_are_not_followed_into_a_backup(data: Path, tmp_path: Path) -> None:
    (data / "knowledge" / "link.md").symlink_to("/etc/hostname")
    assert make_backup(data, tmp_path / "x.baraza", WORDS).files == 5


def test_a_broken_document_file_is_in_the_backup_as_it_is_and_never_restored(data: Path, tmp_path: Path) -> None:
    (data / DOCUMENTS).write_bytes(b"broken")
    made = make_backup(data, tmp_path / "x.baraza", WORDS)
    assert made.documents == 0
    with pytest.raises(BackupError, match="broken"):
        restore(made.path, tmp_path / "new", WORDS)


def test_a_full_stick_is_said_and_left_as_it_was(data: Path, small_disk: Path) -> None:
    (data / "knowledge" / "large.md").write_bytes(os.urandom(100_000))
    with pytest.raises(DiskFullError):
        make_backup(data, small_disk, WORDS)
    assert list(small_disk.iterdir()) == []


def test_a_read_only_stick_is_said(data: Path, small_disk: Path, make_read_only: Callable[[Path], None]) -> None:
    make_read_only(small_disk)
    with pytest.raises(ReadOnlyError):
        make_backup(data, small_disk, WORDS)


def test_a_box_without_room_for_it_changes_nothing(saved: Path, small_disk: Path) -> None:
    Documents(small_disk / DOCUMENTS).create("phone", "letter", "en", "Here", {}, "x" * 20_000)
    with pytest.raises(StorageError):
        restore(saved, small_disk, WORDS)
    assert titles(small_disk) == ["Here"]


class CutError(Exception):
    """The power fails."""


@pytest.mark.parametrize("step", range(40))
def test_a_cut_at_any_rename_or_flush_leaves_the_old_state_or_the_new(
    saved: Path, data: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    Documents(data / DOCUMENTS).create("phone", "letter", "en", "Later", {}, "")
    journal = Journal(data / JOURNAL)
    journal.keep(KeptJob("later", "o", "d", "translation", {}, "waiting"))
    journal.close()
    left = step

    def cut(real: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object, **named: object) -> object:
            nonlocal left
            if left == 0:
                raise CutError
            left -= 1
            return real(*given, **named)

        return call

    with monkeypatch.context() as failing:
        failing.setattr(Path, "rename", cut(Path.rename))
        failing.setattr(Path, "replace", cut(Path.replace))
        failing.setattr(backup, "flush_folder", cut(backup.flush_folder))
        failing.setattr(backup.shutil, "rmtree", lambda *_, **__: None)
        with suppress(CutError):
            restore(saved, data, WORDS)
        counted = (data / STAGE / READY).exists()
    finished = settle(data)
    assert finished is counted
    assert not (data / STAGE).exists()
    both = (titles(data), requests(data))
    assert both in ((["Later", "The pump"], ["The pump", "later"]), (["The pump"], ["The pump"]))
    if counted:
        assert both == (["The pump"], ["The pump"])
    if both == (["The pump"], ["The pump"]):
        assert titles(data / BEFORE) == ["Later", "The pump"]
        assert requests(data / BEFORE) == ["The pump", "later"]
    assert (data / "knowledge/goats/goats.md").exists()
    assert not settle(data)


def test_a_backup_is_read_back_before_it_counts(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = SealedWriter.finish

    def bad_stick(self: SealedWriter) -> None:
        real(self)
        self._target.flush()
        self._target.seek(-40, os.SEEK_END)
        self._target.write(b"\0")

    monkeypatch.setattr(SealedWriter, "finish", bad_stick)
    with pytest.raises(BackupError):
        make_backup(data, tmp_path / "box.baraza", WORDS)
    assert not (tmp_path / "box.baraza").exists()


def test_a_card_that_takes_no_more_writes_can_still_be_backed_up(
    data: Path, small_disk: Path, make_read_only: Callable[[Path], None], tmp_path: Path
) -> None:
    for name in (DOCUMENTS, JOURNAL):
        (small_disk / name).write_bytes((data / name).read_bytes())
    make_read_only(small_disk)
    made = make_backup(small_disk, tmp_path / "box.baraza", WORDS)
    restore(made.path, tmp_path / "new", WORDS)
    assert (titles(tmp_path / "new"), requests(tmp_path / "new")) == (["The pump"], ["The pump"])


def test_what_a_cut_backup_left_is_removed(data: Path, tmp_path: Path) -> None:
    (data / ".backup-abc").mkdir()
    (data / ".backup-abc" / "journal.db").touch()
    remove_unfinished(data)
    assert not (data / ".backup-abc").exists()
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / ".old.baraza.abc.tmp").touch()
    made = make_backup(data, stick, WORDS)
    assert [file.name for file in stick.iterdir()] == [made.path.name]


def test_an_archive_that_breaks_off_inside_is_refused(tmp_path: Path, data: Path) -> None:
    path = sealed_tar(tmp_path / "whole.baraza", about(), ("knowledge/x", os.urandom(50_000)))
    with path.open("rb") as file:
        content = sealed.SealedReader(file, WORDS, path).read()
    before = state(data)
    for length in (700, 5_000, 20_000, 40_000):
        with path.open("wb") as file:
            writer = SealedWriter(file, WORDS)
            writer.write(content[:length])
            writer.finish()
        with pytest.raises(BackupError):
            restore(path, data, WORDS)
        assert state(data) == before
