"""A recipe of kind “embedding”: a small multilingual encoder that learns its vectors from an English teacher."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import RecipeError
from models.recipe import Corpus, EvaluationSet, PackRecipe, Source, corpus_of, fill, heading, reading


@dataclass(frozen=True)
class Teacher:
    """A checkpoint whose vectors are learnt: `folder` inside the installed Python package `package`.

    `sha256` is that of its model.safetensors, so that no other weights are taken for it. `most_tokens`: of one text.
    """

    package: str
    folder: str
    sha256: str
    title: str
    licence: str
    url: str
    most_tokens: int = 128


@dataclass(frozen=True)
class Texts:
    """How many pairs are chosen to train on, and a share `joined` of them made of sentences that follow each other.

    `passages` is the weight of the repository's articles as whole passages, beside the weights of the sources, in
    each of their languages; 0 leaves them out.
    """

    pairs: int = 400_000
    joined: float = 0.1
    passages: float = 0.0
    seed: int = 7


@dataclass(frozen=True)
class Tokenizer:
    vocab_size: int = 16_000
    character_coverage: float = 0.9998
    sentences: int = 200_000


@dataclass(frozen=True)
class Student:
    """A BERT encoder as wide as its teacher. `layers` are those of the teacher that it starts from.

    With `start = "random"` only their number counts. `max_positions` is the most tokens of one text.
    """

    layers: tuple[int, ...] = (0, 2, 4)
    start: str = "teacher"
    max_positions: int = 128


@dataclass(frozen=True)
class Train:
    """How long and how. `minutes` counts computing time, over all the stretches of a resumed run.

    `english` is the chance that a text is shown on its English side, otherwise its translation is. `batch_tokens` is
    the number of tokens of one update, padding counted. The table of pieces learns at `embedding_rate` times the rate
    of the layers: each of its rows is seen now and then only. The loss is 1 − cosine to the teacher's vector, plus
    `contrast` times the cross-entropy of finding that vector among those of the batch at `temperature`.
    `bare` and `plain` are chances that a text is shown without its last mark, and without its accents.
    """

    minutes: float = 30.0
    optimizer: str = "adamw"
    peak_rate: float = 5e-4
    embedding_rate: float = 4.0
    warmup_updates: int = 100
    batch_tokens: int = 3000
    english: float = 0.25
    contrast: float = 0.0
    temperature: float = 0.05
    dropout: float = 0.0
    clip: float = 1.0
    average_horizon: int = 500
    bare: float = 0.15
    plain: float = 0.1
    seed: int = 7


@dataclass(frozen=True)
class EmbeddingRecipe(PackRecipe):
    teacher: Teacher
    corpora: tuple[Corpus, ...]
    texts: Texts
    tokenizer: Tokenizer
    student: Student
    train: Train
    evaluation: tuple[EvaluationSet, ...]

    @property
    def sources(self) -> tuple[Source, ...]:
        """Of all corpora, in the order of the recipe."""
        return tuple(source for corpus in self.corpora for source in corpus.sources)


def read_embedding_recipe(path: Path) -> EmbeddingRecipe:
    """Read and check a recipe of kind “embedding”.

    Raises:
        RecipeError: the file is missing, is not TOML, is of another kind, or has a wrong, missing or unknown field.
    """
    with reading(path) as raw:
        student = dict(raw.pop("student", {}))
        recipe = EmbeddingRecipe(
            **heading(raw, path),
            teacher=fill(Teacher, raw.pop("teacher"), "teacher"),
            corpora=tuple(corpus_of(row, "corpora") for row in raw.pop("corpora")),
            texts=fill(Texts, raw.pop("texts", {}), "texts"),
            tokenizer=fill(Tokenizer, raw.pop("tokenizer", {}), "tokenizer"),
            student=fill(Student, {key: _frozen(value) for key, value in student.items()}, "student"),
            train=fill(Train, raw.pop("train", {}), "train"),
            evaluation=tuple(fill(EvaluationSet, row, "evaluation") for row in raw.pop("evaluation", [])),
        )
    _check(recipe)
    return recipe


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check(recipe: EmbeddingRecipe) -> None:
    if recipe.kind != "embedding":
        raise RecipeError(f"{recipe.path}: this is read as kind “embedding”, and it is of kind “{recipe.kind}”.")
    others = [corpus for corpus in recipe.corpora if corpus.source != "en"]
    if others:
        raise RecipeError(f"{recipe.path}: [[corpora]] {others[0].file}: the teacher reads English: source = “en”.")
    if recipe.student.start not in ("teacher", "random"):
        raise RecipeError(f"{recipe.path}: start is “teacher” or “random”, not “{recipe.student.start}”.")
    if not recipe.student.layers:
        raise RecipeError(f"{recipe.path}: layers names no layer of the teacher.")
