"""How far a pack is from the checkpoint it was made of: the same decoder steps through both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from appliance.inference.seq2seq import Floats, Ints, Seq2Seq


@dataclass(frozen=True)
class LogitError:
    """Over all steps: mean and largest absolute difference of a logit, share of steps with the same best token.

    `spread` is the standard deviation of the reference's logits, for scale.
    """

    mean: float
    largest: float
    same_best: float
    spread: float
    steps: int


def logit_error(
    model: Any, graphs: Seq2Seq, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]
) -> LogitError:
    """Compare `graphs` of a pack with the `transformers` model it was made of.

    `sources` are ids with tag and end, `targets` the ids given to the decoder one by one, the start first. Every
    sentence is run alone, so padding plays no part.
    """
    differences, best, spreads, steps = [], [], [], 0
    for source, target in zip(sources, targets, strict=True):
        ours, theirs = _ours(graphs, source, target), _theirs(model, source, target)
        differences.append(np.abs(ours - theirs))
        best.append(ours.argmax(axis=1) == theirs.argmax(axis=1))
        spreads.append(theirs.std(axis=1))
        steps += len(target)
    return LogitError(
        mean=float(np.concatenate(differences).mean()),
        largest=float(np.concatenate(differences).max()),
        same_best=float(np.concatenate(best).mean()),
        spread=float(np.concatenate(spreads).mean()),
        steps=steps,
    )


def _ours(graphs: Seq2Seq, source: Sequence[int], target: Sequence[int]) -> Floats:
    ids: Ints = np.array([source], np.int64)
    mask = np.ones_like(ids)
    decoding = graphs.start(graphs.encode(ids, mask), mask)
    row = np.zeros(1, np.int64)
    return np.array([decoding.step(np.array([token], np.int64), row, row)[0] for token in target])


def _theirs(model: Any, source: Sequence[int], target: Sequence[int]) -> Floats:
    import torch

    with torch.no_grad():
        given = torch.tensor([list(source)])
        logits: Floats = model(input_ids=given, decoder_input_ids=torch.tensor([list(target)])).logits[0].numpy()
    return logits
