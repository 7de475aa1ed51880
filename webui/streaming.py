"""Following a job live: its events as Server-Sent Events, until it is over or the phone goes away."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from flask import Response, render_template, request, stream_with_context
from markupsafe import Markup, escape

from appliance.inference.job import Event, Job
from appliance.inference.queue import JobQueue
from webui.errors import BusyStreamsError
from webui.forms import whole
from webui.progress import left_words, percent, waiting_words
from webui.site import Site, current_site

GLANCE = 2.0  # seconds between two looks at the place in the queue, and at whether the server stops
RETRY = 2_000  # milliseconds until a phone that lost the stream comes back
LINE_END = re.compile(r"\r\n|\r|\n")  # what ends a line in an event stream, and nothing else


def events_of(queue: JobQueue, job_id: str) -> Response:
    """The events of a job of `queue` as they come; 204 tells a phone that comes back that there are no more.

    Raises JobGoneError, BusyStreamsError.
    """
    site = current_site()
    job = queue.get(job_id)
    after = whole(request.headers.get("Last-Event-ID", "") or request.args.get("after", ""))
    if job.is_over and after >= len(job.events):
        return Response(status=204)
    if not site.streams.acquire(blocking=False):
        raise BusyStreamsError
    response = Response(stream_with_context(follow(site, queue, job, after)), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.call_on_close(site.streams.release)
    return response


def follow(site: Site, queue: JobQueue, job: Job, after: int) -> Iterator[str]:
    """The events of `job` of `queue` numbered above `after`, in the form of an event stream.

    Each carries its number, so that a phone that comes back (`Last-Event-ID`) misses nothing and gets nothing
    twice. Ends with the job, after `limits.stream_seconds`, or when the server stops.
    """
    limits = site.limits
    begun = said = time.monotonic()
    place = ""
    with queue.watching(job):
        yield f"retry: {RETRY}\n\n"
        while not site.stopping.is_set() and time.monotonic() - begun < limits.stream_seconds:
            messages = []
            for event in queue.events(job, after, GLANCE):
                after = event.number
                if event.kind != "opening":  # said below, in the place of the words about the queue
                    messages.append(message(*_content(event), after))
            before, place = place, waiting_words(queue, job)
            if place != before:
                messages.append(message("waiting", escape(place)))
            if not messages and time.monotonic() - said >= limits.stream_heartbeat_seconds:
                messages.append(": still here\n\n")
            if messages:
                said = time.monotonic()
                yield "".join(messages)
            if job.is_over and after >= len(job.events):
                return


def message(name: str, content: Markup, number: int | None = None) -> str:
    """One message of an event stream."""
    lines = [f"id: {number}"] if number is not None else []
    lines += [f"event: {name}", *(f"data: {line}" for line in LINE_END.split(content))]
    return "\n".join(lines) + "\n\n"


def _content(event: Event) -> tuple[str, Markup]:
    """The name of the message for an event, and its HTML."""
    if event.kind == "text":
        return "text", Markup("<span>{}</span>").format(event.data["text"])
    if event.kind == "progress":
        share = percent(event.data["done"], event.data["total"])
        bar = render_template("_progress.html", percent=share, left=left_words(event))
        return "progress", Markup(bar)  # noqa: S704 - a template's
    return "done", escape(event.data["state"])
