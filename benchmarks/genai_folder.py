"""Our graph of 4 bits, dressed for onnxruntime-genai: the same operators and weights, so that the loops are compared.

It wants an attention mask instead of lengths, logits of three dimensions, and a description in JSON.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper

from appliance.packs.manifest import parse_manifest

GRAPH, DATA = "model.onnx", "model.onnx.data"


def write(pack: Path, folder: Path, context: int) -> None:
    """Fill `folder` from a text-generation pack; the weights are a link to the pack's."""
    parse_manifest((pack / "pack.toml").read_bytes(), pack.name)
    model = onnx.load(pack / GRAPH, load_external_data=False)
    sizes = _sizes(model.graph)
    _dress(model.graph, sizes["vocab_size"])
    onnx.save(model, folder / GRAPH)
    os.link(pack / DATA, folder / DATA)
    (folder / "genai_config.json").write_text(json.dumps(_config(sizes, context), indent=1), encoding="utf-8")


def _sizes(graph: GraphProto) -> dict[str, int]:
    inputs, outputs = (
        {each.name: [dim.dim_value for dim in each.type.tensor_type.shape.dim] for each in side}
        for side in (graph.input, graph.output)
    )
    attention = next(node for node in graph.node if node.op_type == "GroupQueryAttention")
    heads = next(each.i for each in attention.attribute if each.name == "num_heads")
    _, key_heads, _, head_size = inputs["past.0.key"]
    return {
        "head_size": head_size,
        "hidden_size": heads * head_size,
        "num_attention_heads": heads,
        "num_hidden_layers": sum(name.endswith(".key") for name in inputs),
        "num_key_value_heads": key_heads,
        "vocab_size": outputs["logits"][-1],
    }


def _dress(graph: GraphProto, vocabulary: int) -> None:
    """Lengths from the mask, the last row of the prompt, and logits (batch, 1, vocabulary)."""
    longs = {"one": [1], "row": [-1], "whole": [1, 1, vocabulary]}
    graph.initializer.extend(
        helper.make_tensor(f"dress.{name}", TensorProto.INT64, [len(values)], values) for name, values in longs.items()
    )
    graph.initializer.append(helper.make_tensor("dress.index", TensorProto.INT64, [], [1]))
    kept = [each for each in graph.input if each.name == "input_ids" or each.name.startswith("past.")]
    del graph.input[:]
    graph.input.extend(kept)
    graph.input.append(helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "total"]))
    lengths: list[NodeProto] = [
        helper.make_node("ReduceSum", ["attention_mask", "dress.one"], ["dress.sum"], keepdims=0),
        helper.make_node("Sub", ["dress.sum", "dress.one"], ["dress.last"]),
        helper.make_node("Cast", ["dress.last"], ["seqlens_k"], to=TensorProto.INT32),
        helper.make_node("Shape", ["attention_mask"], ["dress.mask"]),
        helper.make_node("Gather", ["dress.mask", "dress.index"], ["dress.total"], axis=0),
        helper.make_node("Cast", ["dress.total"], ["total_sequence_length"], to=TensorProto.INT32),
        helper.make_node("Identity", ["dress.row"], ["logit_rows"]),
    ]
    for node in graph.node:
        for number, name in enumerate(node.output):
            if name == "logits":
                node.output[number] = "dress.logits"
    nodes = [*lengths, *graph.node, helper.make_node("Reshape", ["dress.logits", "dress.whole"], ["logits"])]
    del graph.node[:]
    graph.node.extend(nodes)
    logits = next(each for each in graph.output if each.name == "logits")
    logits.CopyFrom(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1, vocabulary]))


def _config(sizes: dict[str, int], context: int) -> dict[str, Any]:
    cache = {f"{when}_{part}_names": f"{when}.%d.{part}" for when in ("past", "present") for part in ("key", "value")}
    past, present = (
        {name: form for name, form in cache.items() if name.startswith(when)} for when in ("past_", "present_")
    )
    decoder = {
        "session_options": {"log_id": "genai", "provider_options": []},
        "filename": GRAPH,
        "inputs": {"input_ids": "input_ids", "attention_mask": "attention_mask", **past},
        "outputs": {"logits": "logits", **present},
        **{name: size for name, size in sizes.items() if name != "vocab_size"},
    }
    ends = {"bos_token_id": 0, "eos_token_id": sizes["vocab_size"] - 1, "pad_token_id": 0}
    model = {"type": "qwen2", "context_length": context, "vocab_size": sizes["vocab_size"], "decoder": decoder, **ends}
    search = {"max_length": context, "do_sample": False, "past_present_share_buffer": True}
    return {"model": model, "search": search}
