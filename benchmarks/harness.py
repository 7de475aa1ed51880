"""What every benchmark shares: a quiet machine, pinned cores, interleaved rounds, a table, JSON, targets.

Times depend on the machine and on its mood; ratios of times that were taken turn by turn in one run do not. So the
cases of a benchmark are run one after the other, round by round, and the median of each is told.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "build" / "benchmarks"
RIVALS = ROOT / ".venv-rivals" / "bin" / "python"
BUSY = 10.0  # percent of a core that another process may take
PACKAGES = ("onnxruntime", "numpy", "ctranslate2", "llama-cpp-python", "onnxruntime-genai", "transformers", "torch")


@dataclass(frozen=True)
class Row:
    """One figure. `target` is what it should be at least (`at_least`) or at most; None: it is told only."""

    name: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = True

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "met" if (self.value >= self.target) == self.at_least or self.value == self.target else "missed"

    def line(self) -> str:
        """`name value unit target met|missed`, the last two “-” where there is no target."""
        target = "-" if self.target is None else f"{'>=' if self.at_least else '<='}{self.target:g}"
        return f"{self.name} {self.value:.4g} {self.unit} {target} {self.verdict or '-'}"


def machine() -> dict[str, Any]:
    """What the figures were taken on: processor, cores, memory, and the versions of what is installed."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "versions": versions,
        "date": time.strftime("%Y-%m-%d"),
    }


def quiet_machine(arguments: Sequence[str] = ()) -> None:
    """End the benchmark, saying what runs, unless nothing else does; `--anyway` measures all the same."""
    if "--anyway" in (arguments or sys.argv):
        return
    own = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
    others = [process for process in psutil.process_iter(["name", "cmdline"]) if process.pid not in own]
    for process in others:
        _percent(process)  # the first call of psutil begins the interval
    time.sleep(1.0)
    found = sorted(((_percent(process), process) for process in others), key=lambda each: -each[0])
    busy = [(percent, process) for percent, process in found if percent > BUSY]
    if busy:
        told = "; ".join(f"{percent:.0f} % {_name(process)} ({process.pid})" for percent, process in busy[:3])
        sys.exit(f"Other programs are at work: {told}. Stop them, or add --anyway and believe the ratios only.")


def pin(cores: int) -> list[int]:
    """Keep this process, and what it starts, on the first `cores` of those it may use; their numbers."""
    chosen = sorted(os.sched_getaffinity(0))[:cores]
    os.sched_setaffinity(0, chosen)
    return chosen


def interleave(cases: Mapping[str, Callable[[], float]], rounds: int, warm_ups: int = 1) -> dict[str, list[float]]:
    """What each of `cases` returned (seconds, say), `rounds` times each.

    All cases of a round come before the next, and each round begins with another one.
    """
    taken: dict[str, list[float]] = {name: [] for name in cases}
    names = list(cases)
    for number in range(warm_ups + rounds):
        first = number % len(names)  # whoever comes after a certain other one would gain or lose by it each time
        for name in names[first:] + names[:first]:
            value = cases[name]()
            if number >= warm_ups:
                taken[name].append(value)
        if sys.stderr.isatty():
            print(f"\r  round {number + 1} of {warm_ups + rounds} ", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return taken


def medians(taken: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: statistics.median(values) for name, values in taken.items()}


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def report(name: str, rows: Sequence[Row], measured: Mapping[str, Any] | None = None) -> None:
    """Print the rows, a line each, and keep them with `measured` in build/benchmarks/NAME.json."""
    about = machine()
    RESULTS.mkdir(parents=True, exist_ok=True)
    kept = {"benchmark": name, "machine": about, "rows": [asdict(row) for row in rows], "measured": measured or {}}
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    versions = ", ".join(f"{package} {number}" for package, number in about["versions"].items())
    print(f"{about['processor']}, {about['cores']} cores; {versions}; {path.relative_to(ROOT)}")
    for row in rows:
        print(row.line())


class Rival:
    """Another engine, in its own process and environment: a JSON object a line to it, one back.

    `module` is one of benchmarks.rivals; what it writes to its error output is ours.
    """

    def __init__(self, module: str, *arguments: str, python: Path = RIVALS) -> None:
        if not python.exists():
            sys.exit(f"The rivals are not installed ({python} is missing): make rivals")
        self._process = subprocess.Popen(
            [str(python), "-m", f"benchmarks.rivals.{module}", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.about = self._read()

    def ask(self, **question: Any) -> dict[str, Any]:
        """The rival's answer. Ends the benchmark if it has broken."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # _read says that it has ended
        return self._read()

    def memory(self) -> int:
        """Bytes of memory that it has now (resident)."""
        return int(psutil.Process(self._process.pid).memory_info().rss)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def __enter__(self) -> Rival:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit("A rival ended with the error above.")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.machine()


def _percent(process: psutil.Process) -> float:
    try:
        return float(process.cpu_percent())
    except psutil.Error:
        return 0.0


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()[:4]) or process.name()
    except psutil.Error:
        return "a process"
