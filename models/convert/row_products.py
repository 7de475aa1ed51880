"""Products in int8 whose activations have a scale for each row, so that no row depends on the others of its batch.

Dynamic quantization as ONNX has it gives all rows of a batch one scale, that of the largest number in any of them: what
a text becomes then depends on its company. Here a row (a token) is a multiple of its own largest number. The sums of
integers are exact, so a row gives the same, bit for bit, in every batch and on every processor.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

Weights = npt.NDArray[np.float32]

STEPS = 64  # largest absolute value of a weight: beyond it, sums of two products overflow 16 bits without VNNI
ROW_STEPS = 127  # largest absolute value of an activation
MIDDLE = 128  # stands for 0 in the unsigned activations, which every processor has fast products for
LEAST = 1e-12  # scale of a row of zeros
CONTRIB = "com.microsoft"  # ONNX Runtime's own operators; they are part of every build of it
PREFIX = "row_products."


def quantize_products(model: ModelProto) -> int:
    """Rewrite every product of `model` with constant weights (depth, width), in place; how many there were.

    Rows that several products share are quantized once. Products of two activations stay in fp32.
    """
    graph = model.graph
    known = {each.name: each for each in graph.initializer}
    nodes: list[NodeProto] = []
    quantized: set[str] = set()
    done = 0
    for node in graph.node:
        weights = known.get(node.input[1]) if node.op_type == "MatMul" else None
        if weights is None or len(weights.dims) != 2 or weights.data_type != TensorProto.FLOAT:
            nodes.append(node)
            continue
        if node.input[0] not in quantized:
            quantized.add(node.input[0])
            nodes += _rows(node.input[0])
        rows, scales = quantized_columns(numpy_helper.to_array(weights))
        graph.initializer.append(numpy_helper.from_array(rows, f"{weights.name}.columns"))
        graph.initializer.append(numpy_helper.from_array(scales, f"{weights.name}.scales"))
        nodes += _product(node, weights.name)
        done += 1
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [each for each in (*graph.initializer, *_constants()) if each.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    if CONTRIB not in {each.domain for each in model.opset_import}:
        model.opset_import.append(helper.make_opsetid(CONTRIB, 1))
    return done


def quantized_columns(weights: Weights) -> tuple[npt.NDArray[np.int8], Weights]:
    """The columns of `weights` (depth, width) in int8, and the scale of each: a column is its integers times it."""
    scales = (np.abs(weights).max(axis=0) / STEPS).astype(np.float32)
    scales[scales == 0] = 1.0
    return np.clip(np.rint(weights / scales), -STEPS, STEPS).astype(np.int8), scales


def _constants() -> list[TensorProto]:
    values = {
        "last": np.array([-1], np.int64),
        "step": np.array(1 / ROW_STEPS, np.float32),
        "least": np.array(LEAST, np.float32),
        "half": np.array(MIDDLE + 0.5, np.float32),  # a cast cuts off; with it, it rounds
        "middle": np.array(MIDDLE, np.uint8),
        "one": np.array(1.0, np.float32),
    }
    return [numpy_helper.from_array(value, PREFIX + name) for name, value in values.items()]


def _rows(given: str) -> list[NodeProto]:
    """`given` (…, depth) becomes uint8 `.bytes` and `.scale` (…, 1)."""
    return [
        helper.make_node("Abs", [given], [f"{given}.sizes"]),
        helper.make_node("ReduceMax", [f"{given}.sizes", f"{PREFIX}last"], [f"{given}.largest"], keepdims=1),
        helper.make_node("Mul", [f"{given}.largest", f"{PREFIX}step"], [f"{given}.exact"]),
        helper.make_node("Max", [f"{given}.exact", f"{PREFIX}least"], [f"{given}.scale"]),
        helper.make_node("Reciprocal", [f"{given}.scale"], [f"{given}.steps"]),
        helper.make_node("Mul", [given, f"{given}.steps"], [f"{given}.counted"]),
        helper.make_node("Add", [f"{given}.counted", f"{PREFIX}half"], [f"{given}.moved"]),
        helper.make_node("Cast", [f"{given}.moved"], [f"{given}.bytes"], to=TensorProto.UINT8),
    ]


def _product(node: NodeProto, weights: str) -> list[NodeProto]:
    given, result = node.input[0], node.output[0]
    inputs = [f"{given}.bytes", f"{weights}.columns", f"{PREFIX}one", f"{weights}.scales", f"{PREFIX}middle"]
    return [
        helper.make_node("MatMulIntegerToFloat", inputs, [f"{result}.unscaled"], domain=CONTRIB),
        helper.make_node("Mul", [f"{result}.unscaled", f"{given}.scale"], [result]),
    ]
