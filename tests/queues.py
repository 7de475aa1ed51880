"""What the tests of the queue share: a clock that is set by hand, and work to put in the queue."""

from __future__ import annotations

from appliance.inference.job import Job
from appliance.inference.queue import Context, JobQueue


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def submit(queue: JobQueue, owner: str, done: list[str] | None = None, cost: float = 10) -> Job:
    def work(context: Context) -> str:
        if done is not None:
            done.append(owner)
        return owner

    return queue.submit(owner, "test", work, cost)


def submit_long(queue: JobQueue, owner: str, done: list[str], parts: int = 3, **options: str) -> Job:
    """Long work in parts, with a breath after each."""

    def work(context: Context) -> None:
        for part in range(1, parts + 1):
            done.append(f"{owner}{part}")
            context.breathe()

    return queue.submit(owner, "long", work, 10, background=True, **options)


def run_all(queue: JobQueue) -> None:
    while queue.run_next():
        pass


def endless(queue: JobQueue, clock: Clock, owner: str, done: list[str], seconds: float = 1) -> None:
    """Whoever asks again as soon as there is an answer."""

    def work(context: Context) -> None:
        clock.now += seconds
        done.append(owner)
        endless(queue, clock, owner, done, seconds)

    queue.submit(owner, "test", work, 1)


def submit_parts(queue: JobQueue, clock: Clock, owner: str, done: list[str], parts: int, seconds: float = 1) -> Job:
    """Long work whose parts take so long each; somebody looks at it all the time."""

    def work(context: Context) -> None:
        for _ in range(parts):
            clock.now += seconds
            done.append(owner)
            context.breathe()

    job = queue.submit(owner, "long", work, 1, background=True)
    job.watchers = 1
    return job
