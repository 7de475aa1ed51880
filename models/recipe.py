"""A recipe: everything that decides how a pack is made, read from one TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from appliance.packs.manifest import Way
from models.errors import RecipeError

T = TypeVar("T")

HEADING = ("name", "version", "kind", "title", "languages", "licence", "about")


@dataclass(frozen=True)
class Source:
    """One corpus of sentence pairs.

    `weight` is the share of the training sentences drawn from it, relative to the others: lopsided
    domains are kept but weighed down. `prefix` selects the lines of the shared files by their first
    column, so that `bible_web` takes `bible_web_rv1909`.
    """

    name: str
    prefix: str
    weight: float
    licence: str
    title: str
    url: str
    revision: str = ""


@dataclass(frozen=True)
class Corpus:
    """Which file of `corpus<TAB>english<TAB>foreign` lines, beside the recipe or in the corpora, and which of it.

    Two corpora are our own and come with the repository: `own_knowledge` (titles, signs, steps and warnings
    of the articles, which stand in several languages) and `own_phrasebook` (models/phrasebook).
    """

    file: str
    source: str
    target: str
    sources: tuple[Source, ...]
    max_words: int = 60
    max_length_ratio: float = 2.5


@dataclass(frozen=True)
class Tokenizer:
    """`method`: SentencePiece's “unigram”, or “bpe” for little text.

    Unigram begins with strings that stand in two different words, so that a word which stands in no other one is
    always cut up, however frequent it is; where words are few, these are many of them.
    """

    vocab_size: int = 8000
    character_coverage: float = 0.9998
    sentences: int = 400_000
    method: str = "unigram"


@dataclass(frozen=True)
class Model:
    """The shape of a MarianMT model (see `transformers.MarianConfig`)."""

    d_model: int = 256
    encoder_layers: int = 4
    decoder_layers: int = 2
    ffn_dim: int = 1024
    attention_heads: int = 4
    max_positions: int = 256
    activation: str = "relu"


@dataclass(frozen=True)
class Train:
    """How long and how. `minutes` counts computing time, over all the stretches of a resumed run.

    `updates`, if there are any, end it as well, and it then learns the same on a slow machine as on a fast one.

    `start_from` names a recipe whose trained weights are taken over: the layers as they are, the embedding of each
    piece from the same piece of the other vocabulary, or from the pieces that it is made of there.

    `batch_tokens` is the number of source plus target tokens of one update; it grows to
    `batch_tokens_late` once `late_after` of the time is over. Label smoothing and dropout begin after
    `plain_updates`: on a CPU's few updates they keep attention to the source from forming.

    The last five are chances that a pair is shown with some noise: its source in lower case, all of it in
    capitals, without the full stop, with another pair after it, with other digits in its numbers.
    """

    minutes: float = 100.0
    updates: int = 0
    start_from: str = ""
    optimizer: str = "adamw"
    peak_rate: float = 1e-3
    warmup_updates: int = 600
    batch_tokens: int = 3000
    batch_tokens_late: int = 6000
    late_after: float = 0.5
    plain_updates: int = 1500
    label_smoothing: float = 0.1
    dropout: float = 0.1
    clip: float = 1.0
    average_horizon: int = 1000
    seed: int = 7
    lower_case: float = 0.02
    upper_case: float = 0.01
    bare_end: float = 0.05
    joined: float = 0.05
    renumbered: float = 0.0


@dataclass(frozen=True)
class EvaluationSet:
    """Two files of one sentence a line, `source_file` in English for English–X sets."""

    name: str
    files: dict[str, str]


@dataclass(frozen=True)
class PackRecipe:
    """What every recipe says of the pack it makes; `path` is its own file."""

    name: str
    version: str
    kind: str
    title: str
    languages: tuple[str, ...]
    licence: str
    about: str
    path: Path


@dataclass(frozen=True)
class Recipe(PackRecipe):
    directions: tuple[Way, ...]
    corpus: Corpus
    tokenizer: Tokenizer
    model: Model
    train: Train
    evaluation: tuple[EvaluationSet, ...]
    selftest: dict[str, str]


def read_recipe(path: Path, profile: str = "cpu") -> Recipe:
    """Read and check a recipe; with the profile “gpu”, what its table [gpu] says goes before [model] and [train].

    Raises:
        RecipeError: the file is missing, is not TOML, or has a wrong, missing or unknown field.
    """
    with reading(path) as raw:
        special = raw.pop("gpu", {})
        if profile == "gpu":
            for table in ("model", "train"):
                raw[table] = {**raw.get(table, {}), **special.get(table, {})}
        corpus = dict(raw.pop("corpus"))
        if "file" in corpus:
            corpus["file"] = _beside(path, corpus["file"])
        recipe = Recipe(
            **heading(raw, path),
            directions=tuple(fill(Way, row, "directions") for row in raw.pop("directions")),
            corpus=corpus_of(corpus, "corpus"),
            tokenizer=fill(Tokenizer, raw.pop("tokenizer", {}), "tokenizer"),
            model=fill(Model, raw.pop("model", {}), "model"),
            train=fill(Train, raw.pop("train", {}), "train"),
            evaluation=tuple(_evaluation_set(path, row) for row in raw.pop("evaluation", [])),
            selftest=dict(raw.pop("selftest", {})),
        )
    if recipe.kind != "translation":
        raise RecipeError(f"{path}: this factory trains kind “translation” only, not “{recipe.kind}”.")
    return recipe


@contextmanager
def reading(path: Path) -> Iterator[dict[str, Any]]:
    """The fields of the recipe in `path`, for a block that takes them out one by one.

    Raises:
        RecipeError: the file is missing or is not TOML; the block asked for a field that is missing, or left one.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"There is no recipe at {path}. `baraza-factory list` shows those there are.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not valid TOML: {error}") from error
    try:
        yield raw
    except KeyError as missing:
        raise RecipeError(f"{path}: the field {missing} is missing.") from None
    if raw:
        raise RecipeError(f"{path}: unknown field(s) {', '.join(sorted(raw))}.")


def heading(raw: dict[str, Any], path: Path) -> dict[str, Any]:
    """The fields of `PackRecipe`, taken out of `raw`."""
    told = {name: raw.pop(name) for name in HEADING}
    return {**told, "languages": tuple(told["languages"]), "path": path}


def corpus_of(row: dict[str, Any], where: str) -> Corpus:
    """A corpus and its sources, told in table [`where`]."""
    values = dict(row)
    sources = tuple(fill(Source, each, f"{where}.sources") for each in values.pop("sources"))
    return fill(Corpus, {**values, "sources": sources}, where)


def _evaluation_set(recipe: Path, row: dict[str, Any]) -> EvaluationSet:
    read = fill(EvaluationSet, row, "evaluation")
    return replace(read, files={language: _beside(recipe, file) for language, file in read.files.items()})


def _beside(recipe: Path, file: str) -> str:
    """The path of a file that lies beside the recipe; else its name, for the folder of the corpora."""
    here = recipe.resolve().parent / file
    return str(here) if here.is_file() else file


def read_any_recipe(path: Path) -> Any:
    """A recipe of whatever kind: `Recipe`, `EmbeddingRecipe` or `PublicRecipe`. Raises RecipeError."""
    from models.recipe_embedding import read_embedding_recipe
    from models.recipe_public import read_public_recipe

    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        raw = {}  # the reader below says what is wrong
    model = raw.get("model", {})
    if isinstance(model, dict) and "hub" in model:
        return read_public_recipe(path)
    return read_embedding_recipe(path) if raw.get("kind") == "embedding" else read_recipe(path)


def fill(kind: type[T], values: dict[str, Any], where: str) -> T:
    """A `kind` made of the fields of table [`where`]. Raises RecipeError for an unknown or a missing one."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    unknown = set(values) - known
    if unknown:
        raise RecipeError(
            f"[{where}]: unknown field(s) {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}."
        )
    try:
        return kind(**values)
    except TypeError as error:
        raise RecipeError(f"[{where}]: {error}") from error
