"""A long computation as a process of its own, with the memory settings that the C library reads when it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from models.errors import FactoryError

# Keeping freed memory instead of giving it back to the kernel after every update, and sleeping instead of spinning
# between two of them, made an update 2.5 times faster.
ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(8 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
    "OMP_WAIT_POLICY": "PASSIVE",
}


def compute(module: str, recipe: Path, work: Path, threads: int, **options: float | None) -> None:
    """Run `python -m module RECIPE --work WORK --threads THREADS`, and each of `options` that is not None.

    Raises:
        FactoryError: it failed; what was wrong it has written to the error output, which is ours.
    """
    command = [sys.executable, "-m", module, str(recipe), "--work", str(work), "--threads", str(threads)]
    for name, value in options.items():
        if value is not None:
            command += [f"--{name}", str(value)]
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": path}
    if subprocess.run(command, env=environment, check=False).returncode != 0:  # noqa: S603 - our own module
        raise FactoryError(f"{module} stopped with the error above; the same command takes it up where it was.")
