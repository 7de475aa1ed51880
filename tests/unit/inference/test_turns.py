"""Whoever was served longest ago is next."""

from __future__ import annotations

import random

import pytest

from appliance.inference.forecast import Pace, begins_in
from appliance.inference.turns import Turns


def one_second(_: object) -> float:
    return 1.0


@pytest.mark.parametrize("seed", range(20))
def test_the_order_that_is_told_is_the_order_that_is_kept(seed: int) -> None:
    dice = random.Random(seed)
    turns = Turns[tuple[str, int]](remembered=10)

    def take() -> tuple[str, int]:
        return turns.take()

    for number in range(100):
        owner = dice.choice("abcdefg")
        turns.add(owner, (owner, number), long=dice.random() < 0.3)
        if dice.random() < 0.3:
            assert turns.first() == take()
        if dice.random() < 0.2:
            gone = dice.choice([*turns, (owner, -1)])
            turns.remove(gone[0], gone)
    told = [thing for thing, _ in turns.order(one_second, part=1.0)]
    assert len(told) == len(turns) == len(list(turns))
    assert [take() for _ in told] == told
    assert turns.first() is None
    with pytest.raises(LookupError):
        turns.take()


def test_what_is_long_is_told_in_parts() -> None:
    turns = Turns[str](remembered=10)
    turns.add("a", "long", long=True)
    turns.add("b", "short")
    took = {"long": 5.0, "short": 3.0}
    assert list(turns.order(took.__getitem__, part=2.0)) == [
        ("short", 3.0),
        ("long", 2.0),
        ("long", 2.0),
        ("long", 1.0),
    ]


def test_whoever_was_served_longest_ago_is_next() -> None:
    turns = Turns[str](remembered=10)
    for owner in "ab":
        turns.add(owner, owner)
        turns.add(owner, owner)
    assert [turns.take() for _ in range(3)] == ["a", "b", "a"]
    turns.add("c", "c")
    turns.add("a", "a")
    assert [turns.take() for _ in range(3)] == ["c", "b", "a"]


def test_of_two_newcomers_the_one_who_wants_something_short_is_first() -> None:
    turns = Turns[str](remembered=10)
    turns.add("a", "long", long=True)
    turns.add("b", "short")
    assert (turns.take(), turns.take()) == ("short", "long")


def test_owners_who_came_long_ago_are_forgotten_unless_they_wait() -> None:
    turns = Turns[str](remembered=3)
    turns.add("a", "done")
    turns.take()
    turns.add("a", "waits")
    for number in range(20):
        turns.add(f"{number}", "done")
        assert turns.take() == "done"
    assert len(turns._owners) <= 4
    assert turns.take() == "waits"


def test_what_does_not_wait_cannot_be_taken_out() -> None:
    turns = Turns[str](remembered=4)
    turns.add("a", "one")
    turns.remove("a", "two")
    turns.remove("b", "one")
    assert list(turns) == ["one"]
    assert (turns.waiting_of("a"), turns.waiting_of("b")) == (1, 0)


def test_the_pace_follows_what_is_measured_and_long_work_weighs_more() -> None:
    pace = Pace()
    pace.learn("test", cost=1, seconds=1)
    pace.learn("test", cost=999, seconds=99)
    assert pace.seconds("test", 1000) == pytest.approx(100, rel=0.01)
    for _ in range(100):
        pace.learn("test", cost=10, seconds=5)
    assert pace.seconds("test", 10) == pytest.approx(5, rel=0.01)


def test_work_of_no_cost_divides_nothing_by_nothing() -> None:
    pace = Pace()
    pace.learn("test", cost=0, seconds=0)
    assert pace.seconds("test", 10) == 0


@pytest.mark.parametrize(
    ("free", "before", "begins"),
    [([0.0], [], 0), ([3.0], [4.0, 5.0], 12), ([3.0, 1.0], [4.0, 5.0], 5), ([0.0, 0.0, 9.0], [2.0, 2.0, 2.0], 2)],
)
def test_work_begins_where_a_lane_is_free_first(free: list[float], before: list[float], begins: float) -> None:
    assert begins_in(free, before) == begins
