"""How long a wait is estimated to be, and what is left with the box because of it."""

from __future__ import annotations

import threading

import pytest

from appliance.errors import (
    LongWaitError,
    OwnerQueueFullError,
    QueueFullError,
)
from appliance.inference.job import Job, State
from appliance.inference.queue import Context, JobQueue
from appliance.limits import Limits
from tests.queues import Clock, run_all, submit, submit_long

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
    queue._forecast._part = 5
    done: list[str] = []
    submit_long(queue, "A", done)  # of cost 10
    mine = submit_long(queue, "B", done)
    submit(queue, "a", cost=7)
    assert queue.wait_seconds(mine) == pytest.approx(7 + 5)
    assert queue.jobs_before(mine) == 2
    assert queue._forecast.waits(mine) == pytest.approx(7 + 20)


def test_turns_of_the_longest_text_are_not_counted_longer_than_they_are(queue: JobQueue, clock: Clock) -> None:
    known(queue, clock)
    known(queue, clock, "long")
    queue._forecast._part = 2
    for owner in "ABC":
        queue.submit(owner, "long", lambda _: None, 30, background=True)
    mine = submit(queue, "teacher")  # who had a turn, so that the others come first
    assert queue.wait_seconds(mine) == pytest.approx(3 * 2)
    assert queue.jobs_before(mine) == 3


def test_only_what_was_left_with_the_box_waits_for_nobody(queue: JobQueue) -> None:
    told: list[bool] = []

    def work(context: Context) -> None:
        told.append(context.others_wait())

    queue.submit("a", "test", work, 1)
    queue.submit("b", "test", work, 1)
    hold(queue, "phone", "c")
    run_all(queue)
    assert told == [True, False]


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
