"""Are the numbers of a sentence in its translation? A model may change one, and nobody would see it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

# Digits with the marks that stand inside numbers, dates and times; 1,234.5 and 1.234,5 compare equal.
NUMBER = re.compile(r"\d{1,3}(?: \d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,:/’'\u00a0\u202f-]?\d+)*")
MARKS = re.compile(r"\D")


def numbers(text: str) -> Counter[str]:
    """How often each number stands in `text`, as its digits without separators."""
    plain = unicodedata.normalize("NFKC", text)
    return Counter(MARKS.sub("", match.group()) for match in NUMBER.finditer(plain))


def differing(source: str, target: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(numbers that `target` lacks, numbers that it has beyond those of `source`), each sorted, as digits."""
    here, there = numbers(source), numbers(target)
    return tuple(sorted((here - there).elements())), tuple(sorted((there - here).elements()))
