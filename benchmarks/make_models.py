"""The models that the benchmarks compare engines on: published shapes with random weights, in every engine's own form.

    .venv-factory/bin/python -m benchmarks.make_models [NAME…]      (make bench-models)

Speed does not depend on what a model has learned, so nothing has to be fetched. What is there already is kept; a
model is made aside and moved when it is whole.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import RIVALS, ROOT
from benchmarks.models import GENAI, GGUF, LANGUAGE_MODELS, TRANSLATION_MODELS, language_model, translation_model

CONTEXT = 2048
TOKENIZER = 4000  # tokens that the articles give; a model has rows for more


def main() -> None:
    """Make the models named, or all of them."""
    names = sys.argv[1:] or list(MAKERS)
    unknown = sorted(set(names) - set(MAKERS))
    if unknown:
        sys.exit(f"There is no model {', '.join(unknown)}; there are {', '.join(MAKERS)}.")
    for name in names:
        MAKERS[name](name)


def make_language_model(name: str) -> None:
    """A checkpoint, our packs of 4 and 8 bits, llama.cpp's files, and a folder for onnxruntime-genai."""
    files = language_model(name)
    _once(files.checkpoint, lambda folder: _checkpoint(name, folder))
    for bits, pack in files.packs.items():
        _once(pack, lambda folder, bits=bits: _pack(files.checkpoint, folder, bits))
    _once(files.folder / GENAI, lambda folder: _genai(files.packs[4], folder))
    _once(files.folder / GGUF, lambda folder: _gguf(files.checkpoint, folder))


def make_translation_model(name: str) -> None:
    """A Marian checkpoint, and our packs of 8 bits."""
    files = translation_model(name)
    _once(files.checkpoint, lambda folder: _marian(name, folder))
    for bits, pack in files.packs.items():
        _once(pack, lambda folder, bits=bits: _translation_pack(files.checkpoint, folder, bits))
    _once(files.listing, lambda folder: _translation_pack(files.checkpoint, folder, 8, lists=True))


def _marian(name: str, folder: Path) -> None:
    from tests.factory import public_models

    if name == "opus-mt":
        public_models.make_marian(folder, public_models.marian())
        return
    small = public_models.marian(
        vocab_size=8000, d_model=256, encoder_layers=4, decoder_layers=2, ffn=1024, heads=4, activation="relu"
    )
    public_models.make_marian(folder, small)


def _translation_pack(checkpoint: Path, folder: Path, bits: int, *, lists: bool = False) -> None:
    from appliance.packs.manifest import Way
    from models.convert import ConvertOptions, marian
    from models.pack import write_manifest
    from models.recipe import PackRecipe

    ways = (Way("en", "es", ">>spa<<"),)
    made = marian.convert(checkpoint, folder, ConvertOptions(bits=bits, directions=ways, lists=lists), print)
    recipe = PackRecipe("made", "0.1.0", "translation", "Made", ("en", "es"), "CC0-1.0", "Random weights.", Path())
    write_manifest(folder, recipe, made.settings, sources=(), memory_bytes=made.memory_bytes)


def _once(folder: Path, make: Callable[[Path], None]) -> None:
    """Let `make` fill `folder`, unless it is there."""
    if folder.exists():
        return
    print(f"{folder.relative_to(ROOT)} …", flush=True)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    make(partial)
    partial.replace(folder)


def _checkpoint(name: str, folder: Path) -> None:
    import torch

    from tests.factory import tiny_llm

    config = {"smollm2-135m": tiny_llm.smollm2, "qwen2.5-0.5b": tiny_llm.qwen2}[name]()
    tiny_llm.save_model(config, folder, torch.float16)  # which every engine's converter reads
    tiny_llm.save_byte_tokenizer(folder, TOKENIZER)


def _pack(checkpoint: Path, folder: Path, bits: int) -> None:
    from models.convert import ConvertOptions
    from tests.factory import tiny_llm

    tiny_llm.make_pack(checkpoint, folder, ConvertOptions(bits=bits, context=CONTEXT))


def _genai(pack: Path, folder: Path) -> None:
    from benchmarks.genai_folder import write

    write(pack, folder, CONTEXT)


def _gguf(checkpoint: Path, folder: Path) -> None:
    if not RIVALS.exists():
        sys.exit(f"The rivals are not installed ({RIVALS} is missing): make rivals")
    command = [str(RIVALS), "-m", "benchmarks.rivals.write_gguf", str(checkpoint), str(folder)]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        sys.exit("llama.cpp's files could not be written: the reason stands above.")


MAKERS: dict[str, Callable[[str], None]] = {
    **dict.fromkeys(TRANSLATION_MODELS, make_translation_model),
    **dict.fromkeys(LANGUAGE_MODELS, make_language_model),
}


if __name__ == "__main__":
    main()
