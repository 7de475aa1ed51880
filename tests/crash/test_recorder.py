"""Real programs, watched by strace: what the model says is what is on the disk."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.crash.calls import TraceError
from tests.crash.disk import Flush, Mark, Names, Recording, Write
from tests.crash.recorder import missing, record_command

pytestmark = pytest.mark.skipif(missing() != "", reason=missing())

START = """
import os, shutil, sqlite3, sys, threading
from pathlib import Path
disk, marks = Path(sys.argv[1]), Path(sys.argv[2])
NEW = os.O_RDWR | os.O_CREAT
"""


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    folder.mkdir()
    (folder / "there").write_bytes(b"0123456789")
    return folder


def watch(disk: Path, code: str) -> Recording:
    """Raises TraceError if what was seen is not what is there."""
    marks = disk.parent / "marks"
    return record_command([sys.executable, "-c", START + code, str(disk), str(marks)], disk, marks, disk.parent)


WAYS = {
    "truncating": """
(disk / "there").write_bytes(b"new")
""",
    "appending": """
file = open(disk / "there", "ab", 0)
os.lseek(file.fileno(), 2, 0)
file.write(b"end")
""",
    "in the middle": """
file = open(disk / "there", "r+b", 0)
file.seek(3), file.read(2), file.write(b"xy")
""",
    "beyond the end": """
file = open(disk / "there", "r+b", 0)
file.seek(50), file.write(b"far")
""",
    "pwrite and pwritev": """
file = os.open(disk / "a", NEW)
os.pwrite(file, b"123", 7), os.pwritev(file, [b"x", b"yz"], 2), os.write(file, b"0")
""",
    "writev": """
os.writev(os.open(disk / "a", NEW), [b"one", b"", b"two"])
""",
    "resizing": """
os.truncate(disk / "there", 4)
open(disk / "there", "r+b").truncate(20)
""",
    "fallocate": """
os.posix_fallocate(os.open(disk / "a", NEW), 0, 5000)
""",
    "sendfile": """
shutil.copyfile(sys.executable, disk / "a"), shutil.copyfile(disk / "there", disk / "b")
""",
    "copy_file_range": """
os.copy_file_range(os.open(disk / "there", 0), os.open(disk / "b", NEW), 4, 2, 9)
""",
    "shared descriptors": """
one = os.open(disk / "a", NEW)
two = os.dup(one)
os.write(one, b"one"), os.write(two, b"two")
""",
    "dup2": """
one, two = os.open(disk / "a", NEW), os.open(disk / "b", NEW)
os.dup2(one, two), os.write(two, b"to a")
""",
    "relative to a folder": """
folder = os.open(disk, os.O_DIRECTORY)
os.write(os.open("ä", NEW, dir_fd=folder), b"1")
os.rename("ä", "b", src_dir_fd=folder, dst_dir_fd=folder)
os.mkdir("m", dir_fd=folder), os.rmdir("m", dir_fd=folder)
""",
    "working folder": """
os.chdir(disk), os.mkdir("m"), os.chdir("m")
open("../m/x", "w").write("1")
os.rename("x", "../y")
""",
    "file without a name": """
file = os.open(disk, os.O_TMPFILE | os.O_RDWR)
os.write(file, b"named later")
os.link(f"/proc/self/fd/{file}", disk / "named", src_dir_fd=file)
""",
    "links": """
os.link(disk / "there", disk / "again")
open(disk / "again", "r+b").write(b"both")
""",
    "removed while open": """
file = open(disk / "there", "r+b", 0)
os.unlink(disk / "there"), file.write(b"nobody sees it")
""",
    "folders": """
(disk / "a/b/c").mkdir(parents=True), (disk / "a/b/c/x").write_text("1")
os.rename(disk / "a/b", disk / "b")
shutil.copytree(disk / "b", disk / "d"), shutil.rmtree(disk / "b")
""",
    "threads": """
def write(number):
    (disk / f"{number}").write_bytes(bytes([number]) * 9999)
threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
""",
    "a child": """
file = os.open(disk / "a", NEW)
os.write(file, b"parent ")
child = os.fork()
os.write(file, b"one ")
if child:
    os.wait()
""",
    "another program": """
file = os.open(disk / "a", NEW)
os.set_inheritable(file, True), os.write(file, b"1 ")
os.spawnl(os.P_WAIT, sys.executable, sys.executable, "-c", f"import os; os.write({file}, b'2 ')")
os.write(file, b"3")
""",
    "SQLite": """
database = sqlite3.connect(disk / "db", isolation_level=None)
database.execute("pragma journal_mode=wal"), database.execute("create table t(a)")
for number in range(50):
    database.execute("insert into t values(?)", (number,))
""",
    "SQLite with a journal": """
database = sqlite3.connect(disk / "db")
database.execute("create table t(a)"), database.execute("insert into t values(1)")
database.commit(), database.close()
""",
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_change_files_is_seen(disk: Path, way: str) -> None:
    assert watch(disk, WAYS[way]).operations


def test_what_lies_elsewhere_is_passed_over(disk: Path) -> None:
    assert watch(disk, "(disk.parent / 'beside').write_text('1'); (disk / 'there').read_bytes()").operations == ()


def test_a_link_elsewhere_that_leads_elsewhere_is_passed_over(disk: Path) -> None:
    code = "os.symlink('nowhere', disk.parent / 'link'); os.symlink('x', 'y', dir_fd=os.open(disk.parent, 0))"
    assert watch(disk, code).operations == ()


def test_flushes_of_files_and_folders_are_seen_with_what_they_cover(disk: Path) -> None:
    code = """
file, folder = os.open(disk / "a", NEW), os.open(disk, 0)
os.write(file, b"1"), os.fsync(file), os.fdatasync(folder), os.sync()
"""
    made, written, file, folder, whole = watch(disk, code).operations
    assert isinstance(made, Names)
    assert isinstance(written, Write)
    assert isinstance(file, Flush) and (file.node, file.covers) == (written.file, 2)
    assert isinstance(folder, Flush) and (folder.node, folder.covers) == (0, 3)
    assert isinstance(whole, Flush) and whole.node is None


def test_marks_are_in_their_place(disk: Path) -> None:
    code = "m = os.open(marks, 65); os.write(m, b'before\\n'); (disk / 'there').unlink(); os.write(m, b'after\\n')"
    before, _, after = watch(disk, code).operations
    assert (before, after) == (Mark("before"), Mark("after"))


@pytest.mark.parametrize(
    "code",
    [
        "import mmap; m = mmap.mmap(os.open(disk / 'there', os.O_RDWR), 10); m[0] = 65",
        "os.symlink('there', disk / 'link')",
        "os.symlink('disk/there', disk.parent / 'link')",
        "sys.exit(3)",
    ],
)
def test_what_cannot_be_followed_is_an_error(disk: Path, code: str) -> None:
    with pytest.raises(TraceError):
        watch(disk, code)
