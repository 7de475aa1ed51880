"""Are the numbers of a sentence in its translation? A model may change one, and nobody would see it.

And a way to help a model that does: it is given the sentence with numbers that are easy to copy in the place of the
true ones, and the true ones are put back where it wrote the easy ones (decision 13).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

# Digits with the marks that stand inside numbers, dates and times. A range (3-5) is two numbers.
NUMBER = re.compile(
    r"\d+(?:-\d+){2,}"  # 2026-05-03, 0712-345-678
    r"|(?<!\d)0\d{1,3}(?: \d{2,4}){2,}(?!\d)"  # 0712 345 678
    r"|(?<!\d)\d{1,2} ?[hH] ?\d\d(?!\d)"  # 14 h 35
    r"|(?<!\d)\d{1,3}(?: \d{3})+(?:[.,]\d+)?(?!\d)"  # 12 345,50
    r"|\d+(?:[.,:/’'⁄]\d+)*"
)
GROUPED = re.compile(r"([1-9]\d{0,2}(?:([ .,’'])\d{3})(?:\2\d{3})*)(?:(?!\2)[.,](\d+))?")
MARKS = re.compile(r"\D+")
YEAR = re.compile(r"(?:1[89]|20)\d\d")

# How a language writes numbers: (between thousands, before decimals).
FORMS = {
    "en": (",", "."),
    "sw": (",", "."),
    "ha": (",", "."),
    "am": (",", "."),
    "hi": (",", "."),
    "es": (".", ","),
    "pt": (".", ","),
    "fr": ("\u00a0", ","),
}
# Words for small numbers, so that “3 goats” and “tres cabras” agree. “One” is left out: it is also “a”.
WORDS = {
    "en": "two three four five six seven eight nine ten eleven twelve",
    "es": "dos tres cuatro cinco seis siete ocho nueve diez once doce",
    "fr": "deux trois quatre cinq six sept huit neuf dix onze douze",
    "sw": "mbili tatu nne tano sita saba nane tisa kumi",
}
WORD = re.compile(r"[^\W\d_]+")
# Numbers that models have seen often, by how many digits they have: stand-ins for others of as many.
EASY = {
    1: "5 8 6 4 7".split(),
    2: "12 20 15 10 25 30".split(),
    3: "250 300 150 500 120".split(),
    4: "2500 1500 3200 1200".split(),
}
EASY_YEARS = "2010 2015 1990 2005".split()
EASY_TIMES = "10:30 9:15 8:45 11:20".split()
PLAIN = "20 30 40 50 60 15".split()
ATTEMPTS = 3


@dataclass(frozen=True)
class Number:
    """A number in a text: as it stands there, and its value in one form for all languages."""

    text: str
    value: str
    start: int
    end: int


def plain(text: str) -> str:
    """`text` with one kind of space, and fractions and raised figures as models write them: “½” as “1⁄2”."""
    return "".join(
        unicodedata.normalize("NFKC", each) if unicodedata.category(each) in ("No", "Zs") else each for each in text
    )


def find(text: str) -> Iterator[Number]:
    """The numbers of a `plain` text, in order."""
    for match in NUMBER.finditer(text):
        yield Number(match.group(), _value(match.group()), match.start(), match.end())


def differing(source: str, target: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(numbers that `target` lacks, numbers that it has beyond those of `source`), as they are written, in order.

    1,234.5 and 1.234,5 are the same number, 14:35 and 14 h 35 the same time; 1.5 and 15 are two, 3/5 and 5/3 as well.
    """
    here, there = list(find(plain(source))), list(find(plain(target)))
    return _beyond(here, there), _beyond(there, here)


def differing_in(source: str, target: str, languages: tuple[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """As `differing`, less the small numbers that are there in words; `languages` are those of the two texts."""
    missing, added = differing(source, target)
    return _not_in_words(missing, target, languages[1]), _not_in_words(added, source, languages[0])


def agree(source: str, target: str) -> bool:
    """Whether `target` has the numbers of `source`, in digits, and no others."""
    return differing(source, target) == ((), ())


def stand_ins(source: str) -> list[tuple[str, dict[str, str]]]:
    """`source` with easy numbers for its own, in a few ways: (text, the true number of each easy one's value).

    “1” stays: the words around it are in the singular. None where there is nothing else, or two of the true numbers
    have one value in two forms, so that it would not be known which to put back.
    """
    text = plain(source)
    found = list(find(text))
    different = {each.text: each for each in found if each.value != "1"}
    if not different or len({each.value for each in different.values()}) != len(different):
        return []
    ways = []
    for attempt in range(ATTEMPTS):
        easy = _chosen(list(different), {each.value for each in found}, attempt)
        if easy:
            ways.append((_replaced(text, easy), {_value(stand_in): written for written, stand_in in easy.items()}))
    return ways


def _chosen(numbers: list[str], taken: set[str], attempt: int) -> dict[str, str]:
    """A stand-in for each of `numbers`, all of other values than those `taken`; empty if there are not enough."""
    chosen: dict[str, str] = {}
    for place, written in enumerate(numbers):
        for candidate in _easy(written, place + attempt, in_shape=attempt < ATTEMPTS - 1):
            if _value(candidate) not in taken:
                chosen[written] = candidate
                taken.add(_value(candidate))
                break
        else:
            return {}
    return chosen


def put_back(target: str, true: dict[str, str], easy_text: str, languages: tuple[str, str]) -> str:
    """`target`, which agrees with the text of stand-ins `easy_text`, with the `true` numbers in their places.

    A number takes the marks of the stand-in it replaces where it has as many groups of digits, else those of the
    language of the target; `languages` are those of source and target.
    """
    easy_forms = {each.value: each.text for each in find(easy_text)}
    text = plain(target)
    parts, end = [], 0
    for each in find(text):
        parts.append(text[end : each.start])
        number = true.get(each.value)
        parts.append(each.text if number is None else _in_form(number, easy_forms[each.value], each.text, languages))
        end = each.end
    return "".join(parts) + text[end:]


def localised(number: str, source: str, target: str) -> str:
    """`number`, as language `source` writes it, in the form of `target`: 1,250.50 as 1.250,50.

    One that is not written so (a date, a time, a code) stays as it is: to change what is not understood is to lie.
    """
    if source not in FORMS or target not in FORMS:
        return number
    (between, before), (new_between, new_before) = FORMS[source], FORMS[target]
    between = " " if between == "\u00a0" else between
    thousands = re.fullmatch(rf"\d{{1,3}}(?:{re.escape(between)}\d{{3}})+(?:{re.escape(before)}\d+)?", number)
    decimal = re.fullmatch(rf"\d+{re.escape(before)}\d+", number)
    if not thousands and not decimal:
        return number
    whole, mark, rest = number.partition(before)
    return whole.replace(between, new_between) + (new_before if mark else "") + rest


def _value(written: str) -> str:
    """One form for a number however it is written: digits in ASCII, no mark between thousands, "." for other marks."""
    ascii_digits = "".join(str(unicodedata.decimal(each, each)) for each in written)
    grouped = GROUPED.fullmatch(ascii_digits)
    if grouped:
        whole, rest = MARKS.sub("", grouped.group(1)), grouped.group(3)
        return f"{whole}.{rest}" if rest else whole
    return MARKS.sub(".", ascii_digits)


def _beyond(ones: list[Number], others: list[Number]) -> tuple[str, ...]:
    """The texts of those of `ones` that `others` has not, or not as often."""
    left = Counter(each.value for each in others)
    found = []
    for each in ones:
        if left[each.value] > 0:
            left[each.value] -= 1
        else:
            found.append(each.text)
    return tuple(found)


def _not_in_words(numbers: tuple[str, ...], text: str, language: str) -> tuple[str, ...]:
    """Those of `numbers` that do not stand in `text` as words."""
    words = Counter(WORD.findall(text.lower()))
    left = []
    for number in numbers:
        place = int(number) - 2 if number.isdecimal() and number.isascii() and len(number) < 3 else -1
        known = WORDS.get(language, "").split()
        if 0 <= place < len(known) and words[known[place]] > 0:
            words[known[place]] -= 1
        else:
            left.append(number)
    return tuple(left)


def _easy(written: str, turn: int, in_shape: bool) -> list[str]:
    """Stand-ins for a number, best first, each `turn` another one: of its shape (10:30 for 14:35), or plain ones."""
    groups, marks = MARKS.split(written), MARKS.findall(written)
    is_code = len(groups) > 3 or max(map(len, groups)) > max(EASY) or re.match(r"0\d", written)
    if is_code or not in_shape:
        return _turned(PLAIN, turn)
    if marks and (marks[0] == ":" or "h" in marks[0].lower()):
        return [time.replace(":", marks[0]) for time in _turned(EASY_TIMES, turn)]
    return [
        "".join(
            _easy_group(group, turn + shift + rank) + mark
            for rank, (group, mark) in enumerate(zip(groups, [*marks, ""], strict=True))
        )
        for shift in range(len(EASY_YEARS))
    ]


def _easy_group(digits: str, turn: int) -> str:
    return _turned(EASY_YEARS if YEAR.fullmatch(digits) else EASY[len(digits)], turn)[0]


def _turned(items: list[str], by: int) -> list[str]:
    by %= len(items)
    return [*items[by:], *items[:by]]


def _replaced(text: str, numbers: dict[str, str]) -> str:
    parts, end = [], 0
    for each in find(text):
        parts += [text[end : each.start], numbers.get(each.text, each.text)]
        end = each.end
    return "".join(parts) + text[end:]


def _in_form(number: str, easy: str, written: str, languages: tuple[str, str]) -> str:
    """`number` as the model wrote its stand-in `easy`: with the marks of `written`, if their groups pair up."""
    groups, easy_groups, written_groups = (MARKS.split(each) for each in (number, easy, written))
    if len(groups) == len(easy_groups) == len(written_groups) and MARKS.findall(number) == MARKS.findall(easy):
        marks = [*MARKS.findall(written), ""]
        formed = "".join(group + mark for group, mark in zip(groups, marks, strict=True))
        if _value(formed) == _value(number):
            return formed
    return localised(number, *languages)
