"""What a keeper gives away, as jobs and as commands."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.app import Appliance
from appliance.cli import main
from appliance.commands.share import announced
from appliance.config import Config
from appliance.errors import BackupError, StickNotFoundError
from appliance.inference.job import Job, State
from appliance.packs.sources import find_repositories
from appliance.storage.backup import restore

SOON = 30  # seconds
PASSPHRASE = "seven goats on the mountain"


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    folder = tmp_path / "sticks" / "usb1"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def box(settings: Config, tmp_path: Path, stick: Path, tiny_pack: Path) -> Iterator[Appliance]:
    box = Appliance(replace(settings, packs=tmp_path / "none", sticks=stick.parent))
    box.packs.install(tiny_pack)
    box.start()
    yield box
    box.close()


def over(box: Appliance, job: Job) -> Job:
    assert box.installs.wait_until_over(job, SOON)
    return job


def test_packs_are_copied_to_a_stick_by_a_job_that_tells_how_far_it_is(box: Appliance, stick: Path) -> None:
    (can,) = box.exportable()
    assert (can.offer.name, can.root) == ("tiny", "")
    job = over(box, box.submit_export("keeper", "usb1", ["tiny"]))
    assert job.state is State.DONE, job.error
    (done,) = job.result
    assert (done.pack, done.own, done.words) == ("tiny 0.1.0", True, box.own_root().words)
    assert [folder.parent for folder in find_repositories(stick)] == [stick / "baraza"]
    told = [event.data for event in job.events if event.kind == "progress"]
    assert told
    assert all(row["done"] <= row["total"] for row in told)


def test_a_stick_that_is_not_there_is_told_before_a_job_begins(box: Appliance) -> None:
    with pytest.raises(StickNotFoundError):
        box.submit_export("keeper", "usb2", ["tiny"])
    with pytest.raises(StickNotFoundError):
        box.submit_backup("keeper", "usb2", PASSPHRASE)


def test_a_backup_goes_to_a_stick_and_its_passphrase_nowhere(
    box: Appliance, stick: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    box.documents.create("me", "letter", "en", "Water", {}, "The pump is broken.")
    with caplog.at_level(logging.DEBUG):
        job = over(box, box.submit_backup("keeper", "usb1", PASSPHRASE))
    assert job.state is State.DONE, job.error
    assert job.result.documents == 1
    assert job.result.path.parent == stick / "baraza"
    assert PASSPHRASE not in repr(job) + repr(job.request) + repr(job.events) + caplog.text
    assert restore(job.result.path, tmp_path / "empty", PASSPHRASE).documents == 1


def test_a_passphrase_that_is_too_short_ends_the_job(box: Appliance, stick: Path) -> None:
    job = over(box, box.submit_backup("keeper", "usb1", "goats"))
    assert isinstance(job.error, BackupError)
    assert "goats" not in str(job.error)
    assert not list(stick.rglob("*.baraza"))


# At the command line


@pytest.fixture
def run(tmp_path: Path, stick: Path) -> Callable[..., Result]:
    def run(*words: str | Path) -> Result:
        environment = {
            "BARAZA_DATA": str(tmp_path / "data"),
            "BARAZA_PACKS": str(tmp_path / "none"),
            "BARAZA_STICKS": str(stick.parent),
        }
        return CliRunner().invoke(main, [str(word) for word in words], env=environment)

    return run


def test_packs_are_copied_to_a_stick_or_a_folder(
    run: Callable[..., Result], tiny_pack: Path, stick: Path, tmp_path: Path
) -> None:
    assert run("packs", "install", tiny_pack).exit_code == 0
    assert "this box (no publisher's newest release lists it)" in run("packs", "export", "usb1", "--list").output
    for place in ("usb1", stick):
        done = run("packs", "export", place)
        assert done.exit_code == 0, done.output
    assert "was there already; signed by this box" in done.output
    assert "root: " in done.output
    missing = run("packs", "export", tmp_path / "gone")
    assert missing.exit_code == 1
    assert "There is no stick" in missing.output


def test_neighbours_are_listed(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    from appliance.packs import lan

    found = (lan.Neighbour("kijiji", "192.168.1.20", 8080, "0.1.0"),)
    monkeypatch.setattr(lan, "neighbours", lambda seconds, port: found)
    assert "kijiji" in run("neighbours").output
    assert json.loads(run("neighbours", "--json").output)[0]["url"] == "http://192.168.1.20:8080"
    monkeypatch.setattr(lan, "neighbours", lambda seconds, port: ())
    assert "No other box was heard" in run("neighbours").output


@pytest.mark.parametrize(
    ("host", "share", "told"),
    [
        ("0.0.0.0", True, True),
        ("192.168.1.20", True, True),
        ("::", True, True),
        ("127.0.0.1", True, False),
        ("::1", True, False),
        ("localhost", True, False),
        ("0.0.0.0", False, False),
    ],
)
def test_a_box_is_announced_while_it_is_open_to_others_and_shares(
    settings: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, share: bool, told: bool
) -> None:
    happened: list[str] = []

    class Recorder:
        def __init__(self, port: int) -> None:
            happened.append(f"port {port}")

        def start(self) -> None:
            happened.append("start")

        def close(self) -> None:
            happened.append("close")

    monkeypatch.setattr("appliance.packs.lan.Announcement", Recorder)
    box = Appliance(replace(settings, packs=tmp_path / "none", host=host, port=8080, share=share))
    with announced(box):
        assert happened == (["port 8080", "start"] if told else [])
    assert happened == (["port 8080", "start", "close"] if told else [])
    box.close()
