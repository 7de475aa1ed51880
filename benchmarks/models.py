"""Where the models of the benchmarks lie (`make bench-models` makes them)."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmarks.harness import RESULTS

MODELS = RESULTS / "models"
LANGUAGE_MODELS = ("smollm2-135m", "qwen2.5-0.5b")
TRANSLATION_MODELS = ("opus-mt", "starter-shape")
GGUF, GENAI = "gguf", "genai"


@dataclass(frozen=True)
class _Model:
    """One set of weights in the form of each engine."""

    folder: Path
    bits: ClassVar[tuple[int, ...]]

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint"

    @property
    def packs(self) -> dict[int, Path]:
        """Ours, by bits."""
        return {bits: self.folder / f"int{bits}" for bits in self.bits}


class LanguageModel(_Model):
    """Of ours, llama.cpp and onnxruntime-genai."""

    bits = (4, 8)

    @property
    def genai(self) -> Path:
        """The graph of 4 bits as onnxruntime-genai wants it."""
        return self.folder / GENAI

    def gguf(self, kind: str) -> Path:
        """llama.cpp's file; `kind` is one of F16, Q8_0, Q4_0, and Q4_0-pure, with every matrix in Q4_0."""
        return self.folder / GGUF / f"{kind}.gguf"


class TranslationModel(_Model):
    """Of ours; CTranslate2 keeps its own beside the checkpoint."""

    bits = (8,)

    @property
    def listing(self) -> Path:
        """Ours of 8 bits, whose graphs can make use of a shortlist."""
        return self.folder / "int8-lists"


def translation_model(name: str) -> TranslationModel:
    """The files of a model, there or not."""
    return TranslationModel(MODELS / name)


def language_model(name: str) -> LanguageModel:
    """The files of a model, there or not."""
    return LanguageModel(MODELS / name)


def made(path: Path) -> Path:
    """`path`; ends the benchmark if it is missing."""
    if not path.exists():
        sys.exit(f"{path} is missing: make bench-models")
    return path
