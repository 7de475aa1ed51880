"""The graphs of an encoder–decoder model (Marian, M2M100), built from its weights operator by operator.

The encoder gives what the decoder attends to, ready to use; the decoder makes one step of a beam search; the head
gives the part of the output layer that a step needs if only some pieces are to be written.

Encoder. Inputs: `input_ids` (sentences, length), `source_mask` (sentences, length), 1 where a token is. Outputs for
each layer N of the decoder: `source.N.key`, `source.N.value` (sentences, heads, length, head size).

Decoder. Inputs: `tokens` (sentences, beam), the last of each hypothesis; `positions` (sentences,), how many came
before; `places` (sentences,), where in the cache this step's keys and values go; `seen` (sentences, 1, beam, capacity),
0 where a hypothesis sees what lies in the cache and a large negative number where not; `source_mask` and
`source.N.*` as above; `past.N.key`, `past.N.value` (sentences, heads, capacity, head size); `banned` (vocabulary,),
0 or -inf; `candidates` (1,). With a head also `only_listed` (1,), a bool, and what it asks for: `listed.ids` (listed,),
the pieces to choose from, what the head gives for them, and `listed.bias` (sentences, 1, listed), its bias or -inf.
Outputs: `scores` and `ids` (sentences, beam, candidates), the likeliest next tokens of each hypothesis and their
log-probabilities, best first; `present.N.*`, which are the past with this step in it and may be its memory.

Head. Input: `ids` (listed,). Outputs: `listed.weight` (width, listed), in int8 `listed.scales` (listed,), `bias`
(listed,).

The hypotheses of a sentence lie side by side in one cache: each step adds the keys and values of all of them, and
`seen` tells a hypothesis which ones are its own ancestors. So nothing is ever moved when hypotheses fork and die, and
sentences of different age share a step.

The operators are ONNX's and ONNX Runtime's own, those of its plain CPU build.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from models.embedding_table import FILE, SCALES, STEPS, TABLE, quantized_rows

Floats = npt.NDArray[np.float32]
Weights = Mapping[str, Floats]  # by the name in the checkpoint

MICROSOFT = "com.microsoft"
OPSET = 24  # TensorScatter
NEVER = -3.0e38  # added to a score, in attention, of what must not be seen
LOOKED_UP = "embedding.lookup_scales"
TURNED = "embedding.turned"


@dataclass(frozen=True)
class Range:
    """The smallest and the largest value that goes into a product, as seen on sample text."""

    low: float
    high: float


@dataclass(frozen=True)
class Shape:
    """What a checkpoint's config.json says of the network.

    `first_position` is the row of the table of positions for the first token; `normed_first`: each part normalises
    what goes into it, and the last layer's output is normalised once more (M2M100); else each part's output is.
    """

    width: int
    heads: int
    encoder_layers: int
    decoder_layers: int
    activation: str
    scale: float
    normed_first: bool
    first_position: int = 0

    @property
    def head_size(self) -> int:
        return self.width // self.heads


def build(
    shape: Shape,
    weights: Weights,
    folder: Path,
    ranges: Mapping[str, Range] | None = None,
    steps: int = STEPS,
    *,
    lists: bool = False,
) -> None:
    """Write `encoder.onnx`, `decoder.onnx` and, in int8, their `embedding.bin` to `folder`.

    `ranges` of what goes into each product, by the name of its weights, makes an int8 graph; without them it is fp32.
    With `lists` there is a `head.onnx` too, and the decoder takes what only graphs with a head have.
    """
    table = _Table(weights["model.shared.weight"], shape.scale, None if ranges is None else steps)
    if ranges is not None:
        (folder / FILE).write_bytes(table.rows.tobytes())
    parts: dict[str, type[_Builder]] = {"encoder": _Encoder, "decoder": _Decoder}
    if lists:
        parts |= {"decoder": _ListingDecoder, "head": _Head}
    for name, kind in parts.items():
        model = kind(shape, weights, table, ranges, steps).model()
        partial = folder / f"{name}.partial"
        partial.write_bytes(model.SerializeToString())
        onnx.checker.check_model(str(partial))
        partial.replace(folder / f"{name}.onnx")


class _Table:
    """The embedding, in int8 with a scale a row, or in fp32."""

    def __init__(self, weight: Floats, scale: float, steps: int | None) -> None:
        self.weight, self.scale, self.is_int8 = weight, scale, steps is not None
        if steps is not None:
            self.rows, self.scales = quantized_rows(weight, steps)

    def tensor(self) -> TensorProto:
        """The initializer that all graphs have."""
        if not self.is_int8:
            return numpy_helper.from_array(self.weight, TABLE)
        table = TensorProto(name=TABLE, data_type=TensorProto.INT8, dims=self.rows.shape)
        table.data_location = TensorProto.EXTERNAL
        for key, value in (("location", FILE), ("offset", "0"), ("length", str(self.rows.nbytes))):
            table.external_data.add(key=key, value=value)
        return table


class _Builder(ABC):
    """Nodes and initializers in the order they are made; a method of a part returns the name of its output."""

    def __init__(
        self, shape: Shape, weights: Weights, table: _Table, ranges: Mapping[str, Range] | None, steps: int
    ) -> None:
        self._shape, self._weights, self._table, self._ranges, self._steps = shape, weights, table, ranges, steps
        self._nodes: list[NodeProto] = []
        self._tensors: list[TensorProto] = [table.tensor()]
        self._quantized: dict[tuple[str, str], str] = {}

    def model(self) -> ModelProto:
        inputs, outputs = self._make()
        graph = helper.make_graph(self._nodes, type(self).__name__.strip("_").lower(), inputs, outputs, self._tensors)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="baraza-factory")

    @abstractmethod
    def _make(self) -> tuple[list[ValueInfoProto], list[ValueInfoProto]]:
        """All nodes; the inputs and outputs of the graph."""

    # The parts of a layer

    def _embedded(self, ids: str) -> str:
        """Embeddings of `ids`, scaled, without positions: (…, width)."""
        if not self._table.is_int8:
            rows = self._node("Gather", [TABLE, ids], "embedded.rows", axis=0)
            self._constant("embedded.scale", np.float32(self._shape.scale))
            return self._node("Mul", [rows, "embedded.scale"], "embedded")
        rows = self._node("Gather", [TABLE, ids], "embedded.rows", axis=0)
        self._add(LOOKED_UP, self._table.scales * np.float32(self._table.scale))
        values = self._node("Cast", [rows], "embedded.values", to=TensorProto.FLOAT)
        scales = self._node("Gather", [LOOKED_UP, ids], "embedded.scales", axis=0)
        self._constant("embedded.last", np.array([-1], np.int64))
        column = self._node("Unsqueeze", [scales, "embedded.last"], "embedded.column")
        return self._node("Mul", [values, column], "embedded")

    def _attention(self, name: str, query: str, key: str, value: str, *, mask: str = "", seen: str = "") -> str:
        inputs = [query, key, value, "", mask, seen]
        while not inputs[-1]:
            inputs.pop()
        return self._node(
            "MultiHeadAttention",
            inputs,
            f"{name}.attended",
            MICROSOFT,
            num_heads=self._shape.heads,
            mask_filter_value=NEVER,
            scale=self._shape.head_size**-0.5,
        )

    def _feed_forward(self, prefix: str, source: str) -> str:
        inner = self._product(source, f"{prefix}.fc1")
        return self._product(self._activated(inner, prefix), f"{prefix}.fc2")

    def _activated(self, source: str, prefix: str) -> str:
        if self._shape.activation == "relu":
            return self._node("Relu", [source], f"{prefix}.active")
        return self._node("QuickGelu", [source], f"{prefix}.active", MICROSOFT, alpha=1.0)  # that is swish

    def _norm(self, source: str, name: str) -> str:
        return self._node(
            "LayerNormalization", [source, *self._norm_weights(name)], f"{name}.normed", axis=-1, epsilon=1e-5
        )

    def _add_and_norm(self, moved: str, residual: str, name: str) -> tuple[str, str]:
        """(sum normalised, sum). SkipLayerNormalization does both in one, and takes seven times as long."""
        total = self._node("Add", [moved, residual], f"{name}.sum")
        return self._norm(total, name), total

    def _norm_weights(self, name: str) -> list[str]:
        parts = [f"{name}.weight", f"{name}.bias"]
        for part in parts:
            self._add(part, self._weights[part])
        return parts

    # Products

    def _product(self, source: str, *names: str, label: str = "", output: str = "") -> str:
        """`source` (…, inputs) times the transposed weights of all `names` side by side, plus their biases."""
        weight = np.concatenate([self._weights[f"{name}.weight"] for name in names])
        bias = np.concatenate([self._weights[f"{name}.bias"] for name in names])
        label = label or names[0]
        output = output or f"{label}.product"
        self._add(f"{label}.bias", bias)
        if self._ranges is None:
            self._add(f"{label}.weight", np.ascontiguousarray(weight.T))
            product = self._node("MatMul", [source, f"{label}.weight"], f"{label}.unbiased")
            return self._node("Add", [product, f"{label}.bias"], output)
        rows, scales = quantized_rows(weight, self._steps)
        self._add(f"{label}.weight", np.ascontiguousarray(rows.T))
        self._add(f"{label}.scales", scales)
        parts = (f"{label}.weight", f"{label}.scales", f"{label}.bias")
        return self._integer_product(self._bytes(source, self._ranges[names[0]], output), *parts, output)

    def _integer_product(self, given: str, weight: str, scales: str, bias: str, output: str) -> str:
        inputs = [given, weight, f"{given}.scale", scales, f"{given}.zero", "", *([bias] if bias else [])]
        return self._node("MatMulIntegerToFloat", inputs, output, MICROSOFT)

    def _bytes(self, source: str, found: Range, output: str) -> str:
        """The source in 8 bits over the range that was found, whatever else is in the batch, for product `output`."""
        low, high = min(found.low, 0.0), max(found.high, 0.0)
        scale = max((high - low) / 255, 1e-9)
        zero = round(-low / scale)
        key = (source, f"{scale:.9g}/{zero}")
        if key not in self._quantized:
            name = f"{output}.bytes"
            self._constant(f"{name}.scale", np.float32(scale))
            self._constant(f"{name}.zero", np.uint8(zero))
            self._node("QuantizeLinear", [source, f"{name}.scale", f"{name}.zero"], name)
            self._quantized[key] = name
        return self._quantized[key]

    # The pieces of a graph

    def _node(self, kind: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any) -> str:
        self._nodes.append(
            helper.make_node(kind, list(inputs), [output], name=f"{output}:{kind}", domain=domain, **attributes)
        )
        return output

    def _add(self, name: str, array: npt.NDArray[Any]) -> str:
        self._tensors.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _constant(self, name: str, value: Any) -> str:
        return self._add(name, np.asarray(value))

    def _sources(self, layers: int) -> list[ValueInfoProto]:
        return [
            _float(f"source.{layer}.{part}", ["sentences", self._shape.heads, "length", self._shape.head_size])
            for layer in range(layers)
            for part in ("key", "value")
        ]


class _Encoder(_Builder):
    def _make(self) -> tuple[list[ValueInfoProto], list[ValueInfoProto]]:
        shape = self._shape
        hidden = self._with_positions("input_ids")
        normed = self._norm(hidden, "model.encoder.layers.0.self_attn_layer_norm") if shape.normed_first else hidden
        for layer in range(shape.encoder_layers):
            normed, hidden = self._layer(layer, normed, hidden)
        self._constant("head.shape", np.array([0, 0, shape.heads, shape.head_size], np.int64))
        for layer in range(shape.decoder_layers):
            for part in ("key", "value"):
                name = f"model.decoder.layers.{layer}.encoder_attn.{part[0]}_proj"
                product = self._product(normed, name)
                split = self._node("Reshape", [product, "head.shape"], f"{name}.heads")
                self._node("Transpose", [split], f"source.{layer}.{part}", perm=[0, 2, 1, 3])
        ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["sentences", "length"])
        mask = helper.make_tensor_value_info("source_mask", TensorProto.INT32, ["sentences", "length"])
        return [ids, mask], self._sources(shape.decoder_layers)

    def _with_positions(self, ids: str) -> str:
        shape = self._shape
        self._add("positions", self._weights["model.encoder.embed_positions.weight"][shape.first_position :])
        sizes = self._node("Shape", [ids], "length", start=1, end=2)
        self._constant("zero", np.array([0], np.int64))
        rows = self._node("Slice", ["positions", "zero", sizes], "position.rows")
        return self._node("Add", [self._embedded(ids), rows], "hidden")

    def _layer(self, layer: int, normed: str, hidden: str) -> tuple[str, str]:
        prefix = f"model.encoder.layers.{layer}"
        attention = f"{prefix}.self_attn"
        joined = self._product(normed, *(f"{attention}.{each}_proj" for each in "qkv"), label=f"{attention}.qkv")
        parts = [f"{attention}.{each}" for each in "qkv"]
        self._nodes.append(
            helper.make_node("Split", [joined], parts, name=f"{attention}:Split", axis=-1, num_outputs=3)
        )
        attended = self._attention(attention, *parts, mask="source_mask")
        moved = self._product(attended, f"{attention}.out_proj")
        if not self._shape.normed_first:
            hidden, _ = self._add_and_norm(moved, hidden, f"{prefix}.self_attn_layer_norm")
            moved = self._feed_forward(prefix, hidden)
            hidden, _ = self._add_and_norm(moved, hidden, f"{prefix}.final_layer_norm")
            return hidden, hidden
        normed, hidden = self._add_and_norm(moved, hidden, f"{prefix}.final_layer_norm")
        moved = self._feed_forward(prefix, normed)
        last = layer == self._shape.encoder_layers - 1
        following = "model.encoder.layer_norm" if last else f"model.encoder.layers.{layer + 1}.self_attn_layer_norm"
        return self._add_and_norm(moved, hidden, following)


class _Decoder(_Builder):
    def _make(self) -> tuple[list[ValueInfoProto], list[ValueInfoProto]]:
        shape = self._shape
        self._add("positions.table", self._weights["model.decoder.embed_positions.weight"][shape.first_position :])
        self._constant("middle", np.array([1], np.int64))
        rows = self._node("Gather", ["positions.table", "positions"], "position.rows", axis=0)
        spread = self._node("Unsqueeze", [rows, "middle"], "position.spread")
        hidden = self._node("Add", [self._embedded("tokens"), spread], "hidden")
        self._constant("head.shape", np.array([0, 0, shape.heads, shape.head_size], np.int64))
        first = "model.decoder.layers.0.self_attn_layer_norm"
        normed = self._norm(hidden, first) if shape.normed_first else hidden
        for layer in range(shape.decoder_layers):
            normed, hidden = self._layer(layer, normed, hidden)
        self._choose(normed)
        return self._inputs(), self._outputs()

    def _layer(self, layer: int, normed: str, hidden: str) -> tuple[str, str]:
        prefix = f"model.decoder.layers.{layer}"
        moved = self._self_attention(layer, normed)
        if not self._shape.normed_first:
            hidden, _ = self._add_and_norm(moved, hidden, f"{prefix}.self_attn_layer_norm")
            moved = self._source_attention(layer, hidden)
            hidden, _ = self._add_and_norm(moved, hidden, f"{prefix}.encoder_attn_layer_norm")
            moved = self._feed_forward(prefix, hidden)
            hidden, _ = self._add_and_norm(moved, hidden, f"{prefix}.final_layer_norm")
            return hidden, hidden
        normed, hidden = self._add_and_norm(moved, hidden, f"{prefix}.encoder_attn_layer_norm")
        moved = self._source_attention(layer, normed)
        normed, hidden = self._add_and_norm(moved, hidden, f"{prefix}.final_layer_norm")
        moved = self._feed_forward(prefix, normed)
        last = layer == self._shape.decoder_layers - 1
        following = "model.decoder.layer_norm" if last else f"model.decoder.layers.{layer + 1}.self_attn_layer_norm"
        return self._add_and_norm(moved, hidden, following)

    def _self_attention(self, layer: int, normed: str) -> str:
        attention = f"model.decoder.layers.{layer}.self_attn"
        joined = self._product(normed, *(f"{attention}.{each}_proj" for each in "qkv"), label=f"{attention}.qkv")
        parts = [f"{attention}.{each}" for each in "qkv"]
        self._nodes.append(
            helper.make_node("Split", [joined], parts, name=f"{attention}:Split", axis=-1, num_outputs=3)
        )
        kept = []
        for part, name in zip(parts[1:], ("key", "value"), strict=True):
            split = self._node("Reshape", [part, "head.shape"], f"{part}.heads")
            turned = self._node("Transpose", [split], f"{part}.turned", perm=[0, 2, 1, 3])
            present = f"present.{layer}.{name}"
            kept.append(self._node("TensorScatter", [f"past.{layer}.{name}", turned, "places"], present, axis=2))
        attended = self._attention(attention, parts[0], *kept, seen="seen")
        return self._product(attended, f"{attention}.out_proj")

    def _source_attention(self, layer: int, normed: str) -> str:
        attention = f"model.decoder.layers.{layer}.encoder_attn"
        query = self._product(normed, f"{attention}.q_proj")
        keys = [f"source.{layer}.{part}" for part in ("key", "value")]
        attended = self._attention(attention, query, *keys, mask="source_mask")
        return self._product(attended, f"{attention}.out_proj")

    def _choose(self, normed: str) -> None:
        """The likeliest tokens."""
        self._of_all(self._prepared(normed), "scores", "ids")

    def _prepared(self, normed: str) -> str:
        """What the output layer multiplies; its tensors are made with it."""
        self._add("final_bias", self._weights["final_logits_bias"].reshape(-1))
        self._node("Transpose", [TABLE], TURNED, perm=[1, 0])
        if self._ranges is None:
            return normed
        self._add(SCALES, self._table.scales)
        return self._bytes(normed, self._ranges["lm_head"], "logits")

    def _of_all(self, given: str, scores: str, ids: str) -> None:
        bias = self._node("Add", ["final_bias", "banned"], "logits.bias")
        if self._ranges is None:
            product = self._node("MatMul", [given, TURNED], "logits.unbiased")
            self._best(self._node("Add", [product, bias], "logits"), scores, ids)
        else:
            self._best(self._integer_product(given, TURNED, SCALES, bias, "logits"), scores, ids)

    def _best(self, logits: str, scores: str, ids: str) -> None:
        """The best `candidates`, as outputs `scores` and `ids`."""
        # ReduceLogSumExp takes five times as long: its kernel is not vectorised.
        every = self._node("LogSoftmax", [logits], f"{scores}.all", axis=-1)
        self._nodes.append(
            helper.make_node("TopK", [every, "candidates"], [scores, ids], name=f"{scores}:TopK", axis=-1)
        )

    def _inputs(self) -> list[ValueInfoProto]:
        return [
            _ints("tokens", ["sentences", "beam"]),
            _ints("positions", ["sentences"]),
            _ints("places", ["sentences"]),
            _float("seen", ["sentences", 1, "beam", "capacity"]),
            helper.make_tensor_value_info("source_mask", TensorProto.INT32, ["sentences", "length"]),
            _float("banned", [len(self._table.weight)]),
            _ints("candidates", [1]),
            *self._sources(self._shape.decoder_layers),
            *self._caches("past"),
        ]

    def _outputs(self) -> list[ValueInfoProto]:
        dims = ["sentences", "beam", "found"]
        return [_float("scores", dims), _ints("ids", dims), *self._caches("present")]

    def _caches(self, which: str) -> list[ValueInfoProto]:
        dims = ["sentences", self._shape.heads, "capacity", self._shape.head_size]
        return [
            _float(f"{which}.{layer}.{part}", dims)
            for layer in range(self._shape.decoder_layers)
            for part in ("key", "value")
        ]


class _ListingDecoder(_Decoder):
    """A decoder that can be held to lists of tokens."""

    def _choose(self, normed: str) -> None:
        given = self._prepared(normed)
        branches = {
            "then_branch": self._branch("listed", self._of_listed, given),
            "else_branch": self._branch("whole", self._of_all, given),
        }
        self._nodes.append(helper.make_node("If", ["only_listed"], ["scores", "ids"], name="ids:If", **branches))

    def _branch(self, name: str, choose: Callable[[str, str, str], None], given: str) -> GraphProto:
        """The graph of the nodes that `choose` makes; all tensors, and what they are made from, are outside."""
        outside, self._nodes = self._nodes, []
        scores, ids, dims = f"{name}.scores", f"{name}.best", ["sentences", "beam", "found"]
        choose(given, scores, ids)
        inside = helper.make_graph(self._nodes, name, [], [_float(scores, dims), _ints(ids, dims)])
        self._nodes = outside
        return inside

    def _of_listed(self, given: str, scores: str, ids: str) -> None:
        if self._ranges is None:
            product = self._node("MatMul", [given, "listed.weight"], "listed.unbiased")
        else:
            product = self._integer_product(given, "listed.weight", "listed.scales", "", "listed.unbiased")
        self._best(self._node("Add", [product, "listed.bias"], "listed.logits"), scores, "listed.rows")
        self._node("Gather", ["listed.ids", "listed.rows"], ids, axis=0)

    def _inputs(self) -> list[ValueInfoProto]:
        return [
            *super()._inputs(),
            helper.make_tensor_value_info("only_listed", TensorProto.BOOL, [1]),
            _ints("listed.ids", ["listed"]),
            *_listed(self._shape.width, self._ranges is not None),
            _float("listed.bias", ["rows", 1, "listed"]),
        ]


class _Head(_Builder):
    def _make(self) -> tuple[list[ValueInfoProto], list[ValueInfoProto]]:
        rows = self._node("Gather", [TABLE, "ids"], "rows", axis=0)
        self._node("Transpose", [rows], "listed.weight", perm=[1, 0])
        if self._ranges is not None:
            self._add(SCALES, self._table.scales)
            self._node("Gather", [SCALES, "ids"], "listed.scales", axis=0)
        self._add("final_bias", self._weights["final_logits_bias"].reshape(-1))
        self._node("Gather", ["final_bias", "ids"], "bias", axis=0)
        outputs = [*_listed(self._shape.width, self._ranges is not None), _float("bias", ["listed"])]
        return [_ints("ids", ["listed"])], outputs


def _listed(width: int, is_int8: bool) -> list[ValueInfoProto]:
    """What the head gives the decoder as it is."""
    if not is_int8:
        return [_float("listed.weight", [width, "listed"])]
    weight = helper.make_tensor_value_info("listed.weight", TensorProto.INT8, [width, "listed"])
    return [weight, _float("listed.scales", ["listed"])]


def _float(name: str, dims: Sequence[int | str]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(dims))


def _ints(name: str, dims: Sequence[int | str]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.INT64, list(dims))


def shape_of(config: Mapping[str, Any]) -> Shape:
    """The shape that a Marian or M2M100 checkpoint's config.json tells."""
    width = int(config["d_model"])
    later = config["model_type"] == "m2m_100"
    return Shape(
        width=width,
        heads=int(config["decoder_attention_heads"]),
        encoder_layers=int(config["encoder_layers"]),
        decoder_layers=int(config["decoder_layers"]),
        activation="relu" if config["activation_function"] == "relu" else "swish",
        scale=math.sqrt(width) if config.get("scale_embedding") else 1.0,
        normed_first=later,
        first_position=2 if later else 0,
    )
