"""The graph that reads prompts: it fills the cache as `llm_graph` does, several times as fast, and gives no logits.

Writing reads all weights for each token, so there few bits are fast. Reading a prompt computes with each weight many
times, so there the product itself counts, and that of 8-bit integers with one scale an output is three to four times as
fast as any with blocks. So a pack of 4 bits can have its matrices a second time, for prompts, in that form.

Inputs: `input_ids` (1, tokens), `seqlens_k`, `total_sequence_length`, `past.N.key` and `past.N.value`; outputs:
`present.N.key`, `present.N.value`, all as in `llm_graph`. Embeddings, norms and biases are those in its file.

Every token has a scale of its own: one for a whole prompt would be set by the few tokens whose activations are
hundreds of times those of the others, as language models have them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
from onnx import ModelProto, TensorProto, helper

from models.convert.blocks import quantize_columns
from models.convert.llm_graph import Builder, DataFile, Floats, Shape, Weights, save_graph

MIDDLE = 128  # the zero of the inputs, which are 1..255
LEAST_SCALE = 1e-20  # of a token whose activations are all zero


def build(
    shape: Shape, weights: Weights, bits: int, writer: Path, graph: Path, data: Path, progress: Callable[[int], None]
) -> None:
    """Write the graph and its products' weights; `writer` is the graph made by `llm_graph.build` with these `bits`."""
    with DataFile(data) as file:
        model = _PromptBuilder(shape, weights, bits, file, progress, writer).model()
    save_graph(model, graph)


class _PromptBuilder(Builder):
    """The same network, but for its products, and without what only logits need."""

    def __init__(
        self,
        shape: Shape,
        weights: Weights,
        bits: int,
        data: DataFile,
        progress: Callable[[int], None],
        writer: Path,
    ) -> None:
        super().__init__(shape, weights, bits, data, progress)
        tensors = onnx.load(writer, load_external_data=False).graph.initializer
        self._shared = {tensor.name: tensor for tensor in tensors}
        self._rounded: dict[str, tuple[str, str]] = {}  # of a source of products: its integers and its scales

    def model(self) -> ModelProto:
        self._constants()
        normed, residual = self._begin()
        last = self._shape.layers - 1
        for layer in range(last):
            normed, residual = self._layer(layer, normed, residual)
        # Of the last layer nothing but its keys and values is read again.
        self._progress(last)
        self._attend(last, normed)
        inputs = [each for each in self._inputs() if each.name != "logit_rows"]
        return self._finish(inputs, self._caches("present"))

    def _constants(self) -> None:
        self._constant("flat", [-1])
        self._constant("last.axis", [-1])
        scalars = {"unit": 1.0, "step": 1 / 127, "least": LEAST_SCALE}
        self._tensors += [helper.make_tensor(name, TensorProto.FLOAT, [], [each]) for name, each in scalars.items()]
        self._tensors.append(helper.make_tensor("middle", TensorProto.UINT8, [], [MIDDLE]))
        tokens = self._node("Shape", ["input_ids"], "tokens", domain="", start=1)
        self._node("Expand", ["middle", tokens], "middles", domain="")

    def _embed(self) -> str:
        names = ("embeddings", "embeddings.scales", "embeddings.zeros")
        found = [self._share(name) for name in names if name in self._shared]
        return self._gather_embeddings("embeddings.zeros" in found)

    def _rotary_tables(self) -> None:
        self._share("rotary.cos")
        self._share("rotary.sin")

    def _vector(self, name: str) -> str:
        return self._share(name)

    def _share(self, name: str) -> str:
        self._tensors.append(self._shared[name])
        return name

    def _matmul(self, source: str, name: str, weight: Floats, bias: Floats | None = None, output: str = "") -> str:
        values, scales = self._rounded.get(source) or self._round(source)
        columns = quantize_columns(weight)
        self._add(name, columns.values)
        self._add(f"{name}.scales", columns.scales)
        operands = [values, name, "unit", f"{name}.scales", "middle"]
        product = self._node("MatMulIntegerToFloat", operands, f"{name}.integers")
        scaled = self._node("Mul", [product, scales], f"{name}.product", domain="")
        if bias is None:
            return scaled
        return self._node("Add", [scaled, self._share(f"{name}.bias")], f"{name}.biased", domain="")

    def _round(self, source: str) -> tuple[str, str]:
        """The integers (1, tokens, inputs) and scales (1, tokens, 1) of `source`."""
        sizes = self._node("Abs", [source], f"{source}.abs", domain="")
        largest = self._node("ReduceMax", [sizes, "last.axis"], f"{source}.largest", domain="", keepdims=1)
        exact = self._node("Mul", [largest, "step"], f"{source}.exact", domain="")
        scales = self._node("Max", [exact, "least"], f"{source}.scale", domain="")
        flat = self._node("Reshape", [scales, "flat"], f"{source}.scales", domain="")
        values = self._node("QuantizeLinear", [source, flat, "middles"], f"{source}.rounded", domain="", axis=1)
        self._rounded[source] = values, scales
        return values, scales
