"""What people saved stays, and what could not be saved is never shown as saved."""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import pytest

from appliance.errors import DiskFullError, DocumentNotFoundError, ReadOnlyError, StorageError, TextTooLongError
from appliance.limits import LIMITS
from appliance.storage.documents import ID_ALPHABET, Document, Documents

NOON = datetime(2026, 5, 3, 12, 0, 0, tzinfo=UTC)
BROKEN = {
    "not JSON": b'{"documents": {"1": {"id": "abc',
    "empty": b"",
    "not a dict": b"[1, 2]",
    "no tables": b'{"documents": 5}',
    "no rows": b'{"documents": {"1": "text"}}',
    "no row numbers": b'{"documents": {"first": {}}}',
    "not UTF-8": b'{"documents": {"1": {"id": "\xff"}}}',
    "too deep": b"[" * 100_000,
}
SAVE_FOR_EVER = """
import itertools, sys
from pathlib import Path
from appliance.storage.documents import Documents

documents = Documents(Path(sys.argv[1]))
for number in itertools.count():
    print(documents.create("phone", "letter", "en", str(number), {}, "word " * 2_000).id, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "documents.json"


@pytest.fixture
def documents(path: Path) -> Documents:
    return opened(path)


def opened(path: Path) -> Documents:
    return Documents(path, now=lambda: NOON)


def create(documents: Documents, title: str = "The pump", owner: str = "phone", text: str = "Dear Sir") -> Document:
    return documents.create(owner, "letter", "en", title, {"subject": title, "sender": "Asha"}, text)


def rows_of(path: Path) -> dict[str, dict[str, dict[str, object]]]:
    """TinyDB's tables in the file, without the line that says what they are."""
    tables: dict[str, dict[str, dict[str, object]]] = json.loads(path.read_bytes().partition(b"\n")[2])
    return tables


def titles(documents: Documents, owner: str = "phone") -> list[str]:
    return [document.title for document in documents.list(owner)]


def fail(monkeypatch: pytest.MonkeyPatch, call: str, number: int = errno.ENOSPC) -> None:
    def failing(*_given: object, **_named: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(call, failing)


def test_a_document_is_given_back_as_it_was_saved_after_a_restart(documents: Documents, path: Path) -> None:
    saved = create(documents, text="Señor:\n\nመልካም ቀን 🌽 \ud800 \x00 $x {{7*7}}")
    assert opened(path).get(saved.id) == documents.get(saved.id) == saved
    assert saved.saved_at == "2026-05-03T12:00:00+00:00"


def test_ids_are_ten_characters_that_are_not_mistaken_for_each_other(documents: Documents) -> None:
    ids = {create(documents).id for _ in range(20)}
    assert len(ids) == 20
    assert all(len(code) == 10 and set(code) <= set(ID_ALPHABET) for code in ids)
    assert not set("0o1il") & set(ID_ALPHABET)


def test_an_id_that_is_taken_is_drawn_again(documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter("2" * 10 + "2" * 10 + "3" * 10)
    monkeypatch.setattr("secrets.choice", lambda _alphabet: next(drawn))
    assert [create(documents).id, create(documents).id] == ["2" * 10, "3" * 10]


def test_an_owner_sees_their_own_documents_the_newest_first(documents: Documents, path: Path) -> None:
    for title, owner in (("first", "phone"), ("other", "kiosk"), ("second", "phone"), ("third", "phone")):
        create(documents, title, owner)
    assert titles(documents) == ["third", "second", "first"]
    assert titles(opened(path), "kiosk") == ["other"]


def test_the_order_does_not_follow_a_clock_that_goes_backwards(path: Path) -> None:
    years = [2030]
    documents = Documents(path, now=lambda: datetime(years[-1], 1, 1, tzinfo=UTC))
    for year, title in ((2030, "first"), (1970, "second"), (2001, "third")):
        years.append(year)
        create(documents, title)
    assert titles(documents) == ["third", "second", "first"]


def test_the_order_survives_a_restart_and_deleting_the_newest(documents: Documents, path: Path) -> None:
    create(documents, "first")
    documents.delete(create(documents, "second").id)
    again = opened(path)
    create(again, "third")
    assert titles(again) == ["third", "first"]


def test_an_update_changes_what_is_given_and_keeps_the_rest(documents: Documents, path: Path) -> None:
    saved = create(documents)
    changed = documents.update(saved.id, text="Dear Madam")
    assert changed == replace(saved, text="Dear Madam") == opened(path).get(saved.id)


def test_an_update_may_empty_the_text_and_the_title(documents: Documents) -> None:
    changed = documents.update(create(documents).id, title="", text="", answers={})
    assert (changed.title, changed.text, changed.answers) == ("", "", {})


def test_translations_are_placed_beside_one_another_and_taken_away(documents: Documents) -> None:
    saved = create(documents)
    documents.update(saved.id, translations={"es": "Estimado señor"})
    documents.update(saved.id, translations={"sw": "Mheshimiwa"})
    assert documents.get(saved.id).translations == {"es": "Estimado señor", "sw": "Mheshimiwa"}
    documents.update(saved.id, translations={"es": ""})
    assert documents.get(saved.id).translations == {"sw": "Mheshimiwa"}


def test_a_deleted_document_is_gone_for_good(documents: Documents, path: Path) -> None:
    saved = create(documents)
    documents.delete(saved.id)
    assert titles(opened(path)) == []
    for operation in (documents.get, documents.update, documents.delete):
        with pytest.raises(DocumentNotFoundError):
            operation(saved.id)


def test_changing_what_was_given_back_changes_nothing_saved(documents: Documents) -> None:
    saved = create(documents)
    for given in (saved, documents.get(saved.id), documents.list("phone")[0]):
        given.answers["subject"] = "changed"
    assert documents.get(saved.id).answers["subject"] == "The pump"


def test_changing_the_answers_handed_in_changes_nothing_saved(documents: Documents) -> None:
    answers = {"subject": "The pump"}
    saved = documents.create("phone", "letter", "en", "t", answers, "text")
    answers["subject"] = "changed"
    assert saved.answers == documents.get(saved.id).answers == {"subject": "The pump"}


def test_a_text_that_is_too_long_is_refused_wherever_it_stands(documents: Documents) -> None:
    saved = create(documents, text="x" * LIMITS.document_characters)
    long = "x" * (LIMITS.document_characters + 1)
    for change in ({"text": long}, {"title": long}, {"answers": {"a": long}}, {"translations": {"es": long}}):
        with pytest.raises(TextTooLongError) as told:
            documents.update(saved.id, **change)
        assert told.value.fields["most"] == LIMITS.document_characters
    with pytest.raises(TextTooLongError):
        create(documents, text=long)
    assert documents.list("phone") == [saved]


def test_one_document_more_than_the_box_may_hold_is_refused(path: Path) -> None:
    documents = Documents(path, replace(LIMITS, documents=2))
    create(documents, "first")
    create(documents, "second", owner="kiosk")
    with pytest.raises(StorageError, match="holds 2 documents"):
        create(documents, "third")
    assert titles(documents) == ["first"]


def test_a_file_that_would_become_too_large_is_refused_and_stays(path: Path) -> None:
    documents = Documents(path, replace(LIMITS, document_file_bytes=1_000))
    saved = create(documents)
    with pytest.raises(StorageError, match="1000 bytes"):
        create(documents, text="x" * 1_000)
    assert documents.list("phone") == [saved] == opened(path).list("phone")


def test_a_file_that_is_too_large_at_opening_is_refused_and_stays(documents: Documents, path: Path) -> None:
    create(documents, text="x" * 1_000)
    before = path.read_bytes()
    with pytest.raises(StorageError, match="1000 bytes"):
        Documents(path, replace(LIMITS, document_file_bytes=1_000))
    assert path.read_bytes() == before


@pytest.mark.parametrize("call", ["tempfile.mkstemp", "os.write", "os.fsync", "os.replace"])
def test_what_failed_to_be_saved_is_not_shown_as_saved(
    documents: Documents, path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    saved = create(documents)
    with monkeypatch.context() as failing:
        fail(failing, call)
        with pytest.raises(DiskFullError):
            create(documents, "second")
        with pytest.raises(DiskFullError):
            documents.update(saved.id, text="changed", translations={"es": "x"}, answers={"subject": "changed"})
        with pytest.raises(DiskFullError):
            documents.delete(saved.id)
    assert documents.list("phone") == [saved] == opened(path).list("phone")


def test_a_save_whose_last_step_failed_is_undone_by_the_next_one(
    documents: Documents, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = create(documents)
    with monkeypatch.context() as failing:
        fail(failing, "appliance.storage.atomic.flush_folder", errno.EIO)
        with pytest.raises(StorageError):
            create(documents, "second")
    assert documents.list("phone") == [saved]
    create(documents, "third")
    assert titles(documents) == ["third", "The pump"] == titles(opened(path))


def test_saving_goes_on_after_a_failure(documents: Documents, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as failing:
        fail(failing, "os.write")
        with pytest.raises(DiskFullError):
            create(documents, "lost")
    create(documents, "first")
    create(documents, "second")
    assert titles(documents) == ["second", "first"] == titles(opened(path))


def test_a_full_disk_loses_nothing_and_takes_more_once_there_is_room(small_disk: Path) -> None:
    documents = opened(small_disk / "documents.json")
    kept = [create(documents, text="x" * 9_000) for _ in range(3)]
    with pytest.raises(DiskFullError):
        create(documents, text="x" * 9_000)
    assert opened(small_disk / "documents.json").list("phone") == kept[::-1] == documents.list("phone")
    documents.delete(kept[0].id)
    assert create(documents, "room again") in documents.list("phone")


def test_a_read_only_disk_still_shows_what_is_saved(small_disk: Path, make_read_only: Callable[[Path], None]) -> None:
    path = small_disk / "documents.json"
    saved = create(opened(path))
    (small_disk / ".documents.json.cut.tmp").touch()
    make_read_only(small_disk)
    documents = opened(path)
    with pytest.raises(ReadOnlyError):
        documents.delete(saved.id)
    assert documents.list("phone") == [saved]


def test_a_broken_file_on_a_read_only_disk_is_said_and_stays(
    small_disk: Path, make_read_only: Callable[[Path], None]
) -> None:
    path = small_disk / "documents.json"
    path.write_bytes(b"broken")
    make_read_only(small_disk)
    with pytest.raises(ReadOnlyError):
        opened(path)
    assert path.read_bytes() == b"broken"


def test_leftovers_of_a_cut_write_are_removed_at_opening(path: Path) -> None:
    saved = create(opened(path))
    (path.parent / ".documents.json.abc123.tmp").write_bytes(b"half")
    assert opened(path).list("phone") == [saved]
    assert [file.name for file in path.parent.iterdir()] == ["documents.json"]


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_set_aside_whole_and_said(
    path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        documents = opened(path)
    aside = path.with_name("documents.json.broken")
    assert documents.set_aside == aside
    assert aside.read_bytes() == content
    assert str(aside) in caplog.text
    assert titles(documents) == []
    create(documents)
    assert titles(opened(path)) == ["The pump"]


def test_a_broken_file_never_takes_the_place_of_an_older_one(path: Path) -> None:
    path.parent.mkdir()
    for number in (1, 2, 3):
        path.write_bytes(b"broken %d" % number)
        opened(path)
    kept = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    assert kept == {
        "documents.json.broken": b"broken 1",
        "documents.json.broken-2": b"broken 2",
        "documents.json.broken-3": b"broken 3",
    }


def test_a_broken_file_is_said_after_a_restart_until_it_is_moved_away(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"broken")
    opened(path)
    aside = path.with_name("documents.json.broken")
    assert opened(path).set_aside == aside
    aside.unlink()
    assert opened(path).set_aside is None


def test_a_file_that_cannot_be_read_is_not_taken_for_broken(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create(opened(path))
    with monkeypatch.context() as failing:
        fail(failing, "pathlib.Path.open", errno.EIO)
        with pytest.raises(StorageError, match="Input/output error"):
            opened(path)
    assert titles(opened(path)) == ["The pump"]


def test_a_document_that_is_not_of_its_form_stays_in_the_file_unseen_and_is_said(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved = create(opened(path))
    tables = rows_of(path)
    strange = [{"id": "strange", "owner": "phone"}, {**tables["documents"]["1"], "id": "other", "answers": {"a": 5}}]
    tables["documents"] |= {"8": strange[0], "9": strange[1]}
    path.write_text(json.dumps(tables))
    documents = opened(path)
    assert "2 documents are not of their form" in caplog.text
    assert documents.list("phone") == [saved]
    with pytest.raises(DocumentNotFoundError):
        documents.get("strange")
    create(documents, "new")
    rows = rows_of(path)["documents"]
    assert [rows["8"], rows["9"]] == strange
    assert "10" in rows


def test_eight_threads_lose_nothing(documents: Documents, path: Path) -> None:
    start = Barrier(8)

    def save(thread: int) -> list[str]:
        start.wait(30)
        return [create(documents, f"{thread}-{number}", f"phone {thread}").id for number in range(50)]

    with ThreadPoolExecutor(8) as pool:
        ids = [code for codes in pool.map(save, range(8)) for code in codes]
    again = opened(path)
    assert len({again.get(code).sequence for code in ids}) == 400
    for thread in range(8):
        assert titles(again, f"phone {thread}") == [f"{thread}-{number}" for number in reversed(range(50))]


def test_threads_that_change_one_document_lose_no_translation(documents: Documents) -> None:
    saved = create(documents)
    languages = [f"x{number}" for number in range(32)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda language: documents.update(saved.id, translations={language: language}), languages))
    assert set(documents.get(saved.id).translations) == set(languages)


@pytest.mark.parametrize("saves", [1, 3, 10])
def test_everything_that_was_said_to_be_saved_is_there_after_a_kill(
    path: Path, start_child: Callable[..., subprocess.Popen[str]], saves: int
) -> None:
    child = start_child(SAVE_FOR_EVER, str(path))
    assert child.stdout is not None
    acknowledged = [child.stdout.readline().strip() for _ in range(saves)]
    child.kill()
    child.wait(30)
    documents = opened(path)
    assert documents.set_aside is None
    assert {document.text for document in documents.list("phone")} == {"word " * 2_000}
    assert [documents.get(code).title for code in acknowledged] == [str(number) for number in range(saves)]
