"""Search on scores made by hand, where the right answer can be seen."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from appliance.inference.search import Hypothesis, Search, Sentence, Vocabulary, repeats_of
from appliance.inference.seq2seq import Floats, Ints

END, A, B, C, NEVER = 0, 1, 2, 3, 4
VOCABULARY = Vocabulary(start=NEVER, end=END)
BANNED = [NEVER]


class Table:
    """Places whose next-token probabilities depend on the tokens so far, as in `table`."""

    def __init__(self, table: dict[tuple[int, ...], list[float]], beam: int) -> None:
        self.table, self.beam = table, beam
        self.written: list[list[tuple[int, ...]]] = []
        self.positions: Ints = np.zeros(0, np.int64)
        self.sizes: list[int] = []

    def add(self, sources: Sequence[Sequence[int]], _lists: Sequence[Ints | None]) -> None:
        self.written += [[()] * self.beam for _ in sources]
        self.positions = np.concatenate([self.positions, np.zeros(len(sources), np.int64)])

    def take_out(self, place: int) -> None:
        self.written[place] = self.written[-1]
        self.written.pop()
        self.positions[place] = self.positions[-1]
        self.positions = self.positions[:-1]

    def step(self, tokens: Ints, parents: Ints) -> tuple[Floats, Ints]:
        for place, before in enumerate(self.written):
            if self.positions[place]:
                rows = zip(parents[place], tokens[place], strict=True)
                self.written[place] = [(*before[parent], int(token)) for parent, token in rows]
        self.positions = self.positions + 1
        self.sizes.append(len(self.written))
        scores = np.array([[self.scores(row) for row in rows] for rows in self.written], np.float32)
        scores[..., BANNED] = -np.inf
        ids = np.argsort(-scores, axis=-1, kind="stable")[..., :4]
        return np.take_along_axis(scores, ids, axis=-1), ids

    def scores(self, written: tuple[int, ...]) -> Floats:
        """Log-probabilities after `written`."""
        return np.log(np.array(self.table.get(written, [0.97, 0.01, 0.01, 0.01, 0]), np.float32) + 1e-9)


def run(
    table: dict[tuple[int, ...], list[float]], limits: list[int], beam: int, repeats: int = 0
) -> tuple[list[list[int]], Table]:
    """The tokens of the best hypothesis of each sentence."""
    sentences, places = run_all(Table(table, beam), limits, repeats)
    return [sentence.ranked()[0].tokens for sentence in sentences], places


def run_all(places: Table, limits: list[int], repeats: int = 0) -> tuple[list[Sentence], Table]:
    sentences = [Sentence([A], limit, repeats) for limit in limits]
    search = Search(places, VOCABULARY)  # type: ignore[arg-type]
    search.add(sentences)
    while search.sentences:
        search.step()
    return sentences, places


# The likeliest first token leads nowhere; the second leads to a likely end.
GARDEN_PATH = {(): [0, 0.6, 0.4, 0, 0], (A,): [0.1, 0.3, 0.3, 0.3, 0], (B,): [0.9, 0.1, 0, 0, 0]}


def test_greedy_takes_the_likeliest_token_each_time() -> None:
    found, _ = run(GARDEN_PATH, [5], 1)
    assert found[0][0] == A


def test_a_beam_finds_the_likelier_whole() -> None:
    found, _ = run(GARDEN_PATH, [5], 2)
    assert found == [[B]]


def test_a_forbidden_token_is_never_written() -> None:
    found, _ = run({(): [0.1, 0.1, 0, 0, 0.8]}, [5], 1)
    assert NEVER not in found[0]


@pytest.mark.parametrize("beam", [1, 2])
def test_a_limit_ends_a_sentence_that_would_go_on(beam: int) -> None:
    ways = (way for n in range(9) for way in itertools.product((A, B), repeat=n))
    endless = {way: [0, 0.9, 0.1, 0, 0] for way in ways}
    found, _ = run(endless, [7], beam)
    assert found == [[A] * 7]


def test_at_the_limit_an_unlikely_end_does_not_win() -> None:
    table = {(): [0.01, 0.99, 0, 0, 0], (A,): [0, 0.99, 0.01, 0, 0], (A, A): [0, 0.99, 0.01, 0, 0]}
    found, _ = run(table, [2], 2)
    assert found == [[A, A]]


def test_finished_sentences_leave_the_batch() -> None:
    # Both sentences share the table; the second may write one token only.
    table = {(): [0, 0.9, 0.1, 0, 0], (A,): [0, 0.9, 0.1, 0, 0], (A, A): [0.9, 0.1, 0, 0, 0]}
    found, places = run(table, [9, 1], 1)
    assert found == [[A, A], [A]]
    assert places.sizes == [2, 1, 1]


@pytest.mark.parametrize("beam", [1, 2])
def test_a_sentence_that_comes_later_is_found_as_if_it_were_alone(beam: int) -> None:
    table = {
        (): [0, 0.6, 0.4, 0, 0],
        (A,): [0.1, 0.5, 0.3, 0.1, 0],
        (A, A): [0.9, 0.1, 0, 0, 0],
        (B,): [0.2, 0.8, 0, 0, 0],
    }
    alone, _ = run(table, [6], beam)
    early, late = Sentence([A], 6), Sentence([A, A], 6)
    search = Search(Table(table, beam), VOCABULARY)  # type: ignore[arg-type]
    search.add([early])
    search.step()
    search.add([late])
    while search.sentences:
        search.step()
    assert [each.ranked()[0].tokens for each in (early, late)] == alone * 2


@pytest.mark.parametrize("beam", [1, 2])
def test_a_first_token_is_written_before_the_search_and_is_not_part_of_it(beam: int) -> None:
    table = {(C,): [0, 0.9, 0.1, 0, 0], (C, A): [0.9, 0.1, 0, 0, 0]}
    sentence = Sentence([A], 5, first=C)
    search = Search(Table(table, beam), VOCABULARY)  # type: ignore[arg-type]
    search.add([sentence])
    while search.sentences:
        search.step()
    assert sentence.ranked()[0].tokens == [A]


def test_a_sentence_that_is_removed_leaves_the_others_as_they_are() -> None:
    table = {(): [0, 0.9, 0.1, 0, 0], (A,): [0, 0.9, 0.1, 0, 0], (A, A): [0.9, 0.1, 0, 0, 0]}
    kept, gone, other = (Sentence([A], 9) for _ in range(3))
    search = Search(Table(table, 2), VOCABULARY)  # type: ignore[arg-type]
    search.add([gone, kept, other])
    search.step()
    search.remove(gone)
    ended = list(gone.ended)
    while search.sentences:
        search.step()
    assert (kept.ranked()[0].tokens, other.ranked()[0].tokens, gone.ended) == ([A, A], [A, A], ended)


def test_the_other_hypotheses_that_ended_are_given_from_better_to_worse() -> None:
    (sentence,), _ = run_all(Table(GARDEN_PATH, 3), [5])
    scores = [each.normalised() for each in sentence.ranked()]
    assert len(scores) > 1
    assert scores == sorted(scores, reverse=True)


class Circle(Table):
    """A model that says a group of tokens again and again, and thinks of its end only a little."""

    def __init__(self, group: tuple[int, ...], beam: int) -> None:
        super().__init__({}, beam)
        self.group = group

    def scores(self, written: tuple[int, ...]) -> Floats:
        scores = np.full(5, 0.01, np.float32)
        scores[self.group[len(written) % len(self.group)]] = 0.9
        scores[END] = 0.05
        return np.log(scores)


def circle(group: tuple[int, ...], beam: int, repeats: int, limit: int = 40) -> Hypothesis:
    (sentence,), _ = run_all(Circle(group, beam), [limit], repeats)
    return sentence.ranked()[0]


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
    (sentence,), _ = run_all(Table(GARDEN_PATH, 2), [5], repeats=4)
    assert (sentence.ranked()[0].tokens, sentence.ranked()[0].held) == ([B], False)


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
