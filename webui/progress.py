"""How far a job is, in words."""

from __future__ import annotations

from datetime import timedelta

from flask_babel import format_timedelta, gettext, ngettext

from appliance.inference.queue import Job, JobQueue, State

LEAST = 5  # seconds; a shorter wait is not worth a number


def waiting_words(queue: JobQueue, job: Job) -> str:
    """The place of a job in the queue, and about how long it takes; "" once it is at work."""
    if job.state is not State.WAITING:
        return ""
    before, seconds = queue.jobs_before(job), queue.wait_seconds(job)
    if not before:
        return str(gettext("Your request is next."))
    words = [ngettext("%(num)s request is before yours.", "%(num)s requests are before yours.", before)]
    if seconds >= LEAST:
        time = format_timedelta(timedelta(seconds=round(seconds)), threshold=1.5)
        words.append(gettext("It begins in about %(time)s.", time=time))
    return " ".join(words)


def percent(done: int, total: int) -> int:
    return min(100, 100 * done // max(total, 1))
