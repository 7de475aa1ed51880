"""USB sticks, as the system mounts them: found, made writable for a while, and made safe to pull out.

FOLDER/NAME              a stick, named after the device; read-only, no programs, no devices
FOLDER/.NAME.label       what it calls itself
FOLDER/.NAME.refused     what it was asked for last cannot be done
FOLDER/.asked/NAME.KIND  somebody asks for something: the system takes the file away, and does it (`settle`, `eject`)
FOLDER/.writing/NAME.PID-…  this process writes to it: while there is one, it is writable

The system's part is systemd/baraza-stick. Where there is none (no `.asked`), folders are sticks as well.
"""

from __future__ import annotations

import ctypes
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import StickBusyError, StickNotFoundError, StickReadOnlyError
from appliance.limits import LIMITS, Limits
from appliance.storage.atomic import storage_errors

ASKED, WRITING = ".asked", ".writing"  # folders of the system's part
MOUNTS, DEVICES = Path("/proc/self/mountinfo"), Path("/sys/dev/block")
GLANCE = 0.1  # seconds between two looks at whether the system has done what it was asked
LABEL = 256  # bytes
NAME = re.compile(r"[^.\x00-\x1f/][^\x00-\x1f/]{0,99}")
ESCAPED = re.compile(r"\\([0-7]{3})")  # a blank or so in a path


@dataclass(frozen=True)
class Stick:
    """A stick that was there a moment ago. `size`, `free`: bytes. `writable`: the box may write to it, once it has
    asked. `mark`: differs when the stick was pulled out in between, even if another has its name now.
    """

    name: str
    path: Path
    label: str
    filesystem: str
    size: int
    free: int
    writable: bool
    mark: str = ""


@dataclass(frozen=True)
class _Mount:
    number: str
    device: str  # as 8:17
    filesystem: str


class Sticks:
    """The sticks in `folder`, one subfolder each; there are none where it is missing."""

    def __init__(
        self,
        folder: Path,
        limits: Limits = LIMITS,
        *,
        mounts: Path = MOUNTS,
        devices: Path = DEVICES,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`pause(seconds)` is called between two looks at whether the system has answered."""
        self._folder, self._limits, self._mounts_file, self._devices = folder, limits, mounts, devices
        self._pause = pause

    def present(self) -> tuple[Stick, ...]:
        """The sticks that are there now, by name; one that is pulled out while it is looked at is left out."""
        names = self._names()
        mounts = self._mounts() if names else {}
        found = (self._stick(name, mounts.get(str(self._place / name))) for name in names)
        return tuple(stick for stick in found if stick is not None)[: self._limits.sticks]

    def get(self, name: str) -> Stick:
        """Raises StickNotFoundError: there is no such stick (any more)."""
        for stick in self.present():
            if stick.name == name:
                return stick
        raise StickNotFoundError(stick=name[:LABEL])

    def place(self, named: str) -> str:
        """The folder of the stick called `named`; if there is none, `named` itself, which is a folder or an address."""
        return next((str(stick.path) for stick in self.present() if stick.name == named), named)

    @contextmanager
    def writing(self, stick: Stick) -> Iterator[Path]:
        """The folder of `stick`, writable until this is left; what was written is on the stick then.

        On ext4, where files have owners, only its folder `baraza` is certain to take writes.

        Raises:
            StickNotFoundError: it was pulled out, before or meanwhile.
            StickReadOnlyError: it takes no writes.
            StorageError: it failed while what was written was flushed.
        """
        with self._opened(stick) as descriptor, self._held(stick):
            yield stick.path
            self._flush(stick, descriptor)

    def eject(self, stick: Stick) -> None:
        """Make it safe to pull `stick` out; where the system mounted it, it is not there any more afterwards.

        Raises:
            StickNotFoundError: it was pulled out already.
            StickBusyError: somebody reads it, or writes to it.
            StorageError: it failed while what was written was flushed.
        """
        with self._opened(stick) as descriptor:
            self._flush(stick, descriptor)
        if self._is_lent(stick):
            self._ask(stick, "eject")
            if not self._until(stick, lambda: not self._is_there(stick)):
                raise StickBusyError(stick=stick.label)

    # What there is

    @property
    def _place(self) -> Path:
        """The folder as the system names it: without links."""
        return self._folder.resolve()

    @property
    def _is_served(self) -> bool:
        """Whether the system mounts sticks here: then a folder that is none of its mounts is what a stick left."""
        return (self._folder / ASKED).is_dir()

    def _names(self) -> list[str]:
        try:
            with os.scandir(self._folder) as entries:
                names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            return []
        return sorted(name for name in names if NAME.fullmatch(name) and name.isprintable())

    def _mounts(self) -> dict[str, _Mount]:
        """What is mounted now, by its path; of two at one path the upper."""
        try:
            return mounts_of(self._mounts_file.read_text(encoding="utf-8", errors="surrogateescape"))
        except OSError:
            return {}

    def _stick(self, name: str, mount: _Mount | None) -> Stick | None:
        if mount is None and self._is_served:
            return None
        path = self._folder / name
        try:
            status, room = path.stat(), os.statvfs(path)
        except OSError:
            return None
        return Stick(
            name=name,
            path=path,
            label=self._label(name),
            filesystem=mount.filesystem if mount else "",
            size=room.f_blocks * room.f_frsize,
            free=room.f_bavail * room.f_frsize,
            writable=self._may_write(path, mount, bool(room.f_flag & os.ST_RDONLY)),
            mark=f"{mount.number if mount else status.st_ino} {status.st_dev} {self._plugged(name)}",
        )

    def _may_write(self, path: Path, mount: _Mount | None, read_only: bool) -> bool:
        if mount is None or not self._is_served:
            return not read_only and os.access(path, os.W_OK)
        try:  # a switch on the stick
            return (self._devices / mount.device / "ro").read_text().strip() != "1"
        except OSError:
            return True

    def _label(self, name: str) -> str:
        """What a stick calls itself: anything may stand there, so nothing but what can be shown is taken."""
        try:
            with (self._folder / f".{name}.label").open("rb") as file:
                said = file.read(LABEL).decode("utf-8", errors="replace")
        except OSError:
            return name
        return "".join(letter for letter in said if letter.isprintable()).strip() or name

    def _plugged(self, name: str) -> int:
        """When the system mounted it, in a unit of its own."""
        with suppress(OSError):
            return (self._folder / f".{name}.label").stat().st_mtime_ns
        return 0

    def _is_there(self, stick: Stick) -> bool:
        return any(each.mark == stick.mark for each in self.present() if each.name == stick.name)

    # What the system is asked for

    @contextmanager
    def _opened(self, stick: Stick) -> Iterator[int]:
        """The folder of `stick` held open, so that a flush is of this stick and of no other."""
        if not self._is_there(stick):
            raise StickNotFoundError(stick=stick.label)
        try:
            descriptor = os.open(stick.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise StickNotFoundError(stick=stick.label) from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _is_lent(self, stick: Stick) -> bool:
        """Whether the system mounted it, and is to be asked."""
        return self._is_served and str(self._place / stick.name) in self._mounts()

    @contextmanager
    def _held(self, stick: Stick) -> Iterator[None]:
        """`stick` is writable meanwhile. Several may hold it: it is so until the last has left."""
        if not self._is_lent(stick):
            if not stick.writable:
                raise StickReadOnlyError(stick=stick.label)
            yield
            return
        mine = self._folder / WRITING / f"{stick.name}.{os.getpid()}-{secrets.token_hex(4)}"
        with storage_errors(mine):
            mine.touch(exist_ok=False)
        try:
            self._ask(stick, "settle")
            if not self._until(stick, lambda: _takes_writes(stick.path)):
                raise StickReadOnlyError(stick=stick.label)
            yield
        finally:
            with suppress(OSError):
                mine.unlink()
                self._ask(stick, "settle")

    def _ask(self, stick: Stick, kind: str) -> None:
        path = self._folder / ASKED / f"{stick.name}.{kind}"
        with storage_errors(path):
            path.touch()

    def _until(self, stick: Stick, done: Callable[[], bool]) -> bool:
        """Whether the system has done what it was asked for, in the time that it has for that.

        Raises StickNotFoundError: `stick` was pulled out meanwhile.
        """
        asked = [self._folder / ASKED / f"{stick.name}.{kind}" for kind in ("settle", "eject")]
        refused = self._folder / f".{stick.name}.refused"
        for _ in range(int(self._limits.stick_seconds / GLANCE)):
            if done():
                return True
            if refused.exists() and not any(each.exists() for each in asked):
                return False
            if not self._is_there(stick):
                raise StickNotFoundError(stick=stick.label)
            self._pause(GLANCE)
        return False

    def _flush(self, stick: Stick, descriptor: int) -> None:
        """Everything written to `stick` is on it, not only on its way."""
        with storage_errors(stick.path):
            try:
                sync_file_system(descriptor)
            except OSError as error:
                if not self._is_there(stick):
                    raise StickNotFoundError(stick=stick.label) from error
                raise
        if not self._is_there(stick):
            raise StickNotFoundError(stick=stick.label)


def mounts_of(text: str) -> dict[str, _Mount]:
    """The lines of `mountinfo` by mount point, the last one of each: it lies above the others."""
    found = {}
    for line in text.splitlines():
        fields = line.split(" ")
        if "-" not in fields[6:]:
            continue
        filesystem = fields[fields.index("-", 6) + 1]
        point = ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), fields[4])
        found[point] = _Mount(fields[0], fields[2], filesystem)
    return found


def sync_file_system(descriptor: int) -> None:
    """Write what the memory holds of the file system in which `descriptor` is open to its device. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)  # the standard library of Python has only `sync`, of all disks
    if libc.syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _takes_writes(path: Path) -> bool:
    with suppress(OSError):
        return not os.statvfs(path).f_flag & os.ST_RDONLY
    return False
