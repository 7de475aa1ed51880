"""Which token comes next: the likeliest, or one drawn from the likely ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
LIKELY = 1024  # candidates looked at first for top_p: sorting a whole vocabulary is rarely needed


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen; by default greedily.

    `temperature` 0 takes the likeliest token, and then `top_k`, `top_p` and `seed` mean nothing; 1 draws as the model
    says. `top_k`: of so many likeliest tokens only (0: all). `top_p`: of the likeliest tokens that have this
    probability together. `repetition_penalty`: tokens that the text has already are made less likely (above 1) or
    likelier, as in CTRL (Keskar et al. 2019). `seed`: the same one draws the same tokens; None draws others each time.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        if not (self.temperature >= 0 and self.top_k >= 0 and 0 < self.top_p <= 1 and self.repetition_penalty > 0):
            raise ValueError(f"no such sampling: {self}")


GREEDY = Sampling()


class Chooser:
    """Chooses the tokens of one text, which begins with `prompt`. Ids from `size` on are never chosen."""

    def __init__(self, sampling: Sampling, prompt: Sequence[int], size: int) -> None:
        self._sampling, self._size = sampling, size
        self._random = np.random.default_rng(sampling.seed)
        self._present = np.zeros(size, bool)
        self._present[[token for token in prompt if token < size]] = True

    def choose(self, logits: Floats, allowed: npt.NDArray[np.intp] | None = None) -> int:
        """The next token, given the logits (vocabulary,) after the text so far; one of `allowed` if that is given."""
        scores = self._penalised(logits[: self._size])
        if allowed is not None:
            only = np.full_like(scores, -np.inf)
            only[allowed] = scores[allowed]
            scores = only
        token = int(scores.argmax()) if self._sampling.temperature == 0 else self._draw(scores)
        self._present[token] = True
        return token

    def _penalised(self, scores: Floats) -> Floats:
        penalty = self._sampling.repetition_penalty
        if penalty == 1:
            return scores
        present = np.flatnonzero(self._present)
        old = scores[present]
        scores = scores.copy()
        scores[present] = np.where(old > 0, old / penalty, old * penalty)
        return scores

    def _draw(self, scores: Floats) -> int:
        # From the highest on, so that a tiny temperature cannot overflow.
        weights = np.exp((scores.astype(np.float64) - scores.max()) / self._sampling.temperature)
        candidates = self._nucleus(weights, _largest(weights, self._sampling.top_k))
        chosen = weights[candidates]
        return int(self._random.choice(candidates, p=chosen / chosen.sum()))

    def _nucleus(self, weights: npt.NDArray[np.float64], candidates: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """The fewest of `candidates` that have `top_p` of their probability, and one at least."""
        share = self._sampling.top_p
        if share == 1:
            return candidates
        wanted = share * weights[candidates].sum()
        likely = candidates[_largest(weights[candidates], LIKELY)]
        if weights[likely].sum() < wanted:
            likely = candidates
        likely = likely[np.argsort(-weights[likely], kind="stable")]
        enough = int(np.searchsorted(weights[likely].cumsum(), wanted)) + 1
        return likely[:enough]


def _largest(weights: npt.NDArray[np.float64], most: int) -> npt.NDArray[np.intp]:
    """The places of the `most` largest weights, in no order; of all of them for 0."""
    if not 0 < most < len(weights):
        return np.arange(len(weights))
    return np.argpartition(weights, -most)[-most:]
