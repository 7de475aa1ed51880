"""Runs a scenario in a process of its own under strace, and reads what it did to the disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.crash.calls import TraceError, read_calls
from tests.crash.disk import Recording, scan
from tests.crash.place import ROOT, Place
from tests.crash.trace import RECORDED, UNSEEN, Trace

LONGEST = 64 * 1024 * 1024  # bytes of one write
UNREAD = "read,readv"  # of these only the count matters


@cache
def missing() -> str:
    """Why nothing can be recorded on this machine; "" if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False, timeout=60)
    return "" if tried.returncode == 0 else "strace may not watch processes here"


def record(scenario: str, place: Place, work: Path, *, slow: bool = False, mutant: str = "") -> Recording:
    """What `scenario` does to `place.disk`, which is as it was prepared. Raises TraceError."""
    marks = work / "marks"
    command = [sys.executable, "-m", "tests.crash.child", scenario, str(place.disk), str(place.shelf), str(marks)]
    command += [f"--mutant={mutant}"] * bool(mutant) + ["--slow"] * slow
    return record_command(command, place.disk, marks, work)


def record_command(command: list[str], disk: Path, marks: Path, work: Path) -> Recording:
    """What `command`, run in the folder of the project, does below `disk`; what it writes to `marks` are marks.

    Raises:
        TraceError: it failed, or what is on the disk in the end is not what the calls say.
    """
    before, trace_file = scan(disk), work / "trace"
    strace = ["strace", "-f", "-qq", "-xx", "-v", "-a1", "-s", str(LONGEST), "-o", str(trace_file), "--seccomp-bpf"]
    strace += ["-e", f"trace={','.join(RECORDED)}", "-e", f"raw={UNREAD}", "-e", "signal=none"]
    done = subprocess.run([*strace, *command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        raise TraceError(f"the recorded process failed:\n{done.stdout}{done.stderr}")
    trace = Trace(disk, marks, before, ROOT)
    with trace_file.open(encoding="ascii") as lines:
        recording = trace.read(read_calls(lines))
    now = {path: content for path, content in scan(disk).items() if not path.endswith(UNSEEN)}
    said = trace.tree()
    if odd := sorted(path for path in now.keys() | said.keys() if now.get(path, 0) != said.get(path, 0)):
        raise TraceError(f"not everything was seen: {', '.join(odd)}")
    return recording
