"""A Marian or M2M100 model of `transformers` becomes the two graphs of a translation pack.

In int8, what goes into a product is cut into 256 steps over a range that is fixed when the pack is made: the range seen
while the model read and wrote sample text. A range measured anew for each batch, as is usual, lets the other
sentences of a batch change a sentence's translation, and costs a pass over the values for each product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSeq2SeqLM

from models.convert.seq2seq_graph import Floats, Range, build, shape_of


def open_model(checkpoint: Path) -> Any:
    """The model in a folder in Hugging Face form, in fp32."""
    return AutoModelForSeq2SeqLM.from_pretrained(
        str(checkpoint), local_files_only=True, dtype=torch.float32, use_safetensors=None
    ).eval()


def write_graphs(model: Any, folder: Path, ranges: dict[str, Range] | None, *, lists: bool = False) -> None:
    """Write `encoder.onnx`, `decoder.onnx` and, with `ranges`, which make int8 graphs, `embedding.bin`.

    With `lists` also `head.onnx`, for packs with a shortlist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    build(shape_of(model.config.to_dict()), _weights(model), folder, ranges, lists=lists)


def ranges_of(model: Any, pairs: Iterable[tuple[Sequence[int], Sequence[int]]]) -> dict[str, Range]:
    """The range of what goes into each product, by the name of its weights.

    `pairs` are (source ids with tag and end, ids given to the decoder, the start first).
    """
    seen: dict[str, Range] = {}

    def watch(name: str) -> Any:
        def note(_module: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            low, high = (float(each) for each in torch.aminmax(given[0]))
            before = seen.get(name, Range(low, high))
            seen[name] = Range(min(low, before.low), max(high, before.high))

        return note

    hooks = [
        module.register_forward_pre_hook(watch(name))
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    ]
    with torch.no_grad():
        for source, target in pairs:
            model(input_ids=torch.tensor([list(source)]), decoder_input_ids=torch.tensor([list(target)]))
    for hook in hooks:
        hook.remove()
    return seen


def written_by(model: Any, source: Sequence[int], first: int | None = None, most: int = 24) -> list[int]:
    """What the decoder is given while the model translates `source` greedily: the start and the tokens."""
    tokens: list[int] = model.generate(
        torch.tensor([list(source)]), num_beams=1, do_sample=False, max_new_tokens=most, forced_bos_token_id=first
    )[0].tolist()
    return tokens


def _weights(model: Any) -> dict[str, Floats]:
    weights = {name: weight.detach().float().numpy() for name, weight in model.state_dict().items()}
    for side in ("encoder", "decoder"):
        positions = getattr(model.model, side).embed_positions
        table = positions.weight if isinstance(positions, torch.nn.Embedding) else positions.weights
        weights[f"model.{side}.embed_positions.weight"] = table.detach().float().numpy()
    weights.setdefault("final_logits_bias", np.zeros(model.config.vocab_size, np.float32))
    return weights
