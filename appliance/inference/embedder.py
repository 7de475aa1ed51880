"""An embedding pack, opened: texts in, one vector each; texts that say the same get vectors that lie close."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from appliance.errors import EngineError
from appliance.inference.session import open_session
from appliance.inference.tokenizer import Tokenizer, open_tokenizer
from appliance.limits import LIMITS, Limits
from appliance.packs.manifest import EmbeddingSettings
from appliance.packs.store import InstalledPack

Vectors = npt.NDArray[np.float32]

BEGIN, END = "<s>", "</s>"  # what a text is framed with, where the pack's tokenizer is a SentencePiece model
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUT = "last_hidden_state"


class Embedder:
    """Gives texts their vectors with one pack; safe to share between threads.

    A text's vector does not depend on the texts that share its batch, but for the rounding of fp32 (1e-6): in int8,
    too, every token has a scale of its own (`models/convert/row_products.py`).
    """

    def __init__(self, pack: InstalledPack, threads: int, limits: Limits = LIMITS) -> None:
        """Open `pack`.

        Raises:
            EngineError: the graph or the tokenizer cannot be used, or they do not fit together.
        """
        settings = pack.manifest.embedding
        if settings is None:
            raise EngineError(pack=pack.name, reason="it is not an embedding pack")
        self.pack, self._settings, self._limits = pack, settings, limits
        self._tokenizer = open_tokenizer(pack.path / settings.tokenizer, pack.name)
        self._begin, self._end = _frame(self._tokenizer, settings)
        self._session = open_session(pack.path / settings.graph, pack.name, threads, arena=True)
        self._inputs = {value.name for value in self._session.get_inputs()}
        if not set(INPUTS[:2]) <= self._inputs <= set(INPUTS):
            raise EngineError(pack=pack.name, reason=f"{settings.graph} does not take {INPUTS[0]} and {INPUTS[1]}")
        shapes = {value.name: value.shape for value in self._session.get_outputs()}
        if shapes.get(OUTPUT, [0])[-1] != settings.dimensions:
            raise EngineError(
                pack=pack.name, reason=f"{settings.graph} does not give {OUTPUT} of {settings.dimensions} dimensions"
            )

    @property
    def dimensions(self) -> int:
        return self._settings.dimensions

    def embed(self, texts: Sequence[str], *, as_query: bool = False) -> Vectors:
        """The vectors of `texts`, L2-normalised: float32 (texts, dimensions).

        A text of more tokens than the model takes counts with its beginning only. A blank text has no meaning to
        measure: its vector is all zeros, so that its likeness to every text is 0. `as_query`: the texts are what
        somebody looks for, not what is looked through; some models are taught to tell the two apart.

        Raises:
            EngineError: the graph failed.
        """
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        encoded = [self.encode(text, as_query=as_query) for text in texts]
        for numbers in self._batches(encoded):
            vectors[numbers] = self._run([encoded[number] for number in numbers])
        return vectors

    def encode(self, text: str, *, as_query: bool = False) -> list[int]:
        """The ids the model is given for `text`, its frame included; none for a blank one."""
        if not text.strip():
            return []
        prefix = self._settings.query if as_query else self._settings.passage
        ids = [*self._begin, *self._tokenizer.encode(prefix + text), *self._end]
        most = self._settings.most_tokens
        return ids if len(ids) <= most else [*ids[: most - 1], ids[-1]]  # the last id closes the frame

    def _batches(self, encoded: list[list[int]]) -> Iterator[list[int]]:
        """Numbers of texts that share a batch: of like length, as padding is work for nothing; no blank ones."""
        order = sorted((number for number, ids in enumerate(encoded) if ids), key=lambda number: len(encoded[number]))
        batch: list[int] = []
        for number in order:
            pieces = len(encoded[number]) * (len(batch) + 1)
            if batch and (len(batch) >= self._limits.batch_sentences or pieces > self._limits.batch_pieces):
                yield batch
                batch = []
            batch.append(number)
        if batch:
            yield batch

    def _run(self, rows: list[list[int]]) -> Vectors:
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            mask[number, : len(row)] = 1
        given = dict(zip(INPUTS, (ids, mask, np.zeros_like(ids)), strict=True))
        try:
            (hidden,) = self._session.run([OUTPUT], {name: given[name] for name in self._inputs})
        except Exception as error:  # onnxruntime's own exceptions have no common base but Exception
            raise EngineError(pack=self.pack.name, reason=str(error)) from error
        return _normalised(hidden[:, 0] if self._settings.pooling == "cls" else _mean(hidden, mask))


def _frame(tokenizer: Tokenizer, settings: EmbeddingSettings) -> tuple[list[int], list[int]]:
    """The ids before and after a text. A `tokenizer.json` brings its own frame; a SentencePiece model names it."""
    if not settings.tokenizer.endswith(".model"):
        return [], []
    begin, end = tokenizer.token_id(BEGIN), tokenizer.token_id(END)
    return [] if begin is None else [begin], [] if end is None else [end]


def _mean(hidden: Vectors, mask: npt.NDArray[np.int64]) -> Vectors:
    """The mean of `hidden` (rows, tokens, dimensions) over the tokens of `mask`: (rows, dimensions)."""
    chosen = mask.astype(np.float32)
    mean: Vectors = np.matmul(chosen[:, None, :], hidden)[:, 0] / chosen.sum(axis=1, keepdims=True)
    return mean


def _normalised(vectors: Vectors) -> Vectors:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: Vectors = vectors / np.maximum(length, np.float32(1e-12))
    return result
