"""A translation pack, opened: sentences in, sentences out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sentencepiece as spm

from appliance.errors import EngineError, UnknownLanguagePairError
from appliance.inference.search import Vocabulary, search
from appliance.inference.seq2seq import Seq2Seq
from appliance.limits import LIMITS, Limits
from appliance.packs.store import InstalledPack


@dataclass(frozen=True)
class Translated:
    """One sentence. `cut` says that the source was too long for the model and its end was left out."""

    text: str
    cut: bool = False


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
            EngineError: a graph or the SentencePiece model cannot be used, or they do not fit together.
        """
        settings = pack.manifest.translation
        if settings is None:
            raise EngineError(pack=pack.name, reason="it is not a translation pack")
        self.pack = pack
        self._limits = limits
        self._graphs = Seq2Seq(pack.path / settings.encoder, pack.path / settings.decoder, pack.name, threads)
        try:
            self._pieces = spm.SentencePieceProcessor(model_file=str(pack.path / settings.tokenizer))
        except (OSError, RuntimeError) as error:
            raise EngineError(pack=pack.name, reason=f"{settings.tokenizer}: {error}") from error
        self._tags = {(way.source, way.target): self._tag_id(way.tag) for way in settings.directions}
        control = (piece for piece in range(self._pieces.get_piece_size()) if self._pieces.is_control(piece))
        end, unknown = self._pieces.eos_id(), self._pieces.unk_id()
        self._vocabulary = Vocabulary(
            start=self._pieces.pad_id(),
            end=end,
            forbidden=tuple(sorted({*control, unknown} - {end})),
        )

    @property
    def directions(self) -> frozenset[tuple[str, str]]:
        return frozenset(self._tags)

    def translate(
        self,
        sentences: Sequence[str],
        source: str,
        target: str,
        *,
        beam: int = 1,
        cancelled: Callable[[], bool] = never,
        on_done: Callable[[int, Translated], None] = ignore,
    ) -> list[Translated]:
        """Translate each of `sentences`; a blank one stays as it is.

        `cancelled` is asked before every step; `on_done(number, sentence)` is called as each is ready,
        short ones first.

        Raises:
            UnknownLanguagePairError: the pack does not translate `source` to `target`.
            CancelledError: `cancelled()` was true.
        """
        encoded = [self._encode(sentence, source, target) for sentence in sentences]
        results = [Translated(sentence) for sentence in sentences]

        def finish(number: int, tokens: list[int]) -> None:
            results[number] = Translated(self._pieces.decode(tokens), len(encoded[number]) > self._limits.source_pieces)
            on_done(number, results[number])

        for numbers in self._batches(encoded):
            shortened = [self._shorten(encoded[number]) for number in numbers]
            self._search(shortened, beam, cancelled, lambda row, tokens, of=numbers: finish(of[row], tokens))  # type: ignore[misc]
        return results

    def _batches(self, encoded: list[list[int]]) -> Iterator[list[int]]:
        """Numbers of sentences that share a batch: of like length, as padding is work for nothing; no blank ones."""
        order = sorted((n for n, ids in enumerate(encoded) if len(ids) > 2), key=lambda n: len(encoded[n]))
        batch: list[int] = []
        for number in order:
            pieces = min(len(encoded[number]), self._limits.source_pieces) * (len(batch) + 1)
            if batch and (len(batch) >= self._limits.batch_sentences or pieces > self._limits.batch_pieces):
                yield batch
                batch = []
            batch.append(number)
        if batch:
            yield batch

    def decode_ids(self, sources: Sequence[Sequence[int]], limit: int, beam: int = 1) -> list[list[int]]:
        """Target ids for source ids (tag and end included), at most `limit` each: what tests compare."""
        found: dict[int, list[int]] = {}
        self._search([list(ids) for ids in sources], beam, never, found.__setitem__, limit)
        return [found[number] for number in range(len(sources))]

    def encode(self, sentence: str, source: str, target: str) -> list[int]:
        """The ids the model is given for `sentence`: tag, pieces, end."""
        return self._encode(sentence, source, target)

    def _search(
        self,
        sources: list[list[int]],
        beam: int,
        cancelled: Callable[[], bool],
        on_done: Callable[[int, list[int]], None],
        limit: int | None = None,
    ) -> None:
        longest = max(map(len, sources))
        ids = np.full((len(sources), longest), self._vocabulary.start, np.int64)
        mask = np.zeros_like(ids)
        for row, source in enumerate(sources):
            ids[row, : len(source)] = source
            mask[row, : len(source)] = 1
        limits = [limit or self._target_limit(len(source)) for source in sources]
        decoding = self._graphs.start(self._graphs.encode(ids, mask), mask)
        search(decoding, limits, self._vocabulary, min(beam, self._limits.beam), cancelled, on_done)

    def _target_limit(self, pieces: int) -> int:
        return min(self._limits.target_pieces, int(pieces * self._limits.target_growth) + self._limits.target_slack)

    def _encode(self, sentence: str, source: str, target: str) -> list[int]:
        tag = self._tags.get((source, target))
        if tag is None:
            installed = ", ".join(f"{one}→{other}" for one, other in sorted(self._tags))
            raise UnknownLanguagePairError(source=source, target=target, installed=installed)
        return [tag, *self._pieces.encode(sentence), self._vocabulary.end]

    def _shorten(self, ids: list[int]) -> list[int]:
        most = self._limits.source_pieces
        return ids if len(ids) <= most else [*ids[: most - 1], ids[-1]]

    def _tag_id(self, tag: str) -> int:
        piece: int = self._pieces.piece_to_id(tag)
        if piece == self._pieces.unk_id():
            raise EngineError(pack=self.pack.name, reason=f"its vocabulary has no tag {tag}")
        return piece
