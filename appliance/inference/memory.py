"""How much memory the machine has to give, and how much of it the models may take.

A process may be held to less than the machine has: by a control group, as services and containers are, or by a limit
of its own (rlimit). What counts is the least of all.
"""

from __future__ import annotations

import ctypes
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from appliance.config import Memory

MIB = 1024 * 1024
LEAST_RESERVE, MOST_RESERVE = 128 * MIB, 1024 * MIB  # bytes kept for the system and the pages: a quarter, within these
PAGES = 64 * MIB  # bytes that the pages, the queue and the articles come to take beside what they take at the start

GROUPS = Path("/proc/self/cgroup")
TREE = Path("/sys/fs/cgroup")
STATUS = Path("/proc/self/status")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # as glibc's malloc.h numbers them
UNLIMITED = 2**60  # bytes; control groups of version 1 write a number like this for “no limit”


@dataclass(frozen=True)
class Machine:
    """Bytes that this process may have at all, and that are to be had now; `by` says what sets the first."""

    total: int
    available: int
    by: str = "machine"

    def at_most(self, total: int, available: int, by: str) -> Machine:
        """The same under a limit."""
        if total >= self.total:
            return self
        return Machine(total, max(0, min(self.available, available)), by)


def measure() -> Machine:
    """What this machine has for this process now."""
    memory = psutil.virtual_memory()
    found = Machine(memory.total, memory.available)
    for limit, used in control_groups():
        found = found.at_most(limit, limit - used, "control group")
    for limit, used in _own_limits():
        found = found.at_most(limit, limit - used, "rlimit")
    return found


def budget(setting: Memory, machine: Machine) -> int:
    """Bytes that the models may take together on `machine`.

    If it is not set: what there is, less a reserve of a quarter (128 MiB at least, 1 GiB at most) for the system and
    the pages; and no more than is free when the box starts.
    """
    if setting.bytes:
        return setting.bytes
    if setting.share:
        return int(setting.share * machine.total)
    reserve = min(max(machine.total // 4, LEAST_RESERVE), MOST_RESERVE)
    return max(0, min(machine.total - reserve, machine.available - PAGES))


def control_groups(groups: Path = GROUPS, tree: Path = TREE) -> Iterator[tuple[int, int]]:
    """(limit, used) in bytes of every control group with a limit that this process is in; what can be dropped is free.

    Both versions are read: lines of `groups` are `0::/path` in version 2 and `4:memory:/path` in version 1.
    """
    try:
        lines = groups.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            files = ("memory.max", "memory.current", "inactive_file")
            yield from _limits_above(tree, path, *files)
            yield from _limits_above(tree / "unified", path, *files)
        elif "memory" in controllers.split(","):
            files = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _limits_above(tree / "memory", path, *files)


def _limits_above(tree: Path, path: str, limit: str, usage: str, droppable: str) -> Iterator[tuple[int, int]]:
    """Those of the group `path` and of all it is in; a container sees its own at the top of the tree."""
    here = tree / path.lstrip("/")
    for folder in (here, *here.parents):
        if not folder.is_relative_to(tree):
            return
        most = _number(folder / limit)
        if most is not None and most < UNLIMITED:
            yield most, max(0, (_number(folder / usage) or 0) - _statistic(folder / "memory.stat", droppable))


def _own_limits() -> Iterator[tuple[int, int]]:
    for kind, name in ((resource.RLIMIT_AS, "VmSize:"), (resource.RLIMIT_DATA, "VmData:")):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY:
            yield limit, _statistic(STATUS, name) * 1024


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # “max” is no number
        return None


def _statistic(path: Path, name: str) -> int:
    """The number after `name` in a file of such lines; 0 if there is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(words[1]) for line in lines if (words := line.split()) and words[0] == name), 0)


def keep_for_reuse() -> None:
    """Have the C library keep some of what is freed, for the next batch, instead of asking the system every time.

    The large arrays of a batch would each be mapped, filled with zeros and unmapped again, which takes a fifth of the
    time of a long one. And all threads share two heaps: with one for each, every thread would keep its own largest
    batch. Does nothing where the library is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in ((M_MMAP_THRESHOLD, 16 * MIB), (M_TRIM_THRESHOLD, 64 * MIB), (M_ARENA_MAX, 2)):
            mallopt(parameter, value)


def give_back() -> None:
    """Return to the system what was freed: the C library keeps it otherwise, in case it is asked for again."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # glibc has it
        trim(0)
