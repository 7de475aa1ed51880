"""The file of documents proves itself, and the copy of before is there when it does not."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.errors import DiskFullError, NoLastCopyError, ReserveError, StorageError
from appliance.limits import LIMITS
from appliance.storage import atomic
from appliance.storage.documents import Documents
from appliance.storage.room import Room, free_bytes
from appliance.storage.tables import previous_of, read_copy


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "documents.json"


def save(documents: Documents, *titles: str) -> list[str]:
    return [documents.create("phone", "letter", "en", title, {}, "Dear Sir").id for title in titles]


def fill(path: Path) -> None:
    """Something else writes until the disk is full."""
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def titles(documents: Documents) -> list[str]:
    return [document.title for document in documents.list("phone")]


def test_the_first_line_says_what_follows_and_the_rest_is_json_a_row_a_line(path: Path) -> None:
    save(Documents(path), "one", "two")
    first, rest = path.read_bytes().split(b"\n", 1)
    assert json.loads(first)["documents"] == 2
    assert len(rest) == json.loads(first)["bytes"]
    assert set(json.loads(rest)["documents"]) == {"1", "2"}
    assert len(rest.splitlines()) == 4
    assert path.stat().st_size == Documents(path)._storage.size


@pytest.mark.parametrize("change", ["bit", "tail", "zeros", "stale", "first line"])
def test_damage_that_still_parses_is_noticed(path: Path, change: str) -> None:
    save(Documents(path), "one", "two")
    content = path.read_bytes()
    head, body = content.split(b"\n", 1)
    tables = json.loads(body)
    damaged = {
        "bit": content.replace(b"Dear Sir", b"Dear Tir", 1),
        "tail": head + b"\n" + json.dumps({"documents": {"1": tables["documents"]["1"]}}).encode(),
        "zeros": content[:-20] + b"\0" * 20,
        "stale": content.replace(b'"two"', b'"old"'),
        "first line": content.replace(b"sha256", b"sha257"),
    }[change]
    path.write_bytes(damaged)
    documents = Documents(path)
    assert documents.set_aside == path.with_name("documents.json.broken")
    assert documents.set_aside.read_bytes() == damaged
    assert titles(documents) == []
    assert documents.last_good is not None
    assert documents.last_good.documents == 1


def test_a_file_without_the_first_line_is_taken_as_a_person_mended_it(path: Path) -> None:
    save(Documents(path), "one")
    path.write_bytes(path.read_bytes().split(b"\n", 1)[1].replace(b"Dear Sir", b"Dear Madam"))
    assert Documents(path).list("phone")[0].text == "Dear Madam"
    path.write_text(json.dumps(json.loads(path.read_bytes())))  # in one line, as before there was a first line
    assert Documents(path).list("phone")[0].text == "Dear Madam"


def test_the_copy_of_before_holds_what_was_saved_one_change_ago(path: Path) -> None:
    documents = Documents(path)
    save(documents, "one")
    assert not previous_of(path).exists()
    save(documents, "two")
    assert read_copy(previous_of(path)).documents == 1
    assert previous_of(path).stat().st_ino != path.stat().st_ino


def test_the_documents_of_the_copy_come_back_older_than_those_written_since(path: Path) -> None:
    old = save(Documents(path), "one", "two", "three")
    path.write_bytes(b"broken")
    documents = Documents(path)
    assert documents.last_good is not None
    assert (documents.last_good.documents, documents.last_good.saved_at[:2]) == (2, "20")
    save(documents, "new", "newer")
    documents = Documents(path)  # what was saved since took no place of the copy
    assert documents.restore_last() == 2
    assert titles(documents) == ["newer", "new", "two", "one"] == titles(Documents(path))
    assert documents.get(old[0]).title == "one"
    assert documents.last_good is None
    assert documents.set_aside is not None  # the broken file stays until somebody takes it away
    with pytest.raises(NoLastCopyError):
        documents.restore_last()


def test_a_document_that_is_there_already_does_not_come_back_twice(path: Path) -> None:
    documents = Documents(path)
    save(documents, "one", "two")
    (path.parent / "documents.json.last-good").write_bytes(path.read_bytes())
    documents = Documents(path)
    assert documents.restore_last() == 0
    assert titles(documents) == ["two", "one"]


def test_a_copy_that_would_be_too_many_stays(path: Path) -> None:
    save(Documents(path), "one", "two", "three")
    path.write_bytes(b"broken")
    documents = Documents(path, replace(LIMITS, documents=2))
    save(documents, "new")
    with pytest.raises(StorageError, match="the most"):
        documents.restore_last()
    assert documents.last_good is not None


def test_each_broken_file_has_the_copy_that_was_good_then(path: Path) -> None:
    for name in ("one", "two"):
        save(Documents(path), f"{name} first", f"{name} second")
        path.write_bytes(b"broken")
        Documents(path)
    kept = sorted(file.name for file in path.parent.iterdir())
    assert kept == [
        "documents.json.broken",
        "documents.json.broken-2",
        "documents.json.last-good",
        "documents.json.last-good-2",
    ]
    documents = Documents(path)
    assert documents.restore_last() == 1
    assert titles(documents) == ["two first"]
    assert documents.last_good is not None  # of the first time
    assert documents.restore_last() == 1
    assert sorted(titles(documents)) == ["one first", "two first"]


def test_a_file_that_was_lost_leaves_the_copy_to_be_offered(path: Path) -> None:
    save(Documents(path), "one", "two")
    path.unlink()
    documents = Documents(path)
    assert (documents.set_aside, titles(documents)) == (None, [])
    assert documents.restore_last() == 1


def test_a_copy_that_is_broken_too_is_set_aside_and_not_offered(path: Path) -> None:
    save(Documents(path), "one", "two")
    path.write_bytes(b"broken")
    previous_of(path).write_bytes(b"also broken")
    documents = Documents(path)
    assert documents.last_good is None
    assert previous_of(path).with_name("documents.previous.json.broken").read_bytes() == b"also broken"


def test_a_copy_that_broke_while_it_waited_is_not_offered(path: Path) -> None:
    save(Documents(path), "one", "two")
    path.write_bytes(b"broken")
    Documents(path)
    (path.parent / "documents.json.last-good").write_bytes(b"broken")
    assert Documents(path).last_good is None


def test_a_broken_first_file_has_no_copy(path: Path) -> None:
    path.write_bytes(b"broken")
    assert Documents(path).last_good is None


def test_what_is_deleted_is_not_in_the_copy_of_before_either(path: Path) -> None:
    documents = Documents(path)
    _, secret = save(documents, "one", "secret")
    documents.delete(secret)
    for file in path.parent.iterdir():
        assert b"secret" not in file.read_bytes()
    assert previous_of(path).stat().st_ino != path.stat().st_ino


def test_a_copy_of_before_that_cannot_be_renewed_is_deleted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = Documents(path)
    _, secret = save(documents, "one", "secret")
    real = atomic.write_atomically

    def failing(target: Path, *given: object, **named: object) -> None:
        if target == previous_of(path):
            raise DiskFullError(path=str(target))
        real(target, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("appliance.storage.tables.write_atomically", failing)
    documents.delete(secret)
    assert titles(documents) == ["one"]
    assert [file.name for file in path.parent.iterdir()] == ["documents.json"]


def test_a_disk_without_links_gets_a_copy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    documents = Documents(path)
    with pytest.raises(StorageError):  # the first write has nothing to copy, and no link either
        monkeypatch.setattr(atomic, "NO_LINKS", ())
        save(documents, "zero")
    monkeypatch.setattr(atomic, "NO_LINKS", (errno.EPERM,))
    path.write_bytes(b'{"documents": {}}')
    save(documents, "one", "two")
    assert read_copy(previous_of(path)).documents == 1


def test_a_file_in_which_only_the_tables_are_too_large_is_refused(path: Path) -> None:
    save(Documents(path), "one")
    size = len(path.read_bytes().split(b"\n", 1)[1])
    Documents(path, replace(LIMITS, document_file_bytes=size))
    with pytest.raises(StorageError, match="at most"):
        Documents(path, replace(LIMITS, document_file_bytes=size - 1))


def test_people_s_writes_leave_the_reserve_alone_and_deleting_may_use_it(path: Path) -> None:
    free = 10 * LIMITS.reserve_bytes
    limits = replace(LIMITS, reserve_file_bytes=8192)
    room = Room(path.parent, limits, lambda _: free)
    documents = Documents(path, limits, room=room)
    (first,) = save(documents, "one")
    free = limits.reserve_bytes
    with pytest.raises(ReserveError):
        save(documents, "two")
    with pytest.raises(ReserveError):
        documents.update(first, text="longer")
    documents.delete(first)
    assert titles(documents) == []
    path.write_bytes(b"broken")
    assert Documents(path, limits, room=room).last_good is not None
    with pytest.raises(ReserveError):
        Documents(path, limits, room=room).restore_last()


def test_the_reserve_is_given_up_where_deleting_finds_the_disk_full(small_disk: Path) -> None:
    limits = replace(LIMITS, reserve_bytes=1_000, reserve_file_bytes=16_384)
    room = Room(small_disk, limits)
    documents = Documents(small_disk / "documents.json", limits, room=room)
    (first,) = save(documents, "one")
    documents.update(first, text="x" * 9_000)
    assert room.prepare()
    filler = small_disk / "log"
    fill(filler)
    previous_of(small_disk / "documents.json").unlink()
    fill(filler)
    assert free_bytes(small_disk) == 0
    documents.delete(first)
    assert titles(Documents(small_disk / "documents.json")) == []
    filler.unlink()
    assert room.prepare()


def test_without_a_reserve_a_full_disk_still_lets_people_delete(small_disk: Path) -> None:
    documents = Documents(small_disk / "documents.json")
    kept = save(documents, "one")
    documents.update(kept[0], text="x" * 20_000)
    with pytest.raises(DiskFullError):
        documents.update(kept[0], text="x" * 50_000)
    documents.update(kept[0], text="y" * 20_000)
    documents.delete(kept[0])
    assert titles(documents) == []


def test_a_row_that_did_not_change_is_not_encoded_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    documents = Documents(path)
    ids = save(documents, *map(str, range(20)))
    encoded: list[object] = []
    real: Callable[..., str] = json.dumps

    def count(value: object, **named: object) -> str:
        if isinstance(value, dict) and "text" in value:
            encoded.append(value)
        return real(value, **named)

    monkeypatch.setattr(json, "dumps", count)
    documents.update(ids[3], text="changed")
    assert len(encoded) == 1
    assert Documents(path).get(ids[3]).text == "changed"


def test_a_file_far_too_large_is_refused_before_it_is_parsed(path: Path) -> None:
    path.write_bytes(b"{" * 2_000)
    with pytest.raises(StorageError, match="at most"):
        Documents(path, replace(LIMITS, document_file_bytes=1_000))


def test_forgetting_a_copy_that_is_not_there_does_nothing(path: Path) -> None:
    Documents(path)._storage.forget_last_good()
    assert list(path.parent.iterdir()) == []
