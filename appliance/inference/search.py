"""Greedy and beam search over sentences that come and go, with a guard against going round in circles.

A model that has lost the thread says the same again and again. Where the last tokens of a hypothesis are one group
that stands as often in a row as the guard lets it, the token that would complete it once more cannot be written. How
often that is comes from the source: a text that repeats itself may be translated so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from appliance.inference.seq2seq import Ints, Places

LONGEST_GROUP = 16  # tokens of a group that is watched for standing in a row
LEAST_REPEATS = 4  # a group may stand in a row so often, whatever the source does
SPARE = 2  # candidates beyond those a search needs, for the guard to take some away

Scores = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Vocabulary:
    """The ids that steer a search: what a target starts from, and its end (-1: only the limit ends it)."""

    start: int
    end: int


@dataclass
class Hypothesis:
    """One way of translating a sentence: its tokens, without start and end."""

    tokens: list[int]
    score: float  # sum of log-probabilities, natural
    held: bool = False  # the guard kept the likeliest token from being written

    def normalised(self) -> float:
        """Score a token, the end counted, so that short and long ones compare (length penalty 1)."""
        return self.score / (len(self.tokens) + 1)


@dataclass(eq=False)
class Sentence:
    """A sentence to translate, and what was found.

    `source` are ids with tag and end; `limit` the most tokens of its translation; `repeats` how often a group of
    tokens may stand in a row (0: as often as the model likes); `first` a token that it is made to begin with, which is
    not part of what is found; `allowed` are the ids that can be written, in order (None: all).
    """

    source: Sequence[int]
    limit: int
    repeats: int = 0
    first: int | None = None
    allowed: Ints | None = None
    ended: list[Hypothesis] = field(default_factory=list)

    def ranked(self) -> list[Hypothesis]:
        """The hypotheses that ended, best first."""
        return sorted(self.ended, key=Hypothesis.normalised, reverse=True)


def candidates_of(beam: int) -> int:
    """How many next tokens of each hypothesis a search of this width looks at."""
    needed = 2 * beam if beam > 1 else 1  # any of so many may be the end
    return needed + SPARE


class Search:
    """Sentences searched together, one step for all of them at a time."""

    def __init__(self, places: Places, vocabulary: Vocabulary) -> None:
        """`places` are empty; their beam is the number of hypotheses of a sentence (1: greedy)."""
        self._vocabulary, self._places, beam = vocabulary, places, places.beam
        self._beam = beam
        self.sentences: list[Sentence] = []
        self._tokens = np.zeros((0, beam), np.int64)
        self._parents = np.zeros((0, beam), np.int64)
        self._scores = np.zeros((0, beam))
        self._best = np.zeros(0)  # of the hypotheses that ended, a token
        self._held = np.zeros((0, beam), np.bool_)
        self._written = np.zeros((0, beam, 0), np.int64)

    def add(self, sentences: Sequence[Sentence]) -> None:
        """Take in `sentences`: the next step is their first."""
        self._places.add([each.source for each in sentences], [each.allowed for each in sentences])
        count, beam = len(sentences), self._beam
        longest = max([self._written.shape[2], *(sentence.limit + 1 for sentence in sentences)])
        scores = np.full((count, beam), -np.inf)
        scores[:, 0] = 0.0
        self.sentences += sentences
        self._tokens = _below(self._tokens, np.full((count, beam), self._vocabulary.start, np.int64))
        self._parents = _below(self._parents, np.tile(np.arange(beam), (count, 1)))
        self._scores = _below(self._scores, scores)
        self._best = _below(self._best, np.full(count, -np.inf))
        self._held = _below(self._held, np.zeros((count, beam), np.bool_))
        wider = np.zeros((len(self.sentences), beam, longest), np.int64)
        wider[: len(self._written), :, : self._written.shape[2]] = self._written
        self._written = wider

    def remove(self, sentence: Sentence) -> None:
        """Leave a sentence as it is."""
        place = self.sentences.index(sentence)
        self._places.take_out(place)
        last = self.sentences.pop()
        if last is not sentence:
            self.sentences[place] = last
        for name in ("_tokens", "_parents", "_scores", "_best", "_held", "_written"):
            array = getattr(self, name)
            array[place] = array[-1]
            setattr(self, name, array[:-1])

    def step(self) -> list[Sentence]:
        """Write one token of every sentence; those that are finished leave, and are returned."""
        lengths = self._lengths()
        begun = self._places.positions[: len(self.sentences)].copy()
        found, ids = self._places.step(self._tokens, self._parents)
        scores = found.astype(np.float64)
        self._guard(scores, ids, lengths)
        kept = (self._tokens, self._parents, self._scores, self._held)
        done = self._greedy(scores, ids, lengths) if self._beam == 1 else self._beams(scores, ids, lengths)
        for place, sentence in enumerate(self.sentences):
            if sentence.first is not None and begun[place] == 0:
                self._begin(place, sentence.first, kept)
                done[place] = False
        finished = [self.sentences[place] for place in np.flatnonzero(done)]
        for sentence in finished:
            self.remove(sentence)
        return finished

    def _begin(self, place: int, first: int, kept: tuple[Ints, Ints, Scores, Flags]) -> None:
        """What the model makes of its start is not asked: the target is told how to begin, and goes on from there."""
        _, _, scores, held = kept
        self._tokens[place], self._parents[place] = first, np.arange(self._beam)
        self._scores[place], self._held[place] = scores[place], held[place]
        self._best[place] = -np.inf
        self.sentences[place].ended.clear()

    def _lengths(self) -> Ints:
        """Tokens written so far."""
        forced = np.array([sentence.first is not None for sentence in self.sentences], np.int64)
        lengths: Ints = np.maximum(self._places.positions[: len(self.sentences)] - forced, 0)
        return lengths

    def _greedy(self, scores: Scores, ids: Ints, lengths: Ints) -> Flags:
        """Extend each sentence's hypothesis by its likeliest token; which sentences are done."""
        rows = np.arange(len(ids))
        best = scores[:, 0].argmax(axis=1)
        tokens = ids[rows, 0, best]
        self._tokens, self._scores = tokens[:, None].copy(), self._scores + scores[rows, 0, best][:, None]
        self._written[rows, 0, lengths] = tokens
        ends = tokens == self._vocabulary.end
        done: Flags = ends | (lengths + 1 >= self._limits())
        for place in np.flatnonzero(done).tolist():
            self._end(place, 0, int(lengths[place]) + (not ends[place]), float(self._scores[place, 0]))
        return done

    def _beams(self, scores: Scores, ids: Ints, lengths: Ints) -> Flags:
        """Extend each sentence's hypotheses by their best tokens; which sentences are done."""
        count, beam, found = scores.shape
        rows = np.arange(count)[:, None]
        totals = (self._scores[:, :, None] + scores).reshape(count, -1)
        order = np.argsort(-totals, axis=1, kind="stable")[:, : 2 * beam]
        totals = np.take_along_axis(totals, order, axis=1)
        tokens = np.take_along_axis(ids.reshape(count, -1), order, axis=1)
        parents = order // found
        possible = np.isfinite(totals)
        ends = (tokens == self._vocabulary.end) & possible
        for place, rank in np.argwhere(ends).tolist():
            self._end(place, int(parents[place, rank]), int(lengths[place]), float(totals[place, rank]))
        going_on = possible & ~ends
        chosen = np.argsort(~going_on, axis=1, kind="stable")[:, :beam]
        self._tokens, self._parents = tokens[rows, chosen], parents[rows, chosen]
        self._scores = np.where(going_on[rows, chosen], totals[rows, chosen], -np.inf)
        self._held = self._held[rows, self._parents]
        self._written = self._written[rows, self._parents]
        self._written[rows, np.arange(beam), lengths[:, None]] = self._tokens
        best_open = self._scores.max(axis=1) / (lengths + 2)
        done: Flags = (self._best >= best_open) & np.isfinite(self._best) | ~np.isfinite(best_open)
        for place in np.flatnonzero((lengths + 1 >= self._limits()) & np.isfinite(best_open)).tolist():
            # They compete as they are, as in transformers: an end nobody would write is worse than a cut.
            for row in np.flatnonzero(np.isfinite(self._scores[place])).tolist():
                self._end(place, row, int(lengths[place]) + 1, float(self._scores[place, row]))
            done[place] = True
        return done

    def _end(self, place: int, row: int, length: int, score: float) -> None:
        tokens = self._written[place, row, :length].tolist()
        hypothesis = Hypothesis(tokens, score, bool(self._held[place, row]))
        self.sentences[place].ended.append(hypothesis)
        self._best[place] = max(self._best[place], hypothesis.normalised())

    def _limits(self) -> Ints:
        return np.array([sentence.limit for sentence in self.sentences], np.int64)

    def _guard(self, scores: Scores, ids: Ints, lengths: Ints) -> None:
        """Make tokens that would go round once more too often impossible."""
        least = min((sentence.repeats for sentence in self.sentences if sentence.repeats), default=0)
        groups = min(LONGEST_GROUP, (int(lengths.max(initial=0)) + 1) // (least + 1))
        if not (least and groups):
            return
        rows = np.arange(len(lengths))[:, None]
        back = lengths[:, None] - 1 - np.arange(groups + 1)
        recent = self._written[rows, :, np.maximum(back, 0)]  # (sentences, groups + 1, beam), the last token first
        suspects = ((recent[:, :1] == recent[:, 1:]) & (back[:, 1:] >= 0)[:, :, None]).any(axis=1)
        for place, row in np.argwhere(suspects).tolist():
            most = self.sentences[place].repeats
            tokens = self._written[place, row, : lengths[place]].tolist()
            stopped = _once_more(tokens, most) if most else []
            if stopped:
                barred = np.isin(ids[place, row], stopped)
                self._held[place, row] |= barred[0]
                scores[place, row, barred] = -np.inf


def repeats_of(tokens: Sequence[int]) -> int:
    """How often a group of at most LONGEST_GROUP tokens stands in a row in `tokens`; 1 if none is repeated."""
    most = 1
    for size in range(1, min(LONGEST_GROUP, len(tokens) // 2) + 1):
        run = 0
        for here, before in zip(tokens[size:], tokens, strict=False):
            run = run + 1 if here == before else 0
            most = max(most, 1 + run // size)
    return most


def _once_more(tokens: list[int], most: int) -> list[int]:
    """The tokens that would make the last group stand in a row more than `most` times; `most` is above 1."""
    found = []
    for size in range(1, LONGEST_GROUP + 1):
        if len(tokens) < (most + 1) * size - 1:
            break
        tail = most * size - 1  # tokens that must equal those one group before them
        if tokens[-tail:] == tokens[-tail - size : -size]:
            found.append(tokens[-size])
    return found


def _below(array: npt.NDArray, more: npt.NDArray) -> npt.NDArray:  # type: ignore[type-arg]
    return np.concatenate([array, more])
