"""How long it takes to find articles for a question: with the starter knowledge, and with 20,000 articles.

    .venv/bin/python -m benchmarks.finding

The 20,000 are made up for size: words of the starter articles, shuffled, so that every question meets as many hits as
there can be. Their vectors are made up as well (learning them would take minutes); the question's own is computed.
Each figure is of the whole way: words, meaning (with the embedding pack), ranking.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from appliance.advice.articles import Article, Face
from appliance.advice.finder import Finder
from appliance.advice.meanings import Meanings, Vectors
from appliance.inference.active import ActiveEmbedder
from benchmarks.advice import Question, embedder, knowledge, questions
from benchmarks.harness import Row, pin, quiet_machine, report
from benchmarks.village import percentile

MANY = 20_000
ASKED = 300
AIMS = {"starter": 0.080, "20000_articles": 0.150}  # seconds, p95
SEED = 20_261_123


class MadeUp:
    """Vectors of questions as they are, of everything else made up: what it takes to compare is the same."""

    def __init__(self, real: ActiveEmbedder) -> None:
        self._real, self._dice = real, np.random.default_rng(SEED)
        self._width = real.embed(["width"]).shape[1]

    @property
    def name(self) -> str:
        return "made up"

    def embed(self, texts: Sequence[str], *, as_query: bool) -> Vectors:
        if as_query:
            return self._real.embed(texts, as_query=True)
        vectors = self._dice.standard_normal((len(texts), self._width), dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def many(articles: Mapping[str, Article], count: int) -> dict[str, Article]:
    """So many articles of the words of `articles`, each in the languages of the one that it was made from."""
    dice, known = random.Random(SEED), list(articles.values())
    words = {
        language: [
            word
            for each in known
            for word in " ".join((each.faces[language].title, *each.faces[language].signs)).split()
        ]
        for language in known[0].faces
    }

    def face(language: str) -> Face:
        def some(number: int) -> str:
            return " ".join(dice.choices(words[language], k=number))

        return Face(
            some(5),
            tuple(some(2) for _ in range(6)),
            tuple(some(9) for _ in range(4)),
            tuple(some(15) for _ in range(5)),
            some(20),
            some(15),
        )

    made = {}
    for number in range(count):
        pattern = dice.choice(known)
        name = f"made-up-{number}"
        made[name] = replace(pattern, id=name, faces={language: face(language) for language in pattern.faces})
    return made


def timed(finder: Finder, asked: Sequence[Question]) -> list[float]:
    """Seconds of each question."""
    taken = []
    for question in asked:
        began = time.perf_counter()
        finder.find(question.text, question.language)
        taken.append(time.perf_counter() - began)
    return taken


def main() -> None:
    """Print the figures."""
    quiet_machine()
    pin(2)
    known, elsewhere = knowledge()
    asked = random.Random(SEED).sample(questions(), ASKED)
    real = embedder()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, articles, model in (
            ("starter", known, real),
            ("20000_articles", many(known, MANY), MadeUp(real)),
        ):
            meanings = Meanings({**articles, **elsewhere}, model, Path(folder) / name)
            meanings.prepare()
            finder = Finder(articles, elsewhere, meanings)
            timed(finder, asked[:20])
            taken = timed(finder, asked)
            rows.append(Row(f"finding_{name}_p50", percentile(taken, 0.5), "s"))
            rows.append(Row(f"finding_{name}_p95", percentile(taken, 0.95), "s", AIMS[name], at_least=False))
    report("finding", rows, {"articles": len(known)})


if __name__ == "__main__":
    main()
