"""A request on its way: waiting, at work, done, failed or stopped."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.errors import BarazaError, LongWaitError, QueueFullError
from appliance.inference.job import ENDED, Job, State
from appliance.translation.service import Translation
from webui import answers
from webui.messages import words_for
from webui.owners import device
from webui.progress import percent, state_words, waiting_words
from webui.site import appliance
from webui.streaming import events_of

pages = Blueprint("jobs", __name__)

OFFERED = (LongWaitError, QueueFullError)  # met with the offer to leave the request with the box

MOMENT = 1.5  # seconds: a short text is ready before the page is sent


def may_be_left(error: BarazaError | None) -> bool:
    """Whether the page that says `error` offers to leave the request with the box."""
    return isinstance(error, OFFERED)


def taken(job: Job) -> AnyResponse:
    """To the page that shows what becomes of a request that the queue has taken."""
    if job.held_for:
        return redirect(url_for("jobs.mine", left="yes"), 303)
    wait_a_moment(job)
    return redirect(url_for("jobs.show", job_id=job.id), 303)


def wait_a_moment(job: Job) -> None:
    """Give a job that is at work the time to be done, so that most people never see it wait."""
    queue = appliance().queue
    if queue.wait_seconds(job) < MOMENT:
        queue.wait_until_over(job, MOMENT)


@pages.get("/requests")
def mine() -> str:
    """What this device left with the box."""
    return render_template(
        "requests.html",
        jobs=appliance().queue.held_for(device()),
        just_left="left" in request.args,
        just_deleted="deleted" in request.args,
        state_words=state_words,
        hours=appliance().limits.job_held_seconds // 3600,
    )


@pages.get("/jobs/<job_id>")
def show(job_id: str) -> AnyResponse | str:
    """The page of a job; without JavaScript it reloads by itself."""
    job = appliance().queue.get(job_id)
    if _has_document(job):
        return redirect(_document_url(job), 303)
    return render_template("job.html", **_view(job))


@pages.get("/jobs/<job_id>/result")
def result(job_id: str) -> Response:
    """The part of the page that changes, for htmx."""
    job = appliance().queue.get(job_id)
    if _has_document(job):
        return Response(headers={"HX-Redirect": _document_url(job)})
    return Response(render_template("_job.html", fragment=True, **_view(job)))


@pages.get("/jobs/<job_id>/events")
def events(job_id: str) -> Response:
    """The events of a job, for htmx."""
    return events_of(appliance().queue, job_id)


@pages.post("/jobs/<job_id>/cancel")
def cancel(job_id: str) -> AnyResponse:
    """Stop a job."""
    appliance().queue.cancel(job_id)
    return redirect(url_for("jobs.show", job_id=job_id), 303)


@pages.post("/jobs/<job_id>/again")
def again(job_id: str) -> AnyResponse:
    """Let the box do anew what was left with it, from what is kept of the request."""
    return taken(appliance().run_again(job_id))


@pages.post("/jobs/<job_id>/delete")
def delete(job_id: str) -> AnyResponse:
    """Delete a request that is over for good, with its result."""
    appliance().queue.forget(job_id)
    return redirect(url_for("jobs.mine", deleted="yes"), 303)


def _view(job: Job) -> dict[str, Any]:
    """What the templates show of a job. The events are read first: what comes later is streamed after them."""
    seen, state = list(job.events), job.state
    view: dict[str, Any] = {
        "job": job,
        "state": state.value,
        "live": state not in ENDED,
        "after": len(seen),
        "text": "".join(event.data["text"] for event in seen if event.kind == "text"),
        "percent": percent(*job.progress),
        "waiting": waiting_words(appliance().queue, job),
        "error": words_for(job.error) if job.error else "",
    }
    if answers.is_answer(job):
        view |= answers.view(job)
    if state is State.DONE and isinstance(job.result, Translation):
        view["translation"] = job.result
        view["quality"] = appliance().translation.quality(job.result.source, job.result.target)
        view["back"] = (job.result.target, job.result.source) in appliance().translation.directions
    return view


def _has_document(job: Job) -> bool:
    return job.kind == "document" and job.state is State.DONE


def _document_url(job: Job) -> str:
    language = job.request["language"]
    return url_for("draft.document", document_id=job.request["document"], _anchor=f"in-{language}")
