"""Products in int8 with a scale for each row: near the true ones, and of no row dependent on another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

pytestmark = pytest.mark.factory
onnx = pytest.importorskip("onnx", reason="the factory's libraries are not installed: make test-factory")

import onnxruntime as ort  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from models.convert.row_products import STEPS, quantize_products, quantized_columns  # noqa: E402

Floats = npt.NDArray[np.float32]
CHANCE = np.random.default_rng(7)
FIRST, SECOND = (CHANCE.normal(size=(96, width)).astype(np.float32) for width in (33, 64))


def model(weights: Sequence[Floats]) -> onnx.ModelProto:
    """x (batch, tokens, 96) by each of `weights`, and by itself turned: y0, y1 …, and "square"."""
    nodes = [helper.make_node("MatMul", ["x", f"w{number}"], [f"y{number}"]) for number in range(len(weights))]
    nodes += [
        helper.make_node("Transpose", ["x"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["x", "turned"], ["square"]),
    ]
    outputs = [f"y{number}" for number in range(len(weights))] + ["square"]
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "tokens", 96])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(each, f"w{number}") for number, each in enumerate(weights)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def run(made: onnx.ModelProto, x: Floats) -> list[Floats]:
    session = ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    found: list[Floats] = session.run(None, {"x": x})
    return found


@pytest.fixture(scope="module")
def quantized() -> onnx.ModelProto:
    made = model([FIRST, SECOND])
    assert quantize_products(made) == 2
    return made


def test_the_products_are_near_the_true_ones(quantized: onnx.ModelProto) -> None:
    x = CHANCE.normal(size=(3, 5, 96)).astype(np.float32)
    *products, square = run(quantized, x)
    for product, weights in zip(products, (FIRST, SECOND), strict=True):
        true = x @ weights
        assert np.abs(product - true).max() < 0.03 * np.abs(true).max()
    assert square == pytest.approx(x @ x.transpose(0, 2, 1), abs=1e-4)  # of two activations: stays in fp32


def test_a_row_is_the_same_bit_for_bit_whatever_stands_beside_it(quantized: onnx.ModelProto) -> None:
    row = CHANCE.normal(size=(1, 1, 96)).astype(np.float32)
    alone = run(quantized, row)
    for others in (1e-6, 1.0, 1e6):
        batch = (others * CHANCE.normal(size=(4, 9, 96))).astype(np.float32)
        batch[2, 3] = row
        together = run(quantized, batch)
        for one, many in zip(alone[:2], together[:2], strict=True):
            assert np.array_equal(one[0, 0], many[2, 3])


def test_a_row_of_zeros_gives_zeros(quantized: onnx.ModelProto) -> None:
    for product in run(quantized, np.zeros((1, 2, 96), np.float32)):
        assert not product.any()


def test_rows_that_two_products_share_are_quantized_once(quantized: onnx.ModelProto) -> None:
    kinds = [node.op_type for node in quantized.graph.node]
    assert (kinds.count("Abs"), kinds.count("MatMulIntegerToFloat")) == (1, 2)


def test_weights_are_bounded_so_that_no_processor_overflows() -> None:
    rows, scales = quantized_columns(np.concatenate([FIRST, np.zeros((96, 1), np.float32)], axis=1))
    assert np.abs(rows).max() == STEPS
    assert np.abs(rows[:, :-1] * scales[:-1] - FIRST).max() <= scales.max() / 2 + 1e-6
    assert not rows[:, -1].any()
