"""Figures are read alike in four languages, and what a sentence denies is known."""

from __future__ import annotations

import pytest

from appliance.advice.claims import AFTER, DENIED, SAID, read
from appliance.advice.figures import figures
from appliance.advice.words import stems
from appliance.translation import numbers
from tests.unit.advice.grounds import READING


def told(text: str, language: str) -> list[str]:
    """The figures of a text, as “3–5 day”."""
    return [f"{each.value} {each.unit}".strip() for each in figures(numbers.plain(text), language, numbers.find)]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Wait 3 to 5 days.", ["3–5 day"]),
        ("en", "Wait three to five days.", ["3–5 day"]),
        ("en", "Wait 3-5 days, or between 8 and 10 weeks.", ["3–5 day", "8–10 week"]),
        ("en", "12.5 V to 14 V", ["25/2–14 volt"]),
        ("en", "two and a half litres, 2 1/2 litres, 2.5 litres", ["5/2 l"] * 3),
        ("en", "half a litre, ½ litre, 0.5 l", ["1/2 l"] * 3),
        ("en", "twenty-five goats and two hundred hens", ["25", "200"]),
        ("en", "a litre of milk from a cow, one day", ["1 l", "1 day"]),
        ("en", "15 percent, 15 per cent, 15 %, 15%", ["15 %"] * 4),
        ("en", "1,500 kg at 60 °C, twice a day", ["1500 kg", "60 degree", "2 times", "1 day"]),
        ("en", "at -5 °C, at pH 6.5, at 10:30", ["-5 degree", "13/2 pH", "10:30"]),
        ("es", "de 3 a 5 días", ["3–5 day"]),
        ("es", "entre dos y cuatro litros", ["2–4 l"]),
        ("es", "dos litros y medio, medio litro, 2,5 litros", ["5/2 l", "1/2 l", "5/2 l"]),
        ("es", "en el medio del campo", []),
        ("es", "treinta y cinco grados, el 20 por ciento, 1.500 kg", ["35 degree", "20 %", "1500 kg"]),
        ("es", "un día, una vez, once bolsas", ["1 day", "1 times", "11 bag"]),
        ("fr", "de 3 à 5 jours, deux ou trois fois", ["3–5 day", "2–3 times"]),
        ("fr", "quatre-vingt-dix jours, soixante-dix degrés", ["90 day", "70 degree"]),
        ("fr", "un demi-litre, deux litres et demi, 20 pour cent", ["1/2 l", "5/2 l", "20 %"]),
        ("fr", "un joint neuf, neuf jours, 1 500 kg", ["9 day", "1500 kg"]),
        ("sw", "siku 3 hadi 5, siku tatu hadi tano", ["3–5 day"] * 2),
        ("sw", "lita 2 hadi lita 5", ["2–5 l"]),
        ("sw", "lita kumi na tano, asilimia 20, nyuzi 60", ["15 l", "20 %", "60 degree"]),
        ("sw", "mbuzi wawili, mia mbili, nusu lita, wiki moja", ["2", "200", "1/2 l", "1 week"]),
    ],
)
def test_figures_are_read_in_digits_and_in_words(language: str, text: str, expected: list[str]) -> None:
    assert told(text, language) == expected


@pytest.mark.parametrize(
    ("language", "text", "said", "denied", "after"),
    [
        ("en", "Ash hurts the eyes: do not throw it far.", "ash hurts eyes", "throw far", ""),
        ("en", "Do not open, heat or burn it.", "", "open", "heat burn"),
        ("en", "Never wait and call a nurse.", "", "wait", "call nurse"),
        ("en", "It isn't dry but warm.", "warm", "dry", ""),
        ("es", "No queme la batería; guárdela.", "guárdela", "queme batería", ""),
        ("fr", "N'ouvrez jamais la batterie : elle brûle.", "brûle", "ouvrez batterie", ""),
        ("sw", "Usitupe betri motoni. Weka mbali.", "weka mbali", "usitupe betri motoni", ""),
        ("sw", "Hakikisha betri ni kavu.", "hakikisha betri kavu", "", ""),
        ("sw", "Pampu haifanyi kazi, usiku haina umeme.", "pampu", "haifanyi kazi haina umeme", "usiku"),
    ],
)
def test_what_is_denied_is_known_from_what_is_said(
    language: str, text: str, said: str, denied: str, after: str
) -> None:
    expected = {
        (stem, way)
        for way, words in ((SAID, said), (DENIED, denied), (AFTER, after))
        for stem in stems(words, language)
    }
    assert read(text, language, READING).words == expected


def test_long_sentences_stay_whole_and_list_marks_go() -> None:
    long = "Do not " + "press, " * 60 + "open it."
    assert READING.sentences(f"1. Stop.\n- {long} **Wait** here.\n## Now\nGo") == [
        "Stop.",
        long,
        "Wait here.",
        "Now",
        "Go",
    ]


def test_names_are_those_that_no_beginning_explains() -> None:
    claim = read("Vitamin A and NPK help. Ask Asha: DDT kills.", "en", READING)
    assert claim.names == {"A", "NPK", "Asha", "DDT"}
