"""An embedding pack's card: what it is for and what it takes for something else, with sentences of our own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np

from appliance.inference.embedder import Embedder
from models.card import read_probes
from models.evaluate_embedding import Score
from models.pack import CARD
from models.recipe_embedding import EmbeddingRecipe

SETS = {
    "tatoeba": "short everyday sentences",
    "flores-dev": "sentences of encyclopedias and news, the harder ones",
    "ntrex": "news, long sentences",
}

SHOWN = 3  # mistakes of each pair of languages


@dataclass(frozen=True)
class Mistake:
    """A sentence whose nearest one in the other language is not its translation."""

    source: str
    found: str
    meant: str


def mistakes(embedder: Embedder, source: str, target: str) -> tuple[list[Mistake], int]:
    """The probes of models/probes.tsv not found among each other in another language, and how many there are."""
    pairs = read_probes(source, target)
    if not pairs:
        return [], 0
    likeness = embedder.embed([one for one, _ in pairs]) @ embedder.embed([other for _, other in pairs]).T
    nearest = [int(place) for place in np.argmax(likeness, axis=1)]
    wrong = [Mistake(one, pairs[at][1], other) for (one, other), at in zip(pairs, nearest, strict=True)]
    return [each for each in wrong if each.found != each.meant], len(pairs)


def write_card(recipe: EmbeddingRecipe, folder: Path, embedder: Embedder, scores: Sequence[Score]) -> None:
    """Write `card.md` into the pack in `folder`, in plain English; its manifest has to be written after it."""
    lines = ["## What it is for", "", recipe.about, "", "## What it gets wrong", ""]
    lines += [
        "It measures what a text is about, and hears little of “not”, of numbers and of who does what to whom. Of "
        "sentences of our own that it had never seen, these were nearest to another sentence than their translation:",
        "",
        *_probe_lines(recipe, embedder),
        "",
        "## How good it is",
        "",
        *(_score_line(score) for score in scores),
        "",
        "## What it was made from",
        "",
        f"- {recipe.teacher.title} ({recipe.teacher.licence})",
        *dict.fromkeys(f"- {each.title} ({each.licence})" for each in recipe.sources),
        "",
        f"The pack is licensed {recipe.licence}. Recipe: {recipe.path.name}.",
        "",
    ]
    (folder / CARD).write_text("\n".join(lines), encoding="utf-8")


def _probe_lines(recipe: EmbeddingRecipe, embedder: Embedder) -> Iterator[str]:
    for source, target in permutations(recipe.languages, 2):
        wrong, count = mistakes(embedder, source, target)
        yield f"- {source} → {target}: {len(wrong)} of {count}."
        for each in wrong[:SHOWN]:
            yield f"  - “{each.source}” found “{each.found}”, not “{each.meant}”"


def _score_line(score: Score) -> str:
    beside = "" if score.teacher is None else f" (its teacher, which reads English only: {score.teacher:g})"
    where = SETS.get(score.set, "a set of the recipe")
    return f"- {score.set} ({where}), {score.direction.replace('-', ' → ')}: {score.metric} {score.value:g}{beside}"
