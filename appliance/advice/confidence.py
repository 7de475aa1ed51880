"""How sure it is that an article answers a question: a share from 0 to 1, from what words and meaning say of it.

Logistic regression on the questions in tests/advice; `python -m benchmarks.advice --fit` prints the weights anew, and
what they give on questions that they were not made from (docs/decisions/0029-finding.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Evidence:
    """What speaks for an article: `words` 0..1 as `index.Hit.score`, `bm25` as there, `meaning` -1..1 (cosine).

    `asked` is how many words with a meaning the question has, MOST_ASKED at most: of a few words all are soon found.
    """

    words: float = 0.0
    bm25: float = 0.0
    meaning: float = 0.0
    asked: int = 0


@dataclass(frozen=True)
class Weights:
    """Of each kind of evidence, and what is taken off."""

    words: float
    bm25: float
    meaning: float
    asked: float
    bias: float

    def confidence(self, evidence: Evidence) -> float:
        """0..1; half where it is as likely as not."""
        logit = self.words * evidence.words + self.bm25 * evidence.bm25 + self.meaning * evidence.meaning
        logit += self.asked * evidence.asked - self.bias
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))


MOST_ASKED = 12
WITH_MEANING = Weights(words=4.977, bm25=0.298, meaning=3.14, asked=0.188, bias=9.293)
WORDS_ONLY = Weights(words=4.734, bm25=0.366, meaning=0.0, asked=0.129, bias=8.627)
THRESHOLD = 0.5  # from which on an article is an answer: of those questions that have one, one in twenty is refused
