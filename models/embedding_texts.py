"""The texts an embedding learns from: English ones, each to get a teacher's vector, and their translations.

One zstd file of `source<TAB>language<TAB>english<TAB>translation`, short English texts first. The English texts in
the order they first appear are numbered from 0, and number n has row n of the teacher's vectors. A line without a
translation (language “en”) stands for an English text alone.
"""

from __future__ import annotations

import io
import random
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import zstandard

from appliance.advice.articles import BODY_LANGUAGE, Face, read_articles
from models import corpus
from models.corpus import Pair
from models.errors import CorpusError
from models.own import KNOWLEDGE
from models.recipe_embedding import EmbeddingRecipe

PASSAGES = "own_passages"  # summaries and paragraphs of the articles
JOINED_WORDS = 70  # the most in one joined text: about a paragraph, and less than the teacher cuts off
JOINED_PIECES = (2, 5)  # how many sentences make one, the second number excluded


@dataclass(frozen=True)
class Line:
    source: str
    language: str
    english: str
    translation: str = ""


@dataclass(frozen=True)
class Example:
    """An English text by number, and its translation ("" where there is none)."""

    number: int
    translation: str


@dataclass
class Texts:
    """`english` by number, and the examples of each source."""

    english: list[str] = field(default_factory=list)
    examples: dict[str, list[Example]] = field(default_factory=dict)


def prepare(recipe: EmbeddingRecipe, corpora: Path, work: Path) -> dict[str, int]:
    """Clean the recipe's corpora and choose what gets a vector; writes `work/texts.tsv.zst`, returns its counts.

    The cleaning is `corpus.prepare`, and holds all evaluation sets of the recipe out of every corpus.

    Raises:
        CorpusError: a file is missing, or holds no pair of a source that the recipe names.
    """
    rng = random.Random(recipe.texts.seed)
    pairs: dict[str, dict[str, list[Pair]]] = {}
    for each in recipe.corpora:
        cleaned = work / f"pairs.{each.target}.tsv.zst"
        corpus.prepare(each, recipe.evaluation, corpora, cleaned)
        pairs[each.target] = corpus.load(cleaned)
    lines = [*_chosen(recipe, pairs, rng), *_passages(recipe)]
    _write(lines, work / "texts.tsv.zst")
    return dict(Counter(f"{line.language} {line.source}" for line in lines))


def load(path: Path) -> Texts:
    """Read what `prepare` wrote. Raises CorpusError."""
    texts = Texts()
    numbers: dict[str, int] = {}
    for line in _read(path):
        number = numbers.setdefault(line.english, len(numbers))
        if number == len(texts.english):
            texts.english.append(line.english)
        texts.examples.setdefault(_key(line.source, line.language), []).append(Example(number, line.translation))
    return texts


def weights(recipe: EmbeddingRecipe, texts: Texts) -> dict[str, float]:
    """How often each source of `texts.examples` is drawn, relative to the others."""
    named = {_key(source.name, each.target): source.weight for each in recipe.corpora for source in each.sources}
    return {key: named.get(key, recipe.texts.passages) for key in texts.examples}


def without_accents(text: str) -> str:
    """As people type who have no accents on their keys: `maiz` for `maíz`."""
    return "".join(sign for sign in unicodedata.normalize("NFD", text) if not unicodedata.combining(sign))


def quotas(sources: Iterable[tuple[str, float, int]], total: int) -> dict[str, int]:
    """Share `total` among (name, weight, most): by weight, what one cannot use going to the others."""
    left = {name: (weight, most) for name, weight, most in sources if weight > 0}
    shares: dict[str, int] = {}
    while left:
        unit = total / sum(weight for weight, _ in left.values())
        full = {name: most for name, (weight, most) in left.items() if most <= weight * unit}
        if not full:
            return shares | {name: int(weight * unit) for name, (weight, _) in left.items()}
        shares |= full
        total -= sum(full.values())
        left = {name: value for name, value in left.items() if name not in full}
    return shares


def joined(pairs: list[Pair], count: int, rng: random.Random) -> Iterator[Pair]:
    """At most `count` texts of several neighbouring pairs: in a book or an article they follow each other."""
    for _ in range(count):
        first = rng.randrange(len(pairs))
        group = pairs[first : first + rng.randrange(*JOINED_PIECES)]
        pair = Pair(" ".join(each.source for each in group), " ".join(each.target for each in group))
        if len(group) > 1 and max(len(side.split()) for side in (pair.source, pair.target)) <= JOINED_WORDS:
            yield pair


def _chosen(recipe: EmbeddingRecipe, pairs: dict[str, dict[str, list[Pair]]], rng: random.Random) -> Iterator[Line]:
    """Of each source its share; first those whose English stands in several languages, as one vector serves all."""
    known = Counter(pair.source for of in pairs.values() for rows in of.values() for pair in rows)
    every = [
        (_key(source.name, each.target), source.weight, len(pairs[each.target].get(source.name, ())))
        for each in recipe.corpora
        for source in each.sources
    ]
    shares = quotas([row for row in every if row[2]], recipe.texts.pairs)
    for each in recipe.corpora:
        for source in each.sources:
            rows = pairs[each.target].get(source.name, [])
            share = shares.get(_key(source.name, each.target), 0)
            long = list(joined(rows, int(share * recipe.texts.joined), rng)) if rows else []
            picked = sorted(rows, key=lambda pair: (-known[pair.source], rng.random()))[: share - len(long)]
            for pair in (*picked, *long):
                yield Line(source.name, each.target, pair.source, pair.target)


def _passages(recipe: EmbeddingRecipe) -> Iterator[Line]:
    """What an article says in a few lines, in its languages, and each paragraph of its English text."""
    if not recipe.texts.passages:
        return
    for article in read_articles(KNOWLEDGE).values():
        english = _tidy(_summary(article.faces[BODY_LANGUAGE]))
        for language in recipe.languages:
            if language != BODY_LANGUAGE and language in article.faces:
                yield Line(PASSAGES, language, english, _tidy(_summary(article.faces[language])))
        for paragraph in article.body.split("\n\n"):
            if len(paragraph.split()) > 3:
                yield Line(PASSAGES, BODY_LANGUAGE, _tidy(paragraph.lstrip("#*- ")))


def _summary(face: Face) -> str:
    return ". ".join((face.title, *face.aliases, *face.signs))


def _key(source: str, language: str) -> str:
    return f"{language} {source}"


def _tidy(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _write(lines: list[Line], path: Path) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as raw, zstandard.ZstdCompressor(level=6).stream_writer(raw) as writer:
        for line in sorted(lines, key=lambda line: (len(line.english), line.english)):
            writer.write(f"{line.source}\t{line.language}\t{line.english}\t{line.translation}\n".encode())
    partial.replace(path)


def _read(path: Path) -> Iterator[Line]:
    with path.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
        for number, line in enumerate(io.TextIOWrapper(stream, encoding="utf-8", newline="\n"), 1):
            columns = line.rstrip("\n").split("\t")
            if len(columns) != 4:
                raise CorpusError(f"{path.name}, line {number}: four columns were expected, there are {len(columns)}.")
            yield Line(*columns)
