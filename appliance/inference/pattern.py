r"""Patterns: a small regular grammar for answers, in the way of writing that regular expressions have.

    a          the character itself; \ before . | ( ) [ ] { } ? * + ^ $ \ and other signs makes them ordinary
    \n \t      the end of a line, a tab
    .          any character but the end of a line
    [a-zé-]    one of these characters; [^a-z] any other, the end of a line too
    ab         one after the other
    a|b        the one or the other
    (ab)       as one part
    a? a* a+   at most once; any number of times, none too; once at least
    a{3} a{2,} a{2,5}    so many times

A pattern is about the whole answer, so it needs no ^ and no $. Characters are Unicode code points. What means
something else elsewhere (\d, lazy repetitions, references) is refused, so that a pattern means here what it means to
Python's `re.fullmatch`, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

Range = tuple[int, int]  # of code points, the last one included

LINE = ord("\n")
LAST = 0x10FFFF
NOT_IN_TEXT: Range = (0xD800, 0xDFFF)  # halves of characters in UTF-16
SPECIAL = frozenset(".|()[]{}?*+^$\\")
ESCAPES = {"n": "\n", "t": "\t"}
TIMES = re.compile(r"\{([0-9]{1,6})(,?)([0-9]{0,6})\}")
DEEPEST = 50  # groups in groups


@dataclass(frozen=True)
class Characters:
    """One character out of `ranges`, which are in order and do not touch."""

    ranges: tuple[Range, ...]


@dataclass(frozen=True)
class Sequence:
    """`parts` one after the other; none is the empty text."""

    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Either:
    """One of `options`."""

    options: tuple[Part, ...]


@dataclass(frozen=True)
class Repeat:
    """`part` `least` to `most` times; with `most` None without bound."""

    part: Part
    least: int
    most: int | None


Part = Characters | Sequence | Either | Repeat


class PatternError(ValueError):
    """A pattern that cannot be used; says where and why."""

    def __init__(self, pattern: str, reason: str, place: int | None = None) -> None:
        where = "" if place is None else f" at character {place + 1}"
        super().__init__(f"pattern {pattern!r}{where}: {reason}")


def literal(text: str) -> Part:
    """Just `text`."""
    return Sequence(tuple(Characters(((ord(character), ord(character)),)) for character in text))


def parse(pattern: str) -> Part:
    """What `pattern` says.

    Raises:
        PatternError: it is not written as above.
    """
    parser = _Parser(pattern)
    part = parser.either(0)
    if parser.rest:
        parser.refuse("there is no ( for this )")
    return part


class _Parser:
    """Reads a pattern from its beginning; every method leaves its place after what it read."""

    def __init__(self, pattern: str) -> None:
        self._pattern, self._place = pattern, 0

    @property
    def rest(self) -> bool:
        return self._place < len(self._pattern)

    def refuse(self, reason: str) -> NoReturn:
        raise PatternError(self._pattern, reason, self._place)

    def either(self, depth: int) -> Part:
        if depth > DEEPEST:
            self.refuse(f"more than {DEEPEST} groups in each other")
        options = [self._sequence(depth)]
        while self._take("|"):
            options.append(self._sequence(depth))
        return options[0] if len(options) == 1 else Either(tuple(options))

    def _sequence(self, depth: int) -> Part:
        parts = []
        while self.rest and self._next not in "|)":
            parts.append(self._repeated(depth))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _repeated(self, depth: int) -> Part:
        part = self._one(depth)
        times = self._times()
        if times is None:
            return part
        if self.rest and self._next in "?*+{":
            self.refuse("repeated twice; put what is repeated first into ( )")
        return Repeat(part, *times)

    def _times(self) -> tuple[int, int | None] | None:
        for sign, times in (("?", (0, 1)), ("*", (0, None)), ("+", (1, None))):
            if self._take(sign):
                return times
        if not self.rest or self._next != "{":
            return None
        found = TIMES.match(self._pattern, self._place)
        if found is None:
            self.refuse("after { come one or two numbers and }")
        least, comma, most = found.groups()
        if most and int(most) < int(least):
            self.refuse("the second number is smaller than the first")
        self._place = found.end()
        return int(least), int(most) if most else None if comma else int(least)

    def _one(self, depth: int) -> Part:
        if self._take("("):
            if self.rest and self._next == "?":
                self.refuse("groups that begin with (? are not known here")
            part = self.either(depth + 1)
            if not self._take(")"):
                self.refuse("a ) is missing")
            return part
        if self._take("["):
            return Characters(self._class())
        if self._take("."):
            return Characters(_others([(LINE, LINE)]))
        if self._next != "\\" and self._next in SPECIAL:
            self.refuse(f"to write {self._next} itself, put \\ before it")
        character = self._character()
        return Characters(((character, character),))

    def _class(self) -> tuple[Range, ...]:
        """The characters up to the closing bracket; the opening one was read."""
        negated = self._take("^")
        ranges: list[Range] = []
        while not self._take("]"):
            if self.rest and self._next == "[":
                self.refuse("to write [ itself, put \\ before it")
            first = last = self._character()
            if self._pattern.startswith("-", self._place) and not self._pattern.startswith("-]", self._place):
                self._place += 1
                last = self._character()
                if last < first:
                    self.refuse("a range whose end comes before its beginning")
            ranges.append((first, last))
        found = _others(ranges) if negated else _without(_merged(ranges), NOT_IN_TEXT)
        if not found or not ranges:
            self.refuse("no character between [ and ]")
        return found

    def _character(self) -> int:
        if not self.rest:
            self.refuse("the pattern ends too early")
        character = self._next
        if character == "\\":
            escaped = self._pattern[self._place + 1 : self._place + 2]
            character = ESCAPES.get(escaped, escaped)
            if not escaped or (escaped not in ESCAPES and escaped.isascii() and escaped.isalnum()):
                self.refuse(f"\\{escaped} is not known here")
            self._place += 1
        if NOT_IN_TEXT[0] <= ord(character) <= NOT_IN_TEXT[1]:
            self.refuse("half a character")
        self._place += 1
        return ord(character)

    def _take(self, sign: str) -> bool:
        found = self._pattern.startswith(sign, self._place)
        self._place += found
        return found

    @property
    def _next(self) -> str:
        return self._pattern[self._place]


def _others(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """All characters that are in none of `ranges`."""
    found, first = [], 0
    for low, high in _merged([*ranges, NOT_IN_TEXT]):
        if first < low:
            found.append((first, low - 1))
        first = high + 1
    return (*found, (first, LAST)) if first <= LAST else tuple(found)


def _merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The same characters in order, in ranges that do not touch."""
    found: list[Range] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def _without(ranges: Iterable[Range], hole: Range) -> tuple[Range, ...]:
    parts = [part for low, high in ranges for part in ((low, min(high, hole[0] - 1)), (max(low, hole[1] + 1), high))]
    return _merged(part for part in parts if part[0] <= part[1])
