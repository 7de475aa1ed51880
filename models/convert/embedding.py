"""BERT and XLM-RoBERTa sentence encoders (MiniLM, multilingual E5, our own) become the files of an embedding pack.

The graph gives a vector for each token, and the engine of the box makes one of them. For 32 texts of 32 tokens that
takes 0.04 ms beside the hundreds of the graph, so there is nothing to gain by pooling inside, and a checkpoint's graph
is the same whatever its pooling.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from models.convert import Converted, ConvertOptions
from models.convert.row_products import quantize_products
from models.embedding_table import looked_up
from models.errors import FactoryError

MODEL_TYPES = ("bert", "xlm-roberta")
GRAPH = "model.onnx"
OWN_TOKENIZER, FAST_TOKENIZER = "spm.model", "tokenizer.json"
MODULES = ("Transformer", "Pooling", "Normalize")  # of Sentence Transformers; what the engine does by itself
MOST_TOKENS = 512
STEPS = 127  # largest absolute value of a table's row in int8: rows are only looked up, so no product can overflow
WORKING_MEMORY = 96 * 1024 * 1024  # bytes, beside twice the files: a batch of 1,024 tokens

Say = Callable[[str], None]


def convert(checkpoint: Path, folder: Path, options: ConvertOptions, say: Say) -> Converted:
    """Write `model.onnx` and the tokenizer of `checkpoint` to `folder`.

    Raises:
        FactoryError: the checkpoint is of another family, lacks a file, or does what the engine does not.
    """
    config = _read_json(checkpoint / "config.json")
    if config.get("model_type") not in MODEL_TYPES:
        raise FactoryError(
            f"{checkpoint.name} holds a model of type {config.get('model_type')}; "
            f"embeddings are made of {' and '.join(MODEL_TYPES)}."
        )
    if options.bits not in (8, 32):
        raise FactoryError(f"Embedding models are made in 8 or 32 bits, not in {options.bits}.")
    if config["model_type"] == "bert" and int(config.get("type_vocab_size", 2)) < 2:
        raise FactoryError(f"{checkpoint.name} knows one type of token only; the exporter wants the usual two.")
    _check_modules(checkpoint)
    pooling = _pooling(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _write_tokenizer(checkpoint, folder, int(config["vocab_size"]))
    _write_graph(checkpoint, folder / GRAPH, options.bits, say)
    query, passage = _prefixes(checkpoint, options)
    settings: dict[str, Any] = {
        "graph": GRAPH,
        "tokenizer": tokenizer,
        "pooling": pooling,
        "dimensions": int(config["hidden_size"]),
        "most_tokens": _most_tokens(checkpoint, config),
        **({"query": query} if query else {}),
        **({"passage": passage} if passage else {}),
    }
    size = sum(path.stat().st_size for path in folder.iterdir())
    return Converted(settings, memory_bytes=2 * size + WORKING_MEMORY)


def quantize(source: Path, target: Path) -> None:
    """Write the graph `source` to `target` in int8: the table of pieces, a scale a row, and the products.

    A scale for the whole table, as dynamic quantization has it, is that of its largest number: most rows would be left
    with a few steps.
    """
    table = looked_up(source)
    scales = (np.abs(table).max(axis=1, keepdims=True) / STEPS).astype(np.float32)
    scales[scales == 0] = 1.0
    model = onnx.load(str(source))
    graph = model.graph
    known = {each.name: each for each in graph.initializer}
    nodes: list[NodeProto] = []
    replaced = set()
    for node in graph.node:
        if node.op_type == "Gather" and _is(known.get(node.input[0]), table):
            replaced.add(node.input[0])
            nodes += _rows_times_scale(node)
        else:
            nodes.append(node)
    kept = [each for each in graph.initializer if each.name not in replaced]
    rows = np.rint(table / scales).astype(np.int8)
    kept += [numpy_helper.from_array(rows, "pieces.rows"), numpy_helper.from_array(scales, "pieces.scales")]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
    quantize_products(model)
    onnx.checker.check_model(model)
    onnx.save(model, str(target))


def _rows_times_scale(node: NodeProto) -> list[NodeProto]:
    ids, result = node.input[1], node.output[0]
    return [
        helper.make_node("Gather", ["pieces.rows", ids], [f"{result}.rows"], axis=0),
        helper.make_node("Cast", [f"{result}.rows"], [f"{result}.float"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["pieces.scales", ids], [f"{result}.scales"], axis=0),
        helper.make_node("Mul", [f"{result}.float", f"{result}.scales"], [result]),
    ]


def _is(tensor: TensorProto | None, table: Any) -> bool:
    if tensor is None or tuple(tensor.dims) != table.shape:
        return False
    return np.array_equal(numpy_helper.to_array(tensor), table)


def _write_graph(checkpoint: Path, target: Path, bits: int, say: Say) -> None:
    from optimum.exporters.onnx import main_export  # takes seconds to import
    from transformers.utils import logging

    logging.set_verbosity_error()  # it would warn that the checkpoint has no pooler, which nothing here uses
    with tempfile.TemporaryDirectory(prefix=".converting-", dir=target.parent.parent) as name:
        work = Path(name)
        say("  exporting the graph …")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing warns of every condition in transformers' code
            main_export(
                str(checkpoint),
                work / "exported",
                task="feature-extraction",
                library_name="transformers",
                do_validation=False,
                local_files_only=True,
            )
        if bits == 8:
            say("  quantizing to int8 …")
            quantize(work / "exported" / GRAPH, target)
        else:
            shutil.copyfile(work / "exported" / GRAPH, target)


def _write_tokenizer(checkpoint: Path, folder: Path, vocabulary: int) -> str:
    """Copy our own SentencePiece model, or write the fast tokenizer of a public checkpoint; the name of the file."""
    if (checkpoint / OWN_TOKENIZER).is_file():
        shutil.copyfile(checkpoint / OWN_TOKENIZER, folder / OWN_TOKENIZER)
        return OWN_TOKENIZER
    tokenizer = _fast_tokenizer(checkpoint)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if tokenizer.get_vocab_size(with_added_tokens=True) > vocabulary:
        raise FactoryError(f"The tokenizer has more pieces than the {vocabulary} of the model.")
    plain, framed = (tokenizer.encode("a", add_special_tokens=special).ids for special in (False, True))
    if framed[-len(plain) - 1 : -1] != plain:
        raise FactoryError("The tokenizer does not close a text with one token; the engine would cut long texts wrong.")
    tokenizer.save(str(folder / FAST_TOKENIZER), pretty=False)
    return FAST_TOKENIZER


def _fast_tokenizer(checkpoint: Path) -> Any:
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    try:
        if (checkpoint / FAST_TOKENIZER).is_file():
            return Tokenizer.from_file(str(checkpoint / FAST_TOKENIZER))
        return AutoTokenizer.from_pretrained(str(checkpoint), local_files_only=True).backend_tokenizer
    except Exception as error:  # the libraries raise whatever their readers meet
        raise FactoryError(f"The tokenizer of {checkpoint.name} cannot be read: {error}") from error


def _check_modules(checkpoint: Path) -> None:
    """Sentence Transformers lists what follows the encoder; the engine does no more than pool and normalise."""
    path = checkpoint / "modules.json"
    if not path.is_file():
        return
    kinds = [str(row.get("type", "")).rpartition(".")[2] for row in json.loads(path.read_text(encoding="utf-8"))]
    unknown = [kind for kind in kinds if kind not in MODULES]
    if unknown:
        raise FactoryError(f"{checkpoint.name} has a part of kind {unknown[0]}, which the engine does not have.")


def _pooling(checkpoint: Path) -> str:
    path = checkpoint / "1_Pooling" / "config.json"
    if not path.is_file():
        return "mean"
    chosen = [key for key, value in _read_json(path).items() if key.startswith("pooling_mode_") and value is True]
    known = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
    if len(chosen) != 1 or chosen[0] not in known:
        raise FactoryError(f"{checkpoint.name} pools by {', '.join(chosen) or 'nothing'}; the engine: mean or cls.")
    return known[chosen[0]]


def _most_tokens(checkpoint: Path, config: dict[str, Any]) -> int:
    positions = int(config["max_position_embeddings"])
    if config["model_type"] == "xlm-roberta":  # its places are numbered from the one after the padding's id
        positions -= int(config["pad_token_id"]) + 1
    path = checkpoint / "sentence_bert_config.json"
    said = _read_json(path).get("max_seq_length") if path.is_file() else None
    return min(positions, MOST_TOKENS, said or positions)


def _prefixes(checkpoint: Path, options: ConvertOptions) -> tuple[str, str]:
    """Put before a query and a passage: the recipe's, else those the checkpoint names."""
    path = checkpoint / "config_sentence_transformers.json"
    prompts = (_read_json(path).get("prompts") or {}) if path.is_file() else {}
    passage = prompts.get("passage") or prompts.get("document") or ""
    return options.query or str(prompts.get("query") or ""), options.passage or str(passage)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FactoryError(f"There is no {path.name} in {path.parent}: it is no checkpoint.") from None
    except ValueError as error:
        raise FactoryError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise FactoryError(f"{path} is not a table.")
    return found
