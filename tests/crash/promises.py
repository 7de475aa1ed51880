"""What a program promised before the power went, and what must be found afterwards.

The program says on a file of its own, line by line, what it is about to change and that it is changed. A change that
was said to be done must be found; one that was begun may be found whole or not at all; nothing else may have changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

Facts = dict[str, str]  # what a box can show: “document ann/Seeds” → its text
Changes = Mapping[str, str | None]  # None: it goes away

BEGIN, END = '"begin cutting"', '"end cutting"'  # JSON, as all that is said


class Promises:
    """The recorded program's side."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._count = descriptor, 0

    @contextmanager
    def change(self, changes: Changes, meanwhile: Sequence[str] = (), fragile: bool = False) -> Iterator[None]:
        """Around the call that makes the changes, all of them or none; `meanwhile` nothing is said of those.

        `fragile`: a cut may also take all that is changed away.
        """
        self._count += 1
        number = self._count
        self.say(json.dumps({"number": number, "begin": changes, "meanwhile": meanwhile, "fragile": fragile}))
        yield
        self.say(json.dumps({"number": number, "done": changes}))

    @contextmanager
    def cutting(self) -> Iterator[None]:
        """Around what the scenario is about: where there is little time, the power is cut only here."""
        self.say(BEGIN)
        yield
        self.say(END)

    def say(self, line: str) -> None:
        os.write(self._descriptor, f"{line}\n".encode())


class Ledger:
    """What holds after some of the marks."""

    def __init__(self, before: Facts, marks: Iterable[str]) -> None:
        self._kept: dict[str, str | None] = dict(before)
        self._begun: dict[int, Changes] = {}
        self._meanwhile: dict[int, list[str]] = {}
        self._fragile: dict[int, bool] = {}
        for mark in marks:
            said = json.loads(mark)
            if isinstance(said, str):
                continue
            if "begin" in said:
                self._begun[said["number"]], self._meanwhile[said["number"]] = said["begin"], said["meanwhile"]
                self._fragile[said["number"]] = said["fragile"]
            else:
                self._kept.update(self._begun.pop(said["number"]))
                del self._meanwhile[said["number"]]

    def wrong(self, seen: Facts) -> list[str]:
        """What should not be as it is, in words."""
        found: list[str] = []
        open_keys = {key for keys in self._meanwhile.values() for key in keys}
        for number, changes in self._begun.items():
            open_keys |= changes.keys()
            old = all(seen.get(key) == self._kept.get(key) for key in changes)
            new = all(seen.get(key) == value for key, value in changes.items())
            gone = self._fragile[number] and not any(key in seen for key in changes)
            if not (old or new or gone):
                found.append(f"neither old nor new: {', '.join(_words(key, seen.get(key)) for key in changes)}")
        for key in sorted((self._kept.keys() | seen.keys()) - open_keys):
            if seen.get(key) != self._kept.get(key):
                found.append(f"{_words(key, seen.get(key))}, promised: {_words(key, self._kept.get(key))}")
        return found


def _words(key: str, value: str | None) -> str:
    return f"{key} is gone" if value is None else f"{key} is {value}"
