"""What a sensor may say, and what the journal knows of sensors."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from appliance.storage.journal import JOURNAL, Journal, Reading
from appliance.storage.quantities import QUANTITIES, is_possible


def test_the_unit_of_a_quantity_is_one_of_its_spellings() -> None:
    assert all(each.unit in each.spellings and each.least < each.most for each in QUANTITIES.values())


@pytest.mark.parametrize(
    ("quantity", "value", "unit", "possible"),
    [
        ("air-temperature", 25, "°C", True),
        ("air-temperature", 25, "°F", False),
        ("air-temperature", 61, "°C", False),
        ("air-temperature", float("inf"), "°C", False),
        ("relative-humidity", 100, "%", True),
        ("grain-moisture", 0, "%", False),
        ("love", 1, "%", False),
    ],
)
def test_what_is_physically_possible(quantity: str, value: float, unit: str, possible: bool) -> None:
    assert is_possible(quantity, value, unit) is possible


def test_the_journal_tells_what_measures_what(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / JOURNAL)) as journal:
        assert journal.feeds(10) == []
        pairs = [("b", "y"), ("a", "y"), ("b", "x"), ("a", "y"), ("a", "x")]
        journal.record(Reading(sensor, quantity, 1.0, "%") for sensor, quantity in pairs)
        assert journal.feeds(10) == [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]
        assert journal.feeds(2) == [("a", "x"), ("a", "y")]
