"""Calendars of crops: the files keep to their form, and the dates are those of the days."""

from __future__ import annotations

import re
import tomllib
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from appliance.advice.articles import read_articles
from appliance.advice.calendar import (
    ANY,
    CATCH_UP,
    CLIMATES,
    FOLDER,
    STAGES,
    Calendar,
    Due,
    plan,
    read_calendar,
    read_calendars,
)
from appliance.advice.fields import LANGUAGES
from appliance.errors import DateError, KnowledgeError
from appliance.limits import Limits
from tests.conftest import ROOT

KNOWLEDGE = ROOT / "knowledge"
ARTICLES = read_articles(KNOWLEDGE)
CALENDARS = read_calendars(KNOWLEDGE, ARTICLES)
WANTED = {
    *("maize", "sorghum", "millet", "rice", "beans", "cowpea", "groundnut", "cassava"),
    *("sweet-potato", "potato", "tomato", "onion", "cabbage"),
}
FOUR = '{en = "a", es = "b", fr = "c", sw = "d"}'
SOUND = f"""name = {FOUR}
day_one = "sown"
[[lengths]]
climates = ["humid"]
where = "Here"
days = [10, 20, 30, 10]
[[lengths]]
climates = ["semi-arid"]
where = "There"
days = [20, 30, 40, 20]
[[lengths]]
climates = ["semi-arid"]
where = "Elsewhere"
days = [15, 20, 40, 30]
""" + "".join(
    f"""[[stages]]
id = "{stage}"
name = {FOUR}
{"critical = " + FOUR if stage == "middle" else ""}
[[stages.work]]
kind = "{kind}"
say = {FOUR}
"""
    for stage, kind in zip(STAGES, ("weed", "scout", "water", "harvest"), strict=True)
)
SOURCE = """[[sources]]
publisher = "P"
title = "T"
year = 1998
checked = "text"
"""


@pytest.fixture
def write(tmp_path: Path):  # type: ignore[no-untyped-def]
    def write(text: str, name: str = "maize.toml") -> Path:
        path = tmp_path / FOLDER / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def calendar(write) -> Calendar:  # type: ignore[no-untyped-def]
    return read_calendar(write(SOUND + SOURCE), {})


# The calendars that come with the box


def test_there_is_one_for_each_crop_that_was_promised() -> None:
    assert set(CALENDARS) >= WANTED


@pytest.mark.parametrize("each", CALENDARS.values(), ids=lambda each: each.id)
def test_a_calendar_is_of_a_crop_that_articles_know(each: Calendar) -> None:
    known = {crop for article in ARTICLES.values() for crop in article.crops}
    assert each.crop in known
    led_to = [work.article for stage in each.stages for work in stage.works if work.article]
    assert len(set(led_to)) >= 3
    assert any(each.crop in ARTICLES[article].crops or each.crop == "beans" for article in led_to)


@pytest.mark.parametrize("each", CALENDARS.values(), ids=lambda each: each.id)
def test_what_a_calendar_says_is_short_and_has_no_figure_but_those_of_its_data(each: Calendar) -> None:
    says = [work.say for stage in each.stages for work in stage.works]
    says += [stage.critical for stage in each.stages if stage.critical]
    for words in says:
        assert set(words) == set(LANGUAGES)
        assert all(len(text) <= 240 and text.endswith(".") for text in words.values())
        assert not any(re.search(r"\d", text) for text in words.values())
    for stage in each.stages:
        assert all(len(text) <= 60 and not text.endswith(".") for text in stage.name.values())


@pytest.mark.parametrize("each", CALENDARS.values(), ids=lambda each: each.id)
def test_the_name_of_a_crop_can_stand_in_a_sentence(each: Calendar) -> None:
    assert all(name[0].islower() for name in each.name.values())


@pytest.mark.parametrize("each", CALENDARS.values(), ids=lambda each: each.id)
def test_its_lengths_are_those_of_a_source_that_was_seen(each: Calendar) -> None:
    assert any(source.checked != "known" and "table 11" in source.title for source in each.sources)
    assert all(60 <= sum(row.days) <= 365 for row in each.lengths)


@pytest.mark.parametrize("climate", [ANY, *CLIMATES])
@pytest.mark.parametrize("each", CALENDARS.values(), ids=lambda each: each.id)
def test_in_every_climate_the_stages_follow_each_other_without_a_gap(each: Calendar, climate: str) -> None:
    windows = each.windows(climate)
    assert windows[0][0] == 0
    assert all(first < last for first, last in windows)
    for (first, last), (begins, ends) in pairwise(windows):
        assert first < begins <= last + 1
        assert last < ends


# Days


def test_the_days_of_a_climate_with_one_row_are_those_of_the_row(calendar: Calendar) -> None:
    assert calendar.windows("humid") == ((0, 9), (10, 29), (30, 59), (60, 70))


def test_a_climate_with_several_rows_has_the_earliest_beginning_and_the_latest_end(calendar: Calendar) -> None:
    assert calendar.windows("semi-arid") == ((0, 19), (15, 49), (35, 89), (75, 110))


def test_a_climate_without_figures_has_the_range_of_all_and_says_so(calendar: Calendar) -> None:
    assert calendar.climates == ("humid", "semi-arid")
    assert calendar.windows("highlands") == calendar.windows(ANY) == ((0, 19), (10, 49), (30, 89), (60, 110))
    day = date(2026, 5, 1)
    assert not plan(calendar, day, "highlands", day).measured
    assert not plan(calendar, day, "nowhere", day).measured
    assert plan(calendar, day, "nowhere", day).climate == ANY
    assert plan(calendar, day, "humid", day).measured


def test_dates_are_counted_over_the_end_of_february(calendar: Calendar) -> None:
    leap, common = date(2028, 1, 31), date(2027, 1, 31)
    middle = [plan(calendar, day, "humid", day).stages[2].span for day in (leap, common)]
    assert [span.first for span in middle] == [date(2028, 3, 1), date(2027, 3, 2)]
    assert plan(calendar, date(2028, 2, 29), "humid", date(2028, 2, 29)).stages[1].span.first == date(2028, 3, 10)


def test_dates_are_counted_over_the_end_of_the_year(calendar: Calendar) -> None:
    assert plan(calendar, date(2026, 12, 25), "humid", date(2026, 12, 25)).stages[1].span.first == date(2027, 1, 4)


@pytest.mark.parametrize("year", [1, 1999, 2101, 9999])
def test_a_year_in_which_nobody_plants_is_refused(calendar: Calendar, year: int) -> None:
    with pytest.raises(DateError):
        plan(calendar, date(year, 1, 1), "humid", date(2026, 1, 1))


# What is due


def dues(calendar: Calendar, day: int) -> list[str]:
    """How it stands with the four works on a day after planting."""
    planted = date(2026, 5, 1)
    return [work.due.value for work in plan(calendar, planted, "humid", planted + timedelta(days=day)).works]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (-15, ["later", "later", "later", "later"]),
        (-14, ["soon", "later", "later", "later"]),
        (0, ["now", "soon", "later", "later"]),
        (9, ["now", "soon", "later", "later"]),
        (10, ["late", "now", "later", "later"]),
        (23, ["late", "now", "soon", "later"]),
        (24, ["past", "now", "soon", "later"]),
        (30, ["past", "past", "now", "later"]),  # to scout is never late
        (60, ["past", "past", "past", "now"]),
        (70, ["past", "past", "past", "now"]),
        (71, ["past", "past", "past", "late"]),
        (84, ["past", "past", "past", "late"]),
        (85, ["past", "past", "past", "past"]),
        (5_000, ["past", "past", "past", "past"]),
    ],
)
def test_what_is_due_goes_by_the_day(calendar: Calendar, day: int, expected: list[str]) -> None:
    assert dues(calendar, day) == expected


def test_a_planting_to_come_has_no_stage_yet_and_its_dates_lie_ahead(calendar: Calendar) -> None:
    today = date(2026, 5, 1)
    found = plan(calendar, today + timedelta(days=200), "humid", today)
    assert found.day == -200
    assert found.now == ()
    assert not found.is_over
    assert all(work.span.first > today for work in found.works)


def test_a_planting_long_ago_is_over(calendar: Calendar) -> None:
    found = plan(calendar, date(2020, 1, 1), "humid", date(2026, 1, 1))
    assert found.is_over
    assert found.now == ()


def test_where_stages_overlap_the_crop_may_be_in_both(calendar: Calendar) -> None:
    planted = date(2026, 5, 1)
    assert [stage.id for stage in plan(calendar, planted, "semi-arid", planted + timedelta(days=17)).now] == [
        "start",
        "growth",
    ]


def test_the_most_pressing_work_comes_first(write) -> None:  # type: ignore[no-untyped-def]
    more = f'[[stages.work]]\nkind = "weed"\ndays = [2, 5]\nsay = {FOUR}\n'
    text = SOUND.replace('[[stages]]\nid = "growth"', more + '[[stages]]\nid = "growth"') + SOURCE
    planted = date(2026, 5, 1)
    found = plan(read_calendar(write(text), {}), planted, "humid", planted + timedelta(days=3))
    assert [work.span.last for work in found.due(Due.NOW)] == [date(2026, 5, 6), date(2026, 5, 10)]


@pytest.mark.parametrize("each", CALENDARS.values(), ids=lambda each: each.id)
def test_of_every_crop_all_work_comes_up_once_and_is_past_in_the_end(each: Calendar) -> None:
    planted, seen = date(2027, 10, 1), set()
    for day in range(-30, 400):
        found = plan(each, planted, ANY, planted + timedelta(days=day))
        seen |= {work.work.say["en"] for work in found.due(Due.NOW)}
        assert all(work.work.kind in CATCH_UP for work in found.due(Due.LATE))
    assert found.is_over
    assert seen == {work.say["en"] for stage in each.stages for work in stage.works}


# What is wrong is said


RULES = [
    ('name = {en = "a", ', "name = {", "en, es, fr, sw"),
    ('sw = "d"}\nday_one', 'sw = ""}\nday_one', "empty"),
    ('day_one = "sown"', 'day_one = "thrown"', "day_one"),
    ('day_one = "sown"', 'day_one = "sown"\ncolour = "red"', "colour"),
    ('climates = ["humid"]', 'climates = ["wet"]', "climate"),
    ("days = [10, 20, 30, 10]", "days = [10, 20, 30]", "lengths"),
    ("days = [10, 20, 30, 10]", "days = [10, 20, 0, 10]", "lengths"),
    ("days = [10, 20, 30, 10]", "days = [10, 20, 900, 10]", "lengths"),
    ('where = "Here"', 'where = ""', "where"),
    ('id = "growth"', 'id = "middle"', "in this order"),
    ('kind = "water"', 'kind = "dance"', "kind"),
    ('kind = "water"', 'kind = "water"\nfertiliser = 3', "fertiliser"),
    ('kind = "water"', 'kind = "water"\narticle = "none"', "no article none"),
    ('kind = "water"', 'kind = "water"\ndays = [9, 3]', "out of order"),
    ('kind = "water"', 'kind = "water"\ndays = [-3, 9]', "out of order"),
    ('kind = "water"', 'kind = "water"\ndays = [3]', "from, to"),
    ('kind = "water"', 'kind = "water"\ndays = [0, 5]', "never in it"),
    ('kind = "harvest"', 'kind = "store"', "no harvest"),
    ("critical = " + FOUR, "", "critical"),
    ("year = 1998", "year = 3", "year"),
    ('checked = "text"', 'checked = "guessed"', "checked"),
    (SOURCE, "", "sources"),
    ('day_one = "sown"', "day_one = sown", "Invalid"),
]


@pytest.mark.parametrize(("old", "new", "reason"), RULES)
def test_a_calendar_that_breaks_a_rule_is_refused_by_name(write, old: str, new: str, reason: str) -> None:  # type: ignore[no-untyped-def]
    text = SOUND + SOURCE
    assert old in text
    with pytest.raises(KnowledgeError, match=f"calendars/maize.*({reason})"):
        read_calendar(write(text.replace(old, new, 1)), {})


def test_a_name_with_other_letters_and_a_file_that_is_too_large_are_refused(write) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(KnowledgeError, match="lower case"):
        read_calendar(write(SOUND + SOURCE, "Sweet Potato.toml"), {})
    with pytest.raises(KnowledgeError, match="larger"):
        read_calendar(write(SOUND + SOURCE), {}, Limits(article_bytes=10))


def test_a_wrong_calendar_is_left_out_and_told_and_the_others_stay(write, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write(SOUND + SOURCE)
    write(SOUND, "rice.toml")
    told: list[KnowledgeError] = []
    assert list(read_calendars(tmp_path, {}, on_error=told.append)) == ["maize"]
    assert [error.fields["article"] for error in told] == ["calendars/rice"]
    with pytest.raises(KnowledgeError):
        read_calendars(tmp_path, {})
    assert read_calendars(tmp_path / "none", {}) == {}


def test_the_files_have_no_key_that_is_not_read() -> None:
    """`only` guards it; this counts that every work of every file arrived."""
    for path in (KNOWLEDGE / FOLDER).glob("*.toml"):
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        read = CALENDARS[path.stem]
        assert [len(stage["work"]) for stage in table["stages"]] == [len(stage.works) for stage in read.stages]
