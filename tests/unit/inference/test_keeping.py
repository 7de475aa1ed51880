"""The data folder of a box at work: opened with what is broken told, tended, and closed with a clean stop noted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.errors import (
    BarazaError,
    DocumentsLastCopyError,
    DocumentsSetAsideError,
    JournalSetAsideError,
    ReadOnlyError,
    StorageError,
)
from appliance.inference import keeping
from appliance.inference.keeping import Keeping
from appliance.inference.queue import JobQueue
from appliance.limits import LIMITS
from appliance.storage.database import copy_of
from appliance.storage.documents import DOCUMENTS, Documents
from appliance.storage.journal import JOURNAL
from appliance.storage.running import last_run


class Opened:
    def __init__(self, data: Path) -> None:
        self.told: list[BarazaError] = []
        self.data = data
        limits = replace(LIMITS, reserve_file_bytes=4096)
        self.keeping = Keeping(data, limits, JobQueue(limits), self.told.append)
        self.keeping.open(lambda: Documents(data / DOCUMENTS), {})

    @property
    def kinds(self) -> list[type[BarazaError]]:
        return [type(each) for each in self.told]


def test_a_new_box_has_its_reserve_its_journal_and_nothing_to_tell(tmp_path: Path) -> None:
    box = Opened(tmp_path)
    assert (box.told, box.keeping.room.file.exists()) == ([], True)
    run = last_run(tmp_path)
    assert run is not None
    assert run.stopped == ""
    box.keeping.close()
    run = last_run(tmp_path)
    assert run is not None
    assert run.stopped
    assert copy_of(tmp_path / JOURNAL).exists()


def test_a_cut_is_in_the_history_of_the_next_run(tmp_path: Path) -> None:
    first = Opened(tmp_path)
    assert first.keeping.journal is not None
    first.keeping.journal.close()
    second = Opened(tmp_path)
    assert second.keeping.journal is not None
    assert second.keeping.run is not None
    happened = second.keeping.journal.history()
    assert [bool(each.about["cut"]) for each in happened] == [True, False]
    assert second.keeping.run.cuts == 1
    second.keeping.close()


def test_what_was_set_aside_is_told(tmp_path: Path) -> None:
    documents = Documents(tmp_path / DOCUMENTS)
    for title in ("one", "two"):
        documents.create("phone", "letter", "en", title, {}, "")
    Opened(tmp_path).keeping.close()
    (tmp_path / DOCUMENTS).write_bytes(b"broken")
    (tmp_path / JOURNAL).write_bytes(b"broken")
    box = Opened(tmp_path)
    assert box.kinds == [DocumentsLastCopyError, JournalSetAsideError]
    assert box.told[0].fields["documents"] == 1
    assert box.told[1].fields["copy"] == "a copy from before"
    box.keeping.close()
    copy_of(tmp_path / JOURNAL).unlink()
    (tmp_path / JOURNAL).write_bytes(b"broken")
    (tmp_path / "documents.json.last-good").unlink()
    box = Opened(tmp_path)
    assert box.kinds == [DocumentsSetAsideError, JournalSetAsideError]
    assert box.told[1].fields["copy"] == "an empty one"
    box.keeping.close()


def test_a_disk_that_takes_nothing_is_told_and_the_box_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ReadOnlyError(path=str(tmp_path))

    for name in ("Journal", "Documents", "running.begin", "Room.prepare"):
        monkeypatch.setattr(f"appliance.inference.keeping.{name}", refuse)
    box = Opened(tmp_path)
    assert set(box.kinds) == {ReadOnlyError}
    assert box.keeping.journal is None
    box.keeping.close()


def test_tending_goes_on_after_a_failure_and_copies_once_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    box = Opened(tmp_path)
    rounds: list[bool] = []

    def tend(copy: bool) -> None:
        rounds.append(copy)
        if len(rounds) == 48:
            box.keeping._closing.set()

    with monkeypatch.context() as quick:
        quick.setattr(keeping, "TEND_SECONDS", 0)
        quick.setattr(box.keeping, "tend", tend)
        box.keeping._tend_until_closed()
    assert (sum(rounds), rounds[23], rounds[47]) == (2, True, True)

    def refuse() -> None:
        raise StorageError(path="x", reason="broken")

    monkeypatch.setattr(box.keeping.room, "prepare", refuse)
    box.keeping.tend(copy=True)
    assert "broken" in caplog.text
    assert copy_of(tmp_path / JOURNAL).exists()
    box.keeping.close()
