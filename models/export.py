"""A checkpoint in Hugging Face form becomes two ONNX graphs, in fp32 and in int8."""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx
from optimum.exporters.onnx import main_export
from optimum.onnx.graph_transformations import merge_decoders
from optimum.onnxruntime import ORTQuantizer
from optimum.onnxruntime.configuration import AutoQuantizationConfig

from models.embedding_table import is_output_layer, looked_up
from models.graph import choose_rows_inside

PARTS = ("encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx")


def export(checkpoint: Path, folder: Path) -> None:
    """Export a MarianMT checkpoint with past keys and values: the three parts of a plain export, fp32."""
    main_export(
        str(checkpoint),
        folder,
        task="text2text-generation-with-past",
        do_validation=False,
        no_post_process=True,
        local_files_only=True,
    )


def quantize(exported: Path, folder: Path) -> None:
    """Dynamic int8: weights per channel and symmetric, activations at run time. The same three parts.

    The embedding and the output layer stay as they are: `share_embedding` quantizes them, a scale a row, and stores
    them once. The settings fit every CPU: signed weights with unsigned activations saturate on x86-64 without VNNI
    unless the weights use 7 bits, which `reduce_range` asks for; ARM64 and VNNI lose nothing measurable by it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = AutoQuantizationConfig.avx2(is_static=False, per_channel=True)
    settings.reduce_range = True
    settings.operators_to_quantize = ["MatMul"]
    for name in PARTS:
        settings.nodes_to_exclude = output_layers(exported / name, exported / PARTS[0])
        ORTQuantizer.from_pretrained(exported, file_name=name).quantize(
            quantization_config=settings, save_dir=folder, file_suffix=""
        )


def output_layers(path: Path, encoder: Path) -> list[str]:
    """Names of the nodes of a graph that multiply with the embedding of the graph `encoder`."""
    table = looked_up(encoder)
    graph = onnx.load(str(path)).graph
    known = {each.name: each for each in graph.initializer}
    return [node.name for node in graph.node if is_output_layer(node, known, table)]


def assemble(parts: Path, folder: Path) -> None:
    """Join the decoder's two graphs, which share their weights, and write `encoder.onnx` and `decoder.onnx`."""
    folder.mkdir(parents=True, exist_ok=True)
    merged = folder / "decoder.merged"
    merge_decoders(parts / PARTS[1], parts / PARTS[2], save_path=merged, strict=False)
    choose_rows_inside(merged, folder / "decoder.onnx")
    merged.unlink()
    shutil.copyfile(parts / PARTS[0], folder / "encoder.onnx")
