"""CTranslate2 with the weights of a Marian checkpoint: `python -m benchmarks.rivals.ctranslate2_ CHECKPOINT THREADS`.

Reads questions {"sources": [[id, …], …], "beam": 4, "tokens": 20} a line and answers {"seconds": …, "written": […]}:
so many tokens are written, neither more nor less. The checkpoint's folder must hold model.safetensors and config.json;
the converted model is kept beside them, in `ctranslate2`.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from ctranslate2.specs import attention_spec, common_spec, transformer_spec
from safetensors.numpy import load_file

ACTIVATIONS = {"relu": common_spec.Activation.RELU, "swish": common_spec.Activation.SWISH}


def convert(checkpoint: Path, folder: Path) -> None:
    """Write the checkpoint as CTranslate2 has it, in int8; a piece is named by its id, the end “</s>”."""
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    weights = load_file(checkpoint / "model.safetensors")
    layers = (config["encoder_layers"], config["decoder_layers"])
    spec = transformer_spec.TransformerSpec.from_config(
        layers,
        config["decoder_attention_heads"],
        pre_norm=False,
        activation=ACTIVATIONS[config["activation_function"]],
    )
    table = weights["model.shared.weight"]
    for side, part in ((spec.encoder, "encoder"), (spec.decoder, "decoder")):
        side.scale_embeddings = math.sqrt(config["d_model"])
        embeddings = side.embeddings[0] if part == "encoder" else side.embeddings
        embeddings.weight = table
        side.position_encodings.encodings = _positions(config["max_position_embeddings"], config["d_model"])
        for number, layer in enumerate(side.layer):
            _layer(layer, weights, f"model.{part}.layers.{number}")
    spec.decoder.projection.weight = table
    spec.decoder.projection.bias = weights["final_logits_bias"].reshape(-1)
    names = ["</s>" if number == config["eos_token_id"] else f"{number}" for number in range(len(table))]
    spec.register_source_vocabulary(names)
    spec.register_target_vocabulary(names)
    spec.config.bos_token = spec.config.decoder_start_token = f"{config['decoder_start_token_id']}"
    spec.config.eos_token, spec.config.unk_token = "</s>", "1"
    spec.validate()
    spec.optimize(quantization="int8")
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))


def _positions(rows: int, width: int) -> np.ndarray:
    """Sines, then cosines, as Marian has them."""
    rates = 10000 ** (-2 * np.arange(width // 2) / width)
    angles = np.arange(rows)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def _layer(layer: Any, weights: dict[str, np.ndarray], prefix: str) -> None:
    _attention(layer.self_attention, weights, f"{prefix}.self_attn", [["q", "k", "v"]])
    _norm(layer.self_attention.layer_norm, weights, f"{prefix}.self_attn_layer_norm")
    if hasattr(layer, "attention"):
        _attention(layer.attention, weights, f"{prefix}.encoder_attn", [["q"], ["k", "v"]])
        _norm(layer.attention.layer_norm, weights, f"{prefix}.encoder_attn_layer_norm")
    for number, linear in ((1, layer.ffn.linear_0), (2, layer.ffn.linear_1)):
        linear.weight, linear.bias = weights[f"{prefix}.fc{number}.weight"], weights[f"{prefix}.fc{number}.bias"]
    _norm(layer.ffn.layer_norm, weights, f"{prefix}.final_layer_norm")


def _attention(
    spec: attention_spec.MultiHeadAttentionSpec, weights: dict[str, np.ndarray], prefix: str, joined: list[list[str]]
) -> None:
    for linear, parts in zip(spec.linear, joined, strict=False):
        linear.weight = np.concatenate([weights[f"{prefix}.{part}_proj.weight"] for part in parts])
        linear.bias = np.concatenate([weights[f"{prefix}.{part}_proj.bias"] for part in parts])
    spec.linear[-1].weight = weights[f"{prefix}.out_proj.weight"]
    spec.linear[-1].bias = weights[f"{prefix}.out_proj.bias"]


def _norm(spec: Any, weights: dict[str, np.ndarray], name: str) -> None:
    spec.gamma, spec.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]


def main() -> None:
    """Convert once, then answer."""
    checkpoint, threads = Path(sys.argv[1]), int(sys.argv[2])
    folder = checkpoint / "ctranslate2"
    if not (folder / "model.bin").exists():
        convert(checkpoint, folder)
    translator = ctranslate2.Translator(
        str(folder), device="cpu", compute_type="int8", inter_threads=1, intra_threads=threads
    )
    print(json.dumps({"name": "ctranslate2", "version": ctranslate2.__version__}), flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        end = len(question["sources"][0]) and question["end"]
        sources = [["</s>" if number == end else str(number) for number in ids] for ids in question["sources"]]
        began = time.perf_counter()
        results = translator.translate_batch(
            sources,
            beam_size=question["beam"],
            min_decoding_length=question["tokens"],
            max_decoding_length=question["tokens"],
            max_batch_size=len(sources),
            return_end_token=False,
        )
        seconds = time.perf_counter() - began
        written = [[int(name) for name in result.hypotheses[0] if name != "</s>"] for result in results]
        print(json.dumps({"seconds": seconds, "written": written}), flush=True)


if __name__ == "__main__":
    main()
