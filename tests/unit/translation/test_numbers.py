"""Numbers that differ between a sentence and its translation are found."""

from __future__ import annotations

import pytest

from appliance.translation.numbers import differing


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("no numbers", "sin números"),
        ("It costs 1,234.50.", "Cuesta 1.234,50."),
        ("10 000 people", "10.000 personas"),
        ("at 10:30 on 3/5/2026", "el 3/5/2026 a las 10:30"),
        ("2 bags and 2 goats", "2 cabras y 2 sacos"),
        ("½ litre", "½ litro"),
        ("2,916.40 shillings", "2 916,40 shillings"),
        ("the 1990s", "los años 1990"),
        ("20% of 7 kg", "20 % de 7 kg"),
    ],
)
def test_the_same_numbers_written_otherwise_are_the_same(source: str, target: str) -> None:
    assert differing(source, target) == ((), ())


@pytest.mark.parametrize(
    ("source", "target", "missing", "added"),
    [
        ("12 sacks", "21 sacos", ("12",), ("21",)),
        ("12 sacks", "sacos", ("12",), ()),
        ("sacks", "3 sacos", (), ("3",)),
        ("2 and 2", "2", ("2",), ()),
        ("1.5 litres", "15.0 litros", ("15",), ("150",)),
        ("2026", "20262026", ("2026",), ("20262026",)),
    ],
)
def test_a_changed_missing_or_added_number_is_told(
    source: str, target: str, missing: tuple[str, ...], added: tuple[str, ...]
) -> None:
    assert differing(source, target) == (missing, added)
