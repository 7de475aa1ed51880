"""systemd/baraza-stick for real: ext4 images on loop devices, the system in one mount namespace and the box in another
that is made as systemd makes the one of baraza.service. Needs root, and leaves nothing mounted.
"""

from __future__ import annotations

import grp
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.packs.keys import make_keys
from appliance.packs.publish import Changes, publish
from appliance.packs.trust import Trust
from tests.publisher import nobody

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "systemd" / "baraza-stick"
TOOLS = ("unshare", "nsenter", "losetup", "mount", "mkfs.ext4", "blkid", "findmnt", "flock", "awk")
MEBIBYTE = 1024 * 1024
GROUP = "daemon"  # one that every machine has, in the place of baraza-sticks

# What the box does, in its own namespace. Whenever it waits for the system, the system has its turn.
BOX = """
import json, subprocess, sys
from pathlib import Path
from appliance.errors import BarazaError
from appliance.packs.usb import Sticks
folder, system, what, name = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4]
def answer(_seconds):
    subprocess.run(["nsenter", "-m", "-t", system, sys.argv[5], "answer"], check=True, stderr=subprocess.DEVNULL)
sticks = Sticks(Path(folder), pause=answer)
try:
    if what == "list":
        print(json.dumps([[s.name, s.label, s.filesystem, s.writable] for s in sticks.present()]))
    elif what == "write":
        with sticks.writing(sticks.get(name)) as path:
            (path / "baraza" / "note").write_text("here")
        answer(0)
    elif what == "eject":
        sticks.eject(sticks.get(name))
    elif what == "owner":
        found = (Path(folder) / name / "baraza").stat()
        print(found.st_mode & 0o777, found.st_gid)
    elif what == "read":
        print((Path(folder) / name / "baraza" / "note").read_text())
    elif what == "touch":
        (Path(folder) / name / "intruder").touch()
except (BarazaError, OSError) as error:
    print(type(error).__name__)
"""


def run(*words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    found = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert not check or found.returncode == 0, (words, found.stdout, found.stderr)
    return found


def why_not() -> str:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"{missing[0]} is not installed here"
    if os.geteuid() != 0:
        return "mounting needs root"
    tried = run("unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt && losetup -f", check=False)
    return "" if tried.returncode == 0 else "this machine lets nobody mount"


pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@dataclass
class Scene:
    """`system` and `box`: processes that do nothing but hold a namespace."""

    folder: Path
    system: subprocess.Popen[bytes]
    box: subprocess.Popen[bytes]
    loops: list[str] = field(default_factory=list)

    def stick(self, label: str, *options: str) -> str:
        """A new image on a loop device; its name for the kernel."""
        image = self.folder.parent / f"{len(self.loops)}.img"
        with image.open("wb") as file:
            file.truncate(8 * MEBIBYTE)
        run("mkfs.ext4", "-q", "-L", label, image)
        device = run("losetup", "--find", "--show", *options, image).stdout.strip()
        self.loops.append(device)
        return device.removeprefix("/dev/")

    def does(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """What the system does with the script."""
        return run("nsenter", "-m", "-t", str(self.system.pid), SCRIPT, *words, check=check)

    def baraza(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """The command line of the box, in its namespace."""
        command = [sys.executable, "-m", "appliance.cli", *words]
        return run("nsenter", "-m", "-t", str(self.box.pid), *command, check=False)

    def fill(self, name: str, source: Path) -> None:
        """What somebody copied to the stick at home, as its folder baraza."""
        copy = 'mount "$0" "$1" && cp -r "$2" "$1/baraza" && umount "$1"'
        (self.folder.parent / "home").mkdir()
        run("unshare", "-m", "sh", "-c", copy, f"/dev/{name}", self.folder.parent / "home", source)

    def asks(self, what: str, name: str = "") -> str:
        """What the box does, and says."""
        words = [self.folder, str(self.system.pid), what, name, SCRIPT]
        return run("nsenter", "-m", "-t", str(self.box.pid), sys.executable, "-c", BOX, *words).stdout.strip()

    def seen(self) -> list[list[object]]:
        found: list[list[object]] = json.loads(self.asks("list"))
        return found

    def mounts(self) -> list[str]:
        """The mount points of the system under the folder, hidden ones as well."""
        lines = (Path("/proc") / str(self.system.pid) / "mountinfo").read_text().splitlines()
        return [point for line in lines if (point := line.split(" ")[4]).startswith(f"{self.folder}/")]


def holder(*before: str | Path, do: str = "") -> subprocess.Popen[bytes]:
    """A process that holds a namespace until its standard input is closed."""
    words = [*map(str, before), "sh", "-c", f"{do} echo ready; exec cat"]
    started = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert started.stdout is not None
    assert started.stdout.readline() == b"ready\n"
    return started


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    folder = tmp_path / "sticks"
    for path in (folder, folder / ".asked", folder / ".writing", folder / ".staging"):
        path.mkdir()
    monkeypatch.setenv("BARAZA_STICKS", str(folder))
    monkeypatch.setenv("BARAZA_STICKS_GROUP", GROUP)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    share = f"mount --bind '{folder}' '{folder}'; mount --make-shared '{folder}';"
    system = holder("unshare", "-m", "--propagation", "private", do=share)
    inside = ("nsenter", "-m", "-t", str(system.pid), "unshare", "-m", "--propagation", "slave")
    # ProtectSystem=strict makes everything read-only that is mounted then, ReadWritePaths leaves this out.
    made = Scene(folder, system, holder(*inside, do=f"mount --bind '{folder}' '{folder}';"))
    yield made
    for each in (made.box, made.system):
        each.communicate()
    for device in made.loops:
        run("losetup", "--detach", device)


def test_a_stick_is_seen_by_a_box_that_is_at_work_already_and_takes_no_writes(scene: Scene) -> None:
    name = scene.stick("PACKS")
    scene.does("mount", name)
    assert scene.seen() == [[name, "PACKS", "ext4", True]]
    assert scene.asks("touch", name) == "OSError"  # a read-only file system
    line = next(line for line in run("nsenter", "-m", "-t", str(scene.system.pid), "cat", "/proc/self/mountinfo")
                .stdout.splitlines() if f"/{name} " in line)  # fmt: skip
    assert {"nosuid", "nodev", "noexec"} <= set(line.split(" ")[5].split(","))
    assert line.split(" ")[-1].split(",")[0] == "ro"
    assert scene.mounts() == [f"{scene.folder}/{name}"]  # once


def test_a_box_writes_while_it_may(scene: Scene) -> None:
    name = scene.stick("PACKS")
    scene.does("mount", name)
    assert scene.asks("write", name) == ""
    assert scene.asks("read", name) == "here"
    assert scene.asks("owner", name) == f"{0o775} {grp.getgrnam(GROUP).gr_gid}"
    assert scene.asks("touch", name) == "OSError"


def test_a_stick_with_a_switch_takes_no_writes_and_is_read(scene: Scene) -> None:
    name = scene.stick("SWITCHED", "--read-only")
    scene.does("mount", name)
    assert scene.seen() == [[name, "SWITCHED", "ext4", False]]
    assert scene.asks("write", name) == "StickReadOnlyError"
    assert scene.seen() == [[name, "SWITCHED", "ext4", False]]


def test_a_pack_is_installed_from_a_mounted_stick_that_is_safe_to_pull_out_then(
    scene: Scene, tmp_path: Path, tiny_pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shipped").mkdir()
    for setting, value in (("DATA", tmp_path / "data"), ("PACKS", tmp_path / "shipped"), ("THREADS", "1")):
        monkeypatch.setenv(f"BARAZA_{setting}", str(value))
    keys = make_keys(tmp_path / "keys")
    publish(tmp_path / "made", keys.folder, Changes((tiny_pack,)), nobody)
    Trust(tmp_path / "data" / "trust").add("ministry", (keys.folder / "1.root.json").read_bytes(), keys.words)
    name = scene.stick("PACKS")
    scene.fill(name, tmp_path / "made")
    scene.does("mount", name)

    (tmp_path / "0.img").rename(tmp_path / "pulled.img")  # nothing changes for the device, until:
    os.truncate(tmp_path / "pulled.img", 128 * 1024)  # reading beyond fails from now on, as from a stick that is away
    lost = scene.baraza("packs", "install", name)
    assert lost.returncode == 1
    assert "could not be read" in lost.stderr
    assert not (tmp_path / "data" / "packs").exists() or not list((tmp_path / "data" / "packs").glob("[!.]*"))
    scene.does("unmount", name)

    again = scene.stick("PACKS")
    shutil.rmtree(tmp_path / "home")
    scene.fill(again, tmp_path / "made")
    scene.does("mount", again)
    installed = scene.baraza("packs", "install", again)
    assert installed.returncode == 0, installed.stderr
    assert "tiny 0.1.0 is installed" in installed.stdout
    assert scene.asks("eject", again) == ""


def test_an_ejected_stick_is_away_for_everybody(scene: Scene) -> None:
    name, other = scene.stick("ONE"), scene.stick("TWO")
    scene.does("mount", name)
    scene.does("mount", other)
    assert [row[1] for row in scene.seen()] == ["ONE", "TWO"]
    assert scene.asks("eject", name) == ""
    assert scene.seen() == [[other, "TWO", "ext4", True]]
    assert not (scene.folder / name).exists()
    scene.does("unmount", name)  # what pulling it out does afterwards
    assert scene.mounts() == [f"{scene.folder}/{other}"]


def test_a_stick_that_somebody_reads_is_not_ejected_but_pulling_it_out_wins(scene: Scene) -> None:
    name = scene.stick("PACKS")
    scene.does("mount", name)
    reader = holder("nsenter", "-m", "-t", str(scene.box.pid), do=f"cd '{scene.folder}/{name}';")
    assert scene.asks("eject", name) == "StickBusyError"
    assert len(scene.seen()) == 1
    scene.does("unmount", name)
    assert scene.seen() == []
    assert scene.mounts() == []
    assert not (scene.folder / name).exists()
    reader.communicate()


def test_a_stick_is_mounted_once_however_often_it_is_told(scene: Scene) -> None:
    name = scene.stick("PACKS")
    for _ in range(3):
        scene.does("mount", name)
    assert scene.mounts() == [f"{scene.folder}/{name}"]
    scene.does("unmount", name)
    assert scene.mounts() == []


def test_what_somebody_mounted_elsewhere_is_left_alone(scene: Scene, tmp_path: Path) -> None:
    name = scene.stick("SYSTEM")
    (tmp_path / "root").mkdir()
    run("nsenter", "-m", "-t", str(scene.system.pid), "mount", f"/dev/{name}", tmp_path / "root")
    assert f"{name} is in use" in scene.does("mount", name).stderr
    assert scene.seen() == []


def test_the_disk_that_the_system_runs_from_is_left_alone(scene: Scene) -> None:
    numbers = Path("/").stat().st_dev
    device = Path(f"/sys/dev/block/{os.major(numbers)}:{os.minor(numbers)}")
    name = device.resolve().name
    if not device.exists() or not Path(f"/dev/{name}").exists():
        pytest.skip("this system does not run from a disk")
    assert "is left alone" in scene.does("mount", name).stderr
    assert scene.mounts() == []


def test_what_is_left_of_a_box_that_was_killed_does_not_keep_a_stick_writable(scene: Scene) -> None:
    name = scene.stick("PACKS")
    scene.does("mount", name)
    process = subprocess.Popen(["true"])
    process.wait()
    (scene.folder / ".writing" / f"{name}.{process.pid}-0a").touch()
    (scene.folder / ".writing" / f"{name}.nobody").touch()
    scene.does("answer")
    assert scene.asks("touch", name) == "OSError"
    assert not (scene.folder / ".writing" / f"{name}.{process.pid}-0a").exists()


def test_odd_requests_do_nothing_and_go_away(scene: Scene, tmp_path: Path) -> None:
    asked, kept = scene.folder / ".asked", tmp_path / "kept"
    kept.write_text("kept")
    (asked / "folder.eject").mkdir()
    (asked / "folder.eject" / "more").touch()
    (asked / "link.settle").symlink_to(kept)
    os.mkfifo(asked / "pipe.eject")
    for odd in (
        "; touch x.eject",
        "..eject",
        ".hidden",
        "-rf.settle",
        "sda1.format",
        "sda1",
        "a b.settle",
        "$(id).eject",
    ):
        (asked / odd).touch()
    scene.does("answer")
    assert not list(asked.iterdir())
    assert kept.read_text() == "kept"


@pytest.mark.parametrize(
    "words", [["mount", "../etc"], ["mount", ""], ["mount", "a b"], ["mount"], ["format", "sda1"], []]
)
def test_odd_commands_are_refused(scene: Scene, words: list[str]) -> None:
    assert scene.does(*words, check=False).returncode == 1


def test_what_a_link_on_the_stick_points_to_is_not_touched(scene: Scene, tmp_path: Path) -> None:
    name, secret = scene.stick("EVIL"), tmp_path / "secret"
    secret.mkdir(mode=0o700)
    (tmp_path / "in").mkdir()
    run("unshare", "-m", "sh", "-c", f"mount /dev/{name} '{tmp_path}/in' && ln -s '{secret}' '{tmp_path}/in/baraza'")
    scene.does("mount", name)
    (scene.folder / ".writing" / f"{name}.{os.getpid()}-0").touch()
    scene.does("settle", name)
    assert secret.stat().st_mode & 0o777 == 0o700
    assert secret.stat().st_gid == 0


def test_a_device_without_a_file_system_is_refused(scene: Scene) -> None:
    name = scene.stick("GONE")
    Path(f"/dev/{name}").write_bytes(bytes(MEBIBYTE))
    assert "no file system" in scene.does("mount", name, check=False).stderr
    assert "no device" in scene.does("mount", "sdzz9", check=False).stderr
    assert scene.mounts() == []


def test_what_a_stick_left_is_cleared_away(scene: Scene) -> None:
    name = scene.stick("PACKS")
    scene.does("mount", name)
    run("losetup", "--detach", scene.loops[-1])  # takes effect when it is not mounted any more
    (scene.folder / "sdq1").mkdir()
    scene.does("answer")
    assert not (scene.folder / "sdq1").exists()
    assert (scene.folder / name).is_dir()
    scene.does("unmount", name)
    scene.loops.clear()
