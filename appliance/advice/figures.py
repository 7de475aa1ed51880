"""The figures of a sentence: numbers in digits and in words, with their units, the same in four languages.

“3 to 5 days”, “three to five days”, “de 3 a 5 días” and “siku 3 hadi 5” are one figure. Numbers in digits are read by
whoever reads them for translation, and given to `figures` as a plain function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest
from typing import Protocol

from appliance.advice.units import AFTER, BEFORE, COUNTED, FILLERS, JOINERS, NUMBERS, ONES, RANGES, UNITS, WITH_UNIT
from appliance.advice.words import fold


class Number(Protocol):
    """A number in digits: as it stands in a text, its value in one form for all languages, and where."""

    @property
    def text(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


ReadNumbers = Callable[[str], Iterable[Number]]


@dataclass(frozen=True)
class Figure:
    """`value`: “3”, “1/2”, “3–5”; `unit`: in English, "" if it has none that is known; where both stand in the text."""

    value: str
    unit: str
    start: int
    end: int


@dataclass(frozen=True)
class _Atom:
    """One number: a Fraction, or what is none (a time, a date, a code) as text."""

    value: Fraction | str
    start: int
    end: int
    in_words: bool = False
    unit: str = ""


WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
MINUS = re.compile(r"(?:^|(?<=[\s(]))[-−]$")
NO_NUMBER = re.compile(r"nusu[ -]mwezi")  # a half-moon, to catch water
OTHER = frozenset({"second", "other"})  # “every second day”
CLOCK = re.compile(r" (?:za |ya |kamili )?(?:mchana|asubuhi|jioni|usiku|alfajiri)\b")  # in Swahili an hour of the day
HUNDRED, THOUSAND = 100, 1000


def figures(text: str, language: str, numbers: ReadNumbers) -> list[Figure]:
    """The figures of `text`, in order. It has to be plain, as `translation.numbers` has it, so that places agree."""
    folded = _level(text)
    atoms = sorted([*_in_digits(text, numbers), *_in_words(folded, language)], key=lambda each: each.start)
    found: list[Figure] = []
    for first, last in _ranges(_joined(atoms, folded, language), text, folded, language):
        if found and first.start < found[-1].end:
            continue  # “cent” of “pour cent”
        unit, start, end = _unit(text, folded, first, last, language)
        if unit or not isinstance(first.value, Fraction) or first.value != 1 or not first.in_words:
            value = f"{first.value}" if first is last else f"{first.value}–{last.value}"
            found.append(Figure(value, unit, start, end))
    return found


def blanked(text: str, found: Iterable[Figure]) -> str:
    """`text` without its figures, all else in its place."""
    for each in found:
        text = text[: each.start] + " " * (each.end - each.start) + text[each.end :]
    return text


def _level(text: str) -> str:
    """Lower case without accents, each character in its place."""
    return "".join((fold(each) or " ")[:1] for each in text)


def _in_digits(text: str, numbers: ReadNumbers) -> Iterator[_Atom]:
    for each in numbers(text):
        value = _value(each)
        minus = MINUS.search(text[max(0, each.start - 2) : each.start])
        if minus and isinstance(value, Fraction):
            yield _Atom(-value, each.start - 1, each.end)
        else:
            yield _Atom(value, each.start, each.end)


def _value(number: Number) -> Fraction | str:
    over = re.fullmatch(r"(\d+)[/⁄](\d+)", number.text)
    if over and int(over[2]):
        return Fraction(int(over[1]), int(over[2]))
    if re.fullmatch(r"\d+(?:\.\d+)?", number.value) and not re.search(r"[:/⁄]|\d ?h", number.text.lower()):
        return Fraction(number.value)
    return number.text


def _in_words(folded: str, language: str) -> Iterator[_Atom]:
    known, ones, needy = (
        NUMBERS.get(language, {}),
        ONES.get(language, frozenset()),
        WITH_UNIT.get(language, frozenset()),
    )
    for match in WORD.finditer(folded):
        word, (start, end) = match.group(), match.span()
        if NO_NUMBER.match(folded, start):
            continue
        if word in ones:
            if re.match(rf"[ -](?:{'|'.join(known)})\b", folded[end:]):
                continue  # “one hundred”, “a half”
            yield _Atom(Fraction(1), start, end, in_words=True)
        elif word in OTHER and folded[:start].endswith("every "):
            yield _Atom(Fraction(2), start, end, in_words=True)
        elif word in COUNTED.get(language, {}):
            yield _Atom(Fraction(COUNTED[language][word]), start, end, in_words=True, unit="times")
        elif word in known and (word not in needy or _counts(folded, start, end, language)):
            yield _Atom(Fraction(known[word]), start, end, in_words=True)


def _counts(folded: str, start: int, end: int, language: str) -> bool:
    """Whether a word that may be no number is one here: a unit follows, or it is the rest of a number before it."""
    joined = any(folded[:start].endswith(f" {joiner} ") for joiner in JOINERS.get(language, ()))
    return joined or bool(_unit_after("", folded, end, language)[0])


def _joined(atoms: list[_Atom], folded: str, language: str) -> list[_Atom]:
    """Numbers of several words as one: “twenty-five”, “two hundred”, “1 1/2”, “kumi na tano”."""
    found: list[_Atom] = []
    for each in atoms:
        if found and each.start < found[-1].end:
            continue
        last = found[-1] if found else None
        gap = folded[last.end : each.start] if last else ""
        value = _together(last, each, gap, language) if last else None
        unit = "" if value is not None or not last else _unit_before_rest(gap, each, language)
        if last and unit and isinstance(last.value, Fraction) and isinstance(each.value, Fraction):
            found[-1] = _Atom(last.value + each.value, last.start, each.end, last.in_words, unit)
        elif last and value is not None:
            found[-1] = _Atom(value, last.start, each.end, last.in_words and each.in_words)
        else:
            found.append(each)
    return found


def _unit_before_rest(gap: str, rest: _Atom, language: str) -> str:
    """The unit in “two litres and a half”, given what stands between; "" if it is something else."""
    words = gap.split()
    if rest.value != Fraction(1, 2) or len(words) < 2 or " ".join(words[1:]) not in JOINERS.get(language, ()):
        return ""
    return _named(words[0], language)


def _together(one: _Atom, other: _Atom, gap: str, language: str) -> Fraction | None:
    left, right = one.value, other.value
    if isinstance(left, str) or isinstance(right, str) or one.unit or other.unit:
        return None
    close, joined = gap in (" ", "-"), gap.strip() in JOINERS.get(language, ())
    if 0 < right < 1 <= left and left.denominator == 1 and (gap == " " or joined):
        return left + right
    if not other.in_words:
        return None
    if language == "sw":
        if close and left in (HUNDRED, THOUSAND) and right < 10:
            return left * right
        tens = left >= 10 and left % 10 == 0 and right < HUNDRED and right < left
        return left + right if joined and tens else None
    if close and (right in (HUNDRED, THOUSAND) and left < right):
        return left * right
    if language == "fr" and close and left == 4 and right == 20:
        return Fraction(80)
    if not one.in_words or not (close or joined):
        return None
    teens = language == "fr" and left in (60, 80) and 10 <= right < 20
    tens = 20 <= left < HUNDRED and left % 10 == 0 and right < 10
    hundreds = left >= HUNDRED and left % HUNDRED == 0 and right < HUNDRED
    return left + right if teens or tens or hundreds else None


def _ranges(atoms: list[_Atom], text: str, folded: str, language: str) -> Iterator[tuple[_Atom, _Atom]]:
    """The first and the last number of each figure: two of a range, else the same one twice."""
    skip = False
    for one, other in zip_longest(atoms, atoms[1:]):
        if skip:
            skip = False
        elif other is not None and _is_range(one, other, text, folded, language):
            skip = True
            yield one, other
        else:
            yield one, one


def _is_range(one: _Atom, other: _Atom, text: str, folded: str, language: str) -> bool:
    if isinstance(one.value, str) or isinstance(other.value, str) or one.value == other.value:
        return False
    _, _, end = _unit_after(text, folded, one.end, language)
    between, words = RANGES.get(language, RANGES["en"])
    opened = re.search(rf"\b{between}\s+$", folded[max(0, one.start - 12) : one.start]) is not None
    joint = "|".join((*words, *(JOINERS.get(language, ()) if opened else ())))
    pattern = re.compile(rf"\s*(?:[-–—]\s*|(?:{joint})\s+(?:(?:{BEFORE.get(language, '(?!)')})\s+)?)")
    return any(pattern.fullmatch(folded, place, other.start) is not None for place in {one.end, end})


def _unit(text: str, folded: str, first: _Atom, last: _Atom, language: str) -> tuple[str, int, int]:
    """The unit of a figure, and where the figure with its unit begins and ends."""
    before = re.search(rf"\b({BEFORE[language]})\s+$", folded[: first.start]) if language in BEFORE else None
    if before:
        unit, clock = _named(before.group(1), language), CLOCK.match(folded, last.end)
        return "o'clock" if unit == "hour" and clock else unit, before.start(), last.end
    acid = re.search(r"\bph\s+$", folded[: first.start])
    if acid:
        return "pH", acid.start(), last.end
    if first.unit or last.unit:
        return first.unit or last.unit, first.start, last.end
    # A number in words has its unit in words: “a V” is a shape.
    unit, _, end = _unit_after("" if last.in_words else text, folded, last.end, language)
    if not unit and first is not last:  # “a day or two”
        unit, _, _ = _unit_after("" if first.in_words else text, folded, first.end, language)
        return unit, first.start, last.end
    return unit, first.start, end if unit else last.end


def _unit_after(text: str, folded: str, place: int, language: str) -> tuple[str, int, int]:
    """The unit that begins at `place`, "" if none does, and where it stands; signs are read as they are written."""
    sign = AFTER.match(text, place)
    if sign:
        return UNITS["signs"][sign.group(1)], sign.start(1), sign.end()
    filler = FILLERS.get(language, FILLERS["en"])
    word = re.compile(rf"\s*-?\s*(?:{filler})?([a-z]+(?: ciento| cents?\b)?)").match(folded, place)
    name = _named(word.group(1), language) if word else ""
    if word and not name and " " in word.group(1):
        name = _named(word.group(1).split()[0], language)
    return (name, word.start(1), word.end()) if word and name else ("", place, place)


def _named(word: str, language: str) -> str:
    return UNITS.get(language, {}).get(word, "")
