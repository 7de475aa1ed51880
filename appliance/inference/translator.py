"""A translation pack, opened: sentences in, sentences out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from appliance.errors import EngineError, UnknownLanguagePairError
from appliance.inference.pieces import open_pieces
from appliance.inference.search import LEAST_REPEATS, Hypothesis, Vocabulary, repeats_of, search
from appliance.inference.seq2seq import Seq2Seq
from appliance.limits import LIMITS, Limits
from appliance.packs.manifest import Way
from appliance.packs.store import InstalledPack


@dataclass(frozen=True)
class Steering:
    """How a direction is told to the model: the ids before a source and at the beginning of a target, if there are."""

    tag: tuple[int, ...]
    first: int | None


@dataclass(frozen=True)
class Translated:
    """One sentence.

    `cut`: the source was too long for the model and its end was left out; `held`: the model went round in circles, and
    was kept from it.
    """

    text: str
    cut: bool = False
    held: bool = False


def never() -> bool:
    """The work is never cancelled."""
    return False


def ignore(_number: int, _sentence: Translated) -> None:
    """Nobody follows the progress."""


class Translator:
    """Translates sentences in the directions of one pack; safe to share between threads."""

    def __init__(self, pack: InstalledPack, threads: int, limits: Limits = LIMITS) -> None:
        """Open `pack`.

        Raises:
            EngineError: a graph, a SentencePiece model or the vocabulary cannot be used, or they do not fit together.
        """
        settings = pack.manifest.translation
        if settings is None:
            raise EngineError(pack=pack.name, reason="it is not a translation pack")
        self.pack = pack
        self._limits = limits
        self._graphs = Seq2Seq(pack.path / settings.encoder, pack.path / settings.decoder, pack.name, threads)
        self._pieces = open_pieces(pack, settings)
        self._ways = {(way.source, way.target): self._steering(way) for way in settings.directions}
        end = self._pieces.end
        self._vocabulary = Vocabulary(
            start=self._id_of(settings.start) if settings.start else self._pieces.padding,
            end=end,
            forbidden=tuple(sorted(self._pieces.never_written - {end})),
        )
        places = settings.positions or max(limits.source_pieces, limits.target_pieces + 2)
        self._source_pieces = min(limits.source_pieces, places)
        self._target_pieces = min(limits.target_pieces, places - 2)  # the start and a first piece take places too

    @property
    def directions(self) -> frozenset[tuple[str, str]]:
        return frozenset(self._ways)

    def translate(
        self,
        sentences: Sequence[str],
        source: str,
        target: str,
        *,
        beam: int = 1,
        cancelled: Callable[[], bool] = never,
        on_done: Callable[[int, Translated], None] = ignore,
        accept: Callable[[str, str], bool] | None = None,
    ) -> list[Translated]:
        """Translate each of `sentences`; a blank one stays as it is.

        `cancelled` is asked before every step; `on_done(number, sentence)` is called as each is ready,
        short ones first. `accept(sentence, translation)` chooses among what the search found anyway: the best
        translation that it accepts is taken, else the best.

        Raises:
            UnknownLanguagePairError: the pack does not translate `source` to `target`.
            CancelledError: `cancelled()` was true.
        """
        way = self._way(source, target)
        encoded = [self._encode(sentence, way) for sentence in sentences]
        results = [Translated(sentence) for sentence in sentences]

        def finish(number: int, hypotheses: list[Hypothesis]) -> None:
            cut = len(encoded[number]) > self._source_pieces
            found = (Translated(self._pieces.decode(each.tokens), cut, each.held) for each in hypotheses)
            results[number] = next(found) if accept is None else _first(found, sentences[number], accept)
            on_done(number, results[number])

        for numbers in self._batches(encoded, blank=len(way.tag) + 1):
            shortened = [self._shorten(encoded[number]) for number in numbers]
            self._search(
                shortened,
                way.first,
                beam,
                cancelled,
                lambda row, hypotheses, of=numbers: finish(of[row], hypotheses),  # type: ignore[misc]
                guarded=True,
            )
        return results

    def _batches(self, encoded: list[list[int]], blank: int = 2) -> Iterator[list[int]]:
        """Numbers of sentences that share a batch: of like length, as padding is work for nothing.

        Blank sentences, of `blank` ids or fewer, are in none.
        """
        order = sorted((n for n, ids in enumerate(encoded) if len(ids) > blank), key=lambda n: len(encoded[n]))
        batch: list[int] = []
        for number in order:
            pieces = min(len(encoded[number]), self._source_pieces) * (len(batch) + 1)
            if batch and (len(batch) >= self._limits.batch_sentences or pieces > self._limits.batch_pieces):
                yield batch
                batch = []
            batch.append(number)
        if batch:
            yield batch

    def decode_ids(
        self, sources: Sequence[Sequence[int]], limit: int, beam: int = 1, first: str = ""
    ) -> list[list[int]]:
        """Target ids for source ids (tag and end included), at most `limit` each, unguarded: what tests compare.

        The piece `first`, with which the targets are made to begin, is not among them.
        """
        found: dict[int, list[int]] = {}
        begin = self._id_of(first) if first else None

        def keep(number: int, hypotheses: list[Hypothesis]) -> None:
            found[number] = hypotheses[0].tokens

        self._search([list(ids) for ids in sources], begin, beam, never, keep, limit)
        return [found[number] for number in range(len(sources))]

    def encode(self, sentence: str, source: str, target: str) -> list[int]:
        """The ids the model is given for `sentence`: tag if there is one, pieces, end."""
        return self._encode(sentence, self._way(source, target))

    def _search(
        self,
        sources: list[list[int]],
        first: int | None,
        beam: int,
        cancelled: Callable[[], bool],
        on_done: Callable[[int, list[Hypothesis]], None],
        limit: int | None = None,
        guarded: bool = False,
    ) -> None:
        longest = max(map(len, sources))
        ids = np.full((len(sources), longest), self._pieces.padding, np.int64)
        mask = np.zeros_like(ids)
        for row, source in enumerate(sources):
            ids[row, : len(source)] = source
            mask[row, : len(source)] = 1
        limits = [limit or self._target_limit(len(source)) for source in sources]
        decoding = self._graphs.start(self._graphs.encode(ids, mask), mask)
        vocabulary = self._vocabulary
        if first is not None:
            # What the model makes of its start is not asked: the target is told how to begin, and goes on from there.
            rows = np.arange(len(sources), dtype=np.int64)
            decoding.step(np.full(len(sources), vocabulary.start, np.int64), rows, rows)
            vocabulary = replace(vocabulary, start=first)
        repeats = [max(LEAST_REPEATS, repeats_of(source)) for source in sources] if guarded else None
        search(decoding, limits, vocabulary, min(beam, self._limits.beam), cancelled, on_done, repeats)

    def _target_limit(self, pieces: int) -> int:
        return min(self._target_pieces, int(pieces * self._limits.target_growth) + self._limits.target_slack)

    def _way(self, source: str, target: str) -> Steering:
        way = self._ways.get((source, target))
        if way is None:
            installed = ", ".join(f"{one}→{other}" for one, other in sorted(self._ways))
            raise UnknownLanguagePairError(source=source, target=target, installed=installed)
        return way

    def _encode(self, sentence: str, way: Steering) -> list[int]:
        return [*way.tag, *self._pieces.encode(sentence), self._vocabulary.end]

    def _shorten(self, ids: list[int]) -> list[int]:
        most = self._source_pieces
        return ids if len(ids) <= most else [*ids[: most - 1], ids[-1]]

    def _steering(self, way: Way) -> Steering:
        return Steering((self._id_of(way.tag),) if way.tag else (), self._id_of(way.first) if way.first else None)

    def _id_of(self, piece: str) -> int:
        found = self._pieces.id_of(piece)
        if found is None:
            raise EngineError(pack=self.pack.name, reason=f"its vocabulary has no tag {piece}")
        return found


def _first(found: Iterator[Translated], sentence: str, accept: Callable[[str, str], bool]) -> Translated:
    """The first of `found` that `accept` takes for `sentence`, else the first of all."""
    best = next(found)
    return next((each for each in chain([best], found) if accept(sentence, each.text)), best)
