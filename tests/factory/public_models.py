"""Checkpoints as the hub has them: published configurations, weights drawn at random, tokenizers trained here."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import sentencepiece as spm
import torch
from transformers import M2M100Config, M2M100ForConditionalGeneration, MarianConfig, MarianMTModel, NllbTokenizer

ROOT = Path(__file__).resolve().parents[2]

# Sentences of several languages, with what a tokenizer stumbles over: accents, scripts, emoji, odd spaces, marks.
SENTENCES = [
    "The water is clean.",
    "El agua está limpia, ¿verdad?",
    "Maji ni safi — lita 3,5 kwa siku.",
    "Ruwa yana da tsabta.",
    "ውሃው ንጹህ ነው።",
    "पानी साफ़ है।",
    "الماء نظيف.",
    "L’eau  est\tpropre : 12 %",
    "🐐 goat 👩‍🌾 and ☂ rain",
    "ﬁeld ½ cup ① — “quoted”",
    "zażółć gęślą jaźń 漢字",
    ">>por<< a tag that somebody typed",
    "x",
    "one two three four five six seven eight nine ten " * 4,
]


def sentences(language: str) -> list[str]:
    """The phrasebook in `language`, and SENTENCES: what the tokenizers are trained on."""
    with (ROOT / "models" / "phrasebook" / "phrasebook.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row[language] for row in rows]


def train_spm(path: Path, texts: list[str], vocab_size: int, model_type: str) -> spm.SentencePieceProcessor:
    """A SentencePiece model with the ids that the library gives by itself: unknown 0, begin 1, end 2."""
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_prefix=str(path.with_suffix("")),
        model_type=model_type,
        vocab_size=vocab_size,
        character_coverage=0.9995,
        minloglevel=2,
        num_threads=1,
    )
    path.with_suffix(".vocab").unlink()
    if path.suffix != ".model":
        path.with_suffix(".model").rename(path)
    return spm.SentencePieceProcessor(model_file=str(path))


def make_marian(folder: Path, config: MarianConfig, pieces: int = 500, lively: bool = True) -> MarianMTModel:
    """An OPUS-MT checkpoint: end 0, unknown 1, the pieces of both sides and the tags, padding last.

    The vocabulary is filled up with made-up pieces to the `vocab_size` of the configuration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = train_spm(folder / "source.spm", sentences("en"), pieces, "unigram")
    target = train_spm(folder / "target.spm", sentences("es"), pieces, "unigram")
    both = [processor.id_to_piece(n) for processor in (source, target) for n in range(3, processor.get_piece_size())]
    # As in the real ones, characters of the training text that no SentencePiece model knows are in the vocabulary.
    names = list(dict.fromkeys(["</s>", "<unk>", ">>spa<<", ">>eng<<", *both, "ب", "▁漢", "☂"]))
    names += [f"▁made-up{number}" for number in range(config.vocab_size - len(names) - 1)]
    vocabulary = {piece: number for number, piece in enumerate([*names, "<pad>"])}
    assert len(vocabulary) == config.vocab_size
    torch.manual_seed(7)
    config.update({"eos_token_id": 0, "pad_token_id": len(names), "decoder_start_token_id": len(names)})
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    names_of_tokens = {"source_lang": "en", "target_lang": "es", "tokenizer_class": "MarianTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(names_of_tokens), encoding="utf-8")
    model = MarianMTModel(config)
    model.final_logits_bias.normal_(0, 0.1)
    return _save(model, folder, lively)


def make_nllb(
    folder: Path, config: M2M100Config, pieces: int = 700, lively: bool = True
) -> M2M100ForConditionalGeneration:
    """An NLLB checkpoint: SentencePiece's ids moved by one, then the language codes, then the mask, two ids unused."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = [text for language in ("en", "es", "fr") for text in sentences(language)] + SENTENCES
    train_spm(folder / "sentencepiece.bpe.model", texts, pieces, "bpe")
    tokenizer = NllbTokenizer(vocab_file=str(folder / "sentencepiece.bpe.model"))
    tokenizer.save_pretrained(folder)
    assert config.vocab_size >= len(tokenizer)
    torch.manual_seed(7)
    return _save(M2M100ForConditionalGeneration(config), folder, lively)


def _save(model: torch.nn.Module, folder: Path, lively: bool) -> torch.nn.Module:
    """Write the checkpoint; `lively` makes it say more than one thing.

    Weights drawn as training would begin with repeat one token for ever, and nothing would be compared. Lively ones
    add more in each layer than it is given, with sharp attention; they magnify every rounding, so how much int8
    changes is measured on the plain ones.
    """
    if lively:
        _enliven(model)
    model.save_pretrained(folder)
    return model.eval()


def _enliven(model: torch.nn.Module) -> None:
    torch.manual_seed(11)
    width = math.sqrt(model.config.d_model)
    for name, weight in model.named_parameters():
        if weight.dim() == 2 and "embed_positions" not in name:
            torch.nn.init.normal_(weight, std=1.0 / width if "shared" in name or "lm_head" in name else 2.5 / width)
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            weight.data *= 3
        if name.endswith("fc2.weight"):
            weight.data -= weight.data.mean(dim=1, keepdim=True)
    model.tie_weights()


def small_marian() -> MarianConfig:
    """The configuration of OPUS-MT with fewer and narrower layers and fewer pieces."""
    return marian(vocab_size=1200, d_model=64, encoder_layers=2, decoder_layers=2, ffn=128, heads=4)


def small_nllb() -> M2M100Config:
    """The configuration of NLLB with fewer and narrower layers and fewer pieces."""
    config = nllb(vocab_size=912, d_model=64, layers=2, ffn=128, heads=4)
    config.max_position_embeddings = 256  # fewer places than pieces, as in the published one
    return config


def marian(
    vocab_size: int = 65_001,
    d_model: int = 512,
    encoder_layers: int = 6,
    decoder_layers: int = 6,
    ffn: int = 2048,
    heads: int = 8,
    activation: str = "swish",
) -> MarianConfig:
    """The configuration of OPUS-MT as published (Helsinki-NLP/opus-mt-en-es)."""
    return MarianConfig(
        vocab_size=vocab_size,
        d_model=d_model,
        encoder_layers=encoder_layers,
        decoder_layers=decoder_layers,
        encoder_ffn_dim=ffn,
        decoder_ffn_dim=ffn,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        max_position_embeddings=512,
        activation_function=activation,
        scale_embedding=True,
        static_position_embeddings=True,
        tie_word_embeddings=True,
    )


def nllb(
    vocab_size: int = 256_206, d_model: int = 1024, layers: int = 12, ffn: int = 4096, heads: int = 16
) -> M2M100Config:
    """The configuration of NLLB-200-distilled-600M as published, or a smaller one."""
    return M2M100Config(
        vocab_size=vocab_size,
        d_model=d_model,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_ffn_dim=ffn,
        decoder_ffn_dim=ffn,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        max_position_embeddings=1024,
        activation_function="relu",
        scale_embedding=True,
        decoder_start_token_id=2,
        tie_word_embeddings=True,
    )
