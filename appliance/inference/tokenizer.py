"""Text and the tokens of a model: a SentencePiece model (`.model`) or a Hugging Face tokenizer (`.json`).

What a person typed is never taken for a mark of the model: “<|im_end|>” in a letter is eight letters or so, not the
end of the letter.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import sentencepiece as spm

from appliance.errors import EngineError

SPACE = "▁"  # how SentencePiece writes a space
BYTE = re.compile("<0x[0-9A-F]{2}>")
HALF = "\ufffd"  # what a decoder puts where the bytes do not make a character (yet)


class Tokenizer(Protocol):
    """`size`: ids run from 0 to `size` - 1. Safe to share between threads."""

    @property
    def size(self) -> int: ...

    def encode(self, text: str, *, special: bool = True, marks: bool = False) -> list[int]:
        """The ids of `text`.

        `special`: with what the tokenizer adds by itself, such as a token at the beginning. `marks`: special tokens
        that stand in `text` are meant as such; never say so of what a person typed.
        """

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens left out."""

    def token_id(self, token: str) -> int | None:
        """The id of a token as the tokenizer's file writes it."""

    def spell(self, number: int) -> bytes:
        """What token `number` adds to a text, in UTF-8, perhaps a part of a character; b"" for a mark of the model."""

    @property
    def leading_space(self) -> bool:
        """Whether `decode` takes away a space that the first token begins with."""


def open_tokenizer(path: Path, pack: str) -> Tokenizer:
    """Open a tokenizer by the ending of its name; `pack` names the pack in errors.

    Raises:
        EngineError: the file is not a tokenizer, or the library that reads it is not installed.
    """
    if path.suffix == ".model":
        return SentencePieceTokenizer(path, pack)
    if path.suffix == ".json":
        return FastTokenizer(path, pack)
    raise EngineError(pack=pack, reason=f"{path.name} is no tokenizer: its name ends neither in .model nor in .json")


def open_sentencepiece(path: Path, pack: str) -> spm.SentencePieceProcessor:
    """The SentencePiece model in `path`; `pack` names the pack in errors. Raises EngineError if it is none."""
    try:
        return spm.SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError) as error:
        raise EngineError(pack=pack, reason=f"{path.name}: {error}") from error


class SentencePieceTokenizer:
    """A SentencePiece model with its own ids. It adds no special token by itself."""

    def __init__(self, path: Path, pack: str) -> None:
        self._pieces = open_sentencepiece(path, pack)
        self._size: int = self._pieces.get_piece_size()
        controls = {self._pieces.id_to_piece(number) for number in range(self._size) if self._pieces.is_control(number)}
        self._control = re.compile(f"({'|'.join(map(re.escape, sorted(controls)))})" if controls else r"(?!)()")

    @property
    def size(self) -> int:
        return self._size

    def encode(self, text: str, *, special: bool = True, marks: bool = False) -> list[int]:
        if not marks:
            return self._encode(text)
        ids: list[int] = []
        # Every second part is one that the pattern found.
        for number, part in enumerate(self._control.split(text)):
            ids += [self._pieces.piece_to_id(part)] if number % 2 else self._encode(part)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._pieces.decode([number for number in ids if number < self._size])
        return text

    def token_id(self, token: str) -> int | None:
        found: int = self._pieces.piece_to_id(token)
        return found if self._pieces.id_to_piece(found) == token else None

    def spell(self, number: int) -> bytes:
        if self._pieces.is_control(number) or self._pieces.is_unknown(number) or self._pieces.is_unused(number):
            return b""
        piece: str = self._pieces.id_to_piece(number)
        return _byte(piece) if self._pieces.is_byte(number) else piece.replace(SPACE, " ").encode()

    @property
    def leading_space(self) -> bool:
        first = next((number for number in range(self._size) if self.spell(number)[:1] == b" "), None)
        return first is not None and self.decode([first]) == self.spell(first).decode()[1:]

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._pieces.encode(text)
        return ids


class FastTokenizer:
    """A `tokenizer.json`. The library `tokenizers` is imported here only: few packs need it."""

    def __init__(self, path: Path, pack: str) -> None:
        try:
            from tokenizers import Tokenizer as Library
        except ImportError as error:
            raise EngineError(
                pack=pack, reason=f"{path.name} is read by the Python package tokenizers, which is not installed"
            ) from error
        try:
            self._library: Any = Library.from_file(str(path))
        except Exception as error:  # the library raises a bare Exception for every file it cannot read
            raise EngineError(pack=pack, reason=f"{path.name}: {error}") from error
        # Whole texts are wanted, whatever the file says of cutting and filling them up.
        self._library.no_truncation()
        self._library.no_padding()
        self._one_at_a_time = threading.Lock()

    @property
    def size(self) -> int:
        size: int = self._library.get_vocab_size(with_added_tokens=True)
        return size

    def encode(self, text: str, *, special: bool = True, marks: bool = False) -> list[int]:
        with self._one_at_a_time:
            self._library.encode_special_tokens = not marks
            ids: list[int] = self._library.encode(text, add_special_tokens=special).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._library.decode(list(ids), skip_special_tokens=True)
        return text

    def token_id(self, token: str) -> int | None:
        found: int | None = self._library.token_to_id(token)
        return found

    def spell(self, number: int) -> bytes:
        if number in self._added:
            return self._added[number]
        token: str | None = self._library.id_to_token(number)
        if token is None:
            return b""
        if "ByteLevel" in self._decoders:
            return bytes(BYTES[character] for character in token)
        if "ByteFallback" in self._decoders and BYTE.fullmatch(token):
            return _byte(token)
        return token.replace(SPACE, " ").encode()

    @property
    def leading_space(self) -> bool:
        return bool(self._decoders & {"Strip", "Metaspace"})

    @cached_property
    def _decoders(self) -> set[str]:
        """The kinds of decoder that the file names."""
        state = self._library.decoder.__getstate__() if self._library.decoder else b"{}"
        named = json.loads(state)
        return {str(each.get("type")) for each in (named, *named.get("decoders", []))}

    @cached_property
    def _added(self) -> dict[int, bytes]:
        added = self._library.get_added_tokens_decoder()
        return {number: b"" if token.special else token.content.encode() for number, token in added.items()}


def _byte(piece: str) -> bytes:
    """The byte that a piece like <0xC3> stands for. A space is none: it has a piece of its own, which is decoded
    differently at the beginning of a text.
    """
    number = int(piece[3:5], 16)
    return b"" if number == ord(" ") else bytes([number])


def _byte_characters() -> dict[str, int]:
    """The character that a byte-level tokenizer writes each byte as: itself if it can be seen, else one from 256 on."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    unseen = [byte for byte in range(0x100) if byte not in seen]
    return {chr(byte): byte for byte in seen} | {chr(0x100 + number): byte for number, byte in enumerate(unseen)}


BYTES = _byte_characters()


class TextStream:
    """Turns tokens, one by one, into text that can be shown at once: never half a character.

    A character may be written by several tokens of some bytes each; they wait until it is whole. The pieces that
    `add` and `end` give make up `decode` of all the tokens.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        # Decoded again with each token: those told last, as a tokenizer may treat the first token of a text
        # differently, and those not told yet.
        self._context, self._told = 0, 0

    def add(self, token: int) -> str:
        """What can be shown now that `token` is there; often nothing."""
        self._ids.append(token)
        fresh = self._fresh()
        if not fresh or fresh.endswith(HALF):
            return ""
        self._context, self._told = self._told, len(self._ids)
        return fresh

    def end(self) -> str:
        """What is left when no more tokens come."""
        fresh = self._fresh()
        self._context = self._told = len(self._ids)
        return fresh

    def _fresh(self) -> str:
        before = self._tokenizer.decode(self._ids[self._context : self._told])
        return self._tokenizer.decode(self._ids[self._context :])[len(before) :]
