"""Search on scores made by hand, where the right answer can be seen."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from appliance.inference.search import Hypothesis, Vocabulary, repeats_of, search
from appliance.inference.seq2seq import Floats, Ints

END, A, B, C, NEVER = 0, 1, 2, 3, 4
VOCABULARY = Vocabulary(start=NEVER, end=END, forbidden=(NEVER,))


class Table:
    """A decoder whose next-token probabilities depend on the tokens so far, as in `table`."""

    def __init__(self, table: dict[tuple[int, ...], list[float]]) -> None:
        self.table = table
        self.rows: list[tuple[int, ...]] = []
        self.sizes: list[int] = []

    def step(self, tokens: Ints, past_rows: Ints, source_rows: Ints) -> Floats:
        before = self.rows or [()] * len(tokens)
        begun = bool(self.rows)
        self.rows = [
            (*before[past], int(token)) if begun else () for token, past in zip(tokens, past_rows, strict=True)
        ]
        if not begun:
            self.rows = [()] * len(tokens)
        self.sizes.append(len(tokens))
        return np.log(
            np.array([self.table.get(row, [0.97, 0.01, 0.01, 0.01, 0]) for row in self.rows], np.float32) + 1e-9
        )


def run(
    table: dict[tuple[int, ...], list[float]], limits: list[int], beam: int, repeats: list[int] | None = None
) -> tuple[dict[int, list[int]], Table]:
    """The tokens of the best hypothesis of each sentence."""
    found, decoder = run_all(table, limits, beam, repeats)
    return {number: hypotheses[0].tokens for number, hypotheses in found.items()}, decoder


def run_all(
    table: dict[tuple[int, ...], list[float]], limits: list[int], beam: int, repeats: list[int] | None = None
) -> tuple[dict[int, list[Hypothesis]], Table]:
    decoder = Table(table)
    found: dict[int, list[Hypothesis]] = {}
    search(decoder, limits, VOCABULARY, beam, lambda: False, found.__setitem__, repeats)  # type: ignore[arg-type]
    return found, decoder


# The likeliest first token leads nowhere; the second leads to a likely end.
GARDEN_PATH = {(): [0, 0.6, 0.4, 0, 0], (A,): [0.1, 0.3, 0.3, 0.3, 0], (B,): [0.9, 0.1, 0, 0, 0]}


def test_greedy_takes_the_likeliest_token_each_time() -> None:
    found, _ = run(GARDEN_PATH, [5], 1)
    assert found[0][0] == A


def test_a_beam_finds_the_likelier_whole() -> None:
    found, _ = run(GARDEN_PATH, [5], 2)
    assert found == {0: [B]}


def test_a_forbidden_token_is_never_written() -> None:
    found, _ = run({(): [0.1, 0.1, 0, 0, 0.8]}, [5], 1)
    assert NEVER not in found[0]


@pytest.mark.parametrize("beam", [1, 2])
def test_a_limit_ends_a_sentence_that_would_go_on(beam: int) -> None:
    ways = (way for n in range(9) for way in itertools.product((A, B), repeat=n))
    endless = {way: [0, 0.9, 0.1, 0, 0] for way in ways}
    found, _ = run(endless, [7], beam)
    assert found == {0: [A] * 7}


def test_at_the_limit_an_unlikely_end_does_not_win() -> None:
    table = {(): [0.01, 0.99, 0, 0, 0], (A,): [0, 0.99, 0.01, 0, 0], (A, A): [0, 0.99, 0.01, 0, 0]}
    found, _ = run(table, [2], 2)
    assert found == {0: [A, A]}


def test_finished_sentences_leave_the_batch() -> None:
    # Both sentences share the table; the second may write one token only.
    table = {(): [0, 0.9, 0.1, 0, 0], (A,): [0, 0.9, 0.1, 0, 0], (A, A): [0.9, 0.1, 0, 0, 0]}
    found, decoder = run(table, [9, 1], 1)
    assert found == {0: [A, A], 1: [A]}
    assert decoder.sizes == [2, 1, 1]


def test_the_other_hypotheses_that_ended_are_given_from_better_to_worse() -> None:
    found, _ = run_all(GARDEN_PATH, [5], 3)
    scores = [each.normalised() for each in found[0]]
    assert len(scores) > 1
    assert scores == sorted(scores, reverse=True)


class Circle(Table):
    """A model that says a group of tokens again and again, and thinks of its end only a little."""

    def __init__(self, group: tuple[int, ...]) -> None:
        super().__init__({})
        self.group = group

    def step(self, tokens: Ints, past_rows: Ints, source_rows: Ints) -> Floats:
        super().step(tokens, past_rows, source_rows)
        scores = np.full((len(tokens), 5), 0.01, np.float32)
        for row, written in enumerate(self.rows):
            scores[row, self.group[len(written) % len(self.group)]] = 0.9
            scores[row, END] = 0.05
        return np.log(scores)


def circle(group: tuple[int, ...], beam: int, repeats: int, limit: int = 40) -> Hypothesis:
    found: dict[int, list[Hypothesis]] = {}
    search(Circle(group), [limit], VOCABULARY, beam, lambda: False, found.__setitem__, [repeats])  # type: ignore[arg-type]
    return found[0][0]


@pytest.mark.parametrize("beam", [1, 4])
@pytest.mark.parametrize("group", [(A,), (A, B), (A, B, A, C)])
def test_a_group_of_tokens_does_not_stand_in_a_row_more_often_than_it_may(group: tuple[int, ...], beam: int) -> None:
    best = circle(group, beam, repeats=3)
    assert best.held
    assert repeats_of(best.tokens) <= 3
    assert len(best.tokens) <= 3 * len(group) + len(group)


def test_without_a_guard_the_same_model_goes_on_to_its_limit() -> None:
    best = circle((A, B), 1, repeats=0)
    assert (len(best.tokens), best.held) == (40, False)


def test_a_guard_that_is_never_needed_changes_nothing() -> None:
    found, _ = run_all(GARDEN_PATH, [5], 2, [4])
    assert (found[0][0].tokens, found[0][0].held) == ([B], False)


@pytest.mark.parametrize(
    ("tokens", "times"),
    [
        ([], 1),
        ([A], 1),
        ([A, B, C], 1),
        ([A, A], 2),
        ([A, B, A, B, A], 2),
        ([C, *[A, B] * 5, C], 5),
        ([A, B] * 400, 400),
    ],
)
def test_how_often_a_source_repeats_itself(tokens: list[int], times: int) -> None:
    assert repeats_of(tokens) == times
