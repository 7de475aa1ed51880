"""The time left is told by the pace of the last while."""

from __future__ import annotations

import pytest

from appliance.packs.meter import Meter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_said_before_something_is_known() -> None:
    clock = Clock()
    meter = Meter(clock)
    assert meter.seconds_left(1000) is None
    clock.now += 0.6
    assert meter.note(100, 1000)
    assert meter.seconds_left(1000) is None
    clock.now += 0.6
    assert meter.note(100, 1000)
    assert meter.seconds_left(1000) == pytest.approx(10.8)


def test_a_copy_that_stands_still_says_nothing() -> None:
    clock = Clock()
    meter = Meter(clock)
    clock.now += 5
    meter.note(0, 1000)
    assert meter.seconds_left(1000) is None


def test_it_is_told_twice_a_second_and_at_the_end() -> None:
    clock = Clock()
    meter = Meter(clock)
    told = []
    for done in range(1, 101):
        clock.now += 0.1
        told.append(meter.note(done, 100))
    assert 15 <= sum(told) <= 21
    assert told[-1]
    assert meter.seconds_left(100) == 0.0


def test_the_pace_is_that_of_the_last_while() -> None:
    clock = Clock()
    meter = Meter(clock)
    for done in range(1, 41):
        clock.now += 1
        meter.note(1_000_000 + done, 2_000_000)
    left = meter.seconds_left(1_000_140)
    assert left is not None
    assert round(left) == 100
