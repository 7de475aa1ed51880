"""How the box is, what to do about it, and what day it takes it for."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webui.keeper_words import findings_of
from webui.keeping import guard
from webui.messages import words_for
from webui.pages.keeper_jobs import KEEPER, begun
from webui.site import appliance

pages = Blueprint("keeper_health", __name__)
guard(pages)


@pages.get("/keeper/health")
def show() -> str:
    """What the checks found that take a moment, the worst first."""
    box = appliance()
    found = findings_of(box.findings())
    return render_template(
        "keeper_health.html",
        bad=[each for each in found if each.level != "good"],
        good=[each for each in found if each.level == "good"],
        problems=[(words_for(problem), str(problem)) for problem in box.problems],
    )


@pages.post("/keeper/health/packs")
def examine() -> Response:
    """Read every pack to its end and put every model to its self-test, while the box works on."""
    return begun(appliance().submit_examination(KEEPER))


@pages.get("/keeper/clock")
def clock() -> str:
    """The date by the clock, and the one that packs are judged by."""
    judged = appliance().trust.time.judge()
    return render_template("keeper_clock.html", judged=judged, done="done" in request.args)


@pages.post("/keeper/clock")
def clock_right() -> Response:
    """Go by the clock from now on."""
    appliance().trust.time.confirm()
    appliance().keeping.note("clock_right")
    return redirect(url_for("keeper_health.clock", done="yes"), 303)
