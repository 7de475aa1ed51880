"""The embedding matrix stored once, in int8: a translation model uses it three times.

The encoder and the decoder look rows up in it, and the output layer multiplies with it. A plain export writes it out
each time. Here it is one file, `embedding.bin`, that both graphs name as external data, one scale a row: a row looked
up is a row times its scale, and the output layer is an integer product with the same rows. ONNX Runtime maps the file
into memory, and turns it for the product when the graph is opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from models.errors import FactoryError

FILE = "embedding.bin"
TABLE, SCALES, TURNED = "embedding.table", "embedding.scales", "embedding.turned"
STEPS = 64  # largest absolute value of a weight in int8: beyond it, sums of two products overflow 16 bits without VNNI
Weights = npt.NDArray[np.float32]


def share_embedding(encoder: Path, decoder: Path, steps: int = STEPS) -> None:
    """Rewrite the graphs `encoder` and `decoder` so that their embedding lies in `embedding.bin` beside them.

    `steps`: the largest absolute value of a weight in int8. An output layer that is not the embedding turned (an
    untied model) is left as it is.

    Raises:
        FactoryError: the two graphs look rows up in different matrices, or in none.
    """
    models = {path: onnx.load(str(path)) for path in (encoder, decoder)}
    tables = {path: _looked_up(model.graph) for path, model in models.items()}
    table = tables[encoder]
    if table.shape != tables[decoder].shape or not np.array_equal(table, tables[decoder]):
        raise FactoryError("The encoder and the decoder have different embeddings; this factory expects a shared one.")
    rows, scales = quantized_rows(table, steps)
    (encoder.parent / FILE).write_bytes(rows.tobytes())
    for path, model in models.items():
        _rewrite(model, table, rows, scales)
        partial = path.with_suffix(".partial")
        partial.write_bytes(model.SerializeToString())
        onnx.checker.check_model(str(partial))
        partial.replace(path)


def quantized_rows(table: Weights, steps: int = STEPS) -> tuple[npt.NDArray[np.int8], Weights]:
    """The rows of `table` (rows, width) in int8, and the scale of each: a row is about its integers times its scale."""
    scales = (np.abs(table).max(axis=1) / steps).astype(np.float32)
    scales[scales == 0] = 1.0
    return np.clip(np.rint(table / scales[:, None]), -steps, steps).astype(np.int8), scales


def is_output_layer(node: NodeProto, initializers: dict[str, TensorProto], table: Weights) -> bool:
    """Whether `node` multiplies with the embedding `table` (vocabulary, width) turned."""
    if node.op_type != "MatMul" or node.input[1] not in initializers:
        return False
    weights = initializers[node.input[1]]
    return tuple(weights.dims) == table.shape[::-1] and np.array_equal(numpy_helper.to_array(weights), table.T)


def looked_up(path: Path) -> Weights:
    """The embedding (vocabulary, width) of the graph in `path`. Raises FactoryError."""
    return _looked_up(onnx.load(str(path)).graph)


def _looked_up(graph: GraphProto) -> Weights:
    """The largest float matrix that rows are looked up in."""
    known = _initializers(graph)
    found = [
        numpy_helper.to_array(known[node.input[0]])
        for each in graphs_of(graph)
        for node in each.node
        if node.op_type == "Gather" and node.input[0] in known and len(known[node.input[0]].dims) == 2
    ]
    tables = [table for table in found if table.dtype == np.float32]
    if not tables:
        raise FactoryError("The graph looks no rows up: it has no embedding in fp32.")
    return max(tables, key=lambda table: table.size)


def _rewrite(model: ModelProto, table: Weights, rows: npt.NDArray[np.int8], scales: Weights) -> None:
    known = _initializers(model.graph)
    replaced: set[str] = set()
    turned = False
    for graph in graphs_of(model.graph):
        nodes: list[NodeProto] = []
        for node in graph.node:
            if node.op_type == "Gather" and node.input[0] in known and _same(known[node.input[0]], table):
                replaced.add(node.input[0])
                nodes += _lookup(node)
            elif is_output_layer(node, known, table):
                replaced.add(node.input[1])
                turned = True
                nodes += _product(node)
            else:
                nodes.append(node)
        del graph.node[:]
        graph.node.extend(nodes)
    for graph in graphs_of(model.graph):
        kept = [each for each in graph.initializer if each.name not in replaced]
        del graph.initializer[:]
        graph.initializer.extend(kept)
    model.graph.initializer.append(_external(rows))
    model.graph.initializer.append(numpy_helper.from_array(scales, SCALES))
    if turned:
        model.graph.node.insert(0, helper.make_node("Transpose", [TABLE], [TURNED], perm=[1, 0]))


def _lookup(node: NodeProto) -> list[NodeProto]:
    """Rows and their scales by id, multiplied."""
    ids, result = node.input[1], node.output[0]
    axis = f"{result}.axis"
    return [
        helper.make_node("Gather", [TABLE, ids], [f"{result}.rows"], axis=0),
        helper.make_node("Cast", [f"{result}.rows"], [f"{result}.float"], to=TensorProto.FLOAT),
        helper.make_node("Gather", [SCALES, ids], [f"{result}.scales"], axis=0),
        helper.make_node("Constant", [], [axis], value=numpy_helper.from_array(np.array([-1], np.int64), axis)),
        helper.make_node("Unsqueeze", [f"{result}.scales", axis], [f"{result}.column"]),
        helper.make_node("Mul", [f"{result}.float", f"{result}.column"], [result]),
    ]


def _product(node: NodeProto) -> list[NodeProto]:
    """Dynamic int8: the activations are quantized as they come, the product is of integers."""
    given, result = node.input[0], node.output[0]
    return [
        helper.make_node("DynamicQuantizeLinear", [given], [f"{result}.bytes", f"{result}.step", f"{result}.zero"]),
        helper.make_node("MatMulInteger", [f"{result}.bytes", TURNED, f"{result}.zero"], [f"{result}.integers"]),
        helper.make_node("Cast", [f"{result}.integers"], [f"{result}.float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{result}.step", SCALES], [f"{result}.scales"]),
        helper.make_node("Mul", [f"{result}.float", f"{result}.scales"], [result]),
    ]


def _external(rows: npt.NDArray[np.int8]) -> TensorProto:
    tensor = TensorProto(name=TABLE, data_type=TensorProto.INT8, dims=rows.shape, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", FILE), ("offset", "0"), ("length", str(rows.nbytes))):
        tensor.external_data.add(key=key, value=value)
    return tensor


def _same(tensor: TensorProto, table: Weights) -> bool:
    return tuple(tensor.dims) == table.shape and np.array_equal(numpy_helper.to_array(tensor), table)


def _initializers(graph: GraphProto) -> dict[str, TensorProto]:
    return {each.name: each for part in graphs_of(graph) for each in part.initializer}


def graphs_of(graph: GraphProto) -> Iterator[GraphProto]:
    """A graph and all graphs inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs_of(attribute.g)
