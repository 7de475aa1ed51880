"""Installing, copying and examining, on its way: how far it is, how long it still takes, and what came of it."""

from __future__ import annotations

from typing import Any, TypeGuard, TypeVar

from flask import Blueprint, Response, redirect, render_template, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response as AnyResponse

from appliance.app import UNATTENDED
from appliance.health.finding import Finding
from appliance.inference.job import ENDED, Job, State
from appliance.packs.export import Exported
from appliance.packs.store import InstalledPack
from appliance.storage.backup import Backup
from webui.keeper_words import findings_of
from webui.keeping import guard
from webui.messages import words_for
from webui.progress import last_progress, left_words, percent, state_words
from webui.site import appliance
from webui.streaming import events_of

T = TypeVar("T")

pages = Blueprint("keeper_jobs", __name__)
guard(pages)

KEEPER = "keeper"  # the owner of every job that a keeper begins, whoever it is: they all see all of them
SHOWN = 8
TITLES = {
    "install": lazy_gettext("Installing a pack"),
    "bring": lazy_gettext("Installing packs"),
    "export": lazy_gettext("Copying packs to a stick"),
    "backup": lazy_gettext("Making a backup"),
    "examination": lazy_gettext("Looking at every pack"),
}
OF_PACKS = ("install", "bring")


def keepers_jobs() -> list[Job]:
    """What keepers began, and what the box installed by itself, lately; the newest first."""
    installs = appliance().installs
    found = [*installs.held_for(KEEPER), *filter(_is_worth_telling, installs.held_for(UNATTENDED))]
    return sorted(found, key=lambda job: job.asked, reverse=True)[:SHOWN]


def _is_worth_telling(job: Job) -> bool:
    """A stick with photographs is a job of nothing."""
    return job.state is not State.DONE or bool(job.result)


def title_of(job: Job) -> str:
    """What a job does, in the reader's language."""
    return str(TITLES.get(job.kind, job.kind))


def begun(job: Job) -> AnyResponse:
    """To the page that shows how far a job is."""
    return redirect(url_for("keeper_jobs.show", job_id=job.id), 303)


@pages.get("/keeper/jobs/<job_id>")
def show(job_id: str) -> str:
    """The page of a job; without JavaScript it reloads by itself while the job is at work."""
    return render_template("keeper_job.html", **_view(appliance().installs.get(job_id)))


@pages.get("/keeper/jobs/<job_id>/part")
def part(job_id: str) -> str:
    """The part of the page that changes, for htmx."""
    return render_template("_keeper_job.html", fragment=True, **_view(appliance().installs.get(job_id)))


@pages.get("/keeper/jobs/<job_id>/events")
def events(job_id: str) -> Response:
    """The events of a job, for htmx."""
    return events_of(appliance().installs, job_id)


@pages.post("/keeper/jobs/<job_id>/cancel")
def cancel(job_id: str) -> AnyResponse:
    """Stop a job. What it has installed so far stays; what it was at leaves no trace."""
    appliance().installs.cancel(job_id)
    return redirect(url_for("keeper_jobs.show", job_id=job_id), 303)


def _view(job: Job) -> dict[str, Any]:
    """What the templates show of a job. The events are read first: what comes later is streamed after them."""
    seen, state = list(job.events), job.state
    result = job.result if state is State.DONE else None
    return {
        "job": job,
        "title": title_of(job),
        "state": state.value,
        "live": state not in ENDED,
        "after": len(seen),
        "percent": percent(*job.progress),
        "left": left_words(last_progress(job)),
        "standing": state_words(job),
        "error": words_for(job.error) if job.error else "",
        "detail": str(job.error) if job.error else "",
        "packs": _those(InstalledPack, result),
        "copied": _those(Exported, result),
        "backup": result.path.name if isinstance(result, Backup) else "",
        "findings": findings_of(result) if _are_findings(result) else None,
        "next": _next(job),
    }


def _those(kind: type[T], result: Any) -> list[T]:
    """What a job ended in, one or several, of this kind."""
    found = result if isinstance(result, tuple | list) else (result,)
    return [each for each in found if isinstance(each, kind)]


def _are_findings(result: Any) -> TypeGuard[tuple[Finding, ...]]:
    return isinstance(result, tuple) and bool(result) and all(isinstance(each, Finding) for each in result)


def _next(job: Job) -> str:
    """Where to go from a job that is over."""
    if job.kind in OF_PACKS:
        return url_for("keeper_packs.show")
    return url_for("keeper_health.show") if job.kind == "examination" else url_for("keeper_copy.show")
