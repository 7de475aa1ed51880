"""What counts as a promise that was not kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.crash.promises import Changes, Ledger, Promises

BEFORE = {"a": "1", "b": "1"}


def said(tmp_path: Path, *changes: Changes, finish: bool = True) -> list[str]:
    """What a program says that makes `changes`, the last one only begun unless it is to finish."""
    descriptor = os.open(tmp_path / "marks", os.O_WRONLY | os.O_CREAT)
    promises = Promises(descriptor)
    for each in changes:
        with promises.change(each):
            pass
    os.close(descriptor)
    lines = (tmp_path / "marks").read_text().splitlines()
    return lines if finish else lines[:-1]


def test_what_nobody_touched_must_be_there() -> None:
    assert Ledger(BEFORE, []).wrong(BEFORE) == []
    assert Ledger(BEFORE, []).wrong({"a": "1"}) == ["b is gone, promised: b is 1"]
    assert Ledger(BEFORE, []).wrong({**BEFORE, "c": "1"}) == ["c is 1, promised: c is gone"]


def test_what_is_done_must_be_new(tmp_path: Path) -> None:
    ledger = Ledger(BEFORE, said(tmp_path, {"a": "2", "b": None}))
    assert ledger.wrong({"a": "2"}) == []
    assert ledger.wrong(BEFORE) == ["a is 1, promised: a is 2", "b is 1, promised: b is gone"]


@pytest.mark.parametrize("seen", [BEFORE, {"a": "2"}])
def test_what_is_begun_may_be_old_or_new(tmp_path: Path, seen: dict[str, str]) -> None:
    assert Ledger(BEFORE, said(tmp_path, {"a": "2", "b": None}, finish=False)).wrong(seen) == []


@pytest.mark.parametrize("seen", [{"a": "1"}, {"a": "2", "b": "1"}, {"a": "3", "b": "1"}, {}])
def test_what_is_begun_is_never_a_mixture(tmp_path: Path, seen: dict[str, str]) -> None:
    (wrong,) = Ledger(BEFORE, said(tmp_path, {"a": "2", "b": None}, finish=False)).wrong(seen)
    assert wrong.startswith("neither old nor new")


def test_a_second_change_begins_where_the_first_ended(tmp_path: Path) -> None:
    ledger = Ledger(BEFORE, said(tmp_path, {"a": "2"}, {"a": "3"}, finish=False))
    assert ledger.wrong({"a": "2", "b": "1"}) == ledger.wrong({"a": "3", "b": "1"}) == []
    assert ledger.wrong(BEFORE)


def test_of_some_nothing_is_said_meanwhile(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "marks", os.O_WRONLY | os.O_CREAT)
    with Promises(descriptor).change({"a": None}, meanwhile=["c"]):
        begun = (tmp_path / "marks").read_text().splitlines()
    assert Ledger(BEFORE, begun).wrong({"b": "1", "c": "for a while"}) == []
    assert Ledger(BEFORE, (tmp_path / "marks").read_text().splitlines()).wrong({"b": "1", "c": "still"})


def test_what_is_fragile_may_be_gone_while_it_is_changed_and_then_not(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "marks", os.O_WRONLY | os.O_CREAT)
    promises = Promises(descriptor)
    with promises.change({"a": "2", "b": "2"}, fragile=True):
        pass
    os.close(descriptor)
    lines = (tmp_path / "marks").read_text().splitlines()
    begun, done = Ledger(BEFORE, lines[:-1]), Ledger(BEFORE, lines)
    assert [begun.wrong(seen) for seen in (BEFORE, {"a": "2", "b": "2"}, {})] == [[], [], []]
    assert begun.wrong({"a": "2"})  # a part of it
    assert begun.wrong({"a": "3", "b": "3"})
    assert done.wrong({})
