"""The job queue: one worker, owners served in turn, so that nobody's fifty requests stop a neighbour's one.

Whose turn it is: the owner served longest ago. Whoever was never served comes first.

A job lives in memory only. Its id begins with a word drawn at start-up, so that after a restart the page can
say that the job was lost instead of waiting for it.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from appliance.errors import (
    BarazaError,
    CancelledError,
    JobGoneError,
    JobLostError,
    OwnerQueueFullError,
    QueueFullError,
)
from appliance.limits import LIMITS, Limits

log = logging.getLogger(__name__)

FIRST_PACE = 0.02  # seconds a unit of cost, until there is a measurement
PACE_MEMORY = 0.7  # how much of the pace known so far stays after each job


class State(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(frozen=True)
class Event:
    """What happened to a job: kind `progress`, `text`, `done` or `failed`, and its data (JSON values)."""

    number: int
    kind: str
    data: dict[str, Any]


@dataclass
class Job:
    """One request. Read it freely; only the queue changes it, under its lock."""

    id: str
    owner: str
    kind: str
    cost: float  # in units of its kind: characters for a translation
    request: dict[str, Any]  # what was asked, for the page
    state: State = State.WAITING
    events: list[Event] = field(default_factory=list)
    result: Any = None
    error: BarazaError | None = None
    seen: float = 0.0  # monotonic: when somebody last looked
    watchers: int = 0  # streams open on it
    ended: float = 0.0  # monotonic
    progress: tuple[int, int] = (0, 0)

    @property
    def is_over(self) -> bool:
        return self.state in ENDED


class Context:
    """What the work of a job is given: a way to say how far it is, and to learn that nobody waits."""

    def __init__(self, queue: JobQueue, job: Job) -> None:
        self._queue, self._job = queue, job

    def cancelled(self) -> bool:
        return self._queue.is_unwanted(self._job)

    def progress(self, done: int, total: int) -> None:
        self._queue.say(self._job, "progress", {"done": done, "total": total})

    def text(self, **data: Any) -> None:
        """A piece of the result, as it is ready."""
        self._queue.say(self._job, "text", data)


Work = Callable[[Context], Any]


class JobQueue:
    """Bounded and fair. `start` begins the worker; `run_next` does one job in the caller's thread."""

    def __init__(self, limits: Limits = LIMITS, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._boot = secrets.token_hex(4)
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, deque[Job]] = OrderedDict()  # in the order the owners came
        self._turns = 0
        self._last_turn: OrderedDict[str, int] = OrderedDict()  # of each owner served lately
        self._work: dict[str, Work] = {}
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._running: Job | None = None
        self._started_at = 0.0
        self._pace: dict[str, float] = {}
        self._closing = False
        self._worker: threading.Thread | None = None

    # What a service and the page call

    def submit(self, owner: str, kind: str, work: Work, cost: float, request: dict[str, Any] | None = None) -> Job:
        """Put a job in the queue.

        Raises:
            QueueFullError: the box holds as many waiting jobs as it can.
            OwnerQueueFullError: this owner does.
        """
        with self._changed:
            self._drop_unwanted()
            if sum(map(len, self._waiting.values())) >= self._limits.jobs_waiting:
                raise QueueFullError(seconds=max(1, round(self._seconds_of_all())))
            if len(self._waiting.get(owner, ())) >= self._limits.jobs_waiting_per_owner:
                raise OwnerQueueFullError(most=self._limits.jobs_waiting_per_owner)
            job = Job(f"{self._boot}-{secrets.token_urlsafe(12)}", owner, kind, cost, request or {}, seen=self._clock())
            self._waiting.setdefault(owner, deque()).append(job)
            self._work[job.id] = work
            self._jobs[job.id] = job
            self._forget_old()
            self._changed.notify_all()
            return job

    def get(self, job_id: str) -> Job:
        """The job, noting that somebody looked at it.

        Raises:
            JobLostError: it was given to the box before the last restart.
            JobGoneError: there is no such job (any more).
        """
        with self._changed:
            job = self._jobs.get(job_id)
            if job is None:
                raise JobGoneError if job_id.startswith(f"{self._boot}-") else JobLostError
            job.seen = self._clock()
            return job

    def cancel(self, job_id: str) -> None:
        """Stop a job; one that is over stays as it is. Raises JobLostError or JobGoneError as `get`."""
        job = self.get(job_id)
        with self._changed:
            if not job.is_over:
                if job.state is State.WAITING:
                    self._remove(job)
                self._end(job, State.CANCELLED, error=CancelledError())

    def wait_seconds(self, job: Job) -> float:
        """About how long until `job` begins: the jobs that take their turn before it, at the pace measured."""
        with self._changed:
            if job.state is not State.WAITING:
                return 0.0
            return self._rest_of_running() + sum(self._seconds_of(each) for each in self._turns_before(job))

    def jobs_before(self, job: Job) -> int:
        """How many jobs take their turn before `job`, the one at work included."""
        with self._changed:
            if job.state is not State.WAITING:
                return 0
            return sum(1 for _ in self._turns_before(job)) + (self._running is not None)

    def seconds_left(self, job: Job) -> float:
        """About how long until the end of a running job; 0 if it is not running."""
        with self._changed:
            return self._rest_of_running() if job is self._running else 0.0

    def wait_until_over(self, job: Job, seconds: float) -> bool:
        """Wait for the end of a job, at most `seconds`; whether it is over."""
        with self._changed:
            return self._changed.wait_for(lambda: job.is_over, seconds)

    @contextmanager
    def watching(self, job: Job) -> Iterator[None]:
        """While this is open, somebody waits for the job."""
        with self._changed:
            job.watchers += 1
        try:
            yield
        finally:
            with self._changed:
                job.watchers -= 1
                job.seen = self._clock()

    def events(self, job: Job, after: int, seconds: float) -> list[Event]:
        """The events numbered above `after`, waiting at most `seconds` for one; empty if there was none."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or job.is_over or self._newer(job, after), seconds)
            return self._newer(job, after)

    # What the worker calls

    def start(self) -> None:
        """Begin the worker thread."""
        self._worker = threading.Thread(target=self._serve, name="baraza-worker", daemon=True)
        self._worker.start()

    def close(self) -> None:
        """End the worker after cancelling the job it has in hand."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._worker is not None:
            self._worker.join()

    def run_next(self) -> bool:
        """Do the next job in turn; False if none waits."""
        with self._changed:
            self._drop_unwanted()
            job = self._take()
            if job is None:
                return False
            job.state, self._running, self._started_at = State.RUNNING, job, self._clock()
            work = self._work.pop(job.id)
            self._changed.notify_all()
        self._do(job, work)
        return True

    def is_unwanted(self, job: Job) -> bool:
        """Whether a job was cancelled, or nobody has looked at it for long, or the box is closing."""
        with self._changed:
            return self._closing or job.is_over or self._is_abandoned(job)

    def say(self, job: Job, kind: str, data: dict[str, Any]) -> None:
        """Add an event to a running job. Past `job_events` only the end is still told."""
        with self._changed:
            if kind == "progress":
                job.progress = (data["done"], data["total"])
            if len(job.events) < self._limits.job_events:
                self._add(job, kind, data)

    def _do(self, job: Job, work: Work) -> None:
        try:
            result = work(Context(self, job))
        except CancelledError as error:
            self._finish(job, State.CANCELLED, error=error)
        except BarazaError as error:
            self._finish(job, State.FAILED, error=error)
        except Exception:
            # One broken job must not take the worker, and so everybody's jobs, with it.
            log.exception("job %s (%s) broke", job.id, job.kind)
            self._finish(job, State.FAILED, error=BarazaError())
        else:
            self._finish(job, State.DONE, result=result)

    def _finish(self, job: Job, state: State, result: Any = None, error: BarazaError | None = None) -> None:
        with self._changed:
            if state is State.DONE:
                self._learn_pace(job)
            self._running = None
            if not job.is_over:
                self._end(job, state, result, error)

    def _serve(self) -> None:
        while not self._closing:
            if not self.run_next():
                with self._changed:
                    self._changed.wait_for(lambda: self._closing or bool(self._waiting), timeout=5)

    # Under the lock

    def _take(self) -> Job | None:
        """The first job of the owner who was served longest ago, so that a newcomer waits for one job at most."""
        if not self._waiting:
            return None
        owner = min(self._waiting, key=lambda each: self._last_turn.get(each, 0))
        jobs = self._waiting[owner]
        job = jobs.popleft()
        if not jobs:
            del self._waiting[owner]
        self._turns += 1
        self._last_turn[owner] = self._turns
        self._last_turn.move_to_end(owner)
        while len(self._last_turn) > self._limits.jobs_kept:
            self._last_turn.popitem(last=False)
        return job

    def _turns_before(self, job: Job) -> Iterator[Job]:
        """The jobs that `_take` would give before `job`, were nothing more to come."""
        turns = [(self._last_turn.get(owner, 0), rank, owner) for rank, owner in enumerate(self._waiting)]
        rest = {owner: deque(jobs) for owner, jobs in self._waiting.items()}
        heapq.heapify(turns)
        for turn in itertools.count(self._turns + 1):
            _, rank, owner = heapq.heappop(turns)
            taken = rest[owner].popleft()
            if taken is job:
                return
            yield taken
            if rest[owner]:
                heapq.heappush(turns, (turn, rank, owner))

    def _end(self, job: Job, state: State, result: Any = None, error: BarazaError | None = None) -> None:
        job.state, job.result, job.error, job.ended = state, result, error, self._clock()
        self._work.pop(job.id, None)
        self._add(job, "done" if state is State.DONE else "failed", {"state": state.value})

    def _add(self, job: Job, kind: str, data: dict[str, Any]) -> None:
        job.events.append(Event(len(job.events) + 1, kind, data))
        self._changed.notify_all()

    @staticmethod
    def _newer(job: Job, after: int) -> list[Event]:
        return job.events[max(after, 0) :]

    def _remove(self, job: Job) -> None:
        jobs = self._waiting.get(job.owner)
        if jobs and job in jobs:
            jobs.remove(job)
            if not jobs:
                del self._waiting[job.owner]

    def _is_abandoned(self, job: Job) -> bool:
        return job.watchers == 0 and self._clock() - job.seen > self._limits.job_abandoned_seconds

    def _drop_unwanted(self) -> None:
        for job in [each for jobs in self._waiting.values() for each in jobs if self._is_abandoned(each)]:
            self._remove(job)
            self._end(job, State.CANCELLED, error=CancelledError())

    def _forget_old(self) -> None:
        now = self._clock()
        over = [job for job in self._jobs.values() if job.is_over]
        too_many = len(over) - self._limits.jobs_kept
        for rank, job in enumerate(over):
            if rank < too_many or now - job.ended > self._limits.job_kept_seconds:
                del self._jobs[job.id]

    def _seconds_of(self, job: Job) -> float:
        return job.cost * self._pace.get(job.kind, FIRST_PACE)

    def _rest_of_running(self) -> float:
        if self._running is None:
            return 0.0
        return max(0.0, self._seconds_of(self._running) - (self._clock() - self._started_at))

    def _seconds_of_all(self) -> float:
        return self._rest_of_running() + sum(self._seconds_of(job) for jobs in self._waiting.values() for job in jobs)

    def _learn_pace(self, job: Job) -> None:
        pace = (self._clock() - self._started_at) / max(job.cost, 1.0)
        known = self._pace.get(job.kind, pace)
        self._pace[job.kind] = PACE_MEMORY * known + (1 - PACE_MEMORY) * pace
