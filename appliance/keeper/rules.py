"""Which PINs are taken: six digits and more, or a phrase, but none that is guessed in the first tries."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

from appliance.errors import PinLongError, PinShortError, PinTrivialError
from appliance.limits import LIMITS, Limits

SEPARATORS = re.compile(r"[\s.-]+")
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "abcdefghijklmnopqrstuvwxyz")  # of keys, and of the alphabet
FEWEST = 3  # different digits
FEWEST_LETTERS = 5  # different characters of a phrase
ORDINARY = frozenset({"password", "passwort", "contraseña", "motdepasse", "nywila", "senha", "baraza", "keeper"})
KEYPAD = ("147258369", "159357", "159753", "258456", "789456123", "321654987")  # drawn with a finger


def cleaned(pin: str) -> str:
    """`pin` as it is kept and compared: digits of any script are one, and spaces between digits do not count."""
    text = unicodedata.normalize("NFKC", pin).strip()
    digits = SEPARATORS.sub("", text)
    if digits and all(unicodedata.digit(each, None) is not None for each in digits):
        return "".join(str(unicodedata.digit(each)) for each in digits)
    return " ".join(text.split())


def check_new(pin: str, limits: Limits = LIMITS) -> str:
    """`pin`, cleaned, if it may be a keeper's.

    Raises:
        PinShortError, PinLongError: it has too few digits, or characters, or far too many.
        PinTrivialError: it is among those that are tried first.
    """
    kept = cleaned(pin)
    only_digits = kept.isdigit()
    if len(kept) < (limits.pin_digits if only_digits else limits.pin_letters):
        raise PinShortError(digits=limits.pin_digits, letters=limits.pin_letters)
    if len(kept) > limits.pin_characters:
        raise PinLongError(most=limits.pin_characters)
    if is_trivial_number(kept) if only_digits else _is_trivial_phrase(kept):
        raise PinTrivialError
    return kept


def is_trivial_number(digits: str) -> bool:
    """Whether `digits` are equal or in a row, few, said twice, mirrored rows, or a pattern of the keypad."""
    halves = _halves(digits)
    return (
        len(set(digits)) < FEWEST
        or _is_row(digits)
        or _repeats(digits)
        or (_is_row(digits[::2]) and digits[::2] == digits[1::2])  # 112233
        or all(map(_is_row, halves))  # 123321, 123789, 111222
        or any(digits in pattern or digits in pattern[::-1] for pattern in KEYPAD)
    )


def _halves(text: str) -> tuple[str, str]:
    middle = len(text) // 2
    return text[:middle], text[middle:]


def _is_row(digits: str) -> bool:
    """Whether each digit is as far from the one before it as the others: 777, 234, 975, 890."""
    return len({(int(later) - int(before)) % 10 for before, later in pairwise(digits)}) <= 1


def _repeats(text: str) -> bool:
    """Whether it is one part said again and again."""
    return text in (text + text)[1:-1]


def _is_trivial_phrase(phrase: str) -> bool:
    plain = "".join(each for each in phrase.casefold() if each.isalnum())
    letters = plain.strip("0123456789")  # “password1” is no better than “password”
    return (
        len(set(plain)) < FEWEST_LETTERS
        or _repeats(plain)
        or letters in ORDINARY
        or any(letters in row or letters in row[::-1] for row in ROWS)
    )
