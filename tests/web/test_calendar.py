"""The calendar of work: a plain form, dates in the reader's language, what is due first, readings where they matter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from appliance.advice.articles import read_articles
from appliance.advice.season import Season
from appliance.errors import KnowledgeError, StorageError
from appliance.sensors import inbox
from appliance.storage.journal import JOURNAL, Journal, Reading
from tests.conftest import ROOT
from tests.web.boxes import Box, make_box

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
SEPTEMBER = datetime(2027, 9, 1, 12, tzinfo=UTC)
WRONG = datetime(1970, 1, 1, tzinfo=UTC)
ARTICLES = read_articles(ROOT / "knowledge")
Set = Callable[[datetime], None]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """One for all: nothing of a calendar is kept, and each test sets the clock and has a journal of its own."""
    made = make_box(tmp_path_factory.mktemp("calendar"))
    yield made
    made.appliance.close()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / JOURNAL)
    yield opened
    opened.close()


@pytest.fixture
def clock(box: Box, journal: Journal) -> Set:
    """Sets the clock of the box, which has a journal."""

    def set_to(now: datetime) -> None:
        told: list[KnowledgeError] = []
        limits, config = box.appliance.limits, box.appliance.config
        box.appliance.knowing.season = Season(config, ARTICLES, lambda: journal, limits, told.append, lambda: now)
        assert not told

    set_to(NOW)
    return set_to


def maize(planted: date, more: str = "&climate=humid") -> str:
    return f"/calendar?crop=maize&planted={planted.isoformat()}{more}"


def measured(quantity: str, value: float, hours: float = 3, unit: str = "%", now: datetime = NOW) -> Reading:
    return Reading("field-1", quantity, value, unit, (now - timedelta(hours=hours)).isoformat())


def section(page: str, name: str) -> str:
    found = re.search(rf'<section[^>]*aria-labelledby="{name}">(.*?)</section>', page, re.DOTALL)
    return found.group(1) if found else ""


FLOWERING = maize(date(2027, 1, 1))  # 59 days before NOW; in humid climates it flowers from day 55 on


# The form


def test_the_form_can_be_sent_without_javascript_and_is_led_to_from_ask(box: Box, clock: Set) -> None:
    phone = box.phone()
    assert 'href="/calendar"' in phone.get("/ask").text
    page = phone.get("/calendar").text
    assert '<form class="panel no-print" method="get" action="/calendar">' in page
    assert page.count("<option value=") >= 13 + 5
    for name in ("crop", "planted", "climate"):
        assert f'<label for="{name}">' in page
        assert f'id="{name}" name="{name}"' in page
    assert 'name="today"' not in page
    assert 'name="soil"' not in page  # nothing measures it


def test_crops_are_named_in_the_language_of_the_reader(box: Box, clock: Set) -> None:
    page = box.phone("es").get("/calendar").text
    assert '<option value="maize" lang="es">Maíz</option>' in page
    names = re.findall(r'<option value="[a-z-]+" lang="es">([^<]+)<', page)
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("crop=maize&planted=", 400),
        ("crop=maize", 400),
        ("crop=maize&planted=tomorrow", 400),
        ("crop=maize&planted=2027-02-29", 400),
        ("crop=maize&planted=0001-01-01", 400),
        ("crop=maize&planted=9999-12-31", 400),
        ("crop=helicopter&planted=2027-01-01", 404),
        ("crop=<script>&planted=2027-01-01", 404),
        ("crop=maize&planted=2027-01-01&climate=moon", 200),
        ("crop=maize&planted=2027-01-01&soil=gold", 200),
    ],
)
def test_what_cannot_be_used_is_said_at_the_form(box: Box, clock: Set, query: str, status: int) -> None:
    response = box.phone().get(f"/calendar?{query}")
    assert response.status_code == status
    assert ('role="alert"' in response.text) is (status != 200)
    assert 'name="planted"' in response.text
    assert "<script>" not in response.text


def test_what_was_typed_stays_in_the_form(box: Box, clock: Set) -> None:
    page = box.phone().get(maize(date(2027, 1, 1), "&climate=highlands")).text
    assert '<option value="maize" selected' in page
    assert 'value="2027-01-01"' in page
    assert '<option value="highlands" selected>' in page


# The calendar


@pytest.mark.parametrize(("language", "day"), [("en", "Jan 1, 2027"), ("es", "1 ene 2027")])
def test_dates_are_in_the_format_of_the_reader(box: Box, clock: Set, language: str, day: str) -> None:
    assert day in box.phone(language).get(FLOWERING).text


def test_what_is_due_now_comes_before_the_rest_of_the_season(box: Box, clock: Set) -> None:
    page = box.phone().get(FLOWERING).text
    now = section(page, "due-now")
    assert "If it does not rain and you have water, give it now." in now
    assert 'href="/articles/maize-drought-at-flowering"' in now
    assert "Harvest as soon as" not in now
    assert "Flowering and filling the cobs" in section(page, "stage-now")
    assert "Water matters most just before the tassel" in section(page, "stage-now")
    assert page.index('id="due-now"') < page.index('id="stage-start"')
    assert "That was 59 days ago." in page


def test_what_should_be_done_by_now_and_what_comes_next_is_told(box: Box, clock: Set) -> None:
    page = box.phone().get(maize(NOW.date() - timedelta(days=30))).text
    assert "Weed for the first time." in section(page, "due-late")
    assert "Weed for the second time" in section(page, "due-soon")


def test_a_planting_to_come_has_dates_that_lie_ahead(box: Box, clock: Set) -> None:
    page = box.phone().get(maize(date(2027, 3, 31))).text
    assert "That is in 30 days." in page
    assert "Nothing is due in the next two weeks." in page
    assert 'id="stage-now"' not in page
    assert "Jul" in section(page, "stage-end")


def test_a_planting_of_years_ago_is_said_to_be_over(box: Box, clock: Set) -> None:
    page = box.phone().get(maize(date(2020, 2, 29))).text
    assert "By this calendar the crop should be harvested." in page
    assert not section(page, "due-now")


@pytest.mark.parametrize("climate", ["any", "humid", "semi-arid", "highlands", "subtropics"])
@pytest.mark.parametrize("crop", ["maize", "cassava", "cowpea", "tomato"])
def test_every_climate_has_dates_and_says_if_they_are_not_its_own(
    box: Box, clock: Set, crop: str, climate: str
) -> None:
    page = box.phone().get(f"/calendar?crop={crop}&planted=2027-01-01&climate={climate}").text
    own = climate in box.appliance.knowing.season.calendars[crop].climates
    assert ("are those of all" not in page) is own
    assert page.count('aria-labelledby="stage-') >= 4


def test_every_calendar_can_be_read_with_its_sources_and_links_that_lead_somewhere(box: Box, clock: Set) -> None:
    phone = box.phone()
    links = set()
    for crop in box.appliance.knowing.season.calendars:
        page = phone.get(f"/calendar?crop={crop}&planted=2027-02-01").text
        assert re.search(r"<li>FAO: <cite", page)
        links |= set(re.findall(r'href="(/articles/[^"]+)"', page))
    assert len(links) > 40
    assert all(phone.get(link).status_code == 200 for link in links)


def test_nothing_of_it_is_kept(box: Box, clock: Set) -> None:
    box.phone().get(FLOWERING)
    assert "Bookmark this page" in box.phone().get(FLOWERING).text
    assert not list(box.appliance.config.data.rglob("*calendar*"))


def test_a_box_without_calendars_says_so(box: Box, clock: Set) -> None:
    box.appliance.knowing.season.calendars = {}
    page = box.phone().get("/calendar").text
    assert "There is no knowledge on this box yet." in page
    assert 'name="crop"' not in page


# The clock


def test_a_box_whose_clock_is_wrong_asks_for_the_day(box: Box, clock: Set) -> None:
    clock(WRONG)
    phone = box.phone()
    asked = phone.get(FLOWERING).text
    assert 'id="today" name="today"' in asked
    assert 'id="stage-start"' not in asked
    page = phone.get(f"{FLOWERING}&today=2027-03-01").text
    assert "That was 59 days ago." in page
    assert 'value="2027-03-01"' in page
    assert phone.get(f"{FLOWERING}&today=never").status_code == 400


def test_a_box_whose_clock_is_right_goes_by_it(box: Box, clock: Set) -> None:
    assert "That was 59 days ago." in box.phone().get(f"{FLOWERING}&today=2027-06-01").text


# Readings


def test_a_reading_is_brought_in_with_its_time(box: Box, clock: Set, journal: Journal) -> None:
    journal.record([measured("soil-moisture", 15)])
    page = section(box.phone().get(f"{FLOWERING}&soil=loam").text, "stage-now")
    assert "Soil moisture (field-1): 15 %, measured 3 hours ago:" in page
    assert "dry for maize (flowering and filling the cobs)" in page


def test_what_readings_mean_has_its_sources_where_it_is_said(box: Box, clock: Set, journal: Journal) -> None:
    assert "tables 19 and 22" not in box.phone().get(FLOWERING).text
    journal.record([measured("soil-moisture", 15)])
    assert "tables 19 and 22" in box.phone().get(FLOWERING).text


def test_the_soil_is_asked_for_once_something_measures_it(box: Box, clock: Set, journal: Journal) -> None:
    journal.record([measured("soil-moisture", 15)])
    page = box.phone().get(FLOWERING).text
    assert '<select id="soil" name="soil"' in page
    assert "in sandy soil wet enough; in loam dry; in clay far too dry" in page


def test_an_old_reading_is_said_to_be_old(box: Box, clock: Set, journal: Journal) -> None:
    journal.record([measured("soil-moisture", 15, hours=96)])
    page = box.phone().get(FLOWERING).text
    assert "Soil moisture (field-1): the last reading is 4 days old" in page
    assert "15 %" not in page


def test_only_the_last_reading_counts_though_an_older_one_came_later(box: Box, clock: Set, journal: Journal) -> None:
    journal.record([measured("soil-moisture", 15, hours=1)])
    journal.record([measured("soil-moisture", 40, hours=20)])
    page = box.phone().get(FLOWERING).text
    assert "15 %" in page
    assert "40 %" not in page


def test_readings_are_brought_in_on_the_articles_where_they_matter(box: Box, clock: Set, journal: Journal) -> None:
    journal.record([measured("soil-moisture", 10), measured("grain-moisture", 15)])
    phone = box.phone()
    drought = phone.get("/articles/maize-drought-at-flowering").text
    assert "Soil moisture (field-1): 10 %" in drought
    assert drought.index('class="danger"') < drought.index('class="remarks"') < drought.index('class="signs"')
    assert "Moisture of the grain (field-1): 15 %" in phone.get("/articles/grain-drying").text
    assert "field-1" not in phone.get("/articles/maize-fall-armyworm").text


def test_a_name_of_a_sensor_is_only_a_name(box: Box, clock: Set, journal: Journal) -> None:
    time = (NOW - timedelta(hours=1)).isoformat()
    journal.record([Reading("<script>x</script>", "soil-moisture", 10, "%", time)])
    page = box.phone().get(FLOWERING).text
    assert "&lt;script&gt;x" in page
    assert "<script>x" not in page


def test_while_the_clock_is_wrong_nobody_knows_how_old_a_reading_is(box: Box, clock: Set, journal: Journal) -> None:
    journal.record([measured("soil-moisture", 15)])
    clock(WRONG)
    page = box.phone().get(f"{FLOWERING}&today=2027-03-01").text
    assert 'id="stage-now"' in page
    assert 'class="remarks"' not in page


def test_a_journal_that_fails_takes_no_page_with_it(
    box: Box, clock: Set, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise StorageError(path="journal.db", reason="the card is gone")

    monkeypatch.setattr(journal, "feeds", fail)
    assert box.phone().get(FLOWERING).status_code == 200
    assert box.phone().get("/articles/grain-drying").status_code == 200


def test_a_box_takes_up_what_was_left_for_it(box: Box, journal: Journal) -> None:
    inbox.leave(box.appliance.config.data, [measured("soil-moisture", 15)])
    box.appliance.knowing.take_readings()  # it has no journal yet
    assert len(inbox.waiting(box.appliance.config.data)) == 1
    box.appliance.keeping.journal = journal
    box.appliance.knowing.take_readings()
    assert journal.feeds(9) == [("field-1", "soil-moisture")]
    assert inbox.waiting(box.appliance.config.data) == []
    box.appliance.keeping.journal = None


def test_the_southern_season_is_only_other_dates(box: Box, clock: Set) -> None:
    clock(SEPTEMBER)
    assert "Sep 1, 2027" in section(box.phone().get(maize(date(2027, 8, 12))).text, "stage-growth")
