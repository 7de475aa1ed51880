"""The vocabulary of a multilingual student, and a meaning for each of its pieces to start from.

A piece of another language begins as the mean of the teacher's English pieces that it is aligned with in the
translations (IBM Model 1, Brown et al. 1993; “trans-tokenization”, Remy et al. 2024), an English one as the mean of
the teacher's pieces that spell it. So the student reads all its languages as rough English from the first update.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sentencepiece as spm
from tokenizers import Tokenizer

from models.embedding_texts import Texts
from models.recipe_embedding import EmbeddingRecipe

PAD, UNK, BOS, EOS = 0, 1, 2, 3
SPACE = "▁"
ROUNDS = 5  # of expectation maximisation
LEAST_SHARE = 0.02  # of a translation table's row: less is noise
MOST_PIECES = 40  # of a sentence that is aligned: the work grows with the product of both lengths

Ids = list[int]
Table = npt.NDArray[np.float32]


def train_vocabulary(recipe: EmbeddingRecipe, texts: Texts, shares: dict[str, float], out: Path) -> None:
    """Write `out`, a SentencePiece model over all languages, each source by its share; case is folded."""
    rng = random.Random(recipe.texts.seed)
    total = sum(shares.values())
    sentences: list[str] = []
    for key, rows in texts.examples.items():
        count = min(len(rows), int(recipe.tokenizer.sentences / 2 * shares[key] / total) + 1)
        for example in rng.sample(rows, count):
            sentences += [texts.english[example.number], example.translation]
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(filter(None, sentences)),
        model_writer=model,
        model_type="unigram",
        vocab_size=recipe.tokenizer.vocab_size,
        character_coverage=recipe.tokenizer.character_coverage,
        normalization_rule_name="nmt_nfkc_cf",
        byte_fallback=True,
        split_digits=True,
        pad_id=PAD,
        unk_id=UNK,
        bos_id=BOS,
        eos_id=EOS,
        num_threads=2,
        minloglevel=1,
    )
    partial = out.with_suffix(".partial")
    partial.write_bytes(model.getvalue())
    partial.replace(out)


def first_embedding(
    processor: spm.SentencePieceProcessor,
    english: Tokenizer,
    table: Table,
    texts: Texts,
    most: int = 40_000,
    seed: int = 7,
) -> Table:
    """A row for each piece of `processor`, out of the teacher's `table` (teacher's vocabulary, D).

    `english` is the teacher's tokenizer, with no padding. A piece that several languages use gets the mean of what it
    means in each, by how often it stands there, from `most` pairs of each language.
    """
    rng = random.Random(seed)
    size = processor.get_piece_size()
    sums, counts = np.zeros((size, table.shape[1]), np.float64), np.zeros(size)
    for language, pairs in _pairs(texts).items():
        sample = rng.sample(pairs, min(most, len(pairs)))
        ours = processor.encode([theirs for _, theirs in sample])
        theirs = [encoding.ids for encoding in english.encode_batch([text for text, _ in sample], False)]
        seen = np.bincount(np.concatenate([np.array(ids, np.int64) for ids in ours]), minlength=size)
        if language == "en":
            rows = np.array([_spelled(processor.id_to_piece(piece), english, table) for piece in range(size)])
        else:
            rows = align(ours, theirs, size, len(table)) @ table
        known = np.abs(rows).sum(axis=1) > 0
        sums[known] += (rows * seen[:, None])[known]
        counts[known] += seen[known]
    return _scaled(sums, counts, table, english)


def align(ours: Sequence[Ids], theirs: Sequence[Ids], our_size: int, their_size: int) -> Table:
    """t(their piece | our piece) of IBM Model 1, dense: (our_size, their_size); a row that was never seen is zero.

    BOS stands in every sentence of ours for the pieces of theirs that translate nothing.
    """
    left, right, place = _together(ours, theirs)
    keys, entry = np.unique(left * their_size + right, return_inverse=True)
    piece = keys // their_size
    chance = np.ones(len(keys))
    for _ in range(ROUNDS):
        now = chance[entry]
        now /= np.bincount(place, now)[place]
        chance = np.bincount(entry, now)
        chance /= np.bincount(piece, chance, our_size)[piece]
    chance[chance < LEAST_SHARE] = 0
    result = np.zeros((our_size, their_size), np.float32)
    result[piece, keys % their_size] = chance
    return result / np.maximum(result.sum(axis=1, keepdims=True), 1e-9)


def _together(ours: Sequence[Ids], theirs: Sequence[Ids]) -> tuple[npt.NDArray[np.int64], ...]:
    """All meetings of a piece of ours with one of theirs in a pair: both ids, and which place of the text it was."""
    left, right, place, next_place = [], [], [], 0
    for our, their in zip(ours, theirs, strict=True):
        if not our or not their or max(len(our), len(their)) > MOST_PIECES:
            continue
        pieces = np.array(sorted({*our, BOS}))
        left.append(np.tile(pieces, len(their)))
        right.append(np.repeat(np.array(their), len(pieces)))
        place.append(np.repeat(np.arange(next_place, next_place + len(their)), len(pieces)))
        next_place += len(their)
    empty = [np.zeros(0, np.int64)]
    return tuple(np.concatenate(parts or empty) for parts in (left, right, place))


def _pairs(texts: Texts) -> dict[str, list[tuple[str, str]]]:
    """(English, text) of each language; English with itself."""
    found: dict[str, list[tuple[str, str]]] = {"en": [(text, text) for text in texts.english]}
    for key, rows in texts.examples.items():
        language = key.split(" ", 1)[0]
        if language != "en":
            pairs = ((texts.english[row.number], row.translation) for row in rows)
            found.setdefault(language, []).extend(pairs)
    return found


def _spelled(piece: str, english: Tokenizer, table: Table) -> Table:
    """The mean of the teacher's pieces that spell a piece of ours; zero if it knows none of them."""
    begins, text = piece.startswith(SPACE), piece.removeprefix(SPACE)
    continued = english.token_to_id(f"##{text}")
    if not begins and continued is not None:
        return table[continued]
    unknown = english.token_to_id("[UNK]")
    ids = [index for index in english.encode(text, add_special_tokens=False).ids if index != unknown]
    return table[ids].mean(axis=0) if ids else np.zeros(table.shape[1], np.float32)


def _scaled(sums: npt.NDArray[np.float64], counts: npt.NDArray[np.float64], table: Table, english: Tokenizer) -> Table:
    """Means, each as long as the teacher's rows are on average; what nothing is known of begins as their mean."""
    rows = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], table.mean(axis=0))
    length = np.linalg.norm(table, axis=1).mean()
    rows *= length / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    for ours, theirs in ((PAD, "[PAD]"), (UNK, "[UNK]"), (BOS, "[CLS]"), (EOS, "[SEP]")):
        rows[ours] = table[english.token_to_id(theirs)]
    result: Table = rows.astype(np.float32)
    return result


def encode(processor: spm.SentencePieceProcessor, texts: Iterable[str], most: int) -> list[Ids]:
    """The student's ids: BOS, at most `most` − 2 pieces, EOS."""
    return [[BOS, *ids[: most - 2], EOS] for ids in processor.encode(list(texts))]
