"""Requests left with the box survive a restart and a power cut; those that somebody waits for are never written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import (
    BarazaError,
    CancelledError,
    EngineError,
    JobGoneError,
    JobInterruptedError,
    StorageError,
    UnknownLanguagePairError,
)
from appliance.inference.job import Job, State
from appliance.inference.kept import Form, Keeper, Task
from appliance.inference.queue import Context, JobQueue
from appliance.limits import LIMITS, Limits
from appliance.storage.journal import JOURNAL, Journal
from tests.queues import Clock, run_all


class Box:
    """A queue with its journal, that can be switched off properly, or have its power cut."""

    def __init__(self, folder: Path, limits: Limits = LIMITS) -> None:
        self.clock, self.told, self.done = Clock(), list[StorageError](), list[str]()
        self.queue = JobQueue(limits, self.clock)
        self.journal = Journal(folder / JOURNAL, limits)
        self.refused: set[str] = set()
        forms = {"shout": Form(self.task, lambda result: {"said": result}, lambda values: values["said"])}
        self.keeper = Keeper(self.queue, self.journal, forms, self.told.append)
        self.keeper.begin()

    def task(self, request: dict[str, Any]) -> Task:
        text = request["text"]
        if text in self.refused or text == "refused":
            raise UnknownLanguagePairError(source="en", target="qu", installed="–")

        def work(context: Context) -> str:
            if text == "broken":
                raise EngineError(pack="p", reason="r")
            context.breathe()
            if context.cancelled():
                raise CancelledError
            self.done.append(text)
            return str(text.upper())

        return Task("shout", request, work, 10.0)

    def leave(self, text: str) -> Job:
        task = self.task({"text": text})
        return self.queue.submit("owner", task.kind, task.work, task.cost, task.request, hold_for="device")

    def switch_off(self) -> None:
        self.queue.close()
        self.journal.close()

    def cut(self) -> None:
        self.journal.close()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path)
    yield made
    made.cut()


def again(tmp_path: Path, limits: Limits = LIMITS) -> Box:
    return Box(tmp_path, limits)


def test_a_request_that_waited_is_done_after_a_cut_under_the_same_number(box: Box, tmp_path: Path) -> None:
    job = box.leave("hello")
    assert job.kept
    box.cut()
    second = again(tmp_path)
    found = second.queue.get(job.id)
    assert (found.state, found.held_for, found.owner) == (State.WAITING, "device", "owner")
    run_all(second.queue)
    assert (found.state, found.result, second.done) == (State.DONE, "HELLO", ["hello"])


def test_a_result_is_there_after_a_cut(box: Box, tmp_path: Path) -> None:
    job = box.leave("hello")
    run_all(box.queue)
    box.cut()
    second = again(tmp_path)
    found = second.queue.get(job.id)
    assert (found.state, found.result) == (State.DONE, "HELLO")
    assert [each.id for each in second.queue.held_for("device")] == [job.id]
    assert not second.queue.run_next()


def test_what_was_at_work_at_a_cut_is_interrupted_and_not_begun_again_by_itself(box: Box, tmp_path: Path) -> None:
    job = box.leave("hello")
    with box.queue._lock:
        box.queue._take()
    box.queue._tell()
    box.cut()
    second = again(tmp_path)
    found = second.queue.get(job.id)
    assert found.state is State.INTERRUPTED
    assert isinstance(found.error, JobInterruptedError)
    assert found.is_over
    assert found.request == {"text": "hello"}
    assert not second.queue.run_next()
    second.cut()
    assert again(tmp_path).queue.get(job.id).state is State.INTERRUPTED


def test_the_state_at_work_is_written_before_the_work_begins(box: Box, tmp_path: Path) -> None:
    seen: list[str] = []
    task = box.task({"text": "hello"})

    def work(context: Context) -> str:
        seen.extend(each.state for each in box.journal.jobs())
        return "x"

    box.queue.submit("owner", "shout", work, 1.0, task.request, hold_for="device")
    run_all(box.queue)
    assert seen == ["running"]


def test_a_request_at_work_at_a_clean_stop_waits_for_the_next_start(box: Box, tmp_path: Path) -> None:
    job = box.leave("first")
    box.queue._closing = True  # the stop comes while it is at work
    run_all(box.queue)
    assert job.state is State.WAITING
    box.switch_off()
    second = again(tmp_path)
    run_all(second.queue)
    assert second.queue.get(job.id).result == "FIRST"


def test_one_that_somebody_stopped_stays_stopped(box: Box, tmp_path: Path) -> None:
    job = box.leave("hello")
    box.queue.cancel(job.id)
    box.cut()
    found = again(tmp_path).queue.get(job.id)
    assert (found.state, type(found.error)) == (State.CANCELLED, CancelledError)


def test_an_error_is_told_as_it_was_after_a_restart(box: Box, tmp_path: Path) -> None:
    job = box.leave("broken")
    run_all(box.queue)
    box.cut()
    found = again(tmp_path).queue.get(job.id)
    assert (found.state, type(found.error)) == (State.FAILED, EngineError)
    assert found.error is not None
    assert found.error.fields == {"pack": "p", "reason": "r"}


def test_what_cannot_be_done_any_more_says_so(box: Box, tmp_path: Path) -> None:
    job = box.leave("hello")
    box.journal.keep(replace(box.journal.jobs()[0], request={"text": "x"}))
    with box.journal._database.transaction() as connection:
        connection.execute("UPDATE jobs SET request = ?", ('{"text": "refused"}',))
    box.cut()
    found = again(tmp_path).queue.get(job.id)
    assert (found.state, type(found.error)) == (State.FAILED, UnknownLanguagePairError)


@pytest.mark.parametrize(
    "change",
    ["kind = 'unknown'", "request = '{}'", "state = 'strange'", "state = 'done', result = '[]'"],
)
def test_a_request_that_is_not_of_its_form_is_shown_as_failed(box: Box, tmp_path: Path, change: str) -> None:
    job = box.leave("hello")
    with box.journal._database.transaction() as connection:
        connection.execute(f"UPDATE jobs SET {change}")
    box.cut()
    found = again(tmp_path).queue.get(job.id)
    assert (found.state, type(found.error)) == (State.FAILED, BarazaError)


def test_a_failed_one_without_its_error_has_the_general_one(box: Box, tmp_path: Path) -> None:
    job = box.leave("hello")
    for error in (
        "null",
        '{"key": "nothing", "fields": {}}',
        '{"key": "engine_failed", "fields": {}}',
        '{"key": "error"}',
    ):
        with box.journal._database.transaction() as connection:
            connection.execute("UPDATE jobs SET state = 'failed', error = ?", (error,))
        second = Keeper(JobQueue(), box.journal, {"shout": Form(box.task, str, str)}, box.told.append)
        second.begin()
        assert type(second._queue.get(job.id).error) is BarazaError


def test_requests_that_somebody_waits_for_are_never_written(box: Box) -> None:
    task = box.task({"text": "hello"})
    box.queue.submit("owner", task.kind, task.work, 1.0, task.request)
    run_all(box.queue)
    assert box.done == ["hello"]
    assert box.journal.jobs() == []


def test_what_is_forgotten_is_gone_from_the_journal(box: Box, tmp_path: Path) -> None:
    first, second = box.leave("one"), box.leave("two")
    box.queue.forget(first.id)  # not over: it stays
    assert len(box.journal.jobs()) == 2
    run_all(box.queue)
    box.queue.forget(first.id)
    assert [each.id for each in box.journal.jobs()] == [second.id]
    with pytest.raises(JobGoneError):
        box.queue.forget(first.id)


def test_results_leave_when_the_box_was_on_long_enough_over_several_starts(box: Box, tmp_path: Path) -> None:
    job = box.leave("hello")
    run_all(box.queue)
    box.clock.now += LIMITS.job_held_seconds - 100
    box.keeper.age()
    box.cut()
    second = again(tmp_path)
    assert second.queue.get(job.id).result == "HELLO"
    second.clock.now += 99
    assert [each.id for each, _ in second.queue.held()] == [job.id]
    second.clock.now += 2
    assert second.queue.held_for("device") == []
    assert second.journal.jobs() == []


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    box = Box(tmp_path, replace(LIMITS, jobs_held=3, jobs_held_per_owner=9))
    for number in range(9):
        box.leave(str(number))
        run_all(box.queue)
    box.queue.held_for("device")
    assert [each.request["text"] for each in box.journal.jobs()] == ["6", "7", "8"]


def test_a_journal_that_fails_is_told_once_and_the_box_goes_on(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise StorageError(path="journal.db", reason="broken")

    monkeypatch.setattr(box.journal, "keep", refuse)
    job = box.leave("hello")
    assert not job.kept
    run_all(box.queue)
    assert (job.state, box.done, len(box.told)) == (State.DONE, ["hello"], 1)


def test_what_keeps_requests_may_break_and_the_box_goes_on(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("a mistake of ours")

    box.queue.keep_held(broken)
    job = box.leave("hello")
    run_all(box.queue)
    assert job.state is State.DONE
    assert "could not be kept" in caplog.text


def test_a_request_of_before_that_was_deleted_is_gone_and_not_lost(box: Box, tmp_path: Path) -> None:
    job = box.leave("hello")
    run_all(box.queue)
    box.cut()
    second = again(tmp_path)
    second.queue.forget(job.id)
    with pytest.raises(JobGoneError):
        second.queue.get(job.id)
