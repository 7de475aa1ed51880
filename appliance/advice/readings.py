"""What the readings of sensors mean for a crop: “12 %: dry for maize (flowering)”, with the time, or nothing.

The bands are data, `knowledge/readings.toml` (docs/write-knowledge.md). How much water a soil can give is not the same
in sand and in clay: without knowing the soil, the box says what the reading means in each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from appliance.advice.articles import Source
from appliance.advice.calendar import STAGES, Calendar, Stage
from appliance.advice.fields import LANGUAGES, Words, one_of, only, read_table, sources, words
from appliance.errors import KnowledgeError
from appliance.limits import LIMITS, Limits
from appliance.storage.journal import Reading
from appliance.storage.quantities import QUANTITIES, is_possible

FILE = "readings.toml"
SOIL = "soil-moisture"  # the quantity that is judged by the soil, and not by bands
STATES = ("enough", "dry", "parched")
SLACK = timedelta(minutes=5)  # that the clock of a sensor may be ahead
FORGOTTEN = timedelta(days=60)  # of an old reading nothing is said any more


@dataclass(frozen=True)
class Kind:
    """A quantity as advice takes it. `articles`: on whose pages it is brought in."""

    name: Words
    fresh: timedelta  # how long a reading counts
    articles: tuple[str, ...]


@dataclass(frozen=True)
class Soil:
    """Water in percent of the volume: after rain has drained, and when plants get no more of it."""

    name: Words
    field_capacity: float
    wilting_point: float

    def state(self, moisture: float, depletion: float) -> str:
        """One of STATES for a crop that bears `depletion` (a share, 0..1) of what the soil can give."""
        if moisture <= self.wilting_point:
            return "parched"
        least = self.field_capacity - depletion * (self.field_capacity - self.wilting_point)
        return "enough" if moisture >= least else "dry"


@dataclass(frozen=True)
class Band:
    """What is said of a value from `least` and below `below`. No `stages`: in all of them."""

    quantity: str
    crops: tuple[str, ...]
    stages: tuple[str, ...]
    least: float
    below: float
    say: Words
    article: str  # its id; "" if there is none


@dataclass(frozen=True)
class About:
    """What advice is given on. With an `article`, only what is brought in there; `stages` () are not known."""

    crops: tuple[str, ...]
    stages: tuple[Stage, ...] = ()
    soil: str = ""  # the id of one that is known; "" if it is not known
    article: str = ""


@dataclass(frozen=True)
class Verdict:
    say: Words
    article: str = ""


@dataclass(frozen=True)
class Remark:
    """A reading, and what it means. `stale`: it is too old to mean anything, and there are no verdicts."""

    reading: Reading
    name: Words  # of its quantity
    age: timedelta
    verdicts: tuple[Verdict, ...]

    @property
    def stale(self) -> bool:
        return not self.verdicts


@dataclass(frozen=True)
class Meaning:
    """All of `knowledge/readings.toml`; `crops` are the names of those with a calendar."""

    kinds: Mapping[str, Kind]
    soils: Mapping[str, Soil]
    depletion: Mapping[str, float]  # by crop: the share of the soil's water that it takes without harm
    phrases: Mapping[str, Words]  # STATES, `one` and `each`
    bands: tuple[Band, ...]
    sources: tuple[Source, ...]
    crops: Mapping[str, Words]

    def bring_in(self, about: About, readings: Iterable[Reading], now: datetime) -> list[Remark]:
        """A remark for each of `readings` that matters for what advice is given on, in their order.

        Left out is what cannot be (another unit, beyond what is possible, no time, a time to come), and what is older
        than FORGOTTEN. `now` is the time in UTC.
        """
        found = (self._remark(about, reading, now) for reading in readings)
        return [remark for remark in found if remark is not None]

    def _remark(self, about: About, reading: Reading, now: datetime) -> Remark | None:
        kind, time = self.kinds.get(reading.quantity), moment(reading)
        if kind is None or time is None or not is_possible(reading.quantity, reading.value, reading.unit):
            return None
        if about.article and about.article not in kind.articles:
            return None
        age = now - time
        if age < -SLACK or age > FORGOTTEN or not self._matters(about, reading.quantity):
            return None
        if age > kind.fresh:
            return Remark(reading, kind.name, age, ())
        verdicts = self._verdicts(about, reading)
        return Remark(reading, kind.name, max(age, timedelta()), verdicts) if verdicts else None

    def _matters(self, about: About, quantity: str) -> bool:
        if quantity == SOIL:
            return any(crop in self.depletion for crop in about.crops)
        return any(_fits(band, crop, quantity, about) for band in self.bands for crop in about.crops)

    def _verdicts(self, about: About, reading: Reading) -> tuple[Verdict, ...]:
        if reading.quantity == SOIL:
            crops = [crop for crop in about.crops if crop in self.depletion]
            return tuple(Verdict(self._say_of_soil(about, crop, reading.value)) for crop in crops)
        said: dict[Verdict, None] = {}  # once, though it may be so for several crops
        for band in self.bands:
            if band.least <= reading.value < band.below and any(
                _fits(band, crop, reading.quantity, about) for crop in about.crops
            ):
                said[Verdict(_Fixed(band.say), band.article)] = None
        return tuple(said)

    def _say_of_soil(self, about: About, crop: str, moisture: float) -> Words:
        soils = [self.soils[about.soil]] if about.soil in self.soils else list(self.soils.values())
        states = [soil.state(moisture, self.depletion[crop]) for soil in soils]

        def say(language: str) -> str:
            of = self.crops[crop][language]
            if len(about.stages) == 1:
                of += f" ({about.stages[0].name[language]})"
            if len(set(states)) == 1:
                return self.phrases["one"][language].format(state=self.phrases[states[0]][language], crop=of)
            each = (
                f"{soil.name[language]} {self.phrases[state][language]}"
                for soil, state in zip(soils, states, strict=True)
            )
            return self.phrases["each"][language].format(list="; ".join(each), crop=of)

        return _Fixed({language: say(language) for language in LANGUAGES})


class _Fixed(dict[str, str]):
    """Words that can be told apart in a set; nobody changes them."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))


def moment(reading: Reading) -> datetime | None:
    """When it was measured; None if it does not say, or without its zone."""
    try:
        time = datetime.fromisoformat(reading.time)
    except ValueError:
        return None
    return time if time.tzinfo else None


def newest(readings: Iterable[Reading], now: datetime) -> Reading | None:
    """The last of `readings` that was not measured in time to come: a clock may have been ahead once."""
    past = [(time, each) for each in readings if (time := moment(each)) is not None and time - now <= SLACK]
    return max(past, key=lambda pair: (pair[0], pair[1].sequence))[1] if past else None


def _fits(band: Band, crop: str, quantity: str, about: About) -> bool:
    stages = {stage.id for stage in about.stages}
    at_its_time = not stages or not band.stages or not stages.isdisjoint(band.stages)
    return band.quantity == quantity and crop in band.crops and at_its_time


def read_meaning(
    folder: Path,
    calendars: Mapping[str, Calendar],
    articles: Collection[str],
    limits: Limits = LIMITS,
    on_error: Callable[[KnowledgeError], None] | None = None,
) -> Meaning:
    """The file of `folder`; of one that is wrong or missing nothing is known, and `on_error` is told, if given.

    Raises:
        KnowledgeError: it is not of its form, and there is no `on_error`.
    """
    path = folder / FILE
    crops = {calendar.crop: calendar.name for calendar in calendars.values()}
    nothing = Meaning({}, {}, {}, {}, (), (), crops)
    if not path.exists():
        return nothing
    try:
        table = read_table(path, FILE, limits)
        try:
            return _meaning(table, crops, articles)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise KnowledgeError(article=FILE, reason=f"a field is missing or not of its form: {error}") from error
    except KnowledgeError as error:
        if on_error is None:
            raise
        on_error(error)
        return nothing


def _meaning(table: dict[str, Any], crops: Mapping[str, Words], articles: Collection[str]) -> Meaning:
    only(table, ("quantities", "soils", "depletion", "phrases", "bands", "sources"), "it")
    kinds = {name: _kind(name, row, articles) for name, row in table["quantities"].items()}
    phrases = {name: words(row, f"phrases: {name}") for name, row in table["phrases"].items()}
    if set(phrases) != {*STATES, "one", "each"}:
        raise ValueError(f"phrases are not {', '.join((*STATES, 'one', 'each'))}")
    for name, blanks in (("one", ("{state}", "{crop}")), ("each", ("{list}", "{crop}"))):
        if not all(blank in text for text in phrases[name].values() for blank in blanks):
            raise ValueError(f"phrases: {name} has not {' and '.join(blanks)} in every language")
    depletion = {crop: float(share) for crop, share in table["depletion"].items()}
    if not all(0 < share < 1 for share in depletion.values()):
        raise ValueError("depletion is not a share between 0 and 1")
    return Meaning(
        kinds=kinds,
        soils={name: _soil(name, row) for name, row in table["soils"].items()},
        depletion={crop: share for crop, share in depletion.items() if crop in crops},
        phrases=phrases,
        bands=tuple(_band(row, kinds, articles) for row in table["bands"]),
        sources=sources(table["sources"]),
        crops=crops,
    )


def _kind(name: str, row: Mapping[str, Any], articles: Collection[str]) -> Kind:
    only(row, ("name", "fresh_hours", "articles"), name)
    one_of(name, tuple(QUANTITIES), "quantity")
    if type(row["fresh_hours"]) is not int or row["fresh_hours"] <= 0:
        raise ValueError(f"{name}: fresh_hours is not a number of hours")
    for article in row["articles"]:
        _known(article, articles, name)
    return Kind(words(row["name"], f"{name}: name"), timedelta(hours=row["fresh_hours"]), tuple(row["articles"]))


def _soil(name: str, row: Mapping[str, Any]) -> Soil:
    only(row, ("name", "field_capacity", "wilting_point"), f"soil {name}")
    capacity, wilting = (_middle(row[each], f"soil {name}: {each}") for each in ("field_capacity", "wilting_point"))
    if not 0 < wilting < capacity < 100:
        raise ValueError(f"soil {name}: the wilting point is not below the field capacity")
    return Soil(words(row["name"], f"soil {name}: name"), capacity, wilting)


def _middle(value: Any, where: str) -> float:
    least, most = value
    if not least <= most:
        raise ValueError(f"{where} is out of order")
    return (float(least) + float(most)) / 2


def _band(row: Mapping[str, Any], kinds: Mapping[str, Kind], articles: Collection[str]) -> Band:
    only(row, ("quantity", "crops", "stages", "from", "below", "say", "article"), "a band")
    quantity = one_of(row["quantity"], tuple(kinds), "quantity of a band")
    article = str(row.get("article", ""))
    if article:
        _known(article, articles, f"a band of {quantity}")
    possible = QUANTITIES[quantity]
    least, below = float(row.get("from", possible.least)), float(row.get("below", possible.most + 1))
    if not possible.least <= least < below or not row["crops"]:
        raise ValueError(f"a band of {quantity} has no crops, or is out of order")
    stages = tuple(one_of(stage, STAGES, "stage of a band") for stage in row.get("stages", []))
    return Band(quantity, tuple(row["crops"]), stages, least, below, words(row["say"], "say of a band"), article)


def _known(article: str, articles: Collection[str], where: str) -> None:
    if article not in articles:
        raise ValueError(f"{where}: there is no article {article}")
