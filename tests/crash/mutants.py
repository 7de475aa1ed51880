"""Mistakes that the harness must find: each is built into the recorded process, and crash points must fail."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from appliance.storage import atomic
from tests.crash.promises import Promises
from tests.crash.trace import SITE

DEPTH = 4  # functions that name a place in the program


def name_flushes(promises: Promises) -> None:
    """Let every flush say from where in the program it is called."""
    for name in ("fsync", "fdatasync"):
        setattr(os, name, _naming(getattr(os, name), promises))


def _naming(flush: Callable[[int], None], promises: Promises) -> Callable[[int], None]:
    def named(descriptor: int) -> None:
        promises.say(f"{SITE}{_site()}")
        flush(descriptor)

    return named


def _site() -> str:
    """The functions of the box that led here, innermost first."""
    found, frame = [], sys._getframe(2)
    while frame is not None and len(found) < DEPTH:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("appliance."):
            found.append(f"{module.rpartition('.')[2]}.{frame.f_code.co_name}")
        frame = frame.f_back  # type: ignore[assignment]
    return " < ".join(found)


def _in_place(path: Path, content: bytes, **_: object) -> None:
    """Without a temporary file."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    atomic.flush_folder(path.parent)


def _late_flush(path: Path, content: bytes, **_: object) -> None:
    """Renamed before its content is flushed."""
    temporary = path.with_name(f".{path.name}.mutation.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        temporary.replace(path)
        os.fsync(file.fileno())
    atomic.flush_folder(path.parent)


def _remove_first(path: Path, content: bytes, **_: object) -> None:
    """The old file is removed before the new one gets its name."""
    temporary = path.with_name(f".{path.name}.mutation.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.unlink(missing_ok=True)
    temporary.rename(path)
    atomic.flush_folder(path.parent)


def _everywhere(name: str, replacement: Callable[..., object]) -> Callable[[], None]:
    """Put `replacement` in the place of a function of storage.atomic, wherever it was imported."""

    def apply() -> None:
        original = getattr(atomic, name)
        for module in list(sys.modules.values()):
            if getattr(module, "__name__", "").startswith("appliance.") and getattr(module, name, None) is original:
                setattr(module, name, replacement)

    return apply


MUTANTS: dict[str, Callable[[], None]] = {
    "written in place": _everywhere("write_atomically", _in_place),
    "renamed before it is flushed": _everywhere("write_atomically", _late_flush),
    "removed before it is renamed": _everywhere("write_atomically", _remove_first),
}
