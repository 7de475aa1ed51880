"""Figures have a source that was read, and are the same in every language; and the articles read easily."""

from __future__ import annotations

from statistics import median

import pytest

from appliance.advice.articles import Article, Face
from appliance.advice.figures import figures
from appliance.translation import numbers
from benchmarks.advice import knowledge
from tests.readability import grade, syllables, words_a_sentence

ARTICLES = list(knowledge()[0].values())
# Units of doses, sizes, voltages, temperatures, shares and waiting times: what somebody measures.
MEASURED = frozenset(
    "mm cm m km inch l ml g kg mg tonne ha volt ampere watt mA Ah Wh kWh kV mV ohm bar degree % ppm pH second minute "
    "hour day night week month year m² m³ spoon teaspoon cup bucket handful drop tablet".split()
)
HARDEST = 9.0  # Flesch–Kincaid grade: three years of secondary school
LONGEST = 20.0  # words a sentence, on the average, of what an article says first

Known = dict[str, set[str]]  # the units that a value is told with; "" where none is known


def texts(face: Face) -> tuple[str, ...]:
    return (*face.signs, *face.first_steps, face.danger, face.get_help)


def told(lines: tuple[str, ...], language: str) -> Known:
    """The figures of some lines, units in words and numbers in words included."""
    found: Known = {}
    for line in lines:
        for each in figures(numbers.plain(line), language, numbers.find):
            found.setdefault(each.value, set()).add(each.unit)
    return found


def lacking(here: Known, there: Known) -> set[tuple[str, str]]:
    """What is measured here and not there; “one” is left out, which is also “a”, and a unit may be left unsaid."""
    return {
        (value, unit)
        for value, units in here.items()
        for unit in units & MEASURED
        if value != "1" and not there.get(value, set()) & {unit, ""}
    }


def everything(article: Article) -> tuple[str, ...]:
    """All that an article says in English."""
    return (article.face("en").title, *texts(article.face("en")), article.text)


def measures(article: Article) -> bool:
    found = told(everything(article), "en")
    return any(units & MEASURED for units in found.values())


@pytest.mark.parametrize("language", ["es", "fr", "sw"])
def test_the_same_figures_stand_in_every_language(language: str) -> None:
    wrong = {}
    for article in ARTICLES:
        english, other = (told(texts(article.face(tag)), tag) for tag in ("en", language))
        if differing := lacking(english, other) | lacking(other, english):
            wrong[article.id] = differing
    assert wrong == {}


def test_a_figure_never_rests_on_a_source_that_nobody_read() -> None:
    measured = [each for each in ARTICLES if measures(each)]
    assert len(measured) > 150
    unread = [each.id for each in measured if all(source.checked == "known" for source in each.sources)]
    assert unread == []


def test_a_figure_in_words_is_found_in_every_language() -> None:
    lines = {
        "en": "two to three weeks",
        "es": "dos a tres semanas",
        "fr": "deux à trois semaines",
        "sw": "wiki 2 hadi 3",
    }
    assert all(told((line,), language) == {"2–3": {"week"}} for language, line in lines.items())
    assert lacking(told(("5 litres, 3 days",), "en"), told(("5 litros, 3 horas",), "es")) == {("3", "day")}


def test_every_article_reads_at_secondary_school_level() -> None:
    grades = {each.id: grade(everything(each)) for each in ARTICLES}
    assert {name: value for name, value in grades.items() if value > HARDEST} == {}
    assert 2 < median(grades.values()) < 6  # a counter that counts nothing would pass the line above


@pytest.mark.parametrize("language", ["es", "fr", "sw"])
def test_sentences_are_short_in_the_other_languages(language: str) -> None:
    lengths = {each.id: words_a_sentence(texts(each.face(language))) for each in ARTICLES}
    assert {name: value for name, value in lengths.items() if value > LONGEST} == {}
    assert median(lengths.values()) > 8


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("goat", 1),
        ("water", 2),
        ("table", 2),
        ("leaves", 1),
        ("planted", 2),
        ("used", 1),
        ("caterpillar", 4),
        ("the", 1),
    ],
)
def test_syllables_are_counted(word: str, count: int) -> None:
    assert syllables(word) == count


def test_a_hard_text_has_a_high_grade_and_an_easy_one_a_low_one() -> None:
    hard = (
        "Notwithstanding considerable methodological heterogeneity, epidemiological investigations consistently "
        "demonstrate that inadequate sanitation infrastructure substantially exacerbates gastrointestinal morbidity."
    )
    assert grade((hard,)) > 20
    assert grade(("The goat is ill. Give it clean water.",)) < 3
