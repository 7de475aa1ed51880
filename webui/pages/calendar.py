"""The calendar of work of a crop, from its date of planting on. Nothing of it is kept: it is in the address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from flask import Blueprint, render_template
from flask_babel import gettext, lazy_gettext

from appliance.advice.calendar import ANY, CLIMATES, DatedWork, Due, Plan
from appliance.advice.readings import SOIL, About, Remark
from appliance.errors import ArticleNotFoundError, BarazaError, DateError
from webui.faults import on_error
from webui.forms import asked
from webui.languages import reader_language
from webui.messages import words_for
from webui.season import capital, spoken
from webui.site import appliance

pages = Blueprint("calendar", __name__)

CLIMATE_NAMES = {
    ANY: lazy_gettext("I do not know"),
    "humid": lazy_gettext("Warm and humid"),
    "semi-arid": lazy_gettext("Dry, with a short rainy season"),
    "highlands": lazy_gettext("Cool highlands"),
    "subtropics": lazy_gettext("Subtropics, with a cooler season"),
}
SOIL_NAMES = {
    "": lazy_gettext("I do not know"),
    "sandy": lazy_gettext("Sandy: it runs through the fingers"),
    "loam": lazy_gettext("Loam: it makes a ball that breaks easily"),
    "clay": lazy_gettext("Clay: it sticks, and rolls into a thin sausage"),
}
DAY_ONE = {
    "sown": lazy_gettext("The days are counted from sowing."),
    "set-out": lazy_gettext("The days are counted from planting out in the field, not from the seedbed."),
    "planted": lazy_gettext("The days are counted from planting the cuttings, vines or tubers."),
}


@dataclass(frozen=True)
class Asked:
    """What the form holds, as it was typed."""

    crop: str
    planted: str
    climate: str
    soil: str
    today: str


@pages.get("/calendar")
def show() -> str:
    """The form; with a crop, its calendar too."""
    form = Asked(asked("crop"), asked("planted"), asked("climate"), asked("soil"), asked("today"))
    if not form.crop:
        return _page(form)
    on_error(lambda error: _page(form, error=error))
    season = appliance().knowing.season
    today = season.today() or (_date(form.today) if form.today else None)
    if today is None:
        return _page(form)
    plan = season.plan(form.crop, _date(form.planted), form.climate, today)
    about = About((plan.calendar.crop,), plan.now, form.soil)
    return _page(form, plan, season.remarks(about) if plan.now else [])


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise DateError(date=text) from None


def _page(
    form: Asked, plan: Plan | None = None, remarks: list[Remark] | None = None, error: BarazaError | None = None
) -> str:
    season = appliance().knowing.season
    crops = [(each.id, capital(spoken(each.name))) for each in season.calendars.values()]
    return render_template(
        "calendar.html",
        form=form,
        plan=plan,
        remarks=remarks or [],
        error=words_for(error) if error else "",
        crops=sorted(crops, key=lambda pair: pair[1].casefold()),
        climates=[(each, str(CLIMATE_NAMES[each])) for each in (ANY, *CLIMATES)],
        soils=[(each, str(SOIL_NAMES[each])) for each in SOIL_NAMES],
        has_soil=any(reading.quantity == SOIL for reading in season.readings()),
        today=season.today(),
        climate_names={each: str(name) for each, name in CLIMATE_NAMES.items()},
        day_one=str(DAY_ONE[plan.calendar.day_one]) if plan else "",
        groups=_groups(plan) if plan else [],
        sources=(*plan.calendar.sources, *(season.meaning.sources if remarks else ())) if plan else (),
        capital=capital,
        title_of=_title_of,
    )


def _groups(plan: Plan) -> list[tuple[str, str, tuple[DatedWork, ...]]]:
    """(id, heading, work) of what is pressing, the most pressing first."""
    headings = (
        (Due.NOW, gettext("Now")),
        (Due.LATE, gettext("It should be done by now")),
        (Due.SOON, gettext("In the next two weeks")),
    )
    return [(due.value, str(heading), plan.due(due)) for due, heading in headings if plan.due(due)]


def _title_of(article_id: str) -> str:
    try:
        return appliance().knowing.article(article_id).face(reader_language()).title
    except ArticleNotFoundError:
        return ""
