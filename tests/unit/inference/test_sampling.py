"""How the next token is chosen, and where an answer ends by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest

from appliance.inference.endings import LoopGuard, StopStrings
from appliance.inference.sampling import Chooser, Sampling
from appliance.limits import Limits

LOGITS = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))


def drawn(sampling: Sampling, times: int = 4000, prompt: tuple[int, ...] = ()) -> Counter[int]:
    chooser = Chooser(sampling, prompt, len(LOGITS))
    return Counter(chooser.choose(LOGITS) for _ in range(times))


def test_without_temperature_the_likeliest_is_taken() -> None:
    assert drawn(Sampling(top_k=3, top_p=0.5)) == {0: 4000}


def test_tokens_are_drawn_as_the_model_says() -> None:
    shares = drawn(Sampling(temperature=1, seed=1))
    for token, share in enumerate((0.5, 0.3, 0.15, 0.05)):
        assert shares[token] / 4000 == pytest.approx(share, abs=0.03)


def test_a_low_temperature_sharpens_and_a_tiny_one_does_not_overflow() -> None:
    assert drawn(Sampling(temperature=0.5, seed=1))[0] / 4000 == pytest.approx(0.25 / 0.365, abs=0.03)
    assert drawn(Sampling(temperature=1e-6, seed=1)) == {0: 4000}


@pytest.mark.parametrize(
    ("sampling", "possible"),
    [
        (Sampling(temperature=1, top_k=2, seed=1), {0, 1}),
        (Sampling(temperature=1, top_p=0.79, seed=1), {0, 1}),
        (Sampling(temperature=1, top_p=0.81, seed=1), {0, 1, 2}),
        (Sampling(temperature=1, top_p=0.01, seed=1), {0}),
        (Sampling(temperature=1, top_k=3, top_p=0.6, seed=1), {0, 1}),
        (Sampling(temperature=1, top_k=99, seed=1), {0, 1, 2, 3}),
    ],
)
def test_unlikely_tokens_are_cut_off(sampling: Sampling, possible: set[int]) -> None:
    assert set(drawn(sampling)) == possible


def test_a_flat_distribution_over_many_tokens_keeps_top_p_of_them() -> None:
    chooser = Chooser(Sampling(temperature=1, top_p=0.5, seed=1), (), 5000)
    seen = {chooser.choose(np.zeros(5000, np.float32)) for _ in range(8000)}
    assert 1900 < len(seen) <= 2501


def test_tokens_of_the_text_become_less_likely() -> None:
    chooser = Chooser(Sampling(repetition_penalty=2), (), 4)
    positive = np.array([3.0, 2.0, 1.6, -1.0], np.float32)
    # 3 → 1.5 after it was taken, 2 → 1, 1.6 → 0.8: the best one left each time.
    assert [chooser.choose(positive) for _ in range(4)] == [0, 1, 2, 0]
    assert Chooser(Sampling(repetition_penalty=2), [0], 4).choose(positive) == 1
    assert Chooser(Sampling(repetition_penalty=3), [0], 2).choose(np.array([-1.0, -2.0], np.float32)) == 1
    assert positive[0] == 3.0  # the logits given are not changed


def test_the_same_seed_draws_the_same_tokens() -> None:
    def some(seed: int | None) -> list[int]:
        chooser = Chooser(Sampling(temperature=1, seed=seed), (), 4)
        return [chooser.choose(LOGITS) for _ in range(64)]

    assert some(5) == some(5) != some(6)
    assert some(None) != some(None)


def test_a_row_without_a_token_is_never_chosen() -> None:
    wide = np.append(LOGITS, [9.0, 9.0]).astype(np.float32)
    for sampling in (Sampling(), Sampling(temperature=1, repetition_penalty=1.1, seed=1)):
        chooser = Chooser(sampling, [5], len(LOGITS))
        assert {chooser.choose(wide) for _ in range(200)} <= {0, 1, 2, 3}


@pytest.mark.parametrize(
    "wrong", [{"temperature": -1}, {"top_p": 0}, {"top_p": 1.1}, {"top_k": -1}, {"repetition_penalty": 0}]
)
def test_a_sampling_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no such sampling"):
        Sampling(**wrong)  # type: ignore[arg-type]


def told(pieces: Iterable[str], *stops: str) -> tuple[list[str], bool]:
    stop = StopStrings(stops)
    return [*(stop.add(piece) for piece in pieces), stop.end()], stop.found


@pytest.mark.parametrize(
    ("pieces", "stops", "expected", "found"),
    [
        ("abc", (), ["a", "b", "c", ""], False),
        ("abENDc", ("END",), ["a", "b", "", "", "", "", ""], True),
        ("abEN", ("END",), ["a", "b", "", "", "EN"], False),
        ("aENENDx", ("END",), ["a", "", "", "EN", "", "", "", ""], True),
        (["one END two END"], ("END",), ["one ", ""], True),
        (["x\n\nUser: y"], ("User:", "\n\n"), ["x", ""], True),
        (["x\n"], ("User:", "\n\n"), ["x", "\n"], False),
    ],
)
def test_what_may_begin_a_stop_string_is_held_back(
    pieces: Iterable[str], stops: tuple[str, ...], expected: list[str], found: bool
) -> None:
    assert told(pieces, *stops) == (expected, found)


def test_an_empty_stop_string_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        StopStrings([""])


def ends_at(tokens: Iterable[int], limits: Limits) -> int | None:
    guard = LoopGuard(limits)
    return next((n for n, token in enumerate(tokens, start=1) if guard.loops(token)), None)


GUARD = Limits(loop_period=8, loop_times=3, loop_tokens=12)


@pytest.mark.parametrize(
    ("tokens", "end"),
    [
        ([7] * 40, 12),
        ([1, 2, 3] * 20, 12),
        ([9, 9, 9, *[1, 2, 3, 4, 5] * 9], 3 + 15),
        ([*range(8)] * 9, 24),
        ([*range(9)] * 9, None),  # a passage longer than the guard looks for
        ([*[1, 2, 3] * 3, 4] * 2, None),  # three times, but nine tokens only
        (list(range(1000)), None),
    ],
)
def test_going_round_in_circles_is_noticed_at_once(tokens: list[int], end: int | None) -> None:
    assert ends_at(tokens, GUARD) == end
