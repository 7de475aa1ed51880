"""Greedy and beam search over a batch of sentences, with a guard against going round in circles.

A model that has lost the thread says the same again and again. Where the last tokens of a hypothesis are one group
that stands as often in a row as the guard lets it, the token that would complete it once more cannot be written. How
often that is comes from the source: a text that repeats itself may be translated so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from appliance.errors import CancelledError
from appliance.inference.seq2seq import Decoding, Floats, Ints

LONGEST_GROUP = 16  # tokens of a group that is watched for standing in a row
LEAST_REPEATS = 4  # a group may stand in a row so often, whatever the source does


@dataclass(frozen=True)
class Vocabulary:
    """The ids that steer a search. `forbidden` are never written: padding, tags, unknown."""

    start: int
    end: int
    forbidden: tuple[int, ...]


@dataclass
class Hypothesis:
    """One way of translating a sentence: its tokens so far, without start and end."""

    tokens: list[int]
    score: float  # sum of log-probabilities, natural
    row: int = 0  # in the step just made
    held: bool = False  # the guard kept the likeliest token from being written

    def normalised(self) -> float:
        """Score a token, the end counted, so that short and long ones compare (length penalty 1)."""
        return self.score / (len(self.tokens) + 1)


@dataclass
class Sentence:
    """A sentence on its way: hypotheses still open, and those that ended."""

    number: int
    limit: int
    repeats: int  # how often a group of tokens may stand in a row; 0: no guard
    live: list[Hypothesis] = field(default_factory=lambda: [Hypothesis([], 0.0)])
    ended: list[Hypothesis] = field(default_factory=list)

    def ranked(self) -> list[Hypothesis]:
        """The hypotheses that ended, best first."""
        return sorted(self.ended, key=Hypothesis.normalised, reverse=True)

    def is_done(self) -> bool:
        if not self.live:
            return True
        if not self.ended:
            return False
        return max(map(Hypothesis.normalised, self.ended)) >= max(map(Hypothesis.normalised, self.live))


def search(
    decoding: Decoding,
    limits: Sequence[int],
    vocabulary: Vocabulary,
    beam: int,
    cancelled: Callable[[], bool],
    on_done: Callable[[int, list[Hypothesis]], None],
    repeats: Sequence[int] | None = None,
) -> None:
    """Decode every sentence of a batch; `on_done(number, hypotheses)` as each is finished, the best first.

    `limits` is the most target tokens of each sentence, `beam` the number of hypotheses (1: greedy), `repeats` how
    often a group of tokens may stand in a row in each sentence (none given: as often as the model likes).
    Finished sentences leave the batch, so that short ones do not wait for long ones.

    Raises:
        CancelledError: `cancelled()` was true between two steps.
    """
    guards = repeats or [0] * len(limits)
    open_sentences = [
        Sentence(number, limit, most) for number, (limit, most) in enumerate(zip(limits, guards, strict=True))
    ]
    tokens = np.full(len(limits), vocabulary.start, np.int64)
    past_rows = np.arange(len(limits), dtype=np.int64)
    source_rows = past_rows
    for sentence in open_sentences:
        sentence.live[0].row = sentence.number
    while open_sentences:
        if cancelled():
            raise CancelledError
        logits = decoding.step(tokens, past_rows, source_rows)
        logits[:, vocabulary.forbidden] = -np.inf
        _guard(open_sentences, logits)
        if beam == 1:
            _advance_greedily(open_sentences, logits, vocabulary)
        else:
            _advance_beams(open_sentences, logits, vocabulary, beam)
        for sentence in [each for each in open_sentences if each.is_done()]:
            on_done(sentence.number, sentence.ranked())
            open_sentences.remove(sentence)
        tokens, past_rows, source_rows = _next_rows(open_sentences)


def repeats_of(tokens: Sequence[int]) -> int:
    """How often a group of at most LONGEST_GROUP tokens stands in a row in `tokens`; 1 if none is repeated."""
    most = 1
    for size in range(1, min(LONGEST_GROUP, len(tokens) // 2) + 1):
        run = 0
        for here, before in zip(tokens[size:], tokens, strict=False):
            run = run + 1 if here == before else 0
            most = max(most, 1 + run // size)
    return most


def _guard(sentences: list[Sentence], logits: Floats) -> None:
    """Make tokens that would go round once more too often impossible, in the rows of `sentences` that are there."""
    for sentence in sentences:
        for hypothesis in sentence.live if sentence.repeats else ():
            stopped = _once_more(hypothesis.tokens, sentence.repeats)
            if stopped:
                scores = logits[hypothesis.row]
                hypothesis.held = hypothesis.held or int(scores.argmax()) in stopped
                scores[stopped] = -np.inf


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


def _advance_greedily(sentences: list[Sentence], logits: Floats, vocabulary: Vocabulary) -> None:
    best = logits.argmax(axis=1)
    for sentence in sentences:
        (hypothesis,) = sentence.live
        token = int(best[hypothesis.row])
        if token == vocabulary.end:
            sentence.ended, sentence.live = [hypothesis], []
        else:
            hypothesis.tokens.append(token)
            if len(hypothesis.tokens) >= sentence.limit:
                sentence.ended, sentence.live = [hypothesis], []


def _advance_beams(sentences: list[Sentence], logits: Floats, vocabulary: Vocabulary, beam: int) -> None:
    """Extend each sentence's hypotheses by their best tokens; twice `beam`, as any of them may be the end."""
    most = min(2 * beam, logits.shape[1] - len(vocabulary.forbidden))
    candidates = np.argpartition(logits, -most, axis=1)[:, -most:]
    chosen = np.take_along_axis(logits, candidates, axis=1).astype(np.float64)
    chosen -= _log_sum_exp(logits)[:, None]
    for sentence in sentences:
        extended = [
            (hypothesis.score + float(score), hypothesis, int(token))
            for hypothesis in sentence.live
            for score, token in zip(chosen[hypothesis.row], candidates[hypothesis.row], strict=True)
        ]
        extended.sort(key=lambda each: -each[0])
        live: list[Hypothesis] = []
        for score, hypothesis, token in extended[: 2 * beam]:
            if token == vocabulary.end:
                sentence.ended.append(Hypothesis(hypothesis.tokens, score, held=hypothesis.held))
            elif len(live) < beam:
                live.append(Hypothesis([*hypothesis.tokens, token], score, hypothesis.row, hypothesis.held))
        sentence.live = live
        if live and len(live[0].tokens) >= sentence.limit:
            # They compete as they are, as in transformers: an end nobody would write is worse than a cut.
            sentence.ended.extend(live)
            sentence.live = []


def _log_sum_exp(logits: Floats) -> Floats:
    highest = logits.max(axis=1)
    total: Floats = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
    return total


def _next_rows(sentences: list[Sentence]) -> tuple[Ints, Ints, Ints]:
    """(last tokens, rows of the step just made, sentences) of the next step; renumbers the hypotheses."""
    live = [(sentence.number, hypothesis) for sentence in sentences for hypothesis in sentence.live]
    tokens = np.array([hypothesis.tokens[-1] for _, hypothesis in live], np.int64)
    past_rows = np.array([hypothesis.row for _, hypothesis in live], np.int64)
    source_rows = np.array([number for number, _ in live], np.int64)
    for row, (_, hypothesis) in enumerate(live):
        hypothesis.row = row
    return tokens, past_rows, source_rows
