"""Sentence pairs of our own: the articles' faces and the phrasebook, in the words of the people who use a box."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from appliance.advice.articles import Face, read_articles
from appliance.translation.sentences import split
from models.errors import CorpusError

ROOT = Path(__file__).resolve().parents[1]
KNOWLEDGE = ROOT / "knowledge"
PHRASEBOOK = ROOT / "models" / "phrasebook" / "phrasebook.tsv"


def own_pairs(source: str, target: str) -> Iterator[tuple[str, str, str]]:
    """(corpus, source text, target text) of everything of ours that stands in both languages.

    Raises:
        CorpusError: the phrasebook is not of its form.
        KnowledgeError: an article is not.
    """
    for article in read_articles(KNOWLEDGE).values():
        if source in article.faces and target in article.faces:
            for one, other in _aligned(article.faces[source], article.faces[target]):
                yield "own_knowledge", one, other
    with PHRASEBOOK.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        for number, row in enumerate(rows, 2):
            if None in row.values() or None in row:
                raise CorpusError(f"{PHRASEBOOK.name}, line {number}: not as many columns as the first line has.")
            if source in row and target in row:
                yield "own_phrasebook", row[source], row[target]


def _aligned(one: Face, other: Face) -> Iterator[tuple[str, str]]:
    """The texts of two faces side by side; the longer ones sentence by sentence where both have as many."""
    yield one.title, other.title
    for here, there in ((one.signs, other.signs), (one.first_steps, other.first_steps)):
        if len(here) == len(there):
            yield from zip(here, there, strict=True)
    for here, there in ((one.danger, other.danger), (one.get_help, other.get_help)):
        sentences = [[piece.sentence for piece in split(text) if piece.sentence] for text in (here, there)]
        if len(sentences[0]) == len(sentences[1]):
            yield from zip(*sentences, strict=True)
