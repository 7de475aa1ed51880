"""The job queue: bounded, and fair: everyone who wants something has as many turns as the others.

The box works in turns, each in a lane (a thread); several lanes work at the same time. A turn is a short job, or a part
of a long one (`background`), whose work says where its parts end (`Context.breathe`). It is the turn of the owner
served longest ago (`turns`), so a document of two hundred sentences does not stop a neighbour's one sentence, and a
long text gets on however many short ones are asked for. Short jobs that are alike share a turn (`Together`). An
owner's short jobs come before the long ones, and long ones have turns in all lanes but one at most. What an owner left
with the box (`held_for`) is done when nobody else wants anything, or when it waited very long.

A job lives in memory only, but for those that were left with the box: whoever is given to `keep_held` is told of each
of their changes, to write them down, and gives them back with `restore` after a restart. The id of a job begins with a
word drawn at start-up, so that after a restart the page can say that the job was lost instead of waiting for it.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from appliance.errors import (
    BarazaError,
    CancelledError,
    JobGoneError,
    JobLostError,
    LongWaitError,
    OwnerQueueFullError,
    QueueFullError,
)
from appliance.inference.forecast import Forecast
from appliance.inference.job import Event, Job, State
from appliance.inference.longwork import LongWork
from appliance.inference.turns import Turns
from appliance.limits import LIMITS, Limits

log = logging.getLogger(__name__)


class Context:
    """What the work of a job is given: whose it is, a way to say how far it is, and to learn that nobody waits."""

    def __init__(self, queue: JobQueue, job: Job) -> None:
        self._queue, self._job = queue, job

    @property
    def owner(self) -> str:
        """Who takes turns with the others: what of this work shares an engine with theirs is counted to them."""
        return self._job.owner

    @property
    def request(self) -> dict[str, Any]:
        """What was asked."""
        return self._job.request

    @property
    def background(self) -> bool:
        """Whether this is long work, that gives way to short."""
        return self._job.background

    def cancelled(self) -> bool:
        return self._queue.is_unwanted(self._job)

    def breathe(self) -> None:
        """Called between two parts of work: if it is long, this returns when it has its next turn.

        Others have theirs meanwhile: hold nothing that their work might need.
        """
        self._queue.breathe(self._job)

    def others_wait(self) -> bool:
        """Whether somebody waits for a turn now: long work keeps its parts short then."""
        return self._queue.somebody_waits()

    def progress(self, done: int, total: int, seconds: float | None = None) -> None:
        """`done` of `total`, and the seconds left where the work itself knows better than the queue."""
        left = {} if seconds is None else {"seconds": seconds}
        self._queue.say(self._job, "progress", {"done": done, "total": total, **left})

    def opening(self) -> None:
        """A model has to be opened first, or its memory waited for: so it stands until something else is told."""
        self._queue.say(self._job, "opening", {})

    def text(self, **data: Any) -> None:
        """A piece of the result, as it is ready."""
        self._queue.say(self._job, "text", data)


Work = Callable[[Context], Any]


@dataclass(frozen=True)
class Together:
    """How short jobs of one `key` are worked on in one turn, which takes less than a turn for each.

    `work` gives the place of a job among the contexts, and its result, as it is done. What it leaves out, and all
    that is left when it raises, is worked on by itself.
    """

    key: Hashable
    work: Callable[[Sequence[Context]], Generator[tuple[int, Any], None, None]]


class JobQueue:
    """Bounded and fair. `start` begins a worker for each lane; `run_next` does one turn, for the caller."""

    def __init__(self, limits: Limits = LIMITS, clock: Callable[[], float] = time.monotonic, lanes: int = 1) -> None:
        self._limits, self._clock, self._lanes = limits, clock, lanes
        self._most_background = max(1, lanes - 1)
        self._boot = secrets.token_hex(4)
        self._boots = {self._boot}  # and those of jobs that were taken back
        self._lock = threading.RLock()
        self._turn_came = threading.Condition(self._lock)  # for the workers
        self._line = Turns[Job](limits.jobs_kept)
        self._held = Turns[Job](limits.jobs_kept)  # of what was left with the box
        self._work: dict[str, Work] = {}
        self._together: dict[str, Together] = {}  # of short jobs, by id
        self._company: dict[str, list[Job]] = {}  # those that share the turn of a short job, by its id
        self._long_work: dict[str, LongWork] = {}  # what has begun, by the id of its job
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._at_work: list[Job] = []  # a lane each
        self._forecast = Forecast(self._line, self._held, self._at_work, self._company, lanes, clock)
        self._closing = False
        self._workers: list[threading.Thread] = []
        self._keep: Callable[[Job], None] | None = None
        self._changed: list[Job] = []  # those left with the box, of whose change nobody was told yet

    # What keeps the requests that are left with the box

    def keep_held(self, keep: Callable[[Job], None]) -> None:
        """From now on `keep` is told when a job that was left with the box is new, begins, is over, or is forgotten.

        It is called without the lock of the queue, before `submit` returns and before the work begins, and may take
        the time that a disk takes. Two threads may be told of the same job at once: what counts is how it is then.
        """
        self._keep = keep

    def restore(self, job: Job, work: Work | None, age: float = 0.0) -> None:
        """Take back a job that was left with the box before a restart; `job.changed` becomes the queue's own.

        One that waits is worked on again by `work`; one that is over has been so for `age` seconds.
        """
        with self._lock:
            job.changed, job.background = threading.Condition(self._lock), True
            job.asked = job.seen = self._clock()
            job.ended = self._clock() - age
            self._jobs[job.id] = job
            self._boots.add(job.id.partition("-")[0])
            if work is not None:
                self._work[job.id] = work
                self._line_of(job).add(job.owner, job, long=True)
                self._turn_came.notify()

    def held(self) -> list[tuple[Job, float]]:
        """What was left with the box and is over, and for how many seconds each."""
        with self._lock:
            self._forget_old()
            found = [(job, self._clock() - job.ended) for job in self._jobs.values() if job.held_for and job.is_over]
        self._tell()
        return found

    def forget(self, job_id: str) -> None:
        """Forget a job that is over, for good. Raises JobLostError or JobGoneError as `get`."""
        job = self.get(job_id)
        with self._lock:
            if job.is_over and not job.forgotten:
                del self._jobs[job.id]
                self._note_forgotten(job)
        self._tell()

    # What a service and the page call

    def submit(
        self,
        owner: str,
        kind: str,
        work: Work,
        cost: float,
        request: dict[str, Any] | None = None,
        *,
        background: bool = False,
        hold_for: str = "",
        together: Together | None = None,
    ) -> Job:
        """Put a job in the queue.

        `background`: it is long, and its work calls `Context.breathe` between its parts.
        `hold_for`: the device that leaves it with the box: it is done when there is time, whether somebody looks or
        not, and its result is kept for `limits.job_held_seconds`.
        `together`: how it shares a turn with others like it, if it is short.

        Raises:
            QueueFullError: the box holds as many waiting jobs as it can.
            OwnerQueueFullError: this owner does.
            LongWaitError: it would wait for more than `limits.wait_seconds` in all; never with `hold_for`.
        """
        with self._lock:
            self._drop_unwanted()
            self._forget_old()
            self._check_room(owner, bool(hold_for))
            name, now = f"{self._boot}-{secrets.token_urlsafe(12)}", self._clock()
            changed, long = threading.Condition(self._lock), background or bool(hold_for)
            job = Job(name, owner, kind, cost, request or {}, changed, long, hold_for, asked=now, seen=now)
            line = self._line_of(job)
            line.add(owner, job, long=long)
            most = self._limits.wait_seconds
            if (
                not hold_for
                and self._forecast.seconds_of_all() > most
                and (seconds := self._forecast.waits(job)) > most
            ):
                line.remove(owner, job)
                raise LongWaitError(wait=round(seconds))
            self._work[job.id] = work
            if together is not None and not long:
                self._together[job.id] = together
            self._jobs[job.id] = job
            self._note_change(job)
            self._turn_came.notify()
        # Whoever leaves a request with the box is told so once it is on the disk.
        self._tell()
        return job

    def get(self, job_id: str) -> Job:
        """The job, noting that somebody looked at it.

        Raises:
            JobLostError: it was given to the box before the last restart.
            JobGoneError: there is no such job (any more).
        """
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None:
                raise JobGoneError if job_id.partition("-")[0] in self._boots else JobLostError
            job.seen = self._clock()
            return job

    def held_for(self, device: str) -> list[Job]:
        """What `device` left with the box, the newest first."""
        with self._lock:
            self._forget_old()
            found = [job for job in reversed(self._jobs.values()) if job.held_for and job.held_for == device]
        self._tell()
        return found

    def cancel(self, job_id: str) -> None:
        """Stop a job; one that is over stays as it is. Raises JobLostError or JobGoneError as `get`."""
        job = self.get(job_id)
        with self._lock:
            if not job.is_over:
                if job.state is State.WAITING:
                    self._line_of(job).remove(job.owner, job)
                self._end(job, State.CANCELLED, error=CancelledError())
        self._tell()

    def wait_seconds(self, job: Job) -> float:
        """About how long until `job` begins: the turns before its first, at the pace measured."""
        with self._lock:
            if job.state is not State.WAITING:
                return 0.0
            return self._forecast.begins_in(job)

    def jobs_before(self, job: Job) -> int:
        """How many jobs have a turn before `job` begins, those at work included if they hold every lane."""
        with self._lock:
            if job.state is not State.WAITING:
                return 0
            return self._forecast.jobs_before(job)

    def seconds_left(self, job: Job) -> float:
        """About how many seconds of work are left of a job that has begun; 0 of another."""
        with self._lock:
            return self._forecast.rest_of(job) if job.state is State.RUNNING else 0.0

    def wait_until_over(self, job: Job, seconds: float) -> bool:
        """Wait for the end of a job, at most `seconds`; whether it is over."""
        with self._lock:
            return job.changed.wait_for(lambda: job.is_over, seconds)

    @contextmanager
    def watching(self, job: Job) -> Iterator[None]:
        """While this is open, somebody waits for the job."""
        with self._lock:
            job.watchers += 1
        try:
            yield
        finally:
            with self._lock:
                job.watchers -= 1
                job.seen = self._clock()

    def events(self, job: Job, after: int, seconds: float) -> list[Event]:
        """The events numbered above `after`, waiting at most `seconds` for one; empty if there was none."""
        with self._lock:
            job.changed.wait_for(lambda: self._closing or job.is_over or self._newer(job, after), seconds)
            return self._newer(job, after)

    # What the workers call

    def start(self) -> None:
        """Begin a worker thread for each lane."""
        for number in range(1, self._lanes + 1):
            worker = threading.Thread(target=self._serve, name=f"baraza-worker-{number}", daemon=True)
            self._workers.append(worker)
            worker.start()

    def close(self) -> None:
        """End the workers, and cancel the jobs they have in hand; those left with the box wait for its next start."""
        with self._lock:
            self._closing = True
            self._turn_came.notify_all()
            for job in self._jobs.values():
                job.changed.notify_all()
        for worker in self._workers:
            worker.join()
        for work in self._long_work.values():
            while not work.is_over:
                work.turn()
        self._tell()

    def run_next(self) -> bool:
        """Do the next turn: a short job, or a part of a long one; False if none waits, or none that may begin now."""
        with self._lock:
            self._drop_unwanted()
            job = self._take()
            if job is None:
                return False
        self._tell()
        try:
            if job.background:
                self._long_work[job.id].turn()
            else:
                self._do_short(job)
        finally:
            with self._lock:
                self._give_lane_back(job)
            self._tell()
        return True

    def breathe(self, job: Job) -> None:
        """Between two parts of `job`: if it is long, and others are before it now, let them have their turns."""
        if not job.background:
            return
        with self._lock:
            self._forecast.learn_part(self._clock() - job.turn_began)
            self._end_turn(job)
            job.turn_began = self._clock()
            if self._closing or not self._others_come_before(job):
                return
        self._long_work[job.id].pause()

    def somebody_waits(self) -> bool:
        """Whether a job waits for a turn that somebody looks for: not what was left with the box."""
        with self._lock:
            return len(self._line) > 0

    def is_unwanted(self, job: Job) -> bool:
        """Whether a job was cancelled, or nobody has looked at it for long, or the box is closing."""
        with self._lock:
            return self._closing or job.is_over or self._is_abandoned(job)

    def say(self, job: Job, kind: str, data: dict[str, Any]) -> None:
        """Add an event to a running job. Past `job_events` only the end is still told."""
        with self._lock:
            job.opening = kind == "opening"
            if kind == "progress":
                job.progress = (data["done"], data["total"])
            if len(job.events) < self._limits.job_events:
                self._add(job, kind, data)

    def _tell(self) -> None:
        """Let what changed of the jobs left with the box be written down. Not under the lock: a disk is slow."""
        with self._lock:
            changed, self._changed = self._changed, []
        for job in dict.fromkeys(changed):
            try:
                if self._keep is not None:
                    self._keep(job)
            except Exception:
                # As with broken work: what cannot be written down must not take the worker with it.
                log.exception("job %s (%s) could not be kept", job.id, job.kind)

    def _do_short(self, job: Job) -> None:
        """Work on a short job, and on those that share its turn."""
        jobs, together = [job, *self._company.get(job.id, ())], self._together.get(job.id)
        if together is not None and len(jobs) > 1:
            self._do_together(jobs, together)
            with self._lock:
                for each in jobs:
                    each.turn_began = self._clock()
        for each in jobs:
            self._do(each)

    def _do_together(self, jobs: Sequence[Job], together: Together) -> None:
        try:
            with closing(together.work([Context(self, job) for job in jobs])) as done:
                for place, result in done:
                    self._work.pop(jobs[place].id, None)
                    self._finish(jobs[place], State.DONE, result=result, shared_by=len(jobs))
        except Exception as error:
            # One that breaks must not break the others: what is left is tried by itself.
            log.warning("%d requests could not be worked on together: %r", len(jobs), error)

    def _do(self, job: Job) -> None:
        work = self._work.pop(job.id, None)
        if work is None:
            return
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

    def _finish(
        self, job: Job, state: State, result: Any = None, error: BarazaError | None = None, shared_by: int = 1
    ) -> None:
        with self._lock:
            self._end_turn(job, shared_by)
            if state is State.DONE:
                self._forecast.learn(job)
            if self._closing and job.held_for and state is State.CANCELLED and not job.is_over:
                job.state = State.WAITING  # for the next start
                self._note_change(job)
            elif not job.is_over:
                self._end(job, state, result, error)

    def _serve(self) -> None:
        while not self._closing:
            if not self.run_next():
                with self._lock:
                    # Now and then somebody looks for jobs that nobody wants, though none may begin.
                    self._turn_came.wait_for(lambda: self._closing or self._next() is not None, timeout=5)

    # Under the lock

    def _check_room(self, owner: str, held: bool) -> None:
        """Raise QueueFullError or OwnerQueueFullError if no more may wait."""
        limits = self._limits
        line, most, most_of_one = (
            (self._held, limits.jobs_held, limits.jobs_held_per_owner)
            if held
            else (self._line, limits.jobs_waiting, limits.jobs_waiting_per_owner)
        )
        if len(line) >= most:
            raise QueueFullError(seconds=max(1, round(self._forecast.seconds_of_all())))
        if line.waiting_of(owner) >= most_of_one:
            raise OwnerQueueFullError(most=most_of_one)

    def _line_of(self, job: Job) -> Turns[Job]:
        return self._held if job.held_for else self._line

    def _next(self) -> Job | None:
        """Whose turn it is; None if nothing waits that may have a turn now."""
        no_long = sum(each.background for each in self._at_work) >= self._most_background
        held = None if no_long else self._held.first()
        if held is not None and self._clock() - held.asked > self._limits.held_patience_seconds:
            return held
        return self._line.first(short_only=no_long) or held

    def _take(self) -> Job | None:
        """The job whose turn it is, which has a lane from now on."""
        job = self._next()
        if job is None:
            return None
        self._line_of(job).take(short_only=not job.background)
        self._at_work.append(job)
        if job.background and job.id not in self._long_work:
            self._long_work[job.id] = LongWork(lambda: self._do(job))
        self._company[job.id] = self._invited(job)
        for each in (job, *self._company[job.id]):
            each.turn_began = self._clock()
            if each.state is State.WAITING:
                each.state = State.RUNNING
                self._note_change(each)
                each.changed.notify_all()
        return job

    def _invited(self, job: Job) -> list[Job]:
        """Those that share the turn of `job`: of the others like it the first in the line, so that it stays short."""
        if job.id not in self._together:
            return []
        key, company = self._together[job.id].key, [job]

        def is_like(each: Job) -> bool:
            theirs = self._together.get(each.id)
            cost = sum(one.cost for one in company) + each.cost
            new = all(one.owner != each.owner for one in company)
            return theirs is not None and theirs.key == key and new and cost <= self._limits.company_cost

        while len(company) < self._limits.company and (found := self._line.take_short(is_like)) is not None:
            company.append(found)
        return company[1:]

    def _give_lane_back(self, job: Job) -> None:
        """After a turn; a long job that is not over waits for the next."""
        self._at_work.remove(job)
        self._company.pop(job.id, None)
        if job.background and not self._long_work[job.id].is_over:
            self._line_of(job).add(job.owner, job, long=True, again=True)
        else:
            self._long_work.pop(job.id, None)
        self._turn_came.notify()

    def _end_turn(self, job: Job, shared_by: int = 1) -> None:
        job.worked += (self._clock() - job.turn_began) / shared_by

    def _others_come_before(self, job: Job) -> bool:
        """Whether a job that has a turn would not have the next one, too, if it asked for it as the others do."""
        self._at_work.remove(job)
        line = self._line_of(job)
        line.add(job.owner, job, long=True, again=True)
        others = self._next() is not job
        line.remove(job.owner, job)
        self._at_work.append(job)
        return others

    def _end(self, job: Job, state: State, result: Any = None, error: BarazaError | None = None) -> None:
        job.state, job.result, job.error, job.ended = state, result, error, self._clock()
        self._work.pop(job.id, None)
        self._together.pop(job.id, None)
        self._note_change(job)
        self._add(job, "done" if state is State.DONE else "failed", {"state": state.value})

    @staticmethod
    def _add(job: Job, kind: str, data: dict[str, Any]) -> None:
        job.events.append(Event(len(job.events) + 1, kind, data))
        job.changed.notify_all()

    @staticmethod
    def _newer(job: Job, after: int) -> list[Event]:
        return job.events[max(after, 0) :]

    def _is_abandoned(self, job: Job) -> bool:
        left = self._clock() - job.seen > self._limits.job_abandoned_seconds
        return left and job.watchers == 0 and not job.held_for

    def _drop_unwanted(self) -> None:
        for job in [each for each in self._line if each.state is State.WAITING and self._is_abandoned(each)]:
            self._line.remove(job.owner, job)
            self._end(job, State.CANCELLED, error=CancelledError())

    def _forget_old(self) -> None:
        limits, over = self._limits, [job for job in self._jobs.values() if job.is_over]
        held, others = [job for job in over if job.held_for], [job for job in over if not job.held_for]
        self._forget(held, limits.jobs_held, limits.job_held_seconds)
        self._forget(others, limits.jobs_kept, limits.job_kept_seconds)

    def _forget(self, over: list[Job], most: int, seconds: float) -> None:
        now, too_many = self._clock(), len(over) - most
        for rank, job in enumerate(over):
            if rank < too_many or now - job.ended > seconds:
                del self._jobs[job.id]
                self._note_forgotten(job)

    def _note_change(self, job: Job) -> None:
        if job.held_for and self._keep is not None:
            self._changed.append(job)

    def _note_forgotten(self, job: Job) -> None:
        job.forgotten = True
        self._note_change(job)
