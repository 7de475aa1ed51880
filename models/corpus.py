"""Sentence pairs: read, cleaned, held apart from the evaluation sets, and drawn for training.

The shared files are `corpus<TAB>english<TAB>foreign`, zstd-compressed. What comes out of `prepare`
is one such file for the recipe alone, so that training can be resumed without the originals.
"""

from __future__ import annotations

import io
import itertools
import os
import random
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard
from tqdm import tqdm

from models.errors import CorpusError
from models.own import own_pairs
from models.recipe import Corpus, EvaluationSet, Source, Train

_DIGITS = re.compile(r"[0-9]+")
_NUMBER = re.compile(r"[0-9]+(?:[.,:/\u00a0\u202f-][0-9]+)*")


@dataclass(frozen=True)
class Pair:
    source: str
    target: str


def corpora_folder() -> Path:
    """The folder of the corpora: `$BARAZA_CORPORA`, else `../shared/corpora` beside the checkout."""
    named = os.environ.get("BARAZA_CORPORA")
    return Path(named) if named else Path(__file__).resolve().parents[1].parent / "shared" / "corpora"


def prepare(corpus: Corpus, evaluation: tuple[EvaluationSet, ...], folder: Path, out: Path) -> dict[str, int]:
    """Clean the recipe's corpora into `out`; return the number of pairs kept of each.

    Dropped: pairs with an empty side, longer than `max_words`, of very unequal length, equal on both
    sides but for short terms, seen before, or with a side that stands in an evaluation set.

    Raises:
        CorpusError: the file is not there, or holds no pair of a corpus that the recipe names.
    """
    held_out = _evaluation_sentences(evaluation, folder)
    counts = {source.name: 0 for source in corpus.sources}
    seen: set[tuple[str, str]] = set()
    partial = out.with_suffix(".partial")
    with partial.open("wb") as raw, zstandard.ZstdCompressor(level=6).stream_writer(raw) as writer:
        pairs = itertools.chain(_lines(folder / corpus.file), own_pairs(corpus.source, corpus.target))
        for name, english, foreign in tqdm(pairs, unit=" pairs", desc="cleaning", leave=False, disable=None):
            source = _source_of(name, corpus.sources)
            if source is None:
                continue
            pair = (_tidy(english), _tidy(foreign))
            if pair in seen or held_out & set(pair) or not _usable(pair, corpus):
                continue
            seen.add(pair)
            counts[source.name] += 1
            writer.write(f"{source.name}\t{pair[0]}\t{pair[1]}\n".encode())
    missing = [name for name, count in counts.items() if not count]
    if missing:
        raise CorpusError(f"{corpus.file} holds no usable pair of: {', '.join(missing)}. Check `prefix` in the recipe.")
    partial.replace(out)
    return counts


def load(prepared: Path) -> dict[str, list[Pair]]:
    """The prepared pairs by corpus name."""
    by_name: dict[str, list[Pair]] = {}
    for name, source, target in _lines(prepared):
        by_name.setdefault(name, []).append(Pair(source, target))
    return by_name


def read_lines(path: Path) -> list[str]:
    """The lines of an evaluation file.

    Raises:
        CorpusError: the file is not there.
    """
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise CorpusError(
            f"The evaluation file {path} is not there. Set BARAZA_CORPORA to the folder of the corpora."
        ) from None


class Sampler:
    """Draws training pairs without end: corpora by weight, each in shuffled rounds, then some noise.

    The same seed and the same number of draws give the same pairs, so a resumed run goes on where it
    was by drawing from a seed made of its own seed and the number of the pool.
    """

    def __init__(self, pairs: dict[str, list[Pair]], sources: tuple[Source, ...], train: Train, seed: str) -> None:
        self._pairs = pairs
        self._names = [source.name for source in sources]
        self._weights = [source.weight for source in sources]
        self._train = train
        self._random = random.Random(seed)

    def draw(self, count: int) -> list[Pair]:
        names = self._random.choices(self._names, self._weights, k=count)
        return [self._noisy(self._one(name), name) for name in names]

    def flip(self, chance: float) -> bool:
        return self._random.random() < chance

    def shuffle(self, items: list[list[int]]) -> None:
        self._random.shuffle(items)

    def _one(self, name: str) -> Pair:
        return self._random.choice(self._pairs[name])

    def _noisy(self, pair: Pair, name: str) -> Pair:
        """People type in lower case, in capitals, without the full stop, and more than one sentence."""
        train, roll = self._train, self._random.random
        if roll() < train.joined and len(pair.source) < 90:
            other = self._one(name)
            pair = Pair(f"{pair.source} {other.source}", f"{pair.target} {other.target}")
        if roll() < train.renumbered:
            pair = renumbered(pair, self._random)
        if roll() < train.bare_end and pair.source[-1:] in ".!" and pair.target[-1:] in ".!":
            pair = Pair(pair.source[:-1], pair.target[:-1])
        if roll() < train.lower_case:
            return Pair(pair.source.lower(), pair.target)
        if roll() < train.upper_case:
            return Pair(pair.source.upper(), pair.target.upper())
        return pair


def renumbered(pair: Pair, rng: random.Random) -> Pair:
    """The pair with other digits in it, where both sides hold the same numbers; else the pair as it is.

    A number is to be copied, and the corpora hold too few long ones to learn that from. “1” stays, for the words
    around it are in the singular; so do leading zeros. A number that stands alone may grow to seven digits; one that
    is part of another (1,250; 3.5; 14:30) keeps its length.
    """
    runs = _DIGITS.findall(pair.source)
    if not runs or sorted(runs) != sorted(_DIGITS.findall(pair.target)):
        return pair
    whole = _NUMBER.findall(pair.source)
    other = {run: run if run == "1" or run[0] == "0" else _digits(run, run in whole, rng) for run in set(runs)}
    source, target = (_DIGITS.sub(lambda found: other[found[0]], side) for side in (pair.source, pair.target))
    return Pair(source, target)


def _digits(run: str, whole: bool, rng: random.Random) -> str:
    length = rng.randint(len(run), 7) if whole and rng.random() < 0.3 else len(run)
    return str(rng.randint(10 ** (length - 1) if length > 1 else 2, 10**length - 1))


def _lines(path: Path) -> Iterator[tuple[str, str, str]]:
    if not path.is_file():
        raise CorpusError(
            f"The corpus {path} is not there. Set BARAZA_CORPORA to the folder that holds it; "
            "the recipe names the public sources it was made from."
        )
    with path.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
        for number, line in enumerate(io.TextIOWrapper(stream, encoding="utf-8", newline="\n"), 1):
            columns = line.rstrip("\n").split("\t")
            if len(columns) != 3:
                raise CorpusError(
                    f"{path.name}, line {number}: expected corpus, English and foreign, separated by tabs."
                )
            yield columns[0], columns[1], columns[2]


def _source_of(name: str, sources: tuple[Source, ...]) -> Source | None:
    return next((source for source in sources if name.startswith(source.prefix)), None)


def _evaluation_sentences(evaluation: tuple[EvaluationSet, ...], folder: Path) -> set[str]:
    paths = [folder / file for each in evaluation for file in each.files.values()]
    return {_tidy(line) for path in paths for line in read_lines(path)}


def _tidy(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _usable(pair: tuple[str, str], corpus: Corpus) -> bool:
    words = [len(side.split()) for side in pair]
    characters = [len(side) for side in pair]
    if min(words) == 0 or max(words) > corpus.max_words:
        return False
    if pair[0] == pair[1] and words[0] > 3:
        return False
    return max(characters) <= 12 or max(characters) / min(characters) <= corpus.max_length_ratio
