"""Turns system calls into what they did to the files below one folder.

What the model cannot follow (a call it does not know on a file below the folder, memory that is written through a
mapping) is an error, never passed over.
"""

from __future__ import annotations

import json
import os.path
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.calls import FORKS, Call, TraceError
from tests.crash.disk import ROOT, Flush, Image, Mark, Names, Operation, Recording, Resize, Slot, Tree, Write, image_of

# SQLite's index of its journal: written through memory, and made anew by whoever opens the database first.
UNSEEN = "-shm"
SITE = "site "  # a mark of this form names the place in the program of the flush that follows

# What does nothing to files that a power cut could take away.
HARMLESS = {"chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "utimensat", "sync_file_range"}
REFUSED = {"io_uring_setup", "splice", "open_by_handle_at", "mknod", "mknodat"}


@dataclass
class _Open:
    """An open file, which several descriptors may share."""

    path: str
    node: int | None  # None: outside the folder
    offset: int = 0
    appends: bool = False


@dataclass
class _Process:
    descriptors: dict[int, _Open]
    closing: set[int]  # descriptors that exec closes
    folder: list[str]  # the working folder; a list, because threads share it
    site: str = ""


@dataclass
class Trace:
    """What a recorded process did."""

    root: Path
    marks: Path
    before: Tree
    folder: Path  # the working folder at the start
    image: Image = field(init=False)
    operations: list[Operation] = field(init=False, default_factory=list)
    mapped: set[int] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self._start = image_of(self.before)
        self.image = self._start.copy()
        self._folders = set(self.image.names)
        self._next = 1 + max([*self.image.names, *self.image.files])
        self._processes: dict[int, _Process] = {}
        self._ends: list[tuple[int, int]] = []  # line on which a call ended → operations there were then

    def read(self, calls: Iterable[Call]) -> Recording:
        """Raises TraceError."""
        for call in calls:
            process = self._processes.setdefault(call.pid, _Process({}, set(), [str(self.folder)]))
            handler = _HANDLERS.get(call.name)
            if handler is not None:
                handler(self, process, call, call.arguments)
            elif call.name in REFUSED:
                self._refuse(process, call)
            elif call.name not in HARMLESS:
                raise TraceError(f"{call.name} is recorded, and not understood")
            self._ends.append((call.ended, len(self.operations)))
        return Recording(self._start, tuple(self.operations), frozenset(self._folders))

    def tree(self) -> Tree:
        """The folder as it should be now, without what is written through memory."""
        return {path: content for path, content in self.image.tree().items() if not path.endswith(UNSEEN)}

    # Where things are

    def _path(self, process: _Process, name: bytes, at: Any = "AT_FDCWD") -> str:
        text = os.fsdecode(name)
        if text.startswith("/proc/self/fd/"):
            return process.descriptors[int(text.rpartition("/")[2])].path
        above = process.folder[0] if at == "AT_FDCWD" else process.descriptors[at].path
        return os.path.normpath(os.path.join(above, text))  # noqa: PTH118

    def _inside(self, path: str) -> list[str] | None:
        """The names that lead from the root to `path`; None if it is elsewhere."""
        if path == str(self.root):
            return []
        if not path.startswith(f"{self.root}/"):
            return None
        return path[len(str(self.root)) + 1 :].split("/")

    def _node(self, path: str) -> int | None:
        names, node = self._inside(path), ROOT
        for name in names or ():
            found = self.image.names.get(node, {}).get(name)
            if found is None:
                return None
            node = found
        return None if names is None else node

    def _slot(self, path: str, node: int | None) -> Slot | None:
        names = self._inside(path)
        if not names:
            return None
        folder = self._node(os.path.dirname(path))  # noqa: PTH120
        if folder is None:
            raise TraceError(f"{path} is in a folder that was never made")
        return Slot(folder, names[-1], node)

    def _do(self, operation: Operation) -> None:
        self.image.apply(len(self.operations), operation)
        self.operations.append(operation)

    def _new(self, *, folder: bool) -> int:
        node, self._next = self._next, self._next + 1
        if folder:
            self.image.names[node] = {}
            self._folders.add(node)
        else:
            self.image.files[node] = b""
        return node

    # Descriptors

    def _openat(self, process: _Process, call: Call, at: Any, name: bytes, flags: str) -> None:
        path = self._path(process, name, at)
        words = str(flags).split("|")
        node = self._node(path)
        if "O_TMPFILE" in words:
            node = self._new(folder=False) if self._inside(path) is not None else None
        elif node is None and "O_CREAT" in words and (slot := self._slot(path, self._next)):
            node = self._new(folder=False)
            self._do(Names((slot,)))
        elif node in self.image.files and "O_TRUNC" in words and self.image.files[node]:
            self._do(Resize(node, 0))
        process.descriptors[call.result] = _Open(path, node, appends="O_APPEND" in words)
        process.closing.discard(call.result)
        if "O_CLOEXEC" in words:
            process.closing.add(call.result)

    def _open(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        if call.name == "openat2":
            self._openat(process, call, arguments[0], arguments[1], arguments[2]["flags"])
        elif call.name == "creat":
            self._openat(process, call, "AT_FDCWD", arguments[0], "O_CREAT|O_WRONLY|O_TRUNC")
        elif call.name == "open":
            self._openat(process, call, "AT_FDCWD", arguments[0], arguments[1])
        else:
            self._openat(process, call, arguments[0], arguments[1], arguments[2])

    def _close(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        last = arguments[1] if call.name == "close_range" else arguments[0]
        for number in [each for each in process.descriptors if arguments[0] <= each <= last]:
            del process.descriptors[number]
            process.closing.discard(number)

    def _dup(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        process.closing.discard(call.result)
        if (file := process.descriptors.get(arguments[0])) is not None:
            process.descriptors[call.result] = file
        else:
            process.descriptors.pop(call.result, None)
        if call.name == "dup3" and "O_CLOEXEC" in str(arguments[2]):
            process.closing.add(call.result)

    def _fcntl(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        if arguments[1] in ("F_DUPFD", "F_DUPFD_CLOEXEC"):
            self._dup(process, call, arguments[:1])
            if arguments[1] == "F_DUPFD_CLOEXEC":
                process.closing.add(call.result)
        elif arguments[1] == "F_SETFD":
            (process.closing.add if arguments[2] == "FD_CLOEXEC" else process.closing.discard)(arguments[0])
        elif arguments[1] == "F_SETFL" and (file := process.descriptors.get(arguments[0])):
            file.appends = "O_APPEND" in str(arguments[2])

    def _ioctl(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        if arguments[1] == "FIOCLEX":
            process.closing.add(arguments[0])
        elif arguments[1] == "FIONCLEX":
            process.closing.discard(arguments[0])
        elif str(arguments[1]).startswith(("FICLONE", "FIDEDUPE", "BTRFS")):
            self._refuse(process, call)

    def _fork(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        flags = " ".join(str(each["flags"] if isinstance(each, dict) else each) for each in arguments)
        shared = "CLONE_FILES" in flags
        self._processes[call.result] = _Process(
            process.descriptors if shared else dict(process.descriptors),
            process.closing if shared else set(process.closing),
            process.folder if "CLONE_FS" in flags else list(process.folder),
        )

    def _exec(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        for number in process.closing:
            process.descriptors.pop(number, None)
        process.closing.clear()

    def _chdir(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        known = call.name == "fchdir"
        process.folder[0] = process.descriptors[arguments[0]].path if known else self._path(process, arguments[0])

    # Content

    def _read(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        if (file := process.descriptors.get(arguments[0])) is not None:
            file.offset += call.result

    def _seek(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        if (file := process.descriptors.get(arguments[0])) is not None:
            file.offset = call.result

    def _write(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        """write(fd, bytes, …), writev(fd, [{iov_base}], …), pwrite64(…, offset), pwritev(…, offset)."""
        file = process.descriptors.get(arguments[0])
        if file is None:
            return
        if call.name.startswith(("writev", "pwritev")):
            data = b"".join(part["iov_base"] for part in arguments[1])[: call.result]
        else:
            data = arguments[1][: call.result]
        if file.path == str(self.marks):
            self._mark(process, data.decode("utf-8"))
        elif file.node is not None:
            self._put(file, data, arguments[3] if call.name.startswith("pwrite") else None)

    def _put(self, file: _Open, data: bytes, offset: int | None) -> None:
        assert file.node is not None
        place = file.offset if offset is None else offset
        if file.appends:
            place = len(self.image.files[file.node])
        if data:
            self._do(Write(file.node, place, data))
        if offset is None:
            file.offset = place + len(data)

    def _mark(self, process: _Process, text: str) -> None:
        for line in text.splitlines():
            if line.startswith(SITE):
                process.site = line.removeprefix(SITE)
            else:
                self.operations.append(Mark(line))

    def _sendfile(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        self._between(process, arguments[1], arguments[2], arguments[0], "NULL", call.result)

    def _copy_file_range(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        self._between(process, *arguments[:4], call.result)

    def _between(self, process: _Process, origin: int, at: Any, to: int, place: Any, count: int) -> None:
        source, target = process.descriptors.get(origin), process.descriptors.get(to)
        start = at[0] if isinstance(at, list) else source.offset if source else 0
        if source is not None and not isinstance(at, list):
            source.offset += count
        if target is None or target.node is None:
            return
        if source is None:
            raise TraceError("bytes came from a file that is not known")
        content = Path(source.path).read_bytes() if source.node is None else self.image.files[source.node]
        data = content[start : start + count]
        if len(data) != count:
            raise TraceError(f"{source.path} changed since it was copied")
        self._put(target, data, place[0] if isinstance(place, list) else None)

    def _truncate(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        if call.name == "truncate":
            node = self._node(self._path(process, arguments[0]))
        else:
            file = process.descriptors.get(arguments[0])
            node = file.node if file else None
        if node is not None and len(self.image.files[node]) != arguments[1]:
            self._do(Resize(node, arguments[1]))

    def _fallocate(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        file = process.descriptors.get(arguments[0])
        if file is None or file.node is None or arguments[1] == "FALLOC_FL_KEEP_SIZE":
            return
        if arguments[1] != 0:
            self._refuse(process, call)
        size = arguments[2] + arguments[3]
        if size > len(self.image.files[file.node]):
            self._do(Resize(file.node, size))

    def _mmap(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        if "MAP_SHARED" not in str(arguments[3]) or "PROT_WRITE" not in str(arguments[2]):
            return
        file = process.descriptors.get(arguments[4])
        if file is not None and file.node is not None and not file.path.endswith(UNSEEN):
            raise TraceError(f"{file.path} is written through memory, which no system call shows")

    # Names

    def _mkdir(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        at, name = ("AT_FDCWD", arguments[0]) if call.name == "mkdir" else arguments[:2]
        path = self._path(process, name, at)
        if self._inside(path) and (slot := self._slot(path, self._next)):
            self._new(folder=True)
            self._do(Names((slot,)))

    def _unlink(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        at, name = arguments[:2] if call.name == "unlinkat" else ("AT_FDCWD", arguments[0])
        if slot := self._slot(self._path(process, name, at), None):
            self._do(Names((slot,)))

    def _rename(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        if call.name == "rename":
            origin, target = (self._path(process, name) for name in arguments[:2])
        else:
            origin = self._path(process, arguments[1], arguments[0])
            target = self._path(process, arguments[3], arguments[2])
        moved, there = self._node(origin), self._node(target)
        away = self._slot(origin, there if "RENAME_EXCHANGE" in str(arguments[4:]) else None)
        to = self._slot(target, moved)
        if moved is None and to is not None:
            raise TraceError(f"{origin} came in from outside the folder")
        slots = tuple(slot for slot in (to, away) if slot is not None)
        if slots and moved != there:
            self._do(Names(slots))

    def _link(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        if call.name == "link":
            origin, target = (self._path(process, name) for name in arguments[:2])
            node = self._node(origin)
        else:
            target = self._path(process, arguments[3], arguments[2])
            node = self._linked(process, arguments[0], arguments[1])
        if slot := self._slot(target, node):
            if node is None:
                raise TraceError(f"{target} is a link to something outside the folder")
            self._do(Names((slot,)))

    def _symlink(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        """Elsewhere they do not matter, unless they lead here."""
        target, at, name = arguments if call.name == "symlinkat" else (arguments[0], "AT_FDCWD", arguments[1])
        path = self._path(process, name, at)
        leads = os.path.normpath(os.path.join(os.path.dirname(path), os.fsdecode(target)))  # noqa: PTH118, PTH120
        if self._inside(path) is not None or self._inside(leads) is not None:
            self._refuse(process, call)

    def _linked(self, process: _Process, at: Any, name: bytes) -> int | None:
        """The file that linkat names: also one that has no name yet."""
        if name == b"":
            return process.descriptors[at].node
        if name.startswith(b"/proc/self/fd/"):
            return process.descriptors[int(name.rpartition(b"/")[2])].node
        return self._node(self._path(process, name, at))

    # Flushes

    def _fsync(self, process: _Process, call: Call, arguments: list[Any]) -> None:
        site, process.site = process.site, ""
        if call.name in ("sync", "syncfs"):
            self.operations.append(Flush(None, self._covers(call), site or call.name))
            return
        file = process.descriptors.get(arguments[0])
        if file is not None and file.node is not None:
            where = "folder" if file.node in self._folders else os.path.basename(file.path)  # noqa: PTH119
            self.operations.append(Flush(file.node, self._covers(call), site or f"SQLite, {where}"))

    def _covers(self, call: Call) -> int:
        """How many operations had ended when the call began: of what ran beside it, nothing is known."""
        for ended, count in reversed(self._ends):
            if ended <= call.begun:
                return count
        return 0

    def _refuse(self, process: _Process, call: Call) -> None:
        raise TraceError(f"{call.name} is not understood: {json.dumps(call.arguments, default=repr)[:200]}")


_Handler = Callable[[Trace, _Process, Call, list[Any]], None]
_HANDLERS: dict[str, _Handler] = {
    **dict.fromkeys(("open", "openat", "openat2", "creat"), Trace._open),
    **dict.fromkeys(("close", "close_range"), Trace._close),
    **dict.fromkeys(("dup", "dup2", "dup3"), Trace._dup),
    **dict.fromkeys(FORKS, Trace._fork),
    **dict.fromkeys(("chdir", "fchdir"), Trace._chdir),
    **dict.fromkeys(("read", "readv"), Trace._read),
    **dict.fromkeys(("write", "writev", "pwrite64", "pwritev", "pwritev2"), Trace._write),
    **dict.fromkeys(("truncate", "ftruncate"), Trace._truncate),
    **dict.fromkeys(("mkdir", "mkdirat"), Trace._mkdir),
    **dict.fromkeys(("unlink", "unlinkat", "rmdir"), Trace._unlink),
    **dict.fromkeys(("rename", "renameat", "renameat2"), Trace._rename),
    **dict.fromkeys(("link", "linkat"), Trace._link),
    **dict.fromkeys(("symlink", "symlinkat"), Trace._symlink),
    **dict.fromkeys(("fsync", "fdatasync", "sync", "syncfs"), Trace._fsync),
    "fcntl": Trace._fcntl,
    "ioctl": Trace._ioctl,
    "execve": Trace._exec,
    "lseek": Trace._seek,
    "sendfile": Trace._sendfile,
    "copy_file_range": Trace._copy_file_range,
    "fallocate": Trace._fallocate,
    "mmap": Trace._mmap,
}

RECORDED = tuple(sorted({*_HANDLERS, *REFUSED}))  # what strace is told to show
