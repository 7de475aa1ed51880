"""A stick with packs, from its FAT image to a box that translates with them; and pulled out in the middle of it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance import config
from appliance.app import Appliance
from appliance.cli import main
from appliance.errors import RepositoryError, RepositoryOlderError, SourceLostError
from appliance.inference.job import Job, State
from appliance.packs.bring import _Halves
from appliance.packs.copying import Copying
from appliance.packs.keys import make_keys, read_keys
from appliance.packs.publish import Changes, publish
from appliance.packs.sources import Source
from appliance.packs.store import InstalledPack
from appliance.packs.trust import Stranger, Trust
from tests.fat import through_fat
from tests.publisher import files, nobody, version

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Here = Callable[..., Result]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return make_keys(tmp_path / "keys").folder


@pytest.fixture
def sticks(tmp_path: Path) -> Path:
    """Where the system mounts sticks."""
    folder = tmp_path / "sticks"
    folder.mkdir()
    return folder


@pytest.fixture
def environment(tmp_path: Path, sticks: Path) -> dict[str, str]:
    """A box with no packs."""
    (tmp_path / "shipped").mkdir()
    own = {"DATA": tmp_path / "data", "PACKS": tmp_path / "shipped", "STICKS": sticks, "THREADS": 1}
    return {**os.environ, **{f"BARAZA_{name}": str(value) for name, value in own.items()}}


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """The command line in a process of its own, as somebody at the box has it."""

    def run(*words: str | Path, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = [*before, sys.executable, "-m", "appliance.cli", *map(str, words)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def here(environment: dict[str, str]) -> Here:
    """The same in this process, which is faster."""

    def here(*words: str | Path) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words], env=environment)

    return here


# From end to end


def test_a_pack_goes_from_a_fat_stick_to_a_box_that_translates_with_it(
    run: Run, here: Here, tmp_path: Path, sticks: Path, tiny_pack: Path, keys: Path
) -> None:
    publish(tmp_path / "made", keys, Changes((tiny_pack,)), nobody)
    through_fat(tmp_path / "made", tmp_path / "stick.img", sticks / "sda1")
    assert files(sticks / "sda1" / "baraza") == files(tmp_path / "made")

    assert "sda1" in here("sticks", "list").output
    assert read_keys(keys).words in here("packs", "look", "sda1").output
    assert here("packs", "install", "sda1").exit_code == 1  # nobody knows the publisher
    added = here("roots", "add", "ministry", "sda1", "--words", read_keys(keys).words)
    assert added.exit_code == 0, added.output
    (row,) = json.loads(here("packs", "look", "sda1", "--json").stdout)
    assert [(each["name"], each["change"]) for each in row["packs"]] == [("tiny", "new")]

    installed = run("packs", "install", "sda1")
    assert installed.returncode == 0, installed.stderr
    assert "tiny 0.1.0 is installed and in use" in installed.stdout
    translated = run("translate", "--from", "en", "--to", "es", "The water is clean.")
    assert translated.returncode == 0, translated.stderr
    assert translated.stdout.strip()
    assert "sda1 can be pulled out" in here("sticks", "eject", "sda1").output
    assert here("packs", "verify").exit_code == 0


def test_a_stick_pulled_out_in_the_middle_changes_nothing_and_may_be_plugged_in_again(
    run: Run, here: Here, tmp_path: Path, sticks: Path, tiny_pack: Path, keys: Path
) -> None:
    """The kernel answers reads with EIO then; strace does so for it, while the archive is copied."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed here")
    publish(sticks / "sda1" / "baraza", keys, Changes((tiny_pack,)), nobody)
    here("roots", "add", "ministry", "sda1", "--words", read_keys(keys).words)
    pulled = ("strace", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", "trace=preadv,preadv2")
    lost = run("packs", "install", "sda1", before=(*pulled, "-e", "inject=preadv,preadv2:error=EIO:when=4+"))
    if "ptrace" in lost.stderr.lower():
        pytest.skip("nothing may be traced here")
    assert "EIO" in (tmp_path / "trace").read_text()
    assert lost.returncode == 1
    assert "could not be read to its end" in lost.stderr
    assert "Nothing was changed" in lost.stderr
    assert here("packs", "list").output == ""
    assert [path.name for path in (tmp_path / "data" / "packs").iterdir()] == [".lock"]
    assert here("packs", "install", "sda1").exit_code == 0


# The same in a box at work


@pytest.fixture
def box(environment: dict[str, str], keys: Path, sticks: Path, tiny_pack: Path) -> Appliance:
    """A box that trusts the publisher; it is not started, and works its queue of installations when it is told."""
    box = Appliance(config.load(environment))
    box.trust.add("ministry", (keys / "1.root.json").read_bytes(), read_keys(keys).words)
    publish(sticks / "sda1" / "baraza", keys, Changes((tiny_pack,)), nobody)
    return box


def brought(box: Appliance, place: str, *names: str) -> Job:
    job = box.submit_bring("keeper", place, names)
    while not job.is_over:
        assert box.installs.run_next()
    return job


def in_use(box: Appliance) -> list[str]:
    return [pack.name for pack in box.packs.active()]


def pulls(monkeypatch: pytest.MonkeyPatch, pull: Callable[[], None]) -> None:
    """`pull` is done when the first bytes of a pack were copied."""
    count = Copying._count
    done: list[bool] = []

    def counted(self: Copying, length: int) -> None:
        count(self, length)
        if not done:
            done.append(True)
            pull()

    monkeypatch.setattr(Copying, "_count", counted)


def archives(stick: Path) -> list[Path]:
    return list(stick.rglob("*.pack"))


def test_the_packs_at_a_place_are_brought_one_after_the_other(
    box: Appliance, sticks: Path, tiny_pack: Path, keys: Path
) -> None:
    publish(sticks / "sda1" / "baraza", keys, Changes((version(tiny_pack, "0.2.0", "other"),)), nobody)
    job = brought(box, "sda1")
    assert (job.state, job.error) == (State.DONE, None)
    assert [pack.name for pack in job.result] == ["other 0.2.0", "tiny 0.1.0"] == in_use(box)
    told = [event.data for event in job.events if event.kind == "progress"]
    assert [row["done"] for row in told] == sorted(row["done"] for row in told)
    assert (told[-1]["done"], told[-1]["total"]) == (told[-1]["total"], sum(pack.manifest.size for pack in job.result))
    assert [event.kind for event in job.events if event.kind != "progress"] == ["opening", "opening", "done"]
    assert brought(box, "sda1").result == ()


def test_what_is_asked_for_is_brought(box: Appliance, sticks: Path, tiny_pack: Path, keys: Path) -> None:
    publish(sticks / "sda1" / "baraza", keys, Changes((version(tiny_pack, "0.2.0", "other"),)), nobody)
    assert [pack.name for pack in brought(box, "sda1", "tiny").result] == ["tiny 0.1.0"]
    missing = brought(box, str(sticks / "sda1"), "tiny", "none")
    assert missing.error is not None
    assert missing.error.key == "pack_not_installed"
    empty = brought(box, "sdz")
    assert empty.error is not None
    assert empty.error.key == "repository"


def lost(box: Appliance, job: Job) -> None:
    assert (job.state, type(job.error)) == (State.FAILED, SourceLostError)
    assert in_use(box) == []
    assert [path.name for path in (box.config.data / "packs").iterdir()] == [".lock"]


def test_a_stick_that_vanishes_while_it_is_read_changes_nothing(
    box: Appliance, sticks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sticks.parent / "in the pocket"

    def pull() -> None:
        (sticks / "sda1").rename(whole)
        for path in archives(whole):
            os.truncate(path, 1000)  # what was read before is in memory still; the rest cannot be had

    kept = shutil.copytree(sticks / "sda1", sticks.parent / "copy")
    pulls(monkeypatch, pull)
    lost(box, brought(box, "sda1"))
    shutil.copytree(kept, sticks / "sda1")
    assert [pack.name for pack in brought(box, "sda1").result] == ["tiny 0.1.0"]


def test_a_file_that_shrinks_while_it_is_read_changes_nothing(
    box: Appliance, sticks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulls(monkeypatch, lambda: os.truncate(archives(sticks)[0], 1000))
    lost(box, brought(box, "sda1"))


def test_a_read_that_fails_changes_nothing(box: Appliance, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    pulls(monkeypatch, lambda: monkeypatch.setattr(os, "preadv", broken))
    lost(box, brought(box, "sda1"))


def test_another_stick_in_its_place_in_the_middle_changes_nothing(
    box: Appliance, sticks: Path, tiny_pack: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever swaps it has a signed pack too: what was begun is not finished from another one."""

    def swap() -> None:
        old = archives(sticks)[0]
        os.truncate(old, 1000)
        (sticks / "sda1").rename(sticks.parent / "pocket")
        publish(sticks / "sda1" / "baraza", keys, Changes((version(tiny_pack, "0.9.0"),)), nobody)

    pulls(monkeypatch, swap)
    lost(box, brought(box, "sda1"))


def test_bytes_that_change_on_a_stick_that_stays_are_told_as_what_they_are(
    box: Appliance, sticks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change() -> None:
        with archives(sticks)[0].open("r+b") as file:
            file.seek(-40_000, os.SEEK_END)
            file.write(bytes(30_000))

    pulls(monkeypatch, change)
    job = brought(box, "sda1")
    assert job.error is not None
    assert job.error.key == "pack_file"
    assert in_use(box) == []


def test_of_two_sticks_of_one_publisher_the_newer_one_counts(
    box: Appliance, sticks: Path, tiny_pack: Path, keys: Path
) -> None:
    shutil.copytree(sticks / "sda1", sticks / "sdb1")
    publish(sticks / "sdb1" / "baraza", keys, Changes((version(tiny_pack, "0.2.0"),)), nobody)
    assert [stick.name for stick in box.sticks.present()] == ["sda1", "sdb1"]
    (old,) = box.look("sda1")
    assert [(each.offer.version, each.change.value) for each in old.seen] == [("0.1.0", "new")]
    installed: tuple[InstalledPack, ...] = brought(box, "sdb1").result
    assert [pack.name for pack in installed] == ["tiny 0.2.0"]
    (refused,) = box.look("sda1")
    assert isinstance(refused.refused, RepositoryOlderError)
    assert refused.seen == ()
    assert isinstance(brought(box, "sda1").error, RepositoryOlderError)
    assert in_use(box) == ["tiny 0.2.0"]


def test_a_stick_without_packs_is_told_and_one_of_a_stranger_can_be_trusted(
    box: Appliance, sticks: Path, tiny_pack: Path, tmp_path: Path
) -> None:
    other = make_keys(tmp_path / "others").folder
    publish(sticks / "sdb1" / "kijiji", other, Changes((tiny_pack,)), nobody)
    (shelf,) = box.look("sdb1")
    assert (shelf.root, shelf.words, shelf.repository) == (None, read_keys(other).words, None)
    assert [offer.name for offer in shelf.strangers] == ["tiny"]
    box.trust.add("kijiji", shelf.signer, shelf.words)
    (shelf,) = box.look("sdb1")
    assert shelf.root is not None
    assert (shelf.root.name, shelf.release, shelf.believed, shelf.problems) == ("kijiji", 1, True, ())


def test_a_stranger_whose_stick_is_damaged_is_told(box: Appliance, sticks: Path, tiny_pack: Path) -> None:
    other = make_keys(sticks.parent / "others").folder
    publish(sticks / "sdb1" / "kijiji", other, Changes((tiny_pack,)), nobody)
    (sticks / "sdb1" / "kijiji" / "metadata" / "1.snapshot.json").write_bytes(b"{}")
    (shelf,) = box.look("sdb1")
    assert type(shelf.refused) is RepositoryError
    assert (shelf.root, shelf.strangers, shelf.signer) == (None, (), b"")


def test_a_stranger_whose_stick_is_pulled_out_meanwhile_is_told(
    box: Appliance, sticks: Path, tiny_pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_keys(sticks.parent / "others").folder
    publish(sticks / "sdb1" / "kijiji", other, Changes((tiny_pack,)), nobody)
    stranger, times = Trust.stranger, list[int]()

    def pulled(self: Trust, source: Source) -> Stranger:
        times.append(1)
        if len(times) == 2:  # it was looked at once, and is asked for its words now
            (sticks / "sdb1").rename(sticks.parent / "pocket")
        return stranger(self, source)

    monkeypatch.setattr(Trust, "stranger", pulled)
    (shelf,) = box.look("sdb1")
    assert type(shelf.refused) is SourceLostError


def test_a_job_that_is_cancelled_installs_nothing_more(box: Appliance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the rest of the archive is verified, which takes a minute if it is a large one."""
    job, copied = box.submit_bring("keeper", "sda1"), list[bool]()
    verified = _Halves.verified

    def cancels(self: _Halves, length: int) -> None:
        box.installs.cancel(job.id)
        verified(self, length)

    monkeypatch.setattr(_Halves, "verified", cancels)
    pulls(monkeypatch, lambda: copied.append(True))
    while box.installs.run_next():
        pass
    assert job.state is State.CANCELLED
    assert (in_use(box), copied) == ([], [])
    assert not list(box.config.data.glob("packs/*"))


def test_a_stick_is_listed_for_programs_and_one_that_is_not_there_is_told(here: Here, sticks: Path) -> None:
    assert "There is no stick in the box" in here("sticks", "list").output
    (sticks / "sda1").mkdir()
    (row,) = json.loads(here("sticks", "list", "--json").stdout)
    assert (row["name"], row["label"], row["filesystem"], row["writable"]) == ("sda1", "sda1", "", True)
    assert row["size"] >= row["free"] > 0
    gone = here("sticks", "eject", "sdb1")
    assert gone.exit_code == 1
    assert "no stick sdb1" in gone.output
    empty = here("sticks", "look", "sda1")
    assert empty.exit_code == 1
    assert "no signed packs lie in it" in empty.output
