"""The graph of a decoder-only language model, built from its weights operator by operator.

Inputs: `input_ids` (batch, tokens); `seqlens_k` (batch,), tokens in the cache after this step, less one;
`total_sequence_length`, the largest of them plus one; `logit_rows` (rows,), the tokens whose logits are wanted,
numbered through the batch; `past.N.key` and `past.N.value` (batch, key/value heads, capacity, head size).
Outputs: `logits` (rows, vocabulary) and `present.N.key`, `present.N.value`, which may be the memory of the past:
each step then writes only what is new.

The operators are ONNX Runtime's own (GroupQueryAttention, MatMulNBits, SkipSimplifiedLayerNormalization): its CPU
build has them, no library beside it is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, StringStringEntryProto, TensorProto, ValueInfoProto, helper

from models.convert.blocks import Blocks, block_size, quantize

Floats = npt.NDArray[np.float32]
Weights = Callable[[str], Floats]  # by the name in the checkpoint

MICROSOFT = "com.microsoft"
OPSET = 21
PAGE = 4096  # bytes: a tensor of several pages begins one, so that it can be mapped where it lies
SMALL = 64  # bytes: where any other begins
COMPUTE_IN_INT8 = 4  # MatMulNBits' accuracy_level: the input of a product is quantized too, block by block


@dataclass(frozen=True)
class Shape:
    """What a checkpoint's config.json says of the network, and `context`, the longest text of this graph."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    key_heads: int
    head_size: int
    vocabulary: int
    epsilon: float
    rope_theta: float
    context: int
    tied: bool  # the embeddings are the last product's weights too
    qkv_bias: bool = False
    out_bias: bool = False

    @property
    def block(self) -> int | None:
        """The size of the blocks that its weights can be cut into; None if they cannot."""
        return block_size((self.hidden, self.intermediate, self.heads * self.head_size))

    def cache_bytes(self, tokens: int) -> int:
        """Bytes of the keys and values of `tokens` tokens."""
        return 2 * 4 * self.layers * self.key_heads * self.head_size * tokens


def build(shape: Shape, weights: Weights, bits: int, graph: Path, data: Path, progress: Callable[[int], None]) -> None:
    """Write the graph and, beside it, its weights as external data, from where they can be memory-mapped.

    `bits` of the matrices: 32, 8 or 4. Only the weights of one product are in memory at a time. `progress` is told
    the number of each layer as it begins.
    """
    with DataFile(data) as file:
        model = Builder(shape, weights, bits, file, progress).model()
    save_graph(model, graph)


def save_graph(model: ModelProto, path: Path) -> None:
    """Write a graph whose weights are written already."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(model.SerializeToString())
    partial.replace(path)


class DataFile:
    """The file of weights, written from its beginning to its end."""

    def __init__(self, path: Path) -> None:
        self._path, self._partial = path, path.with_suffix(".partial")

    def __enter__(self) -> DataFile:
        self._file = self._partial.open("wb")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        self._file.close()
        if kind is None:
            self._partial.replace(self._path)
        else:
            self._partial.unlink()

    def add(self, name: str, array: npt.NDArray[np.generic]) -> TensorProto:
        """Append `array`; the initializer that refers to it."""
        self._file.write(b"\0" * (-self._file.tell() % (PAGE if array.nbytes > PAGE else SMALL)))
        tensor = TensorProto(name=name, dims=array.shape, data_type=helper.np_dtype_to_tensor_dtype(array.dtype))
        tensor.data_location = TensorProto.EXTERNAL
        place = {"location": self._path.name, "offset": self._file.tell(), "length": array.nbytes}
        tensor.external_data.extend(StringStringEntryProto(key=key, value=str(value)) for key, value in place.items())
        array.tofile(self._file)
        return tensor


def _seen_as(tensor: TensorProto, name: str, dims: tuple[int, ...]) -> TensorProto:
    """The same bytes of the data file under another name and shape."""
    other = TensorProto()
    other.CopyFrom(tensor)
    other.name = name
    del other.dims[:]
    other.dims.extend(dims)
    return other


class Builder:
    """Nodes and initializers in the order they are made; a method of a part returns the name of its output."""

    def __init__(
        self, shape: Shape, weights: Weights, bits: int, data: DataFile, progress: Callable[[int], None]
    ) -> None:
        self._shape, self._weights, self._bits, self._data = shape, weights, bits, data
        self._progress = progress
        self._block = shape.block or 0
        self._nodes: list[NodeProto] = []
        self._tensors: list[TensorProto] = []

    def model(self) -> ModelProto:
        """The whole graph."""
        normed, residual = self._begin()
        for layer in range(self._shape.layers):
            normed, residual = self._layer(layer, normed, residual)
        self._logits(normed)
        return self._finish(self._inputs(), self._outputs())

    def _begin(self) -> tuple[str, str]:
        """(normed embeddings, embeddings)."""
        residual = self._embed()
        normed = self._node(
            "SimplifiedLayerNormalization",
            [residual, self._vector("model.layers.0.input_layernorm.weight")],
            "first.normed",
            domain="",
            axis=-1,
            epsilon=self._shape.epsilon,
        )
        self._rotary_tables()
        return normed, residual

    def _layer(self, layer: int, normed: str, residual: str) -> tuple[str, str]:
        """(normed sum, sum) after attention and feed-forward."""
        self._progress(layer)
        prefix = f"model.layers.{layer}"
        attended = self._attention(layer, normed)
        normed, residual = self._add_and_norm(attended, residual, f"{prefix}.post_attention_layernorm.weight")
        moved = self._feed_forward(layer, normed)
        last = layer == self._shape.layers - 1
        norm = "model.norm.weight" if last else f"model.layers.{layer + 1}.input_layernorm.weight"
        return self._add_and_norm(moved, residual, norm)

    def _finish(self, inputs: list[ValueInfoProto], outputs: list[ValueInfoProto]) -> ModelProto:
        graph = helper.make_graph(
            self._nodes, "decoder", inputs, outputs, self._tensors, doc_string="Baraza text generation"
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="baraza-factory")

    # The parts

    def _embed(self) -> str:
        shape, weight = self._shape, self._weights("model.embed_tokens.weight")
        if self._bits == 32:
            self._add("embeddings", weight)
            return self._node("Gather", ["embeddings", "input_ids"], "embedded", domain="", axis=0)
        blocks = quantize(weight, self._bits, self._block)
        self._add("embeddings", blocks.packed.reshape(shape.vocabulary, -1))
        self._add_scales("embeddings", blocks)
        return self._gather_embeddings(blocks.zeros is not None)

    def _gather_embeddings(self, has_zeros: bool) -> str:
        return self._node(
            "GatherBlockQuantized",
            ["embeddings", "input_ids", "embeddings.scales", *(["embeddings.zeros"] if has_zeros else [])],
            "embedded",
            bits=self._bits,
            block_size=self._block,
            gather_axis=0,
            quantize_axis=1,
        )

    def _logits(self, normed: str) -> None:
        """The product with the embeddings, of the rows asked for only: for a prompt, that is its last token."""
        shape = self._shape
        self._constant("row.shape", [-1, shape.hidden])
        flat = self._node("Reshape", [normed, "row.shape"], "rows.all", domain="")
        rows = self._node("Gather", [flat, "logit_rows"], "rows", domain="", axis=0)
        if not shape.tied:
            self._matmul(rows, "head", self._weights("lm_head.weight"), output="logits")
        elif self._bits == 32:
            self._node("Gemm", [rows, "embeddings"], "logits", domain="", transB=1)
        else:
            blob = (shape.vocabulary, shape.hidden // self._block, self._block * self._bits // 8)
            embeddings = next(each for each in self._tensors if each.name == "embeddings")
            self._tensors.append(_seen_as(embeddings, "head", blob))
            self._blocks_product(rows, "head", "embeddings", shape.vocabulary, shape.hidden, "logits")

    def _attention(self, layer: int, normed: str) -> str:
        attended = self._attend(layer, normed)
        name = f"model.layers.{layer}.self_attn.o_proj"
        bias = self._weights(f"{name}.bias") if self._shape.out_bias else None
        return self._matmul(attended, f"{layer}.out", self._weights(f"{name}.weight"), bias)

    def _attend(self, layer: int, normed: str) -> str:
        """The heads side by side, before the product that mixes them; the new keys and values are in the cache."""
        shape, prefix = self._shape, f"model.layers.{layer}.self_attn"
        names = ("q_proj", "k_proj", "v_proj")
        weight = np.concatenate([self._weights(f"{prefix}.{name}.weight") for name in names])
        bias = np.concatenate([self._weights(f"{prefix}.{name}.bias") for name in names]) if shape.qkv_bias else None
        projected = self._matmul(normed, f"{layer}.qkv", weight, bias)
        cache = [f"past.{layer}.key", f"past.{layer}.value"]
        attended = f"{layer}.attended"
        node = helper.make_node(
            "GroupQueryAttention",
            [projected, "", "", *cache, "seqlens_k", "total_sequence_length", "rotary.cos", "rotary.sin"],
            [attended, f"present.{layer}.key", f"present.{layer}.value"],
            name=f"{layer}.attention",
            domain=MICROSOFT,
            num_heads=shape.heads,
            kv_num_heads=shape.key_heads,
            scale=shape.head_size**-0.5,
            do_rotary=1,
            rotary_interleaved=0,
        )
        self._nodes.append(node)
        return attended

    def _feed_forward(self, layer: int, normed: str) -> str:
        """down(silu(gate(x)) * up(x)); QuickGelu with alpha 1 is silu."""
        prefix = f"model.layers.{layer}.mlp"
        gate = self._matmul(normed, f"{layer}.gate", self._weights(f"{prefix}.gate_proj.weight"))
        up = self._matmul(normed, f"{layer}.up", self._weights(f"{prefix}.up_proj.weight"))
        active = self._node("QuickGelu", [gate], f"{layer}.active", alpha=1.0)
        gated = self._node("Mul", [active, up], f"{layer}.gated", domain="")
        return self._matmul(gated, f"{layer}.down", self._weights(f"{prefix}.down_proj.weight"))

    def _add_and_norm(self, moved: str, residual: str, norm: str) -> tuple[str, str]:
        """(normed sum, sum)."""
        normed, total = f"{moved}.normed", f"{moved}.sum"
        self._nodes.append(
            helper.make_node(
                "SkipSimplifiedLayerNormalization",
                [moved, residual, self._vector(norm)],
                [normed, "", "", total],
                name=f"{moved}.norm",
                domain=MICROSOFT,
                epsilon=self._shape.epsilon,
            )
        )
        return normed, total

    def _rotary_tables(self) -> None:
        """Cosines and sines of every position (context, head size / 2), computed as transformers does."""
        half = np.arange(0, self._shape.head_size, 2, dtype=np.float32) / np.float32(self._shape.head_size)
        frequencies = 1.0 / np.float32(self._shape.rope_theta) ** half
        angles = np.outer(np.arange(self._shape.context, dtype=np.float32), frequencies).astype(np.float32)
        self._add("rotary.cos", np.cos(angles))
        self._add("rotary.sin", np.sin(angles))

    # Products

    def _matmul(self, source: str, name: str, weight: Floats, bias: Floats | None = None, output: str = "") -> str:
        """`source` times the transposed `weight` (outputs, inputs), plus `bias` (outputs,)."""
        output = output or f"{name}.product"
        if bias is not None:
            self._add(f"{name}.bias", bias)
        if self._bits == 32:
            return self._plain_product(source, name, weight, bias is not None, output)
        outputs, inputs = weight.shape
        blocks = quantize(weight, self._bits, self._block)
        self._add(name, blocks.packed)
        self._add_scales(name, blocks)
        return self._blocks_product(
            source, name, name, outputs, inputs, output, f"{name}.bias" if bias is not None else ""
        )

    def _plain_product(self, source: str, name: str, weight: Floats, has_bias: bool, output: str) -> str:
        self._add(name, np.ascontiguousarray(weight.T))
        if not has_bias:
            return self._node("MatMul", [source, name], output, domain="")
        product = self._node("MatMul", [source, name], f"{name}.unbiased", domain="")
        return self._node("Add", [product, f"{name}.bias"], output, domain="")

    def _blocks_product(
        self, source: str, weight: str, scaled: str, outputs: int, inputs: int, output: str, bias: str = ""
    ) -> str:
        """`scaled` names the tensor whose scales and zeros are those of `weight`."""
        zeros = f"{scaled}.zeros" if self._bits == 4 else ""
        operands = [source, weight, f"{scaled}.scales", zeros, "", bias]
        while not operands[-1]:
            operands.pop()
        return self._node(
            "MatMulNBits",
            operands,
            output,
            K=inputs,
            N=outputs,
            bits=self._bits,
            block_size=self._block,
            accuracy_level=COMPUTE_IN_INT8,
        )

    def _add_scales(self, name: str, blocks: Blocks) -> None:
        self._add(f"{name}.scales", blocks.scales)
        if blocks.zeros is not None:
            self._add(f"{name}.zeros", blocks.zeros)

    # The pieces of a graph

    def _node(
        self, kind: str, inputs: list[str], output: str, domain: str = MICROSOFT, **attributes: int | float
    ) -> str:
        node = helper.make_node(kind, inputs, [output], name=f"{output}.{kind}", domain=domain, **attributes)
        self._nodes.append(node)
        return output

    def _vector(self, name: str) -> str:
        self._add(name, self._weights(name))
        return name

    def _add(self, name: str, array: npt.NDArray[np.generic]) -> None:
        self._tensors.append(self._data.add(name, array))

    def _constant(self, name: str, values: list[int]) -> None:
        self._tensors.append(helper.make_tensor(name, TensorProto.INT64, [len(values)], values))

    def _inputs(self) -> list[ValueInfoProto]:
        ints, longs = TensorProto.INT32, TensorProto.INT64
        return [
            helper.make_tensor_value_info("input_ids", longs, ["batch", "tokens"]),
            helper.make_tensor_value_info("seqlens_k", ints, ["batch"]),
            helper.make_tensor_value_info("total_sequence_length", ints, []),
            helper.make_tensor_value_info("logit_rows", longs, ["rows"]),
            *self._caches("past"),
        ]

    def _outputs(self) -> list[ValueInfoProto]:
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", self._shape.vocabulary])
        return [logits, *self._caches("present")]

    def _caches(self, which: str) -> list[ValueInfoProto]:
        shape = self._shape
        dims = ["batch", shape.key_heads, "capacity", shape.head_size]
        return [
            helper.make_tensor_value_info(f"{which}.{layer}.{part}", TensorProto.FLOAT, dims)
            for layer in range(shape.layers)
            for part in ("key", "value")
        ]
