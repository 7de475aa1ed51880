"""The embedding matrix in int8, a scale a row: a translation model uses it three times, and its pack holds it once.

The encoder and the decoder look rows up in it, and the output layer multiplies with it. In a pack it is one file,
`embedding.bin`, that both graphs name as external data: a row looked up is a row times its scale, and the output layer
is an integer product with the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import GraphProto, TensorProto, numpy_helper

from models.errors import FactoryError

FILE = "embedding.bin"
TABLE, SCALES = "embedding.table", "embedding.scales"
STEPS = 64  # largest absolute value of a weight in int8: beyond it, sums of two products overflow 16 bits without VNNI
Weights = npt.NDArray[np.float32]


def quantized_rows(table: Weights, steps: int = STEPS) -> tuple[npt.NDArray[np.int8], Weights]:
    """The rows of `table` (rows, width) in int8, and the scale of each: a row is about its integers times its scale."""
    scales = (np.abs(table).max(axis=1) / steps).astype(np.float32)
    scales[scales == 0] = 1.0
    return np.clip(np.rint(table / scales[:, None]), -steps, steps).astype(np.int8), scales


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


def _initializers(graph: GraphProto) -> dict[str, TensorProto]:
    return {each.name: each for part in graphs_of(graph) for each in part.initializer}


def graphs_of(graph: GraphProto) -> Iterator[GraphProto]:
    """A graph and all graphs inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs_of(attribute.g)
