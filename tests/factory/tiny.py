"""A tiny MarianMT model, taught a few made-up sentences, made into a pack, and what transformers says with it.

`python -m tests.factory.tiny` writes tests/data/tiny: the fp32 pack and `expected.json`, the greedy and beam output
of transformers. The default suite compares the engine with it; the factory's tests make all of it anew.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import sentencepiece as spm
import torch
from transformers import MarianMTModel

from models import corpus
from models.convert.seq2seq import open_model, write_graphs
from models.pack import build_pack
from models.recipe import Recipe, read_recipe
from models.tokenizer import EOS, PAD, UNK, train_tokenizer, write_marian_vocabulary
from models.train import Batch, encode, loss_of, make_batch, new_model

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "data" / "tiny"
LIMIT = 60


def tiny_recipe() -> Recipe:
    """The recipe in tests/factory/tiny.toml."""
    return read_recipe(HERE / "tiny.toml")


def tiny_pairs(count: int = 400) -> dict[str, list[corpus.Pair]]:
    """Made-up sentences: the same every time, with digits and accents."""
    things = ["maize", "water", "the pump", "a goat", "the roof", "our field", "bread", "the road"]
    cosas = ["maíz", "agua", "la bomba", "una cabra", "el techo", "nuestro campo", "pan", "el camino"]
    pairs = [
        corpus.Pair(
            f"I see {things[n % 8]} and {n} more near {things[n // 8 % 8]}.",
            f"Veo {cosas[n % 8]} y {n} más cerca de {cosas[n // 8 % 8]}.",
        )
        for n in range(count)
    ]
    return {"made": pairs}


def make(work: Path) -> MarianMTModel:
    """Make the pack in `work/pack`; returns the model it was exported from."""
    recipe = tiny_recipe()
    work.mkdir(parents=True, exist_ok=True)
    train_tokenizer(recipe, tiny_pairs(), work / "spm.model")
    model = _taught(recipe, work / "spm.model")
    model.config._attn_implementation = "sdpa"
    model.save_pretrained(work / "checkpoint")
    write_marian_vocabulary(work / "spm.model", work / "checkpoint")
    write_graphs(open_model(work / "checkpoint"), work / "graphs", None)
    build_pack(replace(recipe, evaluation=()), work / "graphs", work / "spm.model", tiny_pairs(), work / "pack")
    return model


def _taught(recipe: Recipe, spm_model: Path) -> MarianMTModel:
    """Taught for a few seconds: random weights repeat one token, and nothing would be compared."""
    torch.set_num_threads(1)
    model = new_model(recipe, recipe.tokenizer.vocab_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    batches = list(_batches(recipe, spm_model))
    for step in range(400):
        loss_of(model, batches[step % len(batches)], 0.0, torch.device("cpu")).backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


def _batches(recipe: Recipe, spm_model: Path) -> Iterator[Batch]:
    processor = spm.SentencePieceProcessor(model_file=str(spm_model))
    pairs = tiny_pairs()["made"]
    for first in range(0, len(pairs), 40):
        yield make_batch([encode(pair, recipe, n % 2, processor) for n, pair in enumerate(pairs[first : first + 40])])


def sources(spm_model: Path) -> list[list[int]]:
    """Source ids of several lengths, in both directions: tag, pieces, end."""
    recipe = tiny_recipe()
    processor = spm.SentencePieceProcessor(model_file=str(spm_model))
    long = corpus.Pair("I see bread. " * 6, "Veo pan. " * 6)
    pairs = [*tiny_pairs()["made"][3::57], corpus.Pair("bread", "pan"), corpus.Pair("7", "7"), long]
    return [encode(pair, recipe, n % 2, processor)[0] for n, pair in enumerate(pairs)]


def reference(model: MarianMTModel, source_ids: list[list[int]], beams: int = 1) -> list[list[int]]:
    """What transformers writes for `source_ids` as one padded batch: ids without start, end and padding."""
    rows = [torch.tensor(ids) for ids in source_ids]
    batch = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)
    written = model.generate(
        input_ids=batch,
        attention_mask=(batch != PAD).long(),
        num_beams=beams,
        do_sample=False,
        early_stopping=False,
        length_penalty=1.0,
        max_new_tokens=LIMIT,
        bad_words_ids=[[PAD], [UNK], [3], [4]],
    )
    return [[token for token in row.tolist()[1:] if token not in (PAD, EOS)] for row in written]


def main() -> None:
    """Write tests/data/tiny."""
    work = HERE.parents[1] / "build" / "tiny"
    model = make(work)
    shutil.rmtree(GOLDEN, ignore_errors=True)
    shutil.copytree(work / "pack", GOLDEN / "pack")
    ids = sources(work / "spm.model")
    expected = {"sources": ids, "limit": LIMIT, "greedy": reference(model, ids), "beam": reference(model, ids, 4)}
    (GOLDEN / "expected.json").write_text(json.dumps(expected), encoding="utf-8")


if __name__ == "__main__":
    main()
