"""Which pieces a translation can have, by those of its source: learned from the training pairs.

IBM's Model 1 (Brown et al. 1993): each piece of a target comes from one of the source's pieces, or from none of them,
whatever stands where; expectation–maximisation finds how likely each piece of the target is for each of the source.
The likeliest of every source piece make its row; pieces that stand everywhere are always there. The engine adds the
pieces of the source itself, for names and numbers are copied (`appliance/inference/shortlist.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sentencepiece as spm

from appliance.inference.pieces import SPACE
from appliance.inference.shortlist import Table, save
from models.corpus import Pair
from models.recipe import Recipe

LONGEST = 60  # pieces of one side; longer pairs say little about which piece comes from which, and cost the most
MOST_LINKS = 30_000_000  # source pieces times target pieces over all pairs: bounds memory (about 1 GB) and time
CHUNK = 2_000_000  # links looked at together

Ids = npt.NDArray[np.int32]
Pairs = Sequence[tuple[Sequence[int], Sequence[int]]]  # ids of both sides, without tags and ends


@dataclass(frozen=True)
class Part:
    """The pairs of one corpus, which count `weight` together, as in training: a small one may count much."""

    pairs: Pairs
    weight: float = 1.0

    @property
    def links(self) -> int:
        return sum((len(source) + 1) * len(target) for source, target in self.pairs)

    def turned(self) -> Part:
        return Part([(target, source) for source, target in self.pairs], self.weight)

    def short(self) -> Part:
        """Without the pairs that say little and cost the most, and those with an empty side."""
        sizes = ((pair, (len(pair[0]), len(pair[1]))) for pair in self.pairs)
        return Part([pair for pair, both in sizes if min(both) > 0 and max(both) <= LONGEST], self.weight)


@dataclass(frozen=True)
class Choice:
    """How much of what was learned is kept; docs/speed.md has what other values gave.

    `most` pieces for each source piece, none less likely than `least`; the `frequent` pieces of the target language
    that stand in it most often are always there.
    """

    most: int = 100
    least: float = 0.0003
    frequent: int = 2000
    rounds: int = 5


CHOICE = Choice()


@dataclass(frozen=True)
class Links:
    """Which pieces stood opposite each other, and how likely (0 to 1) the target piece is for the source piece.

    Sorted by source piece; the source piece numbered `vocabulary` stands for none.
    """

    sources: Ids
    targets: Ids
    chances: npt.NDArray[np.float64]


def write_shortlist(recipe: Recipe, pairs: dict[str, list[Pair]], spm_model: Path, out: Path) -> None:
    """Write the lists of every direction of the recipe to `out`."""
    pieces = spm.SentencePieceProcessor(model_file=str(spm_model))
    texts = {name: [(pair.source, pair.target) for pair in rows] for name, rows in pairs.items()}
    parts = [
        Part([tuple(pieces.encode([*pair])) for pair in texts[source.name]], source.weight)
        for source in recipe.corpus.sources
        if source.name in texts
    ]
    tables = {}
    for way in recipe.directions:
        forward = way.source == recipe.corpus.source
        tables[way.source, way.target] = table_of(parts if forward else [part.turned() for part in parts], pieces)
    save(tables, out)


def table_of(parts: Sequence[Part], pieces: spm.SentencePieceProcessor, choice: Choice = CHOICE) -> Table:
    """The lists of one direction from its training pairs."""
    vocabulary = pieces.get_piece_size()
    links = learn(parts, vocabulary, choice.rounds)
    always = _always(parts, pieces, choice.frequent)
    sources, targets = _kept(links, vocabulary, choice)
    sources, targets = _with_twins(sources, targets, pieces)
    new = ~np.isin(targets, always) & (sources != targets)  # those are there without being listed
    rows = np.unique(sources[new].astype(np.int64) * vocabulary + targets[new])
    counts = np.bincount(rows // vocabulary, minlength=vocabulary)
    return Table(counts.astype(np.int64), (rows % vocabulary).astype(np.int64), always)


def learn(parts: Sequence[Part], vocabulary: int, rounds: int) -> Links:
    """Model 1 after so many `rounds`, begun with every piece as likely as any other."""
    chosen = _sample([part.short() for part in parts])
    keys = _different(links for links, *_ in _chunks(chosen, vocabulary))
    index = np.concatenate([_positions(keys, links) for links, *_ in _chunks(chosen, vocabulary)])
    sizes = np.concatenate([sizes for _, sizes, _ in _chunks(chosen, vocabulary)])
    weights = np.concatenate([weights for *_, weights in _chunks(chosen, vocabulary)])
    sources, targets = np.divmod(keys, vocabulary)
    chances = np.ones(len(keys))
    for _ in range(rounds):
        counts = _expected(chances, index, sizes, weights)
        chances = counts / np.bincount(sources, counts, minlength=vocabulary + 1)[sources]
    return Links(sources.astype(np.int32), targets.astype(np.int32), chances)


def _sample(parts: Sequence[Part]) -> list[Part]:
    """Of each corpus, evenly, as many pairs as fit MOST_LINKS together: small ones whole, large ones cut alike."""
    left = MOST_LINKS
    chosen: dict[int, Part] = {}
    by_size = sorted(range(len(parts)), key=lambda number: parts[number].links)
    for done, number in enumerate(by_size):
        part = parts[number]
        step = max(1, -(-part.links * (len(parts) - done) // max(left, 1)))
        chosen[number] = Part(part.pairs[::step], part.weight)
        left -= chosen[number].links
    return [chosen[number] for number in range(len(parts))]


def _chunks(
    parts: Sequence[Part], vocabulary: int
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
    """(links, sizes, weights) of some pairs at a time.

    A link is source · vocabulary + target; those of one target piece, one to each source piece and one to none, stand
    together: there are `sizes` of them, and what they say counts `weights`.
    """
    links: list[npt.NDArray[np.int64]] = []
    sizes: list[npt.NDArray[np.int64]] = []
    weights: list[npt.NDArray[np.float64]] = []
    held = 0
    for part in parts:
        for source, target in part.pairs:
            rows = np.array([*source, vocabulary], np.int64) * vocabulary
            links.append((rows[None, :] + np.asarray(target, np.int64)[:, None]).reshape(-1))
            sizes.append(np.full(len(target), len(rows)))
            weights.append(np.full(len(target), part.weight / len(part.pairs)))
            held += len(links[-1])
            if held >= CHUNK:
                yield np.concatenate(links), np.concatenate(sizes), np.concatenate(weights)
                links, sizes, weights, held = [], [], [], 0
    if links:
        yield np.concatenate(links), np.concatenate(sizes), np.concatenate(weights)


def _different(parts: Iterable[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """All numbers in `parts`, each once, in order."""
    held: list[npt.NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for part in parts:
        held.append(np.unique(part))
        if sum(map(len, held[1:])) > max(4 * CHUNK, len(held[0])):  # rarely, for it sorts them all again
            held = [np.unique(np.concatenate(held))]
    return np.unique(np.concatenate(held))


def _positions(keys: npt.NDArray[np.int64], links: npt.NDArray[np.int64]) -> Ids:
    """Where each of `links` stands in `keys`, which are sorted and hold them all."""
    different, inverse = np.unique(links, return_inverse=True)  # a search in order is many times faster
    found: Ids = np.searchsorted(keys, different).astype(np.int32)[inverse]
    return found


def _expected(
    chances: npt.NDArray[np.float64], index: Ids, sizes: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """How often each pair of pieces is expected to be the true one: each target piece is shared out by its weight."""
    counts = np.zeros(len(chances))
    ends = np.cumsum(sizes)
    first = begun = 0
    while first < len(sizes):
        last = min(len(sizes), int(np.searchsorted(ends, begun + CHUNK)) + 1)
        part = index[begun : ends[last - 1]]
        shares = chances[part]
        starts = ends[first:last] - sizes[first:last] - begun
        shares *= np.repeat(weights[first:last] / np.add.reduceat(shares, starts), sizes[first:last])
        counts += np.bincount(part, shares, minlength=len(chances))
        first, begun = last, int(ends[last - 1])
    return counts


def _kept(links: Links, vocabulary: int, choice: Choice) -> tuple[Ids, Ids]:
    """The (source pieces, target pieces) that are likely enough."""
    real = (links.sources < vocabulary) & (links.chances >= choice.least)
    sources, targets, chances = links.sources[real], links.targets[real], links.chances[real]
    order = np.lexsort((targets, -chances, sources))
    sources, targets = sources[order], targets[order]
    rank = np.arange(len(sources)) - np.searchsorted(sources, sources)
    return sources[rank < choice.most], targets[rank < choice.most]


def _with_twins(sources: Ids, targets: Ids, pieces: spm.SentencePieceProcessor) -> tuple[Ids, Ids]:
    """A name is copied with or without a space before it, as what stands around it wants."""
    twins = []
    for number in range(pieces.get_piece_size()):
        piece = pieces.id_to_piece(number)
        twin = pieces.piece_to_id(piece[1:] if piece.startswith(SPACE) else SPACE + piece)
        if twin != pieces.unk_id():
            twins.append((number, twin))
    found = np.array(twins, np.int32).reshape(-1, 2)
    return np.concatenate([sources, found[:, 0]]), np.concatenate([targets, found[:, 1]])


def _always(parts: Sequence[Part], pieces: spm.SentencePieceProcessor, frequent: int) -> npt.NDArray[np.int64]:
    """The most frequent pieces, and all bytes and single characters, of the target side; its end."""
    counts = np.zeros(pieces.get_piece_size())
    for part in parts:
        written = np.fromiter((piece for _, target in part.pairs for piece in target), np.int64)
        counts += np.bincount(written, minlength=len(counts)) * (part.weight / max(1, len(part.pairs)))
    often = np.argsort(-counts, kind="stable")[:frequent]
    single = [n for n in np.flatnonzero(counts) if pieces.is_byte(int(n)) or _is_short(pieces.id_to_piece(int(n)))]
    digits = [pieces.piece_to_id(f"{before}{digit}") for before in ("", SPACE) for digit in range(10)]
    found = np.union1d(often[counts[often] > 0], np.array([*single, *digits, pieces.eos_id()], np.int64))
    return found[found != pieces.unk_id()]


def _is_short(piece: str) -> bool:
    return len(piece.removeprefix(SPACE)) <= 1
