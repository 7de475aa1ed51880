"""Sticks as the system mounts them: found, written to, taken out, and pulled out at any moment."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.errors import ReadOnlyError, StickBusyError, StickNotFoundError, StickReadOnlyError, StorageError
from appliance.limits import LIMITS, Limits
from appliance.packs import usb
from appliance.packs.usb import ASKED, WRITING, Stick, Sticks, mounts_of

SOON = replace(LIMITS, stick_seconds=1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "sticks"
    place.mkdir()
    return place


class System:
    """Stands in for systemd/baraza-stick, which needs root: it has its turn each time that the box waits.

    What is “mounted” is what the table of mounts says, and it is read-only if the list `read_only` says so. The
    script itself is tried in test_sticks_mounted.py.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.table, self.devices = folder, folder.parent / "mountinfo", folder.parent / "devices"
        self.mounts: dict[str, str] = {}
        self.read_only: set[str] = set()
        self.switched: set[str] = set()  # sticks with a switch that forbids writing
        self.does: Callable[[], None] = self.answer
        self.asked: list[str] = []
        for name in (ASKED, WRITING):
            (folder / name).mkdir()
        self.write()
        true = os.statvfs

        def statvfs(path: Path) -> os.statvfs_result:
            found = list(true(path))
            found[8] = os.ST_RDONLY if Path(path).name in self.read_only else 0
            return os.statvfs_result(found)

        monkeypatch.setattr(os, "statvfs", statvfs)

    def plug(self, name: str, filesystem: str = "vfat", label: str = "") -> None:
        (self.folder / name).mkdir()
        (self.folder / f".{name}.label").write_text(label, encoding="utf-8")
        self.mounts[name] = filesystem
        self.read_only.add(name)
        self.write()

    def pull(self, name: str) -> None:
        shutil.rmtree(self.folder / name)
        (self.folder / f".{name}.label").unlink()
        del self.mounts[name]
        self.write()

    def write(self) -> None:
        lines = ["21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw"]
        for number, (name, filesystem) in enumerate(self.mounts.items()):
            point = str(self.folder / name).replace(" ", "\\040")
            lines.append(f"{90 + number} 21 8:{17 + number} / {point} rw,nosuid shared:9 - {filesystem} /dev/{name} ro")
        self.table.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def answer(self) -> None:
        for request in sorted((self.folder / ASKED).iterdir()):
            name, _, kind = request.name.rpartition(".")
            self.asked.append(request.name)
            request.unlink()
            held = list((self.folder / WRITING).glob(f"{name}.*"))
            refused = self.folder / f".{name}.refused"
            if kind == "eject" and not held:
                self.pull(name)
            elif kind == "eject" or (held and name in self.switched):
                refused.touch()
            elif held:
                self.read_only.discard(name)
            else:
                self.read_only.add(name)
                refused.unlink(missing_ok=True)

    def sticks(self, limits: Limits = SOON) -> Sticks:
        return Sticks(self.folder, limits, mounts=self.table, devices=self.devices, pause=lambda seconds: self.does())


@pytest.fixture
def system(folder: Path, monkeypatch: pytest.MonkeyPatch) -> System:
    return System(folder, monkeypatch)


def names(sticks: Sticks) -> list[str]:
    return [stick.name for stick in sticks.present()]


# What there is


def test_there_are_no_sticks_where_nothing_is_mounted(tmp_path: Path, folder: Path) -> None:
    assert Sticks(tmp_path / "none").present() == ()
    assert Sticks(folder).present() == ()
    with pytest.raises(StickNotFoundError, match="Plug it in"):
        Sticks(folder).get("sda1")


def test_two_sticks_are_two_though_they_call_themselves_the_same(system: System) -> None:
    system.plug("sda1", "vfat", "PACKS")
    system.plug("sdb", "exfat", "PACKS")
    first, second = system.sticks().present()
    assert (first.name, first.label, first.filesystem, first.writable) == ("sda1", "PACKS", "vfat", True)
    assert (second.name, second.label, second.filesystem) == ("sdb", "PACKS", "exfat")
    assert first.size >= first.free > 0
    assert first.mark != second.mark
    assert replace(system.sticks().get("sdb"), free=second.free) == second  # other programs write there meanwhile


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("", "sda1"),
        ("  Ministry of Water ", "Ministry of Water"),
        ("maji\n\x1b[2Jsafi\u202e", "maji[2Jsafi"),
        ("\x00", "sda1"),
        ("é" * 300, "é" * 128),
    ],
)
def test_a_stick_may_call_itself_anything_and_only_what_can_be_shown_is_taken(
    system: System, said: str, shown: str
) -> None:
    system.plug("sda1", label=said)
    assert system.sticks().get("sda1").label == shown


def test_a_label_that_is_no_text_is_none(system: System) -> None:
    system.plug("sda1")
    (system.folder / ".sda1.label").write_bytes(b"\xff\xfe")
    assert system.sticks().get("sda1").label.strip("�") == ""
    (system.folder / ".sda1.label").unlink()
    assert system.sticks().get("sda1").label == "sda1"


def test_a_folder_that_a_stick_left_is_no_stick(system: System) -> None:
    system.plug("sda1")
    (system.folder / "sdb1").mkdir()
    assert names(system.sticks()) == ["sda1"]


def test_where_the_system_mounts_nothing_folders_are_sticks(folder: Path) -> None:
    (folder / "first").mkdir()
    (folder / "My Stick").mkdir()
    (folder / ".hidden").mkdir()
    (folder / "file").write_text("")
    (folder / "link").symlink_to(folder / "first")
    (folder / "line\nbreak").mkdir()
    sticks = Sticks(folder)
    assert names(sticks) == ["My Stick", "first"]
    with sticks.writing(sticks.get("first")) as path:
        (path / "note").write_text("here")
    sticks.eject(sticks.get("first"))
    assert (folder / "first" / "note").read_text() == "here"


def test_a_name_stands_for_the_folder_of_a_stick(folder: Path) -> None:
    (folder / "first").mkdir()
    sticks = Sticks(folder)
    assert sticks.place("first") == str(folder / "first")
    assert [sticks.place(other) for other in ("../first", "http://10.0.0.2", "/media/x")] == [
        "../first",
        "http://10.0.0.2",
        "/media/x",
    ]


def test_no_more_sticks_are_looked_at_than_the_limit(folder: Path) -> None:
    for number in range(5):
        (folder / f"s{number}").mkdir()
    assert names(Sticks(folder, Limits(sticks=3))) == ["s0", "s1", "s2"]


@pytest.mark.parametrize("number", [errno.EIO, errno.ENODEV, errno.ENOENT, errno.ENOTCONN])
def test_a_stick_that_does_not_answer_any_more_is_left_out(
    system: System, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    system.plug("sda1")
    system.plug("sdb1")
    true = os.statvfs

    def statvfs(path: Path) -> os.statvfs_result:
        if Path(path).name == "sda1":
            raise OSError(number, os.strerror(number))
        return true(path)

    monkeypatch.setattr(os, "statvfs", statvfs)
    assert names(system.sticks()) == ["sdb1"]


def test_a_stick_that_was_exchanged_has_another_mark(system: System) -> None:
    system.plug("sda1")
    before = system.sticks().get("sda1")
    assert system.sticks().get("sda1").mark == before.mark
    system.pull("sda1")
    system.plug("sda1")
    os.utime(system.folder / ".sda1.label", ns=(1, 1))
    assert system.sticks().get("sda1").mark != before.mark


def test_a_switch_on_the_stick_is_seen(system: System) -> None:
    system.plug("sda1")
    (system.devices / "8:17").mkdir(parents=True)
    (system.devices / "8:17" / "ro").write_text("1\n")
    assert not system.sticks().get("sda1").writable
    (system.devices / "8:17" / "ro").write_text("0\n")
    assert system.sticks().get("sda1").writable


def test_the_table_of_mounts_is_read_as_the_kernel_writes_it() -> None:
    found = mounts_of(
        "36 35 98:0 /sub /mnt\\040one\\134x rw,noatime master:1 propagate_from:2 - vfat /dev/sda1 rw,errors=continue\n"
        "37 35 98:1 / /mnt rw - exfat /dev/sdb1 rw\n"
        "38 37 98:2 / /mnt rw shared:7 - ext4 /dev/sdc1 rw\n"
        "a line that will come one day\n"
    )
    assert {point: (each.device, each.filesystem) for point, each in found.items()} == {
        "/mnt one\\x": ("98:0", "vfat"),
        "/mnt": ("98:2", "ext4"),
    }


def test_a_table_that_cannot_be_read_shows_no_sticks(system: System) -> None:
    system.plug("sda1")
    system.table.unlink()
    assert names(system.sticks()) == []


def test_a_stick_that_does_not_answer_takes_no_writes(tmp_path: Path) -> None:
    assert not usb._takes_writes(tmp_path / "none")
    assert usb._takes_writes(tmp_path)


# Writing


def test_a_stick_is_writable_while_somebody_writes_and_read_only_afterwards(system: System) -> None:
    system.plug("sda1")
    sticks = system.sticks()
    with sticks.writing(sticks.get("sda1")) as path:
        assert "sda1" not in system.read_only
        assert [each.name.split("-")[0] for each in (system.folder / WRITING).iterdir()] == [f"sda1.{os.getpid()}"]
        (path / "note").write_text("here")
    system.answer()
    assert "sda1" in system.read_only
    assert not list((system.folder / WRITING).iterdir())


def test_a_stick_stays_writable_until_the_last_who_writes_has_left(system: System) -> None:
    system.plug("sda1")
    sticks = system.sticks()
    stick = sticks.get("sda1")
    with sticks.writing(stick):
        with sticks.writing(stick):
            pass
        system.answer()
        assert "sda1" not in system.read_only
    system.answer()
    assert "sda1" in system.read_only


def test_an_error_while_writing_makes_the_stick_read_only_too(system: System) -> None:
    system.plug("sda1")
    sticks = system.sticks()
    with pytest.raises(ZeroDivisionError), sticks.writing(sticks.get("sda1")):
        raise ZeroDivisionError
    system.answer()
    assert "sda1" in system.read_only
    assert not list((system.folder / WRITING).iterdir())


def test_a_stick_with_a_switch_is_told(system: System) -> None:
    system.plug("sda1", label="PACKS")
    system.switched.add("sda1")
    sticks = system.sticks()
    with pytest.raises(StickReadOnlyError, match="PACKS"), sticks.writing(sticks.get("sda1")):
        raise AssertionError("it is not writable")
    system.switched.clear()  # it was pulled out, the switch was moved, and it is asked for anew
    system.answer()
    with sticks.writing(sticks.get("sda1")):
        pass


def test_a_system_that_does_not_answer_is_not_waited_for_for_ever(system: System) -> None:
    system.plug("sda1")
    times: list[int] = []
    system.does = lambda: times.append(1)
    sticks = system.sticks()
    with pytest.raises(StickReadOnlyError), sticks.writing(sticks.get("sda1")):
        raise AssertionError("it is not writable")
    assert len(times) == 10
    assert not list((system.folder / WRITING).iterdir())


def test_a_stick_pulled_out_before_it_is_writable_is_told(system: System) -> None:
    system.plug("sda1")
    sticks = system.sticks()
    stick = sticks.get("sda1")
    system.does = lambda: system.pull("sda1") if "sda1" in system.mounts else None
    with pytest.raises(StickNotFoundError), sticks.writing(stick):
        raise AssertionError("it is not there")
    with pytest.raises(StickNotFoundError), sticks.writing(stick):
        raise AssertionError("it is not there")


def test_a_stick_pulled_out_while_it_is_written_to_is_told(system: System) -> None:
    system.plug("sda1")
    sticks = system.sticks()
    with pytest.raises(StickNotFoundError), sticks.writing(sticks.get("sda1")):
        system.pull("sda1")


def test_another_stick_in_the_place_of_the_one_asked_for_is_not_written_to(system: System) -> None:
    system.plug("sda1")
    sticks = system.sticks()
    stick = sticks.get("sda1")
    system.pull("sda1")
    system.plug("sda1", label="another")
    os.utime(system.folder / ".sda1.label", ns=(1, 1))
    with pytest.raises(StickNotFoundError), sticks.writing(stick):
        raise AssertionError("this is another stick")


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_stick_that_fails_when_it_is_flushed_is_told(
    system: System, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    system.plug("sda1")

    def broken(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(usb, "sync_file_system", broken)
    sticks = system.sticks()
    with pytest.raises(StorageError), sticks.writing(sticks.get("sda1")):
        pass

    def gone(descriptor: int) -> None:
        system.pull("sda1")
        broken(descriptor)

    monkeypatch.setattr(usb, "sync_file_system", gone)
    with pytest.raises(StickNotFoundError), sticks.writing(sticks.get("sda1")):
        pass


def test_whoever_may_not_ask_is_told(system: System) -> None:
    system.plug("sda1")
    shutil.rmtree(system.folder / WRITING)
    sticks = system.sticks()
    with pytest.raises(StorageError), sticks.writing(sticks.get("sda1")):
        raise AssertionError("it is not writable")


def test_a_folder_that_takes_no_writes_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "first").mkdir()
    monkeypatch.setattr(os, "access", lambda *_: False)
    sticks = Sticks(folder)
    assert not sticks.get("first").writable
    with pytest.raises(ReadOnlyError), sticks.writing(sticks.get("first")):
        raise AssertionError("it is not writable")


# Taking out


def test_an_ejected_stick_is_not_there_any_more(system: System) -> None:
    system.plug("sda1")
    system.plug("sdb1")
    sticks = system.sticks()
    stick = sticks.get("sda1")
    sticks.eject(stick)
    assert names(sticks) == ["sdb1"]
    with pytest.raises(StickNotFoundError):
        sticks.eject(stick)


def test_a_stick_that_is_written_to_stays(system: System) -> None:
    system.plug("sda1", label="PACKS")
    sticks = system.sticks()
    stick = sticks.get("sda1")
    with sticks.writing(stick), pytest.raises(StickBusyError, match="PACKS"):
        sticks.eject(stick)
    system.does = lambda: None
    with pytest.raises(StickBusyError):
        sticks.eject(stick)


def test_a_stick_pulled_out_instead_is_away_as_well(system: System) -> None:
    system.plug("sda1")
    sticks = system.sticks()
    stick = sticks.get("sda1")
    system.does = lambda: system.pull("sda1") if "sda1" in system.mounts else None
    sticks.eject(stick)
    assert names(sticks) == []


def test_a_stick_that_cannot_be_opened_is_gone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "first").mkdir()
    sticks = Sticks(folder)
    stick: Stick = sticks.get("first")

    def gone(*_: object, **__: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "open", gone)
    with pytest.raises(StickNotFoundError):
        sticks.eject(stick)
