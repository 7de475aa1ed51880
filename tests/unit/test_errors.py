"""Errors are one tree; each has a key of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from appliance.errors import BarazaError, TextTooLongError


def all_errors(kind: type[BarazaError] = BarazaError) -> Iterator[type[BarazaError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from all_errors(child)


def test_keys_are_unique_where_they_are_given() -> None:
    given = Counter(kind.key for kind in all_errors() if "key" in vars(kind))
    assert max(given.values()) == 1


def test_an_error_says_its_fields() -> None:
    error = TextTooLongError(length=7000, most=5000)
    assert "7000" in str(error)
    assert error.fields == {"length": 7000, "most": 5000}
