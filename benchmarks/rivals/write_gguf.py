"""A checkpoint in llama.cpp's form: F16 written with the package gguf, the rest by llama.cpp's own quantizer.

    python -m benchmarks.rivals.write_gguf CHECKPOINT FOLDER

There is no tokenizer in the files: the benchmark gives ids and takes ids.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any

import gguf
import llama_cpp
import numpy as np
import numpy.typing as npt
from safetensors import safe_open

ARCHITECTURES = {"LlamaForCausalLM": gguf.MODEL_ARCH.LLAMA, "Qwen2ForCausalLM": gguf.MODEL_ARCH.QWEN2}
SUFFIXES = (".weight", ".bias")
QUANTIZED = {  # by the name of the file: llama.cpp's number for it, and whether the embeddings get no more bits
    "Q8_0": (llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0, False),
    "Q4_0": (llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0, False),
    "Q4_0-pure": (llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0, True),
}


def main() -> None:
    """Write F16.gguf, and from it the others."""
    checkpoint, folder = Path(sys.argv[1]), Path(sys.argv[2])
    whole = folder / "F16.gguf"
    write(checkpoint, whole)
    for name, (kind, pure) in QUANTIZED.items():
        quantize(whole, folder / f"{name}.gguf", kind, pure)


def write(checkpoint: Path, path: Path) -> None:
    """The weights in 16 bits, vectors in 32, as llama.cpp's converter has them."""
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    architecture = ARCHITECTURES[config["architectures"][0]]
    names = gguf.get_tensor_name_map(architecture, config["num_hidden_layers"])
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[architecture])
    _settings(writer, config)
    with safe_open(checkpoint / "model.safetensors", framework="numpy") as tensors:
        for name in tensors.keys():  # noqa: SIM118 - no mapping: it has keys() only
            tensor = tensors.get_tensor(name)
            if architecture == gguf.MODEL_ARCH.LLAMA:
                tensor = _turned(name, tensor, config)
            writer.add_tensor(names.get_name(name, SUFFIXES), tensor.astype(np.float32) if tensor.ndim == 1 else tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _settings(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_tokenizer_model("none")


def _turned(name: str, tensor: npt.NDArray[Any], config: dict[str, Any]) -> npt.NDArray[Any]:
    """Queries and keys as llama.cpp rotates them: the two halves of a head interleaved."""
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    count = next((number for part, number in heads.items() if f".{part}.weight" in name), None)
    if count is None:
        return tensor
    halves = tensor.reshape(count, 2, tensor.shape[0] // count // 2, *tensor.shape[1:])
    return halves.swapaxes(1, 2).reshape(tensor.shape)


def quantize(source: Path, target: Path, kind: int, pure: bool) -> None:
    """By llama.cpp's own quantizer; unless `pure`, it gives the embeddings more bits than `kind` says."""
    quiet = llama_cpp.llama_log_callback(lambda _level, _text, _data: None)
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p())
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype, settings.nthread, settings.pure = kind, os.cpu_count() or 1, pure
    if llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), settings):
        sys.exit(f"llama.cpp did not quantize {source}.")


if __name__ == "__main__":
    main()
