"""The figures of the village: what they mean is what they say."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice

import pytest

from benchmarks.village import DECK, Load, Visit, after, alone, deck, growth, jain, percentile, rows, shares, waits


def test_jain_is_one_for_equals_and_one_nth_for_one_who_has_everything() -> None:
    assert jain([3.0] * 7) == pytest.approx(1)
    assert jain([0, 0, 0, 5.0]) == pytest.approx(1 / 4)
    assert jain([1.0, 2.0, 3.0]) == pytest.approx(36 / (3 * 14))
    assert jain([0, 0]) == 0


def test_percentiles() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.95), percentile([7.0], 0.95)) == (51, 96, 7)


def test_growth_compares_the_end_with_the_beginning() -> None:
    assert growth([100] * 50 + [110] * 50) == pytest.approx(10)
    assert growth([100] * 99 + [500]) == 0  # a moment is no growth


def test_memory_is_looked_at_once_so_many_requests_were_answered() -> None:
    visits = [Visit(0, "short", number, number, number + 1) for number in range(100)]
    done = Load(1, 0, 100, visits, memory=[10 * number for number in range(100)])
    done.others = [(float(number), 0.0) for number in range(100)]
    assert (after(done, 20), after(done, 50), after(done, 101)) == (200, 500, None)


def test_every_phone_asks_for_the_same_in_another_order() -> None:
    one, other = (list(islice(deck(random.Random(seed)), 2 * len(DECK))) for seed in (1, 2))
    assert one != other
    assert Counter(one) == Counter(other) == Counter(2 * DECK)
    assert one == list(islice(deck(random.Random(1)), 2 * len(DECK)))


def test_shares_and_waits_are_measured_by_what_a_phone_alone_would_have() -> None:
    lone = Load(1, 0, 10, [Visit(0, "short", 0, 1, 1), Visit(0, "page", 1, 2, 5)])
    seconds = alone(lone)
    assert seconds == {"short": 1, "page": 4}
    assert alone(lone, Load(1, 20, 30, [Visit(0, "short", 20, 21, 23)])) == {"short": 2, "page": 4}
    two = Load(2, 0, 10)
    two.visits = [Visit(0, "short", 0, 1, 2), Visit(1, "page", 0, 2, 4), Visit(0, "short", 2, 3, 8)]
    assert shares(two, seconds) == [2, 4]
    assert [round(share, 3) for share, _ in waits(two, seconds)] == [0.5, 1.0, 3.0]


def test_what_came_too_late_or_went_wrong_does_not_count_as_work() -> None:
    done = Load(
        1,
        0,
        10,
        [Visit(0, "short", 9, 11, 11), Visit(0, "short", 1, 2, 2, "PhoneError: no"), Visit(0, "short", 0, 1, 1)],
    )
    assert len(done.answered) == 1
    assert done.errors == ["PhoneError: no"]


def test_a_load_without_answers_meets_no_target() -> None:
    done = Load(40, 0, 10, [], [100, 100], {"box": 1.0})
    verdicts = {row.name: row.verdict for row in rows(done, {"short": 1.0})}
    assert verdicts["village_40_jain"] == "missed"
    assert verdicts["village_40_longest_wait"] == "missed"
