"""Which PINs are taken."""

from __future__ import annotations

import pytest

from appliance.errors import (
    PinShortError,
    PinTrivialError,
)
from appliance.keeper.rules import check_new, cleaned, is_trivial_number


@pytest.mark.parametrize("pin", ["", "80417", "8 0 4 1 7", "goats", "   "])
def test_what_is_short_is_refused(pin: str) -> None:
    with pytest.raises(PinShortError):
        check_new(pin)


@pytest.mark.parametrize(
    "pin",
    "000000 111111 123456 654321 012345 890123 246802 121212 123123 112233 123321 111222 147258 369852 159753 12345678 "
    "1234567890 98765432 100000 112211 77777777".split(),
)
def test_what_anybody_would_try_first_is_refused(pin: str) -> None:
    with pytest.raises(PinTrivialError):
        check_new(pin)


@pytest.mark.parametrize(
    "phrase", ["password", "Password1", "aaaaaaaa", "abababab", "qwertyui", "asdfghjk", "abcdefgh", "baraza2026"]
)
def test_phrases_that_are_none_are_refused(phrase: str) -> None:
    with pytest.raises(PinTrivialError):
        check_new(phrase)


def test_nearly_all_numbers_are_taken() -> None:
    refused = sum(is_trivial_number(f"{number:06d}") for number in range(0, 1_000_000, 97))
    assert refused < 0.02 * 1_000_000 / 97


def test_cleaning_changes_nothing_that_was_cleaned() -> None:
    for pin in ("80 41 72", " six  goats ", "١٢ ٣٤", "a-b c"):
        assert cleaned(cleaned(pin)) == cleaned(pin)
