"""How far a text-generation pack is from the model it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from appliance.inference.generator import TextGenerator
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


def logit_error(checkpoint: Path, pack: Path, prompts: Sequence[str], threads: int = 1) -> LogitError:
    """Compare the pack in folder `pack` with the `checkpoint` it was made of, on `prompts` of a token at least.

    Raises:
        PackError, EngineError: the pack is not sound.
    """
    generator = TextGenerator(verify(pack), threads)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32, local_files_only=True).eval()
    ours, theirs = [], []
    for prompt in prompts:
        ids = generator.encode_text(prompt)[: generator.context]
        ours.append(generator.logits(ids))
        with torch.no_grad():
            theirs.append(model(torch.tensor([ids])).logits[0].numpy())
    return compare(np.concatenate(ours), np.concatenate(theirs))


def compare(ours: np.ndarray, theirs: np.ndarray) -> LogitError:
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


def _divergence(ours: np.ndarray, theirs: np.ndarray) -> float:
    our_logs, their_logs = (torch.tensor(logits).double().log_softmax(dim=-1) for logits in (ours, theirs))
    return float((their_logs.exp() * (their_logs - our_logs)).sum(dim=-1).mean())
