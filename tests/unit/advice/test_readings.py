"""What sensors say is brought in where it matters, with its time, and never what cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.advice.articles import read_articles
from appliance.advice.calendar import Stage, read_calendars
from appliance.advice.fields import LANGUAGES
from appliance.advice.readings import (
    FILE,
    FORGOTTEN,
    STATES,
    About,
    Meaning,
    Remark,
    Soil,
    newest,
    read_meaning,
)
from appliance.errors import KnowledgeError
from appliance.storage.journal import Reading
from appliance.storage.quantities import QUANTITIES
from tests.conftest import ROOT

KNOWLEDGE = ROOT / "knowledge"
ARTICLES = read_articles(KNOWLEDGE)
CALENDARS = read_calendars(KNOWLEDGE, ARTICLES)
MEANING = read_meaning(KNOWLEDGE, CALENDARS, ARTICLES)
NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


def stage_of(crop: str, name: str) -> Stage:
    return next(stage for stage in CALENDARS[crop].stages if stage.id == name)


def reading(quantity: str, value: float, hours: float = 3, unit: str = "", sensor: str = "field-1") -> Reading:
    time = (NOW - timedelta(hours=hours)).isoformat(timespec="seconds")
    return Reading(sensor, quantity, value, unit or QUANTITIES[quantity].unit, time)


def remarks(about: About, *readings: Reading) -> list[Remark]:
    return MEANING.bring_in(about, readings, NOW)


def said(about: About, *readings: Reading) -> list[str]:
    return [verdict.say["en"] for remark in remarks(about, *readings) for verdict in remark.verdicts]


FLOWERING = About(("maize",), (stage_of("maize", "middle"),), "loam")


# Soil moisture


def test_dry_soil_is_dry_for_maize_at_flowering_with_its_time() -> None:
    (remark,) = remarks(FLOWERING, reading("soil-moisture", 15))
    (verdict,) = remark.verdicts
    assert verdict.say["en"] == "dry for maize (flowering and filling the cobs)"
    assert verdict.say["es"] == "seco para maíz (floración y llenado de la mazorca)"
    assert set(verdict.say) == set(LANGUAGES)
    assert remark.age == timedelta(hours=3)
    assert not remark.stale


@pytest.mark.parametrize(("value", "state"), [(12, "parched"), (12.1, "dry"), (17.8, "dry"), (17.9, "enough")])
def test_the_bounds_of_a_soil_are_those_of_the_source(value: float, state: str) -> None:
    """Loam: 25 % when it has drained, 12 % when plants get no more; maize bears 0.55 of what lies between."""
    assert MEANING.soils["loam"].state(value, MEANING.depletion["maize"]) == state


@pytest.mark.parametrize(("soil", "state"), [("sandy", "wet enough"), ("loam", "dry"), ("clay", "far too dry")])
def test_the_same_figure_means_something_else_in_another_soil(soil: str, state: str) -> None:
    assert said(About(("maize",), (), soil), reading("soil-moisture", 15)) == [f"{state} for maize"]


def test_without_the_soil_it_is_said_what_it_means_in_each() -> None:
    assert said(About(("maize",)), reading("soil-moisture", 15)) == [
        "for maize: in sandy soil wet enough; in loam dry; in clay far too dry"
    ]
    assert said(About(("maize",)), reading("soil-moisture", 50)) == ["wet enough for maize"]


def test_a_crop_that_needs_more_water_is_thirsty_sooner() -> None:
    value = reading("soil-moisture", 18)
    assert said(About(("sorghum",), (), "loam"), value) == ["wet enough for sorghum"]
    assert said(About(("onion",), (), "loam"), value) == ["dry for onion"]


def test_nothing_is_said_of_rice_which_stands_in_water() -> None:
    assert said(About(("rice",)), reading("soil-moisture", 15)) == []


# Bands


@pytest.mark.parametrize(
    ("crop", "quantity", "bound", "at", "below"),
    [
        ("maize", "air-temperature", 35, "less pollen", ""),
        ("tomato", "air-temperature", 32, "flowers may fall", ""),
        ("beans", "air-temperature", 30, "drop flowers", ""),
    ],
)
def test_heat_matters_at_flowering_and_not_before(crop: str, quantity: str, bound: float, at: str, below: str) -> None:
    flowering = About((crop,), (stage_of(crop, "middle"),))
    assert at in said(flowering, reading(quantity, bound))[0]
    assert said(flowering, reading(quantity, bound - 0.1)) == []
    assert said(About((crop,), (stage_of(crop, "start"),)), reading(quantity, bound)) == []


@pytest.mark.parametrize("crop", ["potato", "tomato"])
def test_damp_air_leads_to_late_blight(crop: str) -> None:
    (remark,) = remarks(About((crop,)), reading("relative-humidity", 90))
    assert remark.verdicts[0].article == f"{crop}-late-blight"
    assert said(About((crop,)), reading("relative-humidity", 89)) == []


@pytest.mark.parametrize(
    ("crop", "value", "article"),
    [
        ("maize", 12.9, "hermetic-bags"),
        ("maize", 13, "grain-drying"),
        ("millet", 13, "grain-drying"),
        ("sorghum", 13.4, "hermetic-bags"),
        ("sorghum", 13.5, "grain-drying"),
        ("rice", 11.9, "seed-storage"),
        ("rice", 12, "grain-drying"),
        ("rice", 14, "grain-drying"),
    ],
)
def test_grain_is_dry_enough_or_is_to_be_dried(crop: str, value: float, article: str) -> None:
    (remark,) = remarks(About((crop,), (stage_of(crop, "end"),)), reading("grain-moisture", value))
    assert [verdict.article for verdict in remark.verdicts] == [article]


def test_bands_of_a_quantity_cover_it_once_for_each_crop() -> None:
    """Of grain every moisture has one verdict; nowhere are there two."""
    for crop in ("maize", "millet", "sorghum", "rice"):
        for tenth in range(10, 600):
            assert len(said(About((crop,)), reading("grain-moisture", tenth / 10))) == 1
    for crop in CALENDARS.values():
        for quantity in ("air-temperature", "relative-humidity"):
            for value in range(int(QUANTITIES[quantity].least), int(QUANTITIES[quantity].most) + 1):
                assert len(said(About((crop.crop,)), reading(quantity, value))) <= 1


# Where it matters


def test_on_an_article_only_what_belongs_there_is_brought_in() -> None:
    moist, hot = reading("soil-moisture", 15), reading("air-temperature", 36)
    grain = reading("grain-moisture", 15, sensor="store")
    assert len(remarks(About(("maize",), article="maize-drought-at-flowering"), moist, hot, grain)) == 2
    assert remarks(About(("maize",), article="maize-fall-armyworm"), moist, hot, grain) == []
    (remark,) = remarks(About(ARTICLES["grain-drying"].crops, article="grain-drying"), moist, hot, grain)
    assert remark.reading == grain


def test_what_is_so_for_several_crops_is_said_once() -> None:
    assert len(said(About(("maize", "millet")), reading("grain-moisture", 15))) == 1


# What is left out


@pytest.mark.parametrize(
    "bad",
    [
        reading("soil-moisture", 15, unit="mm"),
        reading("soil-moisture", -1),
        reading("soil-moisture", 101),
        reading("soil-moisture", float("nan")),
        Reading("field-1", "soil-redness", 15, "%", NOW.isoformat()),
        Reading("field-1", "soil-moisture", 15, "%", ""),
        Reading("field-1", "soil-moisture", 15, "%", "yesterday"),
        Reading("field-1", "soil-moisture", 15, "%", "2027-03-01T11:00:00"),  # without a zone
        reading("soil-moisture", 15, hours=-1),  # of time to come
        reading("soil-moisture", 15, hours=24 * 61),
    ],
    ids=["unit", "below", "beyond", "nan", "quantity", "no time", "words", "no zone", "to come", "forgotten"],
)
def test_what_cannot_be_or_is_long_ago_is_left_out(bad: Reading) -> None:
    assert remarks(FLOWERING, bad) == []
    assert len(remarks(FLOWERING, bad, reading("soil-moisture", 15))) == 1


def test_a_clock_that_is_a_little_ahead_is_forgiven() -> None:
    (remark,) = remarks(FLOWERING, reading("soil-moisture", 15, hours=-0.05))
    assert remark.age == timedelta()


@pytest.mark.parametrize(("hours", "stale"), [(48, False), (48.1, True), (96, True), (24 * 60, True)])
def test_an_old_reading_says_only_how_old_it_is(hours: float, stale: bool) -> None:
    (remark,) = remarks(FLOWERING, reading("soil-moisture", 15, hours=hours))
    assert remark.stale is stale
    assert remark.age == timedelta(hours=hours)
    assert bool(remark.verdicts) is not stale


def test_an_old_reading_that_would_not_matter_is_not_told_either() -> None:
    assert remarks(About(("cassava",)), reading("grain-moisture", 15, hours=24 * 30)) == []


# The last reading of a sensor


def test_the_last_reading_is_the_newest_one_that_can_be() -> None:
    old, new = reading("soil-moisture", 20, hours=5), reading("soil-moisture", 15, hours=2)
    ahead = reading("soil-moisture", 30, hours=-1_000)  # its clock was wrong that day
    assert newest([new, ahead, old], NOW) == new
    assert newest([ahead], NOW) is None
    assert newest([], NOW) is None


def test_of_two_at_the_same_time_the_later_one_counts() -> None:
    time = NOW.isoformat()
    one, two = (Reading("s", "soil-moisture", value, "%", time, number) for number, value in ((1, 10), (2, 20)))
    assert newest([two, one], NOW) == two


# The file


def test_every_quantity_that_can_be_measured_has_its_meaning() -> None:
    assert set(MEANING.kinds) == set(QUANTITIES)
    assert all(kind.articles and kind.fresh < FORGOTTEN for kind in MEANING.kinds.values())
    assert set(MEANING.depletion) == {each.crop for each in CALENDARS.values()} - {"rice"}
    assert set(STATES) <= set(MEANING.phrases)
    assert all(source.checked != "known" for source in MEANING.sources)


@pytest.mark.parametrize("crop", [each.crop for each in CALENDARS.values() if each.crop != "rice"])
@pytest.mark.parametrize("value", [1, 15, 70])
def test_there_are_words_for_every_crop_in_every_language(crop: str, value: float) -> None:
    (remark,) = remarks(About((crop,)), reading("soil-moisture", value))
    words = remark.verdicts[0].say
    assert set(words) == set(LANGUAGES)
    assert not any("{" in text for text in words.values())


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("[quantities.grain-moisture]", "[quantities.gold]", "gold"),
        ("fresh_hours = 48", "fresh_hours = 0", "fresh_hours"),
        ("fresh_hours = 48", 'fresh_hours = "two"', "fresh_hours"),
        ('articles = ["maize-drought', 'articles = ["nothing-of-this-name", "maize-drought', "no article"),
        ("field_capacity = [7, 17]", "field_capacity = [1, 2]", "wilting point"),
        ("field_capacity = [7, 17]", "field_capacity = [17, 7]", "out of order"),
        ("maize = 0.55", "maize = 55", "share"),
        ('dry = {en = "dry"', 'wet = {en = "dry"', "phrases"),
        ("{state} for {crop}", "{state} for you", "every language"),
        ('quantity = "air-temperature"', 'quantity = "noise"', "quantity"),
        ('crops = ["potato"]', "crops = []", "no crops"),
        ("from = 35", "from = 350", "out of order"),
        ('stages = ["middle"]', 'stages = ["noon"]', "stage"),
        ('article = "grain-drying"', 'article = "grain-wetting"', "no article"),
        ("from = 35", "from = 35\nuntil = 40", "until"),
        ("year = 1998", "year = 1", "year"),
    ],
)
def test_a_wrong_file_is_refused_and_told_and_the_box_says_nothing(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    text = (KNOWLEDGE / FILE).read_text(encoding="utf-8")
    assert old in text
    (tmp_path / FILE).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(KnowledgeError, match=f"{FILE}.*{reason}"):
        read_meaning(tmp_path, CALENDARS, ARTICLES)
    told: list[KnowledgeError] = []
    nothing = read_meaning(tmp_path, CALENDARS, ARTICLES, on_error=told.append)
    assert len(told) == 1
    assert nothing.bring_in(FLOWERING, [reading("soil-moisture", 15)], NOW) == []


def test_a_box_without_the_file_says_nothing(tmp_path: Path) -> None:
    nothing: Meaning = read_meaning(tmp_path, CALENDARS, ARTICLES)
    assert nothing.bring_in(FLOWERING, [reading("soil-moisture", 15)], NOW) == []


# The pieces


def test_what_a_crop_bears_lies_between_the_two_bounds_of_a_soil() -> None:
    soil = Soil({}, 30, 10)
    assert [soil.state(value, 0.5) for value in (10, 10.1, 19.9, 20, 60)] == [
        "parched",
        "dry",
        "dry",
        "enough",
        "enough",
    ]
