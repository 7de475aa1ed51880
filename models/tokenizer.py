"""One SentencePiece model for all languages of a pack, with bytes to fall back on.

Its ids are the model's ids: </s> = 0, <unk> = 1, <pad> = 2, then the target tags as control symbols,
so that a tag typed by a person is ordinary text. Digits are split: numbers are copied, not learned.
"""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import sentencepiece as spm

from models.corpus import Pair
from models.recipe import Recipe

EOS, UNK, PAD = 0, 1, 2


def train_tokenizer(recipe: Recipe, pairs: dict[str, list[Pair]], out: Path) -> None:
    """Write `out`, a SentencePiece model over both sides, each corpus by its weight in the recipe."""
    rng = random.Random(recipe.train.seed)
    total = sum(source.weight for source in recipe.corpus.sources)
    sentences: list[str] = []
    for source in recipe.corpus.sources:
        rows = pairs[source.name]
        share = min(len(rows), int(recipe.tokenizer.sentences / 2 * source.weight / total) + 1)
        for pair in rng.sample(rows, share):
            sentences += [pair.source, pair.target]
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        model_type=recipe.tokenizer.method,
        vocab_size=recipe.tokenizer.vocab_size,
        hard_vocab_limit=recipe.tokenizer.method == "unigram",  # little text has fewer pieces than asked for
        character_coverage=recipe.tokenizer.character_coverage,
        normalization_rule_name="nmt_nfkc",
        byte_fallback=True,
        split_digits=True,
        eos_id=EOS,
        unk_id=UNK,
        pad_id=PAD,
        bos_id=-1,
        control_symbols=sorted({direction.tag for direction in recipe.directions}),
        num_threads=2,
        minloglevel=1,
    )
    partial = out.with_suffix(".partial")
    partial.write_bytes(model.getvalue())
    partial.replace(out)


def write_marian_vocabulary(model: Path, folder: Path) -> None:
    """Write the vocabulary in the form `transformers.MarianTokenizer` reads: `vocab.json` and both `.spm`."""
    processor = spm.SentencePieceProcessor(model_file=str(model))
    vocabulary = {processor.id_to_piece(index): index for index in range(processor.get_piece_size())}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    for name in ("source.spm", "target.spm"):
        (folder / name).write_bytes(model.read_bytes())
    settings = {
        "model_max_length": 256,
        "separate_vocabs": False,
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
