"""Mistakes that the harness must find: each is built into the recorded process, and crash points must fail."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
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
        if module.startswith("appliance.") or module == __name__:
            found.append(f"{module.rpartition('.')[2]}.{frame.f_code.co_name}")
        frame = frame.f_back  # type: ignore[assignment]
    return " < ".join(found)


def _in_place(path: Path, content: bytes, *_: object, **__: object) -> None:
    """Without a temporary file."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    atomic.flush_folder(path.parent)


def _late_flush(path: Path, content: bytes, *_: object, **__: object) -> None:
    """Renamed before its content is flushed."""
    temporary = path.with_name(f".{path.name}.mutation.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        temporary.replace(path)
        os.fsync(file.fileno())
    atomic.flush_folder(path.parent)


def _remove_first(path: Path, content: bytes, *_: object, **__: object) -> None:
    """The old file is removed before the new one gets its name."""
    temporary = path.with_name(f".{path.name}.mutation.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.unlink(missing_ok=True)
    temporary.rename(path)
    atomic.flush_folder(path.parent)


def build_in(name: str) -> None:
    """Put the mistake in the place of `storage.atomic.write_atomically`, wherever that was imported."""
    original = atomic.write_atomically
    for module in list(sys.modules.values()):
        ours = getattr(module, "__name__", "").startswith("appliance.")
        if ours and getattr(module, "write_atomically", None) is original:
            module.write_atomically = MUTANTS[name]  # type: ignore[attr-defined]


def is_made(name: str, sites: Iterable[str]) -> bool:
    """Whether the mistake was made at one of the places that flushed something."""
    return any(f"mutants.{MUTANTS[name].__name__}" in site for site in sites)


MUTANTS: dict[str, Callable[..., None]] = {
    "written in place": _in_place,
    "renamed before it is flushed": _late_flush,
    "removed before it is renamed": _remove_first,
}
