"""A table of pieces too large to be exported is taken out of the checkpoint before, and put into the graphs after.

A graph of more than 2 GB cannot be one file, and a plain export writes the table out three times in fp32: that of NLLB
(256,206 pieces) alone is 3 GB. So what is exported has the first rows only, and the whole table, in int8 and one scale
a row as `share_embedding` has it, is put in its place.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import ModelProto, numpy_helper

from models.embedding_table import FILE, SCALES, TABLE, quantized_rows
from models.errors import FactoryError

LARGEST = 400_000_000  # bytes in fp32 of a table that is exported as it is
STAND_IN = 4096  # rows that stand for the table; more than there are places, or theirs would be taken for it
AT_ONCE = 16_384  # rows quantized together, which bounds the memory

Weights = npt.NDArray[np.float32]


def is_large(vocabulary: int, width: int) -> bool:
    """Whether a table of pieces is too large to be exported."""
    return vocabulary * width * 4 > LARGEST


def take_out(checkpoint: Path, folder: Path) -> Weights:
    """Write `checkpoint` with the first rows of its table only to `folder`; the whole table (vocabulary, width).

    Raises:
        FactoryError: the model has more than one table.
    """
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    model = AutoModelForSeq2SeqLM.from_pretrained(str(checkpoint), local_files_only=True, use_safetensors=None)
    table = model.get_input_embeddings().weight
    if model.get_output_embeddings().weight is not table:
        raise FactoryError("The model's output layer is not its table of pieces; only those that share it are made.")
    vocabulary = len(table)
    config = AutoConfig.from_pretrained(str(checkpoint), local_files_only=True)
    config.vocab_size = min(STAND_IN, vocabulary)
    small = type(model)(config)
    small.load_state_dict(
        {
            name: weight[: config.vocab_size] if len(weight.shape) == 2 and len(weight) == vocabulary else weight
            for name, weight in model.state_dict().items()
        }
    )
    small.save_pretrained(folder)
    for name in ("generation_config.json", "tokenizer_config.json"):
        if (checkpoint / name).is_file() and not (folder / name).exists():
            shutil.copyfile(checkpoint / name, folder / name)
    whole: Weights = table.detach().numpy()
    return whole


def put_in(encoder: Path, decoder: Path, table: Weights) -> None:
    """Put `table` in the place of the rows that stand for it in two graphs and in their `embedding.bin`."""
    scales = np.empty(len(table), np.float32)
    with (encoder.parent / FILE).open("wb") as file:
        for first in range(0, len(table), AT_ONCE):
            rows, scales[first : first + AT_ONCE] = quantized_rows(table[first : first + AT_ONCE].astype(np.float32))
            file.write(rows.tobytes())
    for path in (encoder, decoder):
        model = onnx.load(str(path), load_external_data=False)
        _enlarge(model, table.shape, scales)
        partial = path.with_suffix(".partial")
        partial.write_bytes(model.SerializeToString())
        onnx.checker.check_model(str(partial))
        partial.replace(path)


def _enlarge(model: ModelProto, shape: tuple[int, ...], scales: Weights) -> None:
    for tensor in model.graph.initializer:
        if tensor.name == TABLE:
            stand_in = int(tensor.dims[0])
            tensor.dims[:] = shape
            for entry in tensor.external_data:
                if entry.key == "length":
                    entry.value = str(shape[0] * shape[1])
        elif tensor.name == SCALES:
            tensor.CopyFrom(numpy_helper.from_array(scales, SCALES))
    for value in model.graph.output:
        last = value.type.tensor_type.shape.dim[-1]
        if last.dim_value == stand_in:
            last.dim_value = shape[0]
