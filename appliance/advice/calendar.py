"""Calendars of crops: how long each part of a crop's life takes in which climate, and what is to be done in it.

They are data, `knowledge/calendars/CROP.toml` (docs/write-knowledge.md). Lengths are those of the places where they
were measured; a climate with several has a range, and one with none has the range of all. Days are “about”.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from appliance.advice.articles import Source
from appliance.advice.fields import NAME, Words, days, one_of, only, read_table, sources, words
from appliance.errors import DateError, KnowledgeError
from appliance.limits import LIMITS, Limits

FOLDER = "calendars"
CLIMATES = ("humid", "semi-arid", "highlands", "subtropics")
ANY = "any"  # a climate that nobody chose, or that nothing was measured in
STAGES = ("start", "growth", "middle", "end")  # until a tenth of the ground is covered; until all is; until it ripens
DAY_ONE = ("sown", "set-out", "planted")
CATCH_UP = ("weed", "thin", "feed", "support", "earth-up", "harvest", "store")  # is still worth it a few days too late
KINDS = (*CATCH_UP, "water", "scout")
SOON = timedelta(days=14)
GRACE = timedelta(days=14)
FIRST_YEAR, LAST_YEAR = 2000, 2100  # of planting
LONGEST = 730  # days of a crop


class Due(StrEnum):
    """How it stands with a piece of work; the box knows the dates, and not what was done."""

    LATE = "late"  # it should be done by now, and is still worth it
    NOW = "now"
    SOON = "soon"
    LATER = "later"
    PAST = "past"


@dataclass(frozen=True)
class Work:
    kind: str  # of KINDS
    say: Words
    article: str  # its id; "" if there is none
    days: tuple[int, int] | None  # after day one, if a source says so; else as long as its stage


@dataclass(frozen=True)
class Stage:
    id: str  # of STAGES
    name: Words
    critical: Words | None  # what matters most in it
    works: tuple[Work, ...]


@dataclass(frozen=True)
class Lengths:
    """Days of each of STAGES, as they were measured at a place."""

    climates: tuple[str, ...]  # that it speaks for; () counts only where nothing better is known
    where: str  # in English
    days: tuple[int, ...]


@dataclass(frozen=True)
class Calendar:
    crop: str  # as in the `crops` of articles; the name of the file with spaces for hyphens
    name: Words  # in lower case, as it stands in a sentence
    day_one: str  # of DAY_ONE: what the days are counted from
    stages: tuple[Stage, ...]
    lengths: tuple[Lengths, ...]
    sources: tuple[Source, ...]

    @property
    def id(self) -> str:
        return self.crop.replace(" ", "-")

    @property
    def climates(self) -> tuple[str, ...]:
        """Those that something was measured in."""
        return tuple(each for each in CLIMATES if any(each in row.climates for row in self.lengths))

    def windows(self, climate: str) -> tuple[tuple[int, int], ...]:
        """(first, last) day after day one of each stage: the earliest beginning and the latest end."""
        rows = [row for row in self.lengths if climate in row.climates] or list(self.lengths)
        found = []
        for number in range(len(STAGES)):
            begins = min(sum(row.days[:number]) for row in rows)
            ends = max(sum(row.days[: number + 1]) for row in rows)
            found.append((begins, ends - (number < len(STAGES) - 1)))
        return tuple(found)


@dataclass(frozen=True)
class Span:
    """From `first` to `last`, both included."""

    first: date
    last: date

    def has(self, day: date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True)
class DatedWork:
    work: Work
    stage: Stage
    span: Span
    due: Due


@dataclass(frozen=True)
class DatedStage:
    stage: Stage
    span: Span
    is_now: bool
    works: tuple[DatedWork, ...]


@dataclass(frozen=True)
class Plan:
    """A calendar from a day on. `measured`: whether its lengths are of this climate, and not the range of all."""

    calendar: Calendar
    planted: date
    climate: str  # of CLIMATES, or ANY
    today: date
    measured: bool
    stages: tuple[DatedStage, ...]

    @property
    def day(self) -> int:
        """Days since day one; below 0 before it."""
        return (self.today - self.planted).days

    @property
    def is_over(self) -> bool:
        """Whether all of it should be done."""
        return not any(work.due is not Due.PAST for work in self.works)

    @property
    def now(self) -> tuple[Stage, ...]:
        """The stages that the crop may be in: two, where they overlap."""
        return tuple(each.stage for each in self.stages if each.is_now)

    @property
    def works(self) -> tuple[DatedWork, ...]:
        return tuple(work for stage in self.stages for work in stage.works)

    def due(self, due: Due) -> tuple[DatedWork, ...]:
        """The work that is `due`, the most pressing first."""
        return tuple(sorted((work for work in self.works if work.due is due), key=lambda work: work.span.last))


def plan(calendar: Calendar, planted: date, climate: str, today: date) -> Plan:
    """`calendar` with dates. `climate` may be one that nothing is known of.

    Raises DateError: nobody plants in such a year.
    """
    if not FIRST_YEAR <= planted.year <= LAST_YEAR:
        raise DateError(date=planted.isoformat())
    known = climate if climate in CLIMATES else ANY

    def span(window: tuple[int, int]) -> Span:
        return Span(planted + timedelta(days=window[0]), planted + timedelta(days=window[1]))

    def dated(stage: Stage, whole: Span) -> DatedStage:
        spans = [(work, span(work.days) if work.days else whole) for work in stage.works]
        works = tuple(DatedWork(work, stage, its, _due(work, its, today)) for work, its in spans)
        return DatedStage(stage, whole, whole.has(today), works)

    stages = (
        dated(stage, span(window)) for stage, window in zip(calendar.stages, calendar.windows(known), strict=True)
    )
    return Plan(calendar, planted, known, today, known in calendar.climates, tuple(stages))


def _due(work: Work, span: Span, today: date) -> Due:
    if span.has(today):
        return Due.NOW
    if today < span.first:
        return Due.SOON if span.first - today <= SOON else Due.LATER
    return Due.LATE if work.kind in CATCH_UP and today - span.last <= GRACE else Due.PAST


def read_calendars(
    folder: Path,
    articles: Collection[str],
    limits: Limits = LIMITS,
    on_error: Callable[[KnowledgeError], None] | None = None,
) -> dict[str, Calendar]:
    """All calendars in `folder`/calendars, by id. One that is wrong is left out and told to `on_error`, if given.

    `articles` are the ids of those that work may lead to.

    Raises:
        KnowledgeError: a calendar is not of its form, and there is no `on_error`.
    """
    found = {}
    for path in sorted((folder / FOLDER).glob("*.toml")):
        try:
            found[path.stem] = read_calendar(path, articles, limits)
        except KnowledgeError as error:
            if on_error is None:
                raise
            on_error(error)
    return found


def read_calendar(path: Path, articles: Collection[str], limits: Limits = LIMITS) -> Calendar:
    """Read one calendar. Raises KnowledgeError."""
    name = f"{FOLDER}/{path.stem}"
    table = read_table(path, name, limits)
    try:
        return _calendar(path.stem, table, articles)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise KnowledgeError(article=name, reason=f"a field is missing or not of its form: {error}") from error


def _calendar(name: str, table: dict[str, Any], articles: Collection[str]) -> Calendar:
    only(table, ("name", "day_one", "lengths", "stages", "sources"), "it")
    if not NAME.fullmatch(name):
        raise ValueError("its name is not in lower case with hyphens")
    stages = tuple(_stage(row, articles) for row in table["stages"])
    if tuple(stage.id for stage in stages) != STAGES:
        raise ValueError(f"its stages are not {', '.join(STAGES)}, in this order")
    if not any(stage.critical for stage in stages):
        raise ValueError("no stage says what is critical")
    if not any(work.kind == "harvest" for stage in stages for work in stage.works):
        raise ValueError("there is no harvest")
    calendar = Calendar(
        crop=name.replace("-", " "),
        name=words(table["name"], "name"),
        day_one=one_of(table["day_one"], DAY_ONE, "day_one"),
        stages=stages,
        lengths=tuple(_lengths(row) for row in table["lengths"]),
        sources=sources(table["sources"]),
    )
    if not calendar.lengths:
        raise ValueError("it has no lengths")
    _check_days(calendar)
    return calendar


def _stage(row: Mapping[str, Any], articles: Collection[str]) -> Stage:
    only(row, ("id", "name", "critical", "work"), "a stage")
    where = f"stage {row['id']}"
    works = tuple(_work(each, where, articles) for each in row["work"])
    if not works:
        raise ValueError(f"{where} has no work")
    critical = words(row["critical"], f"{where}: critical") if "critical" in row else None
    return Stage(one_of(row["id"], STAGES, "stage"), words(row["name"], f"{where}: name"), critical, works)


def _work(row: Mapping[str, Any], stage: str, articles: Collection[str]) -> Work:
    only(row, ("kind", "say", "article", "days"), f"work of {stage}")
    kind = one_of(row["kind"], KINDS, f"{stage}: kind")
    article = str(row.get("article", ""))
    if article and article not in articles:
        raise ValueError(f"{stage}: there is no article {article}")
    when = days(row["days"], f"{stage}: {kind}: days") if "days" in row else None
    return Work(kind, words(row["say"], f"{stage}: {kind}"), article, when)


def _lengths(row: Mapping[str, Any]) -> Lengths:
    only(row, ("climates", "where", "days"), "a row of lengths")
    climates = tuple(one_of(each, CLIMATES, "climate") for each in row["climates"])
    found = tuple(row["days"])
    if len(found) != len(STAGES) or not all(type(each) is int and each > 0 for each in found) or sum(found) > LONGEST:
        raise ValueError(f"the days of {row['where']} are not {len(STAGES)} lengths of at most {LONGEST} days together")
    if not isinstance(row["where"], str) or not row["where"]:
        raise ValueError("a row of lengths does not say where")
    return Lengths(climates, row["where"], found)


def _check_days(calendar: Calendar) -> None:
    """That work with days of its own falls into its stage, at least where that is longest."""
    for stage, (first, last) in zip(calendar.stages, calendar.windows(ANY), strict=True):
        for when in _days_of(stage):
            if when[1] < first or when[0] > last:
                raise ValueError(f"stage {stage.id}: days {list(when)} are never in it")


def _days_of(stage: Stage) -> Iterator[tuple[int, int]]:
    return (work.days for work in stage.works if work.days)
