"""The queue is bounded and fair, and tells what becomes of a job."""

from __future__ import annotations

import threading

import pytest

from appliance.errors import (
    CancelledError,
    EmptyTextError,
    JobGoneError,
    JobLostError,
    OwnerQueueFullError,
    QueueFullError,
)
from appliance.inference.job import Job, State
from appliance.inference.queue import Context, JobQueue
from appliance.limits import Limits
from tests.queues import Clock, submit, submit_long


def test_whoever_asks_once_waits_for_at_most_one_job_of_whoever_asks_fifty_times(queue: JobQueue) -> None:
    done: list[str] = []
    for _ in range(50):
        submit(queue, "many", done)
    queue.run_next()
    once = submit(queue, "once", done)
    assert queue.jobs_before(once) == 0
    queue.run_next()
    assert done == ["many", "once"]


def test_a_newcomer_waits_only_for_the_job_in_hand(queue: JobQueue) -> None:
    done: list[str] = []
    newcomers: list[Job] = []

    def while_running(context: Context) -> None:
        newcomers.append(submit(queue, "once", done))

    queue.submit("many", "test", while_running, 1)
    for _ in range(49):
        submit(queue, "many", done)
    queue.run_next()
    queue.run_next()
    assert done == ["once"]
    assert newcomers[0].state is State.DONE


def test_owners_take_turns(queue: JobQueue) -> None:
    done: list[str] = []
    for owner in "aaabbc":
        submit(queue, owner, done)
    while queue.run_next():
        pass
    assert "".join(done) == "abcaba"


def test_the_jobs_before_mine_are_those_that_come_before_it(queue: JobQueue) -> None:
    done: list[str] = []
    jobs = [submit(queue, owner, done) for owner in "aaabbc"]
    before = {id(job): queue.jobs_before(job) for job in jobs}
    order: list[Job] = []
    while queue.run_next():
        order += [job for job in jobs if job.is_over and job not in order]
    assert [before[id(job)] for job in order] == list(range(6))


def test_the_wait_is_estimated_from_the_pace_measured(queue: JobQueue, clock: Clock) -> None:
    def slow(context: Context) -> None:
        clock.now += 5

    queue.submit("a", "test", slow, cost=100)
    queue.run_next()
    submit(queue, "b", cost=200)
    mine = submit(queue, "c", cost=10)
    assert queue.wait_seconds(mine) == pytest.approx(10)


def test_a_full_queue_refuses_and_says_for_how_long() -> None:
    queue = JobQueue(Limits(jobs_waiting=2))
    submit(queue, "a")
    submit(queue, "b")
    with pytest.raises(QueueFullError) as caught:
        submit(queue, "c")
    assert int(caught.value.fields["seconds"]) >= 1


def test_one_owner_cannot_fill_the_queue() -> None:
    queue = JobQueue(Limits(jobs_waiting_per_owner=2))
    submit(queue, "a")
    submit(queue, "a")
    with pytest.raises(OwnerQueueFullError):
        submit(queue, "a")
    submit(queue, "b")


def test_events_come_in_order_and_can_be_taken_up_again(queue: JobQueue) -> None:
    def work(context: Context) -> str:
        context.text(text="Hola")
        context.progress(4, 8)
        context.text(text=" mundo")
        return "all"

    job = queue.submit("a", "test", work, 8)
    queue.run_next()
    assert [event.kind for event in queue.events(job, 0, 0)] == ["text", "progress", "text", "done"]
    assert [event.number for event in queue.events(job, 2, 0)] == [3, 4]
    assert queue.events(job, 4, 0) == []
    assert (job.result, job.progress) == ("all", (4, 8))


def test_an_error_is_kept_for_the_page(queue: JobQueue) -> None:
    def work(context: Context) -> None:
        raise EmptyTextError

    job = queue.submit("a", "test", work, 1)
    queue.run_next()
    assert job.state is State.FAILED
    assert isinstance(job.error, EmptyTextError)


def test_a_job_that_breaks_does_not_take_the_worker_with_it(queue: JobQueue, caplog: pytest.LogCaptureFixture) -> None:
    def work(context: Context) -> None:
        raise ZeroDivisionError

    broken = queue.submit("a", "test", work, 1)
    fine = submit(queue, "a")
    queue.start()
    assert queue.wait_until_over(fine, 30)
    queue.close()
    assert broken.state is State.FAILED
    assert "ZeroDivisionError" in caplog.text


def test_a_waiting_job_can_be_cancelled(queue: JobQueue) -> None:
    done: list[str] = []
    job = submit(queue, "a", done)
    queue.cancel(job.id)
    assert not queue.run_next()
    assert (job.state, done) == (State.CANCELLED, [])


def test_a_running_job_learns_that_it_was_cancelled(queue: JobQueue) -> None:
    def work(context: Context) -> None:
        assert not context.cancelled()
        queue.cancel(job.id)
        if context.cancelled():
            raise CancelledError

    job = queue.submit("a", "test", work, 1)
    queue.run_next()
    assert job.state is State.CANCELLED
    assert isinstance(job.error, CancelledError)


def test_a_job_nobody_looks_at_is_not_done(queue: JobQueue, clock: Clock) -> None:
    gone, watched, polled = (submit(queue, owner) for owner in "abc")
    with queue.watching(watched):
        clock.now += Limits().job_abandoned_seconds
        queue.get(polled.id)
        clock.now += 1
        while queue.run_next():
            pass
    assert [job.state for job in (gone, watched, polled)] == [State.CANCELLED, State.DONE, State.DONE]


def test_work_stops_when_the_phone_goes_away(queue: JobQueue, clock: Clock) -> None:
    def work(context: Context) -> None:
        with queue.watching(job):
            clock.now += 1000
            assert not context.cancelled()
        clock.now += Limits().job_abandoned_seconds + 1
        if context.cancelled():
            raise CancelledError

    job = queue.submit("a", "test", work, 1)
    queue.run_next()
    assert job.state is State.CANCELLED


def test_a_job_from_before_a_restart_is_lost_and_an_old_one_is_gone(queue: JobQueue, clock: Clock) -> None:
    lost = submit(JobQueue(), "a")
    with pytest.raises(JobLostError):
        queue.get(lost.id)
    old = submit(queue, "a")
    queue.run_next()
    clock.now += Limits().job_kept_seconds + 1
    submit(queue, "a")
    with pytest.raises(JobGoneError):
        queue.get(old.id)


def test_only_so_many_finished_jobs_are_kept() -> None:
    queue = JobQueue(Limits(jobs_kept=3))
    jobs = []
    for _ in range(6):
        jobs.append(submit(queue, "a"))
        queue.run_next()
    with pytest.raises(JobGoneError):
        queue.get(jobs[0].id)
    assert queue.get(jobs[-1].id) is jobs[-1]


def test_events_are_bounded_but_the_end_is_always_told() -> None:
    queue = JobQueue(Limits(job_events=3))

    def work(context: Context) -> None:
        for _ in range(10):
            context.text(text="x")

    job = queue.submit("a", "test", work, 1)
    queue.run_next()
    assert [event.kind for event in queue.events(job, 0, 0)] == ["text"] * 3 + ["done"]


def test_closing_ends_the_job_in_hand(queue: JobQueue) -> None:
    begun = threading.Event()

    def work(context: Context) -> None:
        begun.set()
        while not context.cancelled():
            pass
        raise CancelledError

    job = queue.submit("a", "test", work, 1)
    queue.start()
    assert begun.wait(30)
    queue.close()
    assert job.state is State.CANCELLED


@pytest.mark.parametrize("lanes", [1, 4])
def test_many_threads_may_submit_at_once(lanes: int) -> None:
    queue = JobQueue(Limits(jobs_waiting=1000, jobs_waiting_per_owner=1000, jobs_kept=1000), lanes=lanes)
    done: list[str] = []
    jobs: list[Job] = []

    def submit_many(owner: str) -> None:
        for number in range(50):
            jobs.append(submit_long(queue, owner, done) if number % 10 == 5 else submit(queue, owner, done))

    queue.start()
    threads = [threading.Thread(target=submit_many, args=(f"owner {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(queue.wait_until_over(job, 30) for job in jobs)
    queue.close()
    assert {job.state for job in jobs} == {State.DONE}
    assert len(done) == 8 * (45 + 5 * 3)
