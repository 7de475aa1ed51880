"""Surgery on the decoder's graph: rows are chosen inside it, so that a search never copies the cache.

A plain export takes `past_key_values.*` row for row. Here each gets a `Gather` in front of it:
`past_rows` picks the rows of the decoder's own past, `source_rows` the sentence of each row for the
encoder's keys, values and mask, which are computed once a sentence and stay where they are.
"""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from models.embedding_table import graphs_of

PAST = "past_key_values."


def choose_rows_inside(source: Path, target: Path) -> None:
    """Write the merged decoder `source` to `target` with the inputs `past_rows` and `source_rows` (rows,)."""
    model = onnx.load(str(source))
    graph = model.graph
    renamed = {}
    gathers = []
    for value in graph.input:
        rows = _rows_of(value.name)
        if rows is not None:
            renamed[value.name] = f"{value.name}.chosen"
            gathers.append(helper.make_node("Gather", [value.name, rows], [renamed[value.name]], axis=0))
    for each in graphs_of(graph):
        for node in each.node:
            for index, name in enumerate(node.input):
                node.input[index] = renamed.get(name, name)
        # Shapes inferred before name the rows as if all inputs had the same: they must not be trusted.
        del each.value_info[:]
    for position, node in enumerate(gathers):
        graph.node.insert(position, node)
    for value in graph.input:
        _name_first_dimension(value)
    for name in ("past_rows", "source_rows"):
        graph.input.append(helper.make_tensor_value_info(name, TensorProto.INT64, ["rows"]))
    onnx.checker.check_model(model)
    _save(model, target)


def _rows_of(name: str) -> str | None:
    if name == "encoder_attention_mask" or (name.startswith(PAST) and ".encoder." in name):
        return "source_rows"
    return "past_rows" if name.startswith(PAST) else None


def _name_first_dimension(value: ValueInfoProto) -> None:
    """Sentences, rows of the step before and rows of this step differ in number."""
    dimensions = value.type.tensor_type.shape.dim
    if not dimensions or value.name == "use_cache_branch":
        return
    if value.name.startswith("encoder_") or ".encoder." in value.name:
        dimensions[0].dim_param = "sentences"
    else:
        dimensions[0].dim_param = "past_row_count" if value.name.startswith(PAST) else "rows"


def _save(model: ModelProto, target: Path) -> None:
    partial = target.with_suffix(".partial")
    onnx.save(model, str(partial))
    partial.replace(target)
