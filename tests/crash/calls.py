"""Reads what strace wrote, one system call after another.

Strings are expected in hexadecimal (-xx) and whole; a string that strace cut short is an error, because the bytes
that are missing would be missing on the disk of the model too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

FORKS = ("clone", "clone3", "fork", "vfork")

_LINE = re.compile(r"(\d+) +(.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_NAME = re.compile(r"(\w+)\(")
_RESULT = re.compile(r"\) += (-?(?:0x[0-9a-f]+|\d+)|\?)(?: .*)?$")
_UNFINISHED = "<unfinished ...>"
_STOPS = ",)]}"


class TraceError(Exception):
    """The recording cannot be trusted."""


@dataclass(frozen=True)
class Call:
    """A system call that succeeded.

    `arguments` are bytes (strings), int, str (flags and the like), list (arrays) and dict (structures). `begun` and
    `ended` are line numbers of the trace: calls of several threads overlap.
    """

    pid: int
    name: str
    arguments: list[Any]
    result: int
    begun: int
    ended: int


def read_calls(lines: Iterable[str]) -> list[Call]:
    """The calls that succeeded, in the order in which they ended.

    A call that makes a process or a thread stands where it began: its child may be at work before it ends.

    Raises TraceError.
    """
    calls: list[Call] = []
    open_calls: dict[int, tuple[int, str]] = {}
    for number, line in enumerate(lines):
        match = _LINE.match(line.rstrip("\n"))
        if match is None:
            raise TraceError(f"line {number + 1} is not of a trace: {line[:80]!r}")
        pid, text, begun = int(match[1]), match[2], number
        if text.startswith(("---", "+++", "????")):
            continue
        if resumed := _RESUMED.match(text):
            begun, start = open_calls.pop(pid)
            text = start + resumed[2]
        if text.endswith(_UNFINISHED):
            open_calls[pid] = (begun, text.removesuffix(_UNFINISHED).rstrip(" "))
            continue
        call = _call(pid, text, begun, number)
        if call is not None:
            calls.append(call)
    return sorted(calls, key=lambda call: call.begun if call.name in FORKS else call.ended)


def _call(pid: int, text: str, begun: int, ended: int) -> Call | None:
    name, result = _NAME.match(text), _RESULT.search(text)
    if name is None or result is None:
        raise TraceError(f"line {ended + 1} cannot be read: {text[:80]!r}")
    if result[1] == "?" or result[1].startswith("-"):
        return None
    arguments = _Reader(text[name.end() : result.start() + 1]).values(")")
    return Call(pid, name[1], arguments, int(result[1], 0), begun, ended)


class _Reader:
    """Takes the arguments of one call apart."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def values(self, end: str) -> list[Any]:
        """Values divided by commas, up to and with `end`."""
        found: list[Any] = []
        while True:
            self._skip()
            if self._take(end):
                return found
            found.append(self._value())
            self._skip()
            if self._take("=>"):  # what the kernel made of it
                self._skip()
                self._value()
                self._skip()
            if not self._take(",") and not self._text.startswith(end, self._at):
                raise TraceError(f"arguments that cannot be read: {self._text[self._at :][:80]!r}")

    def _value(self) -> Any:
        if self._take('"'):
            return self._string()
        if self._take("["):
            return self.values("]")
        if self._take("{"):
            return self._fields()
        return self._word()

    def _string(self) -> bytes:
        end = self._text.index('"', self._at)
        digits = self._text[self._at : end].replace("\\x", "")
        self._at = end + 1
        if self._text.startswith("...", self._at):
            raise TraceError("a string was cut short: record with a larger -s")
        return bytes.fromhex(digits)

    def _fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        while True:
            self._skip()
            if self._take("}"):
                return fields
            if self._take("..."):
                continue
            end = self._text.index("=", self._at)
            name = self._text[self._at : end]
            self._at = end + 1
            fields[name] = self._value()
            self._skip()
            if self._take("=>"):
                self._skip()
                self._value()
                self._skip()
            self._take(",")

    def _word(self) -> int | str:
        start, depth = self._at, 0
        while self._at < len(self._text):
            letter = self._text[self._at]
            if depth == 0 and (letter in _STOPS or self._text.startswith((" =>", " /*"), self._at)):
                break
            depth += (letter == "(") - (letter == ")")
            self._at += 1
        word = self._text[start : self._at].strip()
        try:
            return int(word, 8) if word.startswith("0") and word.isdigit() else int(word, 0)
        except ValueError:
            return word

    def _skip(self) -> None:
        while self._at < len(self._text):
            if self._text[self._at] == " ":
                self._at += 1
            elif self._text.startswith("/*", self._at):
                self._at = self._text.index("*/", self._at) + 2
            else:
                return

    def _take(self, text: str) -> bool:
        found = self._text.startswith(text, self._at)
        self._at += len(text) * found
        return found
