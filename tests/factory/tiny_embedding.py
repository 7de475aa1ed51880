"""Sentence encoders made here: public shapes with random weights, and a small student taught by a small teacher.

`python -m tests.factory.tiny_embedding` writes tests/data/tiny-embedding, the student's pack in fp32, which the default
suite opens; the factory's tests make all of it anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sentencepiece as spm
import torch
import zstandard
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertModel, BertTokenizerFast, XLMRobertaConfig, XLMRobertaModel
from transformers import XLMRobertaTokenizerFast as XLMRobertaTokenizer

from models.build import Options
from models.build_embedding import build_embedding, origins
from models.convert import ConvertOptions
from models.convert.embedding import convert
from models.pack import begin_pack, write_manifest
from models.recipe_embedding import EmbeddingRecipe, read_embedding_recipe
from tests.factory.tiny import tiny_pairs

GOLDEN = Path(__file__).resolve().parents[1] / "data" / "tiny-embedding"
SENTENCES = [text for pair in tiny_pairs()["made"] for text in (pair.source, pair.target)]
MINILM = {
    "vocab_size": 30522,
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "max_position_embeddings": 512,
}
E5_SMALL = {**MINILM, "vocab_size": 250037, "num_hidden_layers": 12}
XLM_R = {
    "vocab_size": 250002,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
}


def minilm(folder: Path, **changes: Any) -> None:
    """all-MiniLM-L6-v2 as it is published, but for `changes`, with a WordPiece tokenizer trained here."""
    _save(BertModel(BertConfig(**{**MINILM, **changes})), _word_pieces(folder), folder)


def e5_small(folder: Path, **changes: Any) -> None:
    """multilingual-e5-small: a BERT with the tokenizer of XLM-RoBERTa."""
    _save(BertModel(BertConfig(**{**E5_SMALL, **changes})), _xlm_pieces(folder), folder)


def xlm_roberta(folder: Path, **changes: Any) -> None:
    """XLM-RoBERTa base, the encoder of multilingual-e5-base."""
    _save(XLMRobertaModel(XLMRobertaConfig(**{**XLM_R, **changes})), _xlm_pieces(folder), folder)


def teacher(root: Path) -> str:
    """A Python package `tiny_teacher` in `root` that holds a small random encoder; the sha256 of its weights."""
    folder = root / "tiny_teacher" / "model"
    shape = {"vocab_size": 300, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    shape |= {"intermediate_size": 96, "max_position_embeddings": 128}
    minilm(folder, **shape, initializer_range=0.3)
    (root / "tiny_teacher" / "__init__.py").write_text("", encoding="utf-8")
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def recipe(folder: Path, sha256: str, minutes: float = 0.1) -> Path:
    """Write a recipe for a student of `tiny_teacher` on the made-up sentences of tests/factory/tiny.py."""
    lines = [
        'name = "tiny-embedding"',
        'version = "0.1.0"',
        'kind = "embedding"',
        'title = "Tiny, for tests"',
        'languages = ["en", "es"]',
        'licence = "CC0-1.0"',
        'about = "Learnt from a random teacher, for tests; finds nothing sensible."',
        "[teacher]",
        'package = "tiny-teacher"',
        'folder = "tiny_teacher/model"',
        f'sha256 = "{sha256}"',
        'title = "Random weights"',
        'licence = "CC0-1.0"',
        'url = ""',
        "[tokenizer]",
        "vocab_size = 320",
        "[student]",
        "layers = [0, 1]",
        "[train]",
        f"minutes = {minutes}",
        "warmup_updates = 10",
        "batch_tokens = 800",
        "peak_rate = 3e-3",
        "contrast = 0.5",
        "[[corpora]]",
        'file = "made.tsv.zst"',
        'source = "en"',
        'target = "es"',
        "[[corpora.sources]]",
        'name = "made"',
        'prefix = "made"',
        "weight = 1",
        'licence = "CC0-1.0"',
        'title = "Made-up sentences"',
        'url = ""',
        "[[evaluation]]",
        'name = "made"',
        'files = { en = "dev/made.en", es = "dev/made.es" }',
    ]
    path = folder / "tiny-embedding.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def corpora(folder: Path, held: int = 20) -> None:
    """The made-up sentences as a corpus, `held` of them as an evaluation set too."""
    pairs = tiny_pairs()["made"]
    (folder / "dev").mkdir(parents=True)
    lines = "".join(f"made\t{pair.source}\t{pair.target}\n" for pair in pairs)
    (folder / "made.tsv.zst").write_bytes(zstandard.compress(lines.encode()))
    for language, side in (("en", "source"), ("es", "target")):
        texts = [getattr(pair, side) for pair in pairs[7::19][:held]]
        (folder / "dev" / f"made.{language}").write_text("\n".join(texts) + "\n", encoding="utf-8")


def make_pack(recipe_path: Path, checkpoint: Path, folder: Path, options: ConvertOptions) -> EmbeddingRecipe:
    """Convert a checkpoint into the pack `folder`, described by the recipe."""
    read = read_embedding_recipe(recipe_path)
    begin_pack(folder)
    made = convert(checkpoint, folder, options, lambda text: None)
    write_manifest(folder, read, made.settings, sources=origins(read), memory_bytes=made.memory_bytes)
    return read


def _save(model: BertModel | XLMRobertaModel, tokenizer: Any, folder: Path) -> None:
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


def _word_pieces(folder: Path, size: int = 300) -> BertTokenizerFast:
    torch.manual_seed(7)
    folder.mkdir(parents=True, exist_ok=True)
    made = BertWordPieceTokenizer(lowercase=True)
    made.train_from_iterator(SENTENCES, vocab_size=size, show_progress=False)
    with tempfile.TemporaryDirectory() as work:
        made.save_model(work)
        return BertTokenizerFast(vocab_file=str(Path(work) / "vocab.txt"), model_max_length=512)


def _xlm_pieces(folder: Path, size: int = 120) -> XLMRobertaTokenizer:
    torch.manual_seed(7)
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "sentencepiece.bpe.model"
    with model.open("wb") as file:
        _train(SENTENCES, size, file)
    return XLMRobertaTokenizer(vocab_file=str(model), model_max_length=512)


def _train(sentences: Iterable[str], size: int, file: Any) -> None:
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=file, vocab_size=size, hard_vocab_limit=False, minloglevel=2
    )


def main() -> None:
    """Write tests/data/tiny-embedding."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.environ |= {"PYTHONPATH": name, "BARAZA_CORPORA": str(root / "corpora")}
        sys.path.insert(0, name)
        corpora(root / "corpora")
        path = recipe(root, teacher(root), minutes=0.5)
        assert build_embedding(path, root / "work", root / "packs", Options(threads=1), print)
        shutil.rmtree(GOLDEN, ignore_errors=True)
        GOLDEN.parent.mkdir(parents=True, exist_ok=True)
        make_pack(path, root / "work" / "checkpoint", GOLDEN, ConvertOptions(bits=32))


if __name__ == "__main__":
    main()
