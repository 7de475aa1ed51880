"""The requests that were left with the box, kept in the journal, so that they survive a restart and a power cut.

A request that waits is worked on after the restart; one that was at work when the power failed is not begun again by
itself (it may be what stopped the box), but shown as interrupted, to be run again. Results are kept as long as the
queue keeps them. Texts of requests that somebody waits for are never written.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from appliance.errors import BarazaError, JobInterruptedError, StorageError, error_of
from appliance.inference.job import Job, State
from appliance.inference.queue import JobQueue, Together, Work
from appliance.storage.journal import Journal, KeptJob

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """Work that can be put in the queue, and put there again from its request (JSON values)."""

    kind: str
    request: dict[str, Any]
    work: Work
    cost: float
    background: bool = False
    together: Together | None = None


@dataclass(frozen=True)
class Form:
    """What is known of a kind of request: its task, made again, and its result as JSON values and back."""

    task: Callable[[dict[str, Any]], Task]  # raises BarazaError, KeyError, TypeError, ValueError
    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any]  # raises KeyError, TypeError, ValueError


class Keeper:
    """Keeps what the queue tells it of in the journal. A journal that fails is told once, and the box goes on."""

    def __init__(
        self,
        queue: JobQueue,
        journal: Journal,
        forms: dict[str, Form],
        tell: Callable[[StorageError], None],
    ) -> None:
        self._queue, self._journal, self._forms, self._tell = queue, journal, forms, tell
        self._lock = threading.Lock()
        self._told = False

    def begin(self) -> None:
        """Give the queue back what was kept, and keep what it tells from now on.

        Raises StorageError: the journal cannot be read.
        """
        for kept in self._journal.jobs():
            job, work = self._restored(kept)
            self._queue.restore(job, work, kept.age)
        self._queue.keep_held(self.changed)

    def changed(self, job: Job) -> None:
        """Write down how a job is now. Nothing is raised: a job that cannot be kept is not `kept`."""
        with self._lock:  # so that of two threads the later one writes last, and what it sees is the newer
            try:
                if job.forgotten:
                    self._journal.forget([job.id])
                else:
                    self._journal.keep(self._row(job))
                    job.kept = True
            except StorageError as error:
                log.error("request %s is not kept: %s", job.id, error)
                if not self._told:
                    self._told = True
                    self._tell(error)

    def age(self) -> None:
        """Note how long what is over has been over; called now and then. Raises StorageError."""
        self._journal.age([(job.id, seconds) for job, seconds in self._queue.held()])

    def _row(self, job: Job) -> KeptJob:
        result = self._forms[job.kind].pack(job.result) if job.state is State.DONE else None
        error = {"key": job.error.key, "fields": job.error.fields} if job.error else None
        return KeptJob(job.id, job.owner, job.held_for, job.kind, job.request, job.state.value, result, error)

    def _restored(self, kept: KeptJob) -> tuple[Job, Work | None]:
        job = Job(
            kept.id, kept.owner, kept.kind, 0.0, kept.request, threading.Condition(), True, kept.device, kept=True
        )
        try:
            form = self._forms[kept.kind]
            job.state = State(kept.state)
            if job.state is State.WAITING:
                task = form.task(kept.request)
                job.cost = task.cost
                return job, task.work
            if job.state is State.DONE:
                job.result = form.unpack(kept.result)
        except BarazaError as error:
            job.state, job.error = State.FAILED, error
        except (KeyError, TypeError, ValueError) as error:
            log.warning("request %s cannot be taken back: %r", kept.id, error)
            job.state, job.error = State.FAILED, BarazaError()
        if job.state is State.RUNNING:
            job.state = State.INTERRUPTED
        if job.state is State.INTERRUPTED:
            job.error = JobInterruptedError()
        elif job.state in (State.FAILED, State.CANCELLED) and job.error is None:
            said = kept.error if isinstance(kept.error, dict) else {}
            job.error = error_of(str(said.get("key", "")), said.get("fields"))
        return job, None
