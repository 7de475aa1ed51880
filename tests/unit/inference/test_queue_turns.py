"""Short work and long take turns, in one lane and in several."""

from __future__ import annotations

import random
import threading
from collections.abc import Generator, Sequence

import pytest

from appliance.errors import CancelledError, EmptyTextError
from appliance.inference.job import Job, State
from appliance.inference.queue import Context, JobQueue, Together
from appliance.limits import Limits
from tests.queues import Clock, endless, run_all, submit, submit_long, submit_parts


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


@pytest.mark.parametrize(("lanes", "most"), [(1, 1), (2, 1), (3, 2), (4, 3)])
def test_long_work_leaves_one_of_several_lanes_to_what_is_short(lanes: int, most: int) -> None:
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


# Work that shares a turn


class Company:
    """Work that shares turns: what was worked on together, and alone; the work of the owners `broken` breaks all."""

    def __init__(self, queue: JobQueue, clock: Clock, broken: str = "") -> None:
        self.queue, self.clock, self.broken = queue, clock, broken
        self.together: list[str] = []
        self.alone: list[str] = []

    def submit(self, owner: str, key: str = "en-es", cost: float = 10) -> Job:
        return self.queue.submit(owner, "test", self.work, cost, together=Together(key, self.work_together))

    def work(self, context: Context) -> str:
        self.alone.append(context.owner)
        self.clock.now += 1
        if context.owner in self.broken:
            raise EmptyTextError
        return f"{context.owner} alone"

    def work_together(self, contexts: Sequence[Context]) -> Generator[tuple[int, str], None, None]:
        self.together.append("".join(context.owner for context in contexts))
        for place, context in enumerate(contexts):
            if context.owner in self.broken:
                raise ZeroDivisionError
            if not context.cancelled():
                self.clock.now += 1
                yield place, f"{context.owner} together"


def test_short_jobs_that_are_alike_share_a_turn(queue: JobQueue, clock: Clock) -> None:
    company = Company(queue, clock)
    jobs = [company.submit("a"), company.submit("b", "en-fr"), company.submit("c"), company.submit("d")]
    assert queue.run_next()
    assert [job.result for job in jobs] == ["a together", None, "c together", "d together"]
    assert [job.state for job in jobs] == [State.DONE, State.WAITING, State.DONE, State.DONE]
    assert queue.run_next()
    assert not queue.run_next()
    assert (company.together, company.alone, jobs[1].result) == (["acd"], ["b"], "b alone")


def test_an_owner_has_one_job_in_a_turn_that_is_shared(queue: JobQueue, clock: Clock) -> None:
    company = Company(queue, clock)
    for owner in "aaab":
        company.submit(owner)
    run_all(queue)
    assert (company.together, company.alone) == (["ab"], ["a", "a"])


def test_who_is_alone_with_its_kind_shares_no_turn(queue: JobQueue, clock: Clock) -> None:
    company, done = Company(queue, clock), list[str]()
    company.submit("a")
    submit(queue, "b", done)
    submit_long(queue, "c", done, parts=1)
    run_all(queue)
    assert (company.together, company.alone, done) == ([], ["a"], ["b", "c1"])


def test_a_shared_turn_stays_short(clock: Clock) -> None:
    limits = Limits(company=3, company_cost=100)
    queue = JobQueue(limits, clock)
    many, large = Company(queue, clock), Company(queue, clock)
    for owner in "abcd":
        many.submit(owner)
    for owner, cost in (("e", 60), ("f", 50), ("g", 40)):
        large.submit(owner, "en-fr", cost)
    run_all(queue)
    assert (many.together, many.alone) == (["abc"], ["d"])
    assert (large.together, large.alone) == (["eg"], ["f"])


def test_what_long_work_is_alike_is_never_in_company(queue: JobQueue, clock: Clock) -> None:
    company = Company(queue, clock)
    together = Together("en-es", company.work_together)
    for owner in "ab":
        queue.submit(owner, "test", company.work, 10, background=True, together=together)
        queue.submit(owner, "test", company.work, 10, hold_for="phone", together=together)
    run_all(queue)
    assert (company.together, sorted(company.alone)) == ([], ["a", "a", "b", "b"])


def test_one_that_breaks_does_not_break_the_others_of_its_turn(queue: JobQueue, clock: Clock) -> None:
    company = Company(queue, clock, broken="b")
    jobs = [company.submit(owner) for owner in "abc"]
    run_all(queue)
    assert [job.result for job in jobs] == ["a together", None, "c alone"]
    assert [job.state for job in jobs] == [State.DONE, State.FAILED, State.DONE]
    assert isinstance(jobs[1].error, EmptyTextError)
    assert company.alone == ["b", "c"]


def test_one_of_a_turn_may_be_cancelled(queue: JobQueue, clock: Clock) -> None:
    company = Company(queue, clock)
    jobs = [company.submit(owner) for owner in "abc"]

    def cancelling(contexts: Sequence[Context]) -> Generator[tuple[int, str], None, None]:
        queue.cancel(jobs[1].id)
        yield from company.work_together(contexts)

    queue._together[jobs[0].id] = Together("en-es", cancelling)
    run_all(queue)
    assert [job.state for job in jobs] == [State.DONE, State.CANCELLED, State.DONE]
    assert company.alone == []


def test_everyone_in_a_shared_turn_has_had_one(queue: JobQueue, clock: Clock) -> None:
    company, done = Company(queue, clock), list[str]()
    for owner in "abc":
        company.submit(owner)
    assert queue.run_next()
    for owner in "cxab":
        submit(queue, owner, done)
    run_all(queue)
    assert done == ["x", "a", "b", "c"]  # x had no turn yet; the others in the order of theirs


def test_a_shared_turn_counts_to_each_by_its_part(queue: JobQueue, clock: Clock) -> None:
    company = Company(queue, clock)
    jobs = [company.submit(owner) for owner in "abcd"]
    run_all(queue)
    assert [job.worked for job in jobs] == pytest.approx([1 / 4, 2 / 4, 3 / 4, 4 / 4])
    waiting = company.submit("a")
    assert queue._forecast.rest_of(waiting) < 1  # what one took alone would be 1 and more


def test_nothing_is_kept_of_jobs_that_shared_a_turn(queue: JobQueue, clock: Clock) -> None:
    company = Company(queue, clock, broken="b")
    for owner in "abc":
        company.submit(owner)
    queue.cancel(company.submit("d", "en-fr").id)
    run_all(queue)
    assert not queue._together
    assert not queue._company
    assert not queue._work
