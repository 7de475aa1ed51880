"""The queue is bounded and fair, and tells what becomes of a job."""

from __future__ import annotations

import random
import threading

import pytest

from appliance.errors import (
    CancelledError,
    EmptyTextError,
    JobGoneError,
    JobLostError,
    LongWaitError,
    OwnerQueueFullError,
    QueueFullError,
)
from appliance.inference.job import Job, State
from appliance.inference.queue import Context, JobQueue
from appliance.limits import Limits


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> JobQueue:
    return JobQueue(Limits(), clock)


def submit(queue: JobQueue, owner: str, done: list[str] | None = None, cost: float = 10) -> Job:
    def work(context: Context) -> str:
        if done is not None:
            done.append(owner)
        return owner

    return queue.submit(owner, "test", work, cost)


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


# Long work and short


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


def test_what_is_short_comes_before_what_is_long(queue: JobQueue) -> None:
    done: list[str] = []
    submit_long(queue, "A", done, parts=1)
    submit_long(queue, "A", done, parts=1)
    submit_long(queue, "B", done, parts=1)
    submit(queue, "a", done)
    run_all(queue)
    assert done == ["a", "A1", "B1", "A1"]


def test_work_is_told_whose_it_is_and_whether_it_is_long(queue: JobQueue) -> None:
    told: list[tuple[str, bool]] = []

    def work(context: Context) -> None:
        told.append((context.owner, context.background))

    queue.submit("a", "test", work, 1)
    queue.submit("b", "test", work, 1, background=True)
    queue.submit("c", "test", work, 1, hold_for="phone")
    run_all(queue)
    assert told == [("a", False), ("b", True), ("c", True)]


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


def test_everyone_has_a_turn_between_two_parts_of_long_work(queue: JobQueue, clock: Clock) -> None:
    done: list[str] = []
    for owner in "abc":
        endless(queue, clock, owner, done)
    submit_parts(queue, clock, "A", done, 3)
    for _ in range(12):
        queue.run_next()
    assert "".join(done) == "abcAabcAabcA"


def test_long_work_goes_on_at_once_while_nobody_else_wants_anything(queue: JobQueue, clock: Clock) -> None:
    done: list[str] = []
    submit_parts(queue, clock, "A", done, 3)
    assert queue.run_next()
    assert not queue.run_next()
    assert done == ["A", "A", "A"]


def test_a_newcomer_waits_for_one_part_of_long_work_however_many_asked_for_it(queue: JobQueue, clock: Clock) -> None:
    done: list[str] = []
    for number in range(10):
        submit_parts(queue, clock, f"{number}", done, 5)
    for _ in range(17):
        queue.run_next()
    submit(queue, "newcomer", done)
    queue.run_next()
    assert done[17:] == ["newcomer"]


def test_the_short_jobs_of_an_owner_come_before_the_long_ones(queue: JobQueue, clock: Clock) -> None:
    done: list[str] = []
    submit_parts(queue, clock, "A", done, 2)
    queue.run_next()
    submit_parts(queue, clock, "A", done, 1)
    queue.submit("A", "test", lambda _: done.append("a"), 1)
    run_all(queue)
    assert done == ["A", "A", "a", "A"]


def test_a_break_is_only_for_long_work(queue: JobQueue) -> None:
    done: list[str] = []

    def work(context: Context) -> None:
        submit(queue, "b", done)
        context.breathe()
        done.append("a")

    queue.submit("a", "test", work, 1)
    run_all(queue)
    assert done == ["a", "b"]


def test_long_work_can_be_cancelled_while_it_waits_for_its_next_turn(queue: JobQueue, clock: Clock) -> None:
    ended: list[str] = []

    def work(context: Context) -> None:
        submit(queue, "a")
        context.breathe()
        if context.cancelled():
            ended.append("told")
            raise CancelledError

    long = queue.submit("A", "long", work, 1, background=True)
    queue.run_next()
    assert (long.state, ended) == (State.RUNNING, [])
    queue.cancel(long.id)
    run_all(queue)
    assert (long.state, ended) == (State.CANCELLED, ["told"])
    assert queue.jobs_before(submit(queue, "a")) == 0


def test_long_work_that_breaks_does_not_take_the_worker_with_it(
    queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    def work(context: Context) -> None:
        submit(queue, "a")
        context.breathe()
        raise ZeroDivisionError

    broken = queue.submit("A", "long", work, 1, background=True)
    fine = submit_long(queue, "B", [])
    queue.start()
    assert queue.wait_until_over(broken, 30)
    assert queue.wait_until_over(fine, 30)
    queue.close()
    assert (broken.state, fine.state) == (State.FAILED, State.DONE)
    assert "ZeroDivisionError" in caplog.text


def test_closing_ends_long_work_that_waits_for_its_next_turn(queue: JobQueue) -> None:
    paused = threading.Event()
    before = set(threading.enumerate())

    def hold(context: Context) -> None:
        paused.set()
        while not context.cancelled():
            pass
        raise CancelledError

    def work(context: Context) -> None:
        queue.submit("a", "test", hold, 1)
        context.breathe()
        if context.cancelled():
            raise CancelledError

    long = queue.submit("A", "long", work, 1, background=True)
    queue.start()
    assert paused.wait(30)
    assert long.state is State.RUNNING
    queue.close()
    assert long.state is State.CANCELLED
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.parametrize("phones", [2, 10, 40])
def test_a_village_shares_the_box_evenly(clock: Clock, phones: int) -> None:
    """Everyone asks again at once, now for a sentence, now for a page, as in benchmarks/village.py."""
    queue = JobQueue(Limits(), clock)
    lone = {"short": 0.04, "page": 5 * 0.045}
    dice = [random.Random(number) for number in range(phones)]
    had = [0.0] * phones
    slowest = {"short": 0.0, "page": 0.0}
    again: list[int] = list(range(phones))

    def ask(number: int) -> None:
        kind = "page" if dice[number].random() < 0.1 else "short"
        began = clock.now

        def work(context: Context) -> None:
            for part in range(5 if kind == "page" else 1):
                context.breathe() if part else None
                clock.now += 0.045 if kind == "page" else 0.04
            had[number] += lone[kind]
            slowest[kind] = max(slowest[kind], (clock.now - began) / (phones * lone[kind]))
            again.append(number)

        queue.submit(f"phone {number}", kind, work, 1, background=kind == "page").watchers = 1

    while clock.now < 150 + phones * 4:
        while again:
            ask(again.pop(0))
        queue.run_next()
    assert sum(had) ** 2 / (phones * sum(each**2 for each in had)) >= 0.99  # Jain's index
    assert slowest["short"] <= 2.0
    assert slowest["page"] <= 1.2


# Several lanes


def test_as_many_jobs_are_at_work_as_there_are_lanes() -> None:
    queue = JobQueue(lanes=3)
    together = threading.Barrier(3)
    jobs = [queue.submit(owner, "test", lambda _: together.wait(30), 1) for owner in "abc"]
    queue.start()
    assert all(queue.wait_until_over(job, 30) for job in jobs)
    queue.close()
    assert {job.state for job in jobs} == {State.DONE}


@pytest.mark.parametrize(("lanes", "most"), [(1, 1), (2, 1), (3, 1), (4, 2)])
def test_long_work_holds_half_of_the_lanes_at_most(lanes: int, most: int) -> None:
    queue = JobQueue(lanes=lanes)
    at_work = threading.Semaphore(0)
    go_on = threading.Event()

    def work(context: Context) -> None:
        at_work.release()
        assert go_on.wait(30)

    long = [queue.submit(f"{number}", "long", work, 1, background=True) for number in range(lanes)]
    queue.start()
    for _ in range(most):
        assert at_work.acquire(timeout=30)
    if lanes > 1:
        short = submit(queue, "a")
        assert queue.wait_until_over(short, 30)
        assert not queue.run_next()
    assert [job.state for job in long] == [State.RUNNING] * most + [State.WAITING] * (lanes - most)
    go_on.set()
    assert all(queue.wait_until_over(job, 30) for job in long)
    queue.close()


def test_closing_ends_what_is_at_work_in_every_lane(queue: JobQueue) -> None:
    queue = JobQueue(lanes=4)
    begun = threading.Barrier(5)

    def work(context: Context) -> None:
        begun.wait(30)
        while not context.cancelled():
            pass
        raise CancelledError

    jobs = [queue.submit(owner, "test", work, 1) for owner in "abcd"]
    queue.start()
    begun.wait(30)
    queue.close()
    assert {job.state for job in jobs} == {State.CANCELLED}


# Estimates


def known(queue: JobQueue, clock: Clock, kind: str = "test", pace: float = 1.0) -> None:
    """Teach the queue the pace of a kind of work, in seconds a unit of cost."""

    def work(context: Context) -> None:
        clock.now += 100 * pace

    queue.submit("teacher", kind, work, 100)
    queue.run_next()


def hold_lanes(queue: JobQueue, owners: str, cost: float) -> tuple[list[threading.Thread], threading.Event]:
    """Jobs at work, a lane each, until the event is set."""
    begun, go_on = threading.Barrier(len(owners) + 1), threading.Event()

    def work(context: Context) -> None:
        begun.wait(30)
        assert go_on.wait(30)

    for owner in owners:
        queue.submit(owner, "test", work, cost)
    threads = [threading.Thread(target=queue.run_next) for _ in owners]
    for thread in threads:
        thread.start()
    begun.wait(30)
    return threads, go_on


def test_with_several_lanes_a_job_begins_where_a_lane_is_free_first(clock: Clock) -> None:
    queue = JobQueue(Limits(), clock, lanes=2)
    known(queue, clock)
    threads, go_on = hold_lanes(queue, "ab", cost=10)
    submit(queue, "c", cost=4)
    submit(queue, "d", cost=6)
    mine = submit(queue, "e")
    assert queue.wait_seconds(mine) == pytest.approx(14)
    assert queue.jobs_before(mine) == 4
    clock.now += 3
    assert queue.wait_seconds(mine) == pytest.approx(11)
    clock.now += 7
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert queue.wait_seconds(mine) == pytest.approx(4)
    assert queue.jobs_before(mine) == 2


def test_a_short_job_waits_for_a_part_of_long_work_only(queue: JobQueue, clock: Clock) -> None:
    known(queue, clock)
    known(queue, clock, "long")
    waits: list[float] = []

    def work(context: Context) -> None:
        for _ in range(20):
            clock.now += 2
            context.breathe()
        short = submit(queue, "a")
        waits.append(queue.wait_seconds(short))
        clock.now += 0.5
        waits.append(queue.wait_seconds(short))
        assert queue.jobs_before(short) == 1

    queue.submit("A", "long", work, 60, background=True).watchers = 1
    queue.run_next()
    assert waits == pytest.approx([2, 1.5], rel=0.01)


def test_the_first_turn_of_long_work_comes_soon_and_its_end_when_all_had_their_share(
    queue: JobQueue, clock: Clock
) -> None:
    known(queue, clock)
    known(queue, clock, "long", pace=2.0)
    queue._part = 5
    done: list[str] = []
    submit_long(queue, "A", done)  # of cost 10
    mine = submit_long(queue, "B", done)
    submit(queue, "a", cost=7)
    assert queue.wait_seconds(mine) == pytest.approx(7 + 5)
    assert queue.jobs_before(mine) == 2
    assert queue._waits(mine) == pytest.approx(7 + 20)


def test_the_pace_of_long_work_is_measured_without_its_pauses(queue: JobQueue, clock: Clock) -> None:
    left: list[float] = []

    def slow(context: Context) -> None:
        clock.now += 20
        left.append(queue.seconds_left(long))

    def work(context: Context) -> None:
        clock.now += 5
        queue.submit("a", "test", slow, 1)
        context.breathe()
        clock.now += 5

    known(queue, clock, "long", pace=0.1)
    long = queue.submit("A", "long", work, 100, background=True)
    run_all(queue)
    assert left == [pytest.approx(5)]
    submit_long(queue, "B", [])  # of cost 10
    assert queue.wait_seconds(submit_long(queue, "A", [])) == pytest.approx(1)


def test_what_would_wait_too_long_is_not_taken_unless_it_is_held(queue: JobQueue, clock: Clock) -> None:
    known(queue, clock)
    submit(queue, "a", cost=100)
    submit(queue, "b", cost=50)
    with pytest.raises(LongWaitError) as caught:
        submit(queue, "c")
    assert caught.value.fields == {"wait": 150}
    assert len(queue._jobs) == 3
    held = queue.submit("c", "test", lambda _: "done", 10, hold_for="phone")
    run_all(queue)
    assert held.result == "done"


# What was left with the box


def hold(queue: JobQueue, device: str, owner: str = "a") -> Job:
    return queue.submit(owner, "test", lambda _: device, 10, hold_for=device)


def test_a_held_job_is_done_though_nobody_looks_and_its_result_waits_for_hours(queue: JobQueue, clock: Clock) -> None:
    first, second, other = hold(queue, "phone"), hold(queue, "phone"), hold(queue, "another", "b")
    clock.now += 10 * Limits().job_abandoned_seconds
    run_all(queue)
    assert [job.state for job in (first, second, other)] == [State.DONE] * 3
    clock.now += Limits().job_held_seconds - 1
    assert queue.held_for("phone") == [second, first]
    clock.now += 2
    assert queue.held_for("phone") == []


def test_nobody_without_a_name_is_shown_the_jobs_of_all(queue: JobQueue) -> None:
    submit(queue, "a")
    assert queue.held_for("") == []


def test_held_work_is_done_when_nothing_else_waits_or_it_waited_for_long(queue: JobQueue, clock: Clock) -> None:
    done: list[str] = []
    submit_long(queue, "H", done, parts=1, hold_for="phone")
    submit_long(queue, "A", done, parts=1)
    submit(queue, "a", done)
    run_all(queue)
    assert done == ["a", "A1", "H1"]
    submit_long(queue, "H", done, parts=1, hold_for="phone")
    clock.now += Limits().held_patience_seconds + 1
    submit_long(queue, "A", done, parts=1)
    run_all(queue)
    assert done[3:] == ["H1", "A1"]


def test_one_owner_may_leave_only_so_much_with_the_box() -> None:
    queue = JobQueue(Limits(jobs_held=3, jobs_held_per_owner=2))
    hold(queue, "phone")
    hold(queue, "phone")
    with pytest.raises(OwnerQueueFullError):
        hold(queue, "with its cookie cleared")
    hold(queue, "phone", "b")
    with pytest.raises(QueueFullError):
        hold(queue, "phone", "c")


def test_finished_jobs_of_others_do_not_push_out_a_held_one() -> None:
    queue = JobQueue(Limits(jobs_kept=2, jobs_held=1))
    held = hold(queue, "phone")
    for _ in range(5):
        submit(queue, "b")
    run_all(queue)
    assert queue.held_for("phone") == [held]
    newer = hold(queue, "phone")
    run_all(queue)
    assert queue.held_for("phone") == [newer]
