"""transformers on a checkpoint, in fp32, greedily, with its own cache; runs in .venv-factory.

    python -m benchmarks.rivals.transformers_ CHECKPOINT THREADS CONTEXT

benchmarks.rivals.generation says what goes in and out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import torch
import transformers
from transformers import AutoModelForCausalLM, DynamicCache

from benchmarks.rivals.generation import serve


class Model:
    """One checkpoint; a cache a text."""

    def __init__(self, checkpoint: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self._model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()

    @torch.inference_mode()
    def write(self, prompt: Sequence[int], most: int) -> Iterator[int]:
        cache, ids = DynamicCache(config=self._model.config), list(prompt)
        for _ in range(most):
            logits = self._model(torch.tensor([ids]), past_key_values=cache, logits_to_keep=1).logits
            token = int(logits[0, -1].argmax())
            yield token
            ids = [token]


def main() -> None:
    """Answer each line."""
    model = Model(sys.argv[1], int(sys.argv[2]))
    serve({"version": f"{transformers.__version__}, torch {torch.__version__}"}, model.write)


if __name__ == "__main__":
    main()
