"""How far a job is, in words."""

from __future__ import annotations

from datetime import timedelta

from flask_babel import format_timedelta, gettext, lazy_gettext, ngettext

from appliance.inference.job import Event, Job, State
from appliance.inference.queue import JobQueue

LEAST = 5  # seconds; a shorter wait is not worth a number
STATES = {
    State.WAITING: lazy_gettext("It waits until the box has less to do."),
    State.RUNNING: lazy_gettext("The box is working on it."),
    State.DONE: lazy_gettext("Ready"),
    State.FAILED: lazy_gettext("This did not work"),
    State.CANCELLED: lazy_gettext("Stopped"),
    State.INTERRUPTED: lazy_gettext("The power failed while the box worked on it."),
}


def waiting_words(queue: JobQueue, job: Job) -> str:
    """The place of a job in the queue, and about how long it takes; at work, whether its model is being opened."""
    if job.state is State.RUNNING and job.opening:
        return str(gettext("The model is being made ready. This takes a moment."))
    if job.state is not State.WAITING:
        return ""
    if job.held_for:
        return state_words(job)
    before, seconds = queue.jobs_before(job), queue.wait_seconds(job)
    if not before:
        return str(gettext("Your request is next."))
    words = [ngettext("%(num)s request is before yours.", "%(num)s requests are before yours.", before)]
    if seconds >= LEAST:
        words.append(gettext("It begins in about %(time)s.", time=in_words(seconds)))
    return " ".join(words)


def state_words(job: Job) -> str:
    """How it stands with a request that was left with the box."""
    return str(STATES[job.state])


def left_words(event: Event | None) -> str:
    """About how long a job still takes, if its work said so with its progress; "" if not."""
    seconds = event.data.get("seconds") if event else None
    return "" if seconds is None else str(gettext("about %(time)s left", time=in_words(max(1.0, seconds))))


def last_progress(job: Job) -> Event | None:
    """What a job said last of how far it is; None once it is over, or before it said anything."""
    told = None if job.is_over else (event for event in reversed(list(job.events)) if event.kind == "progress")
    return next(told, None) if told else None


def in_words(seconds: float) -> str:
    """A time in the reader's language, in the unit that fits: “80 seconds”, “3 minutes”."""
    return str(format_timedelta(timedelta(seconds=round(seconds)), threshold=1.5))


def percent(done: int, total: int) -> int:
    return min(100, 100 * done // max(total, 1))
