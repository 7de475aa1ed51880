"""A stick that is plugged in while nobody looks."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from appliance import bringing
from appliance.app import Appliance
from appliance.bringing import UNATTENDED
from appliance.config import Config
from appliance.errors import (
    PackFileError,
    RepositoryOlderError,
    SourceLostError,
    StorageError,
    UnknownPublisherError,
)
from appliance.in_use import PacksInUse
from appliance.packs.keys import make_keys, read_keys
from appliance.packs.publish import Changes, publish
from appliance.packs.store import InstalledPack
from appliance.packs.trusted_time import utc_now
from appliance.packs.unattended import News, Outcome
from tests.publisher import nobody, version

SOON = 30  # seconds


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return make_keys(tmp_path / "keys").folder


@pytest.fixture
def sticks(tmp_path: Path) -> Path:
    folder = tmp_path / "sticks"
    folder.mkdir()
    return folder


@pytest.fixture
def bare(settings: Config, sticks: Path, tmp_path: Path) -> Config:
    return replace(settings, packs=tmp_path / "none", sticks=sticks)


@pytest.fixture
def started(bare: Config) -> Iterator[Callable[[], Appliance]]:
    """Boxes at work, that look at sticks when they are told."""
    boxes: list[Appliance] = []

    def started() -> Appliance:
        box = Appliance(bare)
        box.start()
        boxes.append(box)
        box._stopping.set()
        assert box._tending is not None
        box._tending.join(SOON)
        return box

    yield started
    for box in boxes:
        box.close()


@pytest.fixture
def box(started: Callable[[], Appliance], keys: Path) -> Appliance:
    """A box that takes packs of one publisher unattended."""
    box = started()
    trust(box, keys)
    return box


def trust(box: Appliance, keys: Path, name: str = "ministry", unattended: bool = True) -> None:
    box.trust.add(name, (keys / "1.root.json").read_bytes(), read_keys(keys).words, unattended=unattended)


def looked(box: Appliance) -> list[str]:
    """What the box says it did, the oldest first, after it looked at the sticks and did what it had to."""
    before = box.stick_news()
    box.look_at_sticks()
    for job in box.installs.held_for(UNATTENDED):
        assert box.installs.wait_until_over(job, SOON)
        assert job.error is None
    new = box.stick_news()[: len(box.stick_news()) - len(before)]
    return [said(news) for news in reversed(new)]


def said(news: News) -> str:
    why = type(news.error).__name__ if news.error else ""
    return " ".join(filter(None, [news.outcome.value, news.stick, news.root, news.pack, why]))


def bring_by_hand(box: Appliance, place: str) -> tuple[InstalledPack, ...]:
    job = box.submit_bring("keeper", place)
    assert box.installs.wait_until_over(job, SOON)
    result: tuple[InstalledPack, ...] = job.result
    return result


def in_use(box: Appliance) -> list[str]:
    return [pack.name for pack in box.packs.active()]


def test_what_is_new_is_installed_once_and_told(box: Appliance, sticks: Path, tiny_pack: Path, keys: Path) -> None:
    assert looked(box) == []
    publish(sticks / "sda1" / "baraza", keys, Changes((tiny_pack,)), nobody)
    assert looked(box) == ["installed sda1 ministry tiny 0.1.0"]
    assert box.translation.languages == ["en", "es"]
    (job,) = box.installs.held_for(UNATTENDED)
    assert [pack.name for pack in job.result] == ["tiny 0.1.0"]
    publish(sticks / "sda1" / "baraza", keys, Changes((version(tiny_pack, "0.2.0"),)), nobody)
    assert looked(box) == []  # it was looked at already
    assert len(box.installs.held_for(UNATTENDED)) == 1


def test_what_is_newer_is_installed_when_the_stick_comes_back(
    box: Appliance, sticks: Path, tiny_pack: Path, keys: Path, tmp_path: Path
) -> None:
    publish(sticks / "sda1" / "baraza", keys, Changes((tiny_pack,)), nobody)
    looked(box)
    (sticks / "sda1").rename(tmp_path / "pocket")
    assert looked(box) == []
    publish(tmp_path / "pocket" / "baraza", keys, Changes((version(tiny_pack, "0.2.0"),)), nobody)
    (tmp_path / "pocket").rename(sticks / "sda1")
    assert looked(box) == ["installed sda1 ministry tiny 0.2.0"]
    assert in_use(box) == ["tiny 0.2.0"]


def test_a_version_that_the_keeper_went_back_from_stays_away(
    box: Appliance, sticks: Path, tiny_pack: Path, keys: Path
) -> None:
    publish(sticks / "sda1" / "baraza", keys, Changes((tiny_pack,)), nobody)
    looked(box)
    publish(sticks / "sdb1" / "baraza", keys, Changes((version(tiny_pack, "0.2.0"),)), nobody)
    assert looked(box) == ["installed sdb1 ministry tiny 0.2.0"]
    box.rollback("tiny")
    shutil.copytree(sticks / "sdb1", sticks / "sdc1")
    assert looked(box) == []
    assert in_use(box) == ["tiny 0.1.0"]
    assert [pack.name for pack in bring_by_hand(box, "sdc1")] == ["tiny 0.2.0"]


@pytest.mark.parametrize("unattended", [False, True])
def test_nothing_is_taken_from_others_than_those_whom_the_keeper_chose(
    started: Callable[[], Appliance], sticks: Path, tiny_pack: Path, keys: Path, tmp_path: Path, unattended: bool
) -> None:
    box, chosen = started(), make_keys(tmp_path / "chosen").folder
    trust(box, keys, "attended", unattended=False)
    trust(box, chosen, "chosen", unattended=unattended)
    stranger = make_keys(tmp_path / "stranger").folder
    publish(sticks / "sda1" / "attended", keys, Changes((version(tiny_pack, "0.3.0"),)), nobody)
    publish(sticks / "sda1" / "chosen", chosen, Changes((tiny_pack,)), nobody)
    publish(sticks / "sda1" / "stranger", stranger, Changes((version(tiny_pack, "0.9.0"),)), nobody)
    expected = ["refused sda1 UnknownPublisherError", "installed sda1 chosen tiny 0.1.0"]
    assert looked(box) == (expected if unattended else [])
    assert in_use(box) == (["tiny 0.1.0"] if unattended else [])
    if unattended:
        error = box.stick_news()[-1].error
        assert isinstance(error, UnknownPublisherError)
        assert error.fields["words"] == read_keys(stranger).words


def test_nothing_is_installed_while_the_clock_cannot_be_right(
    box: Appliance, sticks: Path, tiny_pack: Path, keys: Path
) -> None:
    box.trust.time._clock = lambda: utc_now() + timedelta(days=4000)
    publish(sticks / "sda1" / "baraza", keys, Changes((tiny_pack,)), nobody)
    assert looked(box) == ["clock sda1 ministry"]
    assert in_use(box) == []


def test_a_refused_stick_is_told(box: Appliance, sticks: Path, tiny_pack: Path, keys: Path, tmp_path: Path) -> None:
    publish(tmp_path / "old" / "baraza", keys, Changes((tiny_pack,)), nobody)
    shutil.copytree(tmp_path / "old", sticks / "sda1")
    publish(sticks / "sda1" / "baraza", keys, Changes((version(tiny_pack, "0.2.0"),)), nobody)
    assert looked(box) == ["installed sda1 ministry tiny 0.2.0"]
    shutil.copytree(tmp_path / "old", sticks / "sdb1")
    assert looked(box) == ["refused sdb1 RepositoryOlderError"]
    (news, _) = box.stick_news()
    assert isinstance(news.error, RepositoryOlderError)
    assert news.error.fields["seen"] == 2
    assert in_use(box) == ["tiny 0.2.0"]


def test_two_sticks_at_once_end_with_the_newer(
    box: Appliance, sticks: Path, tiny_pack: Path, keys: Path, tmp_path: Path
) -> None:
    publish(tmp_path / "old" / "baraza", keys, Changes((tiny_pack,)), nobody)
    shutil.copytree(tmp_path / "old", sticks / "sdb1")
    shutil.copytree(tmp_path / "old", sticks / "sda1")
    publish(sticks / "sda1" / "baraza", keys, Changes((version(tiny_pack, "0.2.0"),)), nobody)
    assert looked(box) == ["installed sda1 ministry tiny 0.2.0", "refused sdb1 RepositoryOlderError"]
    assert in_use(box) == ["tiny 0.2.0"]


def test_a_pack_that_fails_keeps_no_other_back(
    box: Appliance, sticks: Path, tiny_pack: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = version(tiny_pack, "0.2.0", "other")
    publish(sticks / "sda1" / "baraza", keys, Changes((tiny_pack, other)), nobody)
    selftest = PacksInUse._put_to_test

    def fails(self: PacksInUse, pack: object, *more: object) -> None:
        if "other" in str(pack):
            raise PackFileError(pack="other", file="encoder.onnx", reason="it does not work")
        selftest(self, pack, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(PacksInUse, "_put_to_test", fails)
    assert looked(box) == [
        "failed sda1 ministry other 0.2.0 PackFileError",
        "installed sda1 ministry tiny 0.1.0",
    ]


def test_a_stick_that_is_pulled_out_is_told_and_nothing_more_is_tried(
    box: Appliance, sticks: Path, tiny_pack: Path, keys: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish(sticks / "sda1" / "baraza", keys, Changes((tiny_pack, version(tiny_pack, "0.2.0", "other"))), nobody)
    told = bringing._told

    def pulled(*arguments: object) -> object:
        (sticks / "sda1").rename(tmp_path / "pocket")
        return told(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(bringing, "_told", pulled)
    assert looked(box) == ["failed sda1 ministry other 0.2.0 SourceLostError"]
    assert isinstance(box.stick_news()[0].error, SourceLostError)
    assert in_use(box) == []


def test_a_stick_with_photographs_or_nothing_is_no_news(box: Appliance, sticks: Path) -> None:
    (sticks / "sda1").mkdir()
    (sticks / "sdb1" / "photographs").mkdir(parents=True)
    assert looked(box) == []


def test_a_stick_that_cannot_be_read_at_all_is_told(
    box: Appliance, sticks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sticks / "sda1" / "baraza").mkdir(parents=True)

    is_file = Path.is_file

    def broken(path: Path) -> bool:
        if sticks in path.parents:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", broken)
    box.look_at_sticks()
    (job,) = box.installs.held_for(UNATTENDED)
    assert box.installs.wait_until_over(job, SOON)
    monkeypatch.undo()
    (news,) = box.stick_news()
    assert said(news) == "refused sda1 SourceLostError"


def test_the_news_are_there_after_a_restart(
    started: Callable[[], Appliance], sticks: Path, tiny_pack: Path, keys: Path, bare: Config
) -> None:
    box = started()
    trust(box, keys)
    publish(sticks / "sda1" / "baraza", keys, Changes((tiny_pack,)), nobody)
    looked(box)
    box.close()
    again = Appliance(bare)
    assert again.stick_news() == ()  # its journal is not open yet
    again.start()
    (news,) = again.stick_news()
    assert (said(news), bool(news.time)) == ("installed sda1 ministry tiny 0.1.0", True)
    assert [happening.event for happening in again.keeping.journal.history()].count("stick") == 1  # type: ignore[union-attr]
    again.close()


def test_a_box_looks_by_itself_when_it_starts(
    started: Callable[[], Appliance], bare: Config, sticks: Path, tiny_pack: Path, keys: Path
) -> None:
    trust(Appliance(bare), keys)
    publish(sticks / "sda1" / "baraza", keys, Changes((tiny_pack,)), nobody)
    box = started()
    (job,) = box.installs.held_for(UNATTENDED)
    assert box.installs.wait_until_over(job, SOON)
    assert in_use(box) == ["tiny 0.1.0"]


def test_without_a_journal_the_news_are_kept_in_memory(
    box: Appliance, sticks: Path, tiny_pack: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(sticks / "sda1" / "baraza", keys, Changes((tiny_pack,)), nobody)
    journal, box.keeping.journal = box.keeping.journal, None
    assert looked(box) == ["installed sda1 ministry tiny 0.1.0"]
    assert box.stick_news()[0].time
    box.keeping.journal = journal


def test_a_journal_that_takes_nothing_stops_no_installation(
    box: Appliance, sticks: Path, tiny_pack: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageError(path="journal.db", reason="full")

    publish(sticks / "sda1" / "baraza", keys, Changes((tiny_pack,)), nobody)
    monkeypatch.setattr(box.keeping.journal, "note", full)
    assert looked(box) == []
    assert in_use(box) == ["tiny 0.1.0"]


def test_an_outcome_is_one_of_those_that_the_page_knows() -> None:
    assert {outcome.value for outcome in Outcome} == {"installed", "failed", "refused", "clock"}
