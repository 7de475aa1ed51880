"""A recipe of a public model: where it lies on the hub, what it is good for, and how large it becomes.

Sizes are computed from the published shape, not measured; `Estimate` says how.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.packs.manifest import Way
from models.errors import RecipeError
from models.recipe import EvaluationSet, PackRecipe, fill, heading, reading

KINDS = ("translation", "text-generation", "embedding")
FAMILIES = ("marian", "llm", "embedding")
BITS = (4, 8, 32)

# A board's memory for the models, in bytes: what is left beside the system, the pages and a margin.
BOARDS = {
    "Pi 4, 4 GB": 2_500_000_000,
    "Pi 5, 8 GB": 6_000_000_000,
    "Jetson Orin Nano, 8 GB": 5_500_000_000,
    "PC, 16 GB": 12_000_000_000,
}


@dataclass(frozen=True)
class Shape:
    """The published configuration, as far as it decides the size.

    `positions` counts only where a table of them is stored (`learned_positions`). `kv_width` is the width of the keys
    of a decoder-only model, `gated` whether its feed-forward part has three matrices instead of two.
    """

    vocabulary: int
    width: int
    ffn: int
    encoder_layers: int = 0
    decoder_layers: int = 0
    layers: int = 0
    kv_width: int = 0
    gated: bool = False
    biases: bool = True
    tied: bool = True
    positions: int = 0
    types: int = 0  # token types of BERT

    @property
    def embedding(self) -> int:
        """Parameters of the table of pieces."""
        return self.vocabulary * self.width

    @property
    def blocks(self) -> int:
        """Parameters of the matrices of all layers."""
        square = self.width * self.width
        encoder = self.encoder_layers * (4 * square + 2 * self.width * self.ffn)
        decoder = self.decoder_layers * (8 * square + 2 * self.width * self.ffn)
        keys = 2 * square + 2 * self.width * (self.kv_width or self.width)
        single = self.layers * (keys + (3 if self.gated else 2) * self.width * self.ffn)
        return encoder + decoder + single

    @property
    def parameters(self) -> int:
        """All that is stored, biases and norms aside (well under 1 %)."""
        head = 0 if self.tied else self.embedding
        return self.embedding + head + self.blocks + (self.positions + self.types) * self.width


@dataclass(frozen=True)
class Hub:
    """`hub` is the repository, owner/name; `revision` a pinned commit, "" for the newest when it is first built."""

    hub: str
    family: str
    revision: str = ""
    bits: int = 8
    non_commercial: bool = False


@dataclass(frozen=True)
class Estimate:
    """Bytes computed from the shape: fp32 or fp16 weights to fetch, the pack, and the memory it needs at work."""

    download: int
    pack: int
    memory: int


@dataclass(frozen=True)
class PublicRecipe(PackRecipe):
    limits: str
    model: Hub
    shape: Shape
    directions: tuple[Way, ...] = ()
    evaluation: tuple[EvaluationSet, ...] = ()
    note: str = ""  # on a direction that the hub has no model for, and what is used instead
    stored: str = "float32"  # how the hub stores the weights
    context: int = 2048  # text generation: tokens of a prompt and its answer; the chat form is read from the checkpoint
    prompts: bool = True  # text generation with 4 bits: a second graph that reads prompts faster, for more memory
    query: str = ""  # embedding: what the model wants before a question, and before a passage
    passage: str = ""
    selftest: dict[str, str] = field(default_factory=dict)

    def estimate(self, bits: int | None = None) -> Estimate:
        """What the model takes in so many bits a weight (those of the recipe by default)."""
        bits = bits or self.model.bits
        shape = self.shape
        head = 0 if shape.tied else shape.embedding
        # A translation model's table is in both graphs where it is not stored once (fp32).
        copies = 2 if self.model.family == "marian" and bits == 32 else 1
        weights = BYTES_PER_WEIGHT[bits] * (copies * (shape.embedding + head) + shape.blocks)
        pack = int(weights + 4 * (shape.positions + shape.types) * shape.width)
        prompts = shape.blocks if self.kind == "text-generation" and bits == 4 and self.prompts else 0  # a byte each
        download = shape.parameters * (2 if self.stored in ("float16", "bfloat16") else 4)
        memory = int(pack * MEMORY_PER_BYTE[self.kind] + 1.1 * prompts) + WORKING_MEMORY
        return Estimate(download, pack + prompts, memory)

    def boards(self) -> list[str]:
        """The boards whose memory holds it, by the estimate."""
        return [board for board, memory in BOARDS.items() if self.estimate().memory <= memory]


# With a scale for each row of 8 bits, a scale and a zero for each block of 64 weights of 4 bits.
BYTES_PER_WEIGHT = {4: 0.571, 8: 1.01, 32: 4.0}
# Resident bytes a byte of the pack, and beside it, as the converters count them.
MEMORY_PER_BYTE = {"translation": 3.0, "text-generation": 1.35, "embedding": 2.0}
WORKING_MEMORY = 160 * 1024 * 1024


def read_public_recipe(path: Path) -> PublicRecipe:
    """Read and check a recipe of a public model.

    Raises:
        RecipeError: the file is missing, is not TOML, or has a wrong, missing or unknown field.
    """
    with reading(path) as raw:
        recipe = _recipe(raw, path)
    _check(recipe)
    return recipe


def _recipe(raw: dict[str, Any], path: Path) -> PublicRecipe:
    return PublicRecipe(
        **heading(raw, path),
        limits=raw.pop("limits"),
        model=fill(Hub, raw.pop("model"), "model"),
        shape=fill(Shape, raw.pop("shape"), "shape"),
        directions=_directions(raw.pop("directions", []), raw.pop("codes", {})),
        evaluation=tuple(fill(EvaluationSet, row, "evaluation") for row in raw.pop("evaluation", [])),
        note=raw.pop("note", ""),
        stored=raw.pop("stored", "float32"),
        context=raw.pop("context", 2048),
        prompts=raw.pop("prompts", True),
        query=raw.pop("query", ""),
        passage=raw.pop("passage", ""),
        selftest=dict(raw.pop("selftest", {})),
    )


def _directions(rows: list[dict[str, Any]], codes: dict[str, str]) -> tuple[Way, ...]:
    """The directions told one by one, and every pair of the languages in `codes`, language → the model's own code."""
    told = [fill(Way, {"tag": "", **row}, "directions") for row in rows]
    pairs = [Way(one, other, codes[one], codes[other]) for one in codes for other in codes if one != other]
    return (*told, *pairs)


def _check(recipe: PublicRecipe) -> None:
    def wrong(reason: str) -> RecipeError:
        return RecipeError(f"{recipe.path}: {reason}")

    if recipe.kind not in KINDS:
        raise wrong(f"kind “{recipe.kind}” is not one of {', '.join(KINDS)}.")
    if recipe.model.family not in FAMILIES:
        raise wrong(f"family “{recipe.model.family}” is not one of {', '.join(FAMILIES)}.")
    if recipe.model.bits not in BITS:
        raise wrong(f"bits is {recipe.model.bits}, not one of {', '.join(map(str, BITS))}.")
    if recipe.model.hub.count("/") != 1:
        raise wrong(f"hub “{recipe.model.hub}” is not of the form owner/name.")
    if recipe.kind == "translation" and not recipe.directions:
        raise wrong("it has no direction of translation.")
