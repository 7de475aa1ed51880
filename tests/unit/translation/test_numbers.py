"""Numbers that differ between a sentence and its translation are found, and true ones are put in the right places."""

from __future__ import annotations

import pytest

from appliance.translation.numbers import agree, differing, differing_in, localised, put_back, stand_ins

EN_ES = ("en", "es")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("no numbers", "sin números"),
        ("It costs 1,234.50.", "Cuesta 1.234,50."),
        ("10 000 people", "10.000 personas"),
        ("10,000 people", "10000 personas"),
        ("at 10:30 on 3/5/2026", "el 3/5/2026 a las 10:30"),
        ("at 14:35", "à 14 h 35"),
        ("at 14:35", "à 14h35"),
        ("2 bags and 2 goats", "2 cabras y 2 sacos"),
        ("½ litre", "½ litro"),
        ("½ litre", "1/2 litro"),
        ("5 m²", "5 m2"),
        ("2,916.40 shillings", "2 916,40 shillings"),
        ("2,916.40 shillings", "2\u202f916,40 shillings"),
        ("the 1990s", "los años 1990"),
        ("20% of 7 kg", "20 % de 7 kg"),
        ("3-5 seeds", "de 3 a 5 semillas"),
        ("on 2026-05-03", "el 2026-05-03"),
        ("call 0712 345 678", "llame al 0712 345 678"),
        ("the 3rd time", "la 3.ª vez"),
        ("٣ كتب", "3 libros"),
    ],
)
def test_the_same_numbers_written_otherwise_are_the_same(source: str, target: str) -> None:
    assert differing(source, target) == ((), ())
    assert agree(source, target)


@pytest.mark.parametrize(
    ("source", "target", "missing", "added"),
    [
        ("12 sacks", "21 sacos", ("12",), ("21",)),
        ("12 sacks", "sacos", ("12",), ()),
        ("sacks", "3 sacos", (), ("3",)),
        ("2 and 2", "2", ("2",), ()),
        ("1.5 litres", "15.0 litros", ("1.5",), ("15.0",)),
        ("1.5 litres", "15 litros", ("1.5",), ("15",)),
        ("2026", "20262026", ("2026",), ("20262026",)),
        ("on 3/5/2024", "el 5/3/2024", ("3/5/2024",), ("5/3/2024",)),
        ("on 2024-05-03", "el 2024-03-05", ("2024-05-03",), ("2024-03-05",)),
        ("1,234.50", "1,23450", ("1,234.50",), ("1,23450",)),
        ("at 3:30", "a las 15:30", ("3:30",), ("15:30",)),
    ],
)
def test_a_changed_missing_or_added_number_is_told(
    source: str, target: str, missing: tuple[str, ...], added: tuple[str, ...]
) -> None:
    assert differing(source, target) == (missing, added)


@pytest.mark.parametrize(
    ("source", "target", "languages", "missing", "added"),
    [
        ("3 goats", "tres cabras", EN_ES, (), ()),
        ("three goats", "3 cabras", EN_ES, (), ()),
        ("mbuzi watatu na kuku tano", "goats and 5 hens", ("sw", "en"), (), ()),
        ("3 goats and 3 cows", "tres cabras y vacas", EN_ES, ("3",), ()),
        ("1 goat", "una cabra", EN_ES, ("1",), ()),  # “una” is also “a”: it is no proof
        ("13 goats", "tres cabras", EN_ES, ("13",), ()),
        ("3 goats", "tres cabras", ("en", "qu"), ("3",), ()),
    ],
)
def test_a_small_number_may_stand_there_in_words(
    source: str, target: str, languages: tuple[str, str], missing: tuple[str, ...], added: tuple[str, ...]
) -> None:
    assert differing_in(source, target, languages) == (missing, added)


@pytest.mark.parametrize(
    "source",
    [
        "We need 4731 kg.",
        "On 3/5/2024 at 14:35 we paid 12,345.67 for 17 bags.",
        "Call 0712 345 678 or 0712 345 679.",
        "In 1987, 1988 and 1989.",
        "Code 99999999999999999999.",
    ],
)
def test_a_stand_in_takes_the_place_of_each_number_and_is_another(source: str) -> None:
    ways = stand_ins(source)
    assert len(ways) == 3
    for easy, true in ways:
        kept, _ = differing(source, easy)
        assert sorted(kept) == sorted(true.values())  # none is left as it was
        assert agree(source, put_back(easy, true, easy, EN_ES))


def test_no_stand_ins_without_a_number_or_where_it_would_be_unclear_which_to_put_back() -> None:
    assert stand_ins("no number") == []
    assert stand_ins("1 goat") == []
    assert stand_ins("10,000 or 10000") == []


def test_one_stays_for_the_words_around_it_are_in_the_singular() -> None:
    assert all(easy.startswith("1 goat and ") for easy, _ in stand_ins("1 goat and 17 hens"))


@pytest.mark.parametrize(
    ("easy", "true", "target", "restored"),
    [
        ("We need 250 kg.", {"250": "473"}, "Necesitamos 250 kg.", "Necesitamos 473 kg."),
        ("at 10:30", {"10.30": "14:35"}, "à 10 h 30", "à 14 h 35"),
        ("12,250.20", {"12250.20": "98,765.43"}, "12.250,20", "98.765,43"),
        ("12,250.20", {"12250.20": "98,765.43"}, "12,250.20", "98,765.43"),
        ("20 shillings", {"20": "98,765.43"}, "20 chelines", "98.765,43 chelines"),
        ("20 or 30", {"20": "7", "30": "8"}, "30 o 20", "8 o 7"),
        ("on 5/8/2010", {"5.8.2010": "3/5/2024"}, "el 5/8/2010", "el 3/5/2024"),
        ("on 5/8/2010", {"5.8.2010": "3/5/2024"}, "el 5.8.2010", "el 3.5.2024"),
        ("5.2 litres", {"5.2": "3.125"}, "5,2 litros", "3,125 litros"),
    ],
)
def test_the_true_number_takes_the_form_of_its_stand_in(
    easy: str, true: dict[str, str], target: str, restored: str
) -> None:
    assert put_back(target, true, easy, EN_ES) == restored


@pytest.mark.parametrize(
    ("number", "source", "target", "written"),
    [
        ("1,250.50", "en", "es", "1.250,50"),
        ("1.250,50", "es", "en", "1,250.50"),
        ("1,250.50", "en", "fr", "1\u00a0250,50"),
        ("1 250,50", "fr", "sw", "1,250.50"),
        ("1,250.50", "sw", "en", "1,250.50"),
        ("2.5", "en", "es", "2,5"),
        ("3/5/2024", "en", "fr", "3/5/2024"),
        ("14:35", "en", "fr", "14:35"),
        ("1.250,50", "en", "es", "1.250,50"),  # not as English writes it: not touched
        ("0712 345 678", "fr", "en", "0712 345 678"),
        ("1,250.50", "en", "xx", "1,250.50"),
    ],
)
def test_a_number_is_written_as_the_other_language_writes_it(
    number: str, source: str, target: str, written: str
) -> None:
    assert localised(number, source, target) == written


def test_finding_numbers_in_a_long_run_of_digits_takes_no_time() -> None:
    assert differing("7" * 5_000, "7" * 5_000) == ((), ())
    assert differing("7-" * 2_500 + "a", "") == (("7-" * 2_499 + "7",), ())
