"""How far a pack is from the checkpoint it was made of: the same tokens through both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from appliance.inference.generator import TextGenerator
from appliance.inference.seq2seq import Floats, Places, Seq2Seq
from appliance.packs.store import verify


@dataclass(frozen=True)
class LogitError:
    """The logits of a pack against those of transformers in fp32, after each token of some texts.

    `mean` and `largest` are of the absolute differences, `spread` is the standard deviation of transformers' logits,
    all in the same unit; `top1` is the share of tokens after which both think the same one likeliest, `divergence`
    the mean Kullback–Leibler divergence of the pack's next-token distribution from the model's, in nats.
    """

    mean: float
    largest: float
    spread: float
    top1: float
    divergence: float
    tokens: int

    def __str__(self) -> str:
        return (
            f"logit error mean {self.mean / self.spread:.2%}, largest {self.largest / self.spread:.2%} of the spread "
            f"{self.spread:.2f}; same likeliest token {self.top1:.1%}, divergence {self.divergence:.4f} nats, "
            f"{self.tokens} tokens"
        )


def compare(ours: Floats, theirs: Floats) -> LogitError:
    """The error of the logits `ours` (tokens, vocabulary) against `theirs`."""
    difference = np.abs(ours - theirs)
    return LogitError(
        mean=float(difference.mean()),
        largest=float(difference.max()),
        spread=float(theirs.std()),
        top1=float((ours.argmax(axis=1) == theirs.argmax(axis=1)).mean()),
        divergence=_divergence(ours, theirs),
        tokens=len(ours),
    )


def translation_error(
    model: Any, graphs: Seq2Seq, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]
) -> LogitError:
    """Compare `graphs` of a translation pack with the `transformers` model it was made of.

    `sources` are ids with tag and end, `targets` the ids given to the decoder one by one, the start first. What is
    compared are log-probabilities: the graph gives no other logits.
    """
    pairs = list(zip(sources, targets, strict=True))
    ours = [_decoded(graphs, source, target) for source, target in pairs]
    theirs = [
        _logits(model, input_ids=torch.tensor([list(source)]), decoder_input_ids=torch.tensor([list(target)]))
        for source, target in pairs
    ]
    return compare(np.concatenate(ours), torch.tensor(np.concatenate(theirs)).log_softmax(dim=-1).numpy())


def generation_error(checkpoint: Path, pack: Path, prompts: Sequence[str], threads: int = 1) -> LogitError:
    """Compare the text-generation pack in folder `pack` with the `checkpoint` it was made of.

    `prompts` are of a token at least.

    Raises:
        PackError, EngineError: the pack is not sound.
    """
    generator = TextGenerator(verify(pack), threads)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32, local_files_only=True).eval()
    texts = [generator.encode_text(prompt)[: generator.context] for prompt in prompts]
    ours = [generator.logits(ids) for ids in texts]
    theirs = [_logits(model, input_ids=torch.tensor([ids])) for ids in texts]
    return compare(np.concatenate(ours), np.concatenate(theirs))


def _decoded(graphs: Seq2Seq, source: Sequence[int], target: Sequence[int]) -> Floats:
    """Log-probabilities (tokens, vocabulary) after each token of `target`."""
    places = Places(graphs, beam=1, candidates=graphs.vocabulary)
    places.add([source])
    rows = np.empty((len(target), graphs.vocabulary), np.float32)
    for row, token in zip(rows, target, strict=True):
        scores, ids = places.step(np.array([[token]]), np.array([[0]]))
        row[ids[0, 0]] = scores[0, 0]
    return rows


def _logits(model: Any, **given: torch.Tensor) -> Floats:
    with torch.no_grad():
        logits: Floats = model(**given).logits[0].numpy()
    return logits


def _divergence(ours: Floats, theirs: Floats) -> float:
    our_logs, their_logs = (torch.tensor(logits).double().log_softmax(dim=-1) for logits in (ours, theirs))
    return float((their_logs.exp() * (their_logs - our_logs)).sum(dim=-1).mean())
