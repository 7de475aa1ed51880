"""Search on scores made by hand, where the right answer can be seen."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from appliance.inference.search import Vocabulary, search
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


def run(table: dict[tuple[int, ...], list[float]], limits: list[int], beam: int) -> tuple[dict[int, list[int]], Table]:
    decoder = Table(table)
    found: dict[int, list[int]] = {}
    search(decoder, limits, VOCABULARY, beam, lambda: False, found.__setitem__)  # type: ignore[arg-type]
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
