"""Text and the ids of a translation model, by its SentencePiece models and, where it has one, its vocabulary.

Some models number their pieces as SentencePiece does. Others (OPUS-MT, NLLB) have a table of their own, and OPUS-MT
cuts source and target by two SentencePiece models that share that table. A vocabulary is read as something a stranger
may have written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import sentencepiece as spm

from appliance.errors import EngineError
from appliance.inference.tokenizer import open_sentencepiece
from appliance.packs.manifest import TranslationSettings
from appliance.packs.store import InstalledPack

END, PADDING, UNKNOWN = "</s>", "<pad>", "<unk>"
SPACE = "▁"  # how SentencePiece writes a space
LARGEST_ID = 2**31 - 1

# Pieces that steer a model: its own marks, OPUS-MT's tags, the language codes of NLLB and of M2M100.
STEERING = re.compile(r"<[^<>]+>|>>.+<<|[a-z]{3}_[A-Z][a-z]{3}|__[a-z]{2,4}__")


class Pieces(Protocol):
    """`padding` and `end` are ids; `never_written` are the ids that no text has: padding, tags, unknown."""

    padding: int
    end: int
    never_written: frozenset[int]

    def id_of(self, piece: str) -> int | None:
        """The id of `piece`, None if the model does not know it."""

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without tag and end. What the model has no piece for has the id of the unknown."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without start and end."""


def open_pieces(pack: InstalledPack, settings: TranslationSettings) -> Pieces:
    """The pieces of a translation pack.

    Raises:
        EngineError: a SentencePiece model or the vocabulary is not one, or lacks padding, end or unknown.
    """
    source = open_sentencepiece(pack.path / settings.tokenizer, pack.name)
    if not settings.vocabulary:
        return OwnPieces(source, pack.name)
    target = source
    if settings.target_tokenizer:
        target = open_sentencepiece(pack.path / settings.target_tokenizer, pack.name)
    return ListedPieces(source, target, _read_vocabulary(pack, settings.vocabulary))


class OwnPieces:
    """The ids are SentencePiece's own; its control symbols are never in a text, so a tag typed by a person is text."""

    def __init__(self, processor: spm.SentencePieceProcessor, pack: str) -> None:
        self._processor = processor
        self.padding: int = processor.pad_id()
        self.end: int = processor.eos_id()
        self._unknown: int = processor.unk_id()
        if min(self.padding, self.end, self._unknown) < 0:
            raise EngineError(pack=pack, reason="its SentencePiece model has no padding, no end or no unknown piece")
        control = (piece for piece in range(processor.get_piece_size()) if processor.is_control(piece))
        self.never_written = frozenset({*control, self._unknown})

    def id_of(self, piece: str) -> int | None:
        found: int = self._processor.piece_to_id(piece)
        return None if found == self._unknown else found

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._processor.encode(text)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._processor.decode(list(ids))
        return text


class ListedPieces:
    """The ids are those of a vocabulary: a piece that SentencePiece does not know may stand in it all the same."""

    def __init__(
        self, source: spm.SentencePieceProcessor, target: spm.SentencePieceProcessor, ids: dict[str, int]
    ) -> None:
        self._source, self._target, self._ids = source, target, ids
        self._pieces = {number: piece for piece, number in ids.items()}
        self.padding, self.end, self._unknown = ids[PADDING], ids[END], ids[UNKNOWN]
        steering = [piece for piece in ids if STEERING.fullmatch(piece)]
        unheard = {piece for piece in steering if not _knows(source, piece) and not _knows(target, piece)}
        self.never_written = frozenset(ids[piece] for piece in {PADDING, UNKNOWN, *unheard})

    def id_of(self, piece: str) -> int | None:
        return self._ids.get(piece)

    def encode(self, text: str) -> list[int]:
        return [self._ids.get(piece, self._unknown) for piece in self._source.encode(text, out_type=str)]

    def decode(self, ids: Sequence[int]) -> str:
        pieces = [self._pieces[number] for number in ids if number in self._pieces]
        # A piece of the vocabulary that the target's SentencePiece does not know keeps its mark for a space.
        text: str = self._target.decode_pieces(pieces).replace(SPACE, " ")
        return text.strip()


def _knows(processor: spm.SentencePieceProcessor, piece: str) -> bool:
    """Whether text can be cut into `piece`: control symbols are not text."""
    number = processor.piece_to_id(piece)
    return not processor.is_unknown(number) and not processor.is_control(number)


def _read_vocabulary(pack: InstalledPack, name: str) -> dict[str, int]:
    ids = _read_json(pack.path / name, pack.name)
    if not isinstance(ids, dict) or not all(_is_id(number) for number in ids.values()):
        raise EngineError(pack=pack.name, reason=f"{name} is not a table of pieces and their ids")
    missing = {PADDING, END, UNKNOWN} - set(ids)
    if missing:
        raise EngineError(pack=pack.name, reason=f"{name} lacks {', '.join(sorted(missing))}")
    return ids


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_ID


def _read_json(path: Path, pack: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise EngineError(pack=pack, reason=f"{path.name}: {error}") from error
