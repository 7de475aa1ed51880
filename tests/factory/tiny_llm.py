"""Language models with random weights in the published shapes, and a small one whose output is recorded.

`python -m tests.factory.tiny_llm` writes tests/data/tiny-llm: an fp32 pack with a SentencePiece tokenizer and
`expected.json`, what transformers writes with it. The default suite compares the engine with that; the factory's tests
make their own, with byte-level tokenizers.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import sentencepiece as spm
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from models.convert import Converted, ConvertOptions
from models.convert.llm import convert
from models.pack import write_manifest
from models.recipe import PackRecipe

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "data" / "tiny-llm"
MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
SAMPLES = [
    "Maize leaves have windows: look for fall armyworm in the whorl, early in the morning.",
    "El agua está turbia. ¿Cuánto cuesta el filtro? 1,250 pesos.",
    "मक्का के पत्तों में छेद हैं। 🌽 पानी साफ़ है 👩🏽‍🌾",
    "Maji ni safi, lakini pampu imeharibika tangu mvua za masika.",
]
# ChatML, with a message of the model's maker where there is no system message, as many public models have it.
TEMPLATE = (
    "{% for m in messages %}"
    "{% if loop.first and m['role'] != 'system' %}<|im_start|>system\nYou help.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def smollm2(**changes: Any) -> LlamaConfig:
    """SmolLM2-135M as its config.json publishes it, but for `changes`."""
    published = {
        "vocab_size": 49152,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "max_position_embeddings": 8192,
        "rope_theta": 100000,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
    }
    return LlamaConfig(**{**published, **changes})


def qwen2(**changes: Any) -> Qwen2Config:
    """Qwen2.5-0.5B as its config.json publishes it, but for `changes`."""
    published = {
        "vocab_size": 151936,
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32768,
        "rope_theta": 1000000.0,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": True,
        "use_sliding_window": False,
    }
    return Qwen2Config(**{**published, **changes})


def save_model(config: Any, folder: Path, dtype: torch.dtype = torch.float32) -> None:
    """A checkpoint with random weights: norms and biases too, so that one left out would be noticed."""
    torch.manual_seed(11)
    model = AutoModelForCausalLM.from_config(config)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, mean=1.0 if "norm" in name else 0.0, std=0.2)
    model.generation_config.eos_token_id = None
    model.to(dtype).save_pretrained(folder)


def save_byte_tokenizer(folder: Path, size: int) -> None:
    """A byte-level BPE of at most `size` tokens, trained on the articles of the repository."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=MARKS, initial_alphabet=alphabet, show_progress=False)
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "knowledge" / "crops").glob("*.md"))]
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", chat_template=TEMPLATE)
    fast.save_pretrained(folder)


def save_sentencepiece(folder: Path, size: int = 320) -> None:
    """The same with SentencePiece and bytes for what it has no piece for."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pieces.model"
    with path.open("wb") as written:
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(SAMPLES[:2] * 20),
            model_writer=written,
            vocab_size=size,
            byte_fallback=True,
            control_symbols=MARKS,
            hard_vocab_limit=False,
            normalization_rule_name="identity",
            minloglevel=2,
        )
    LlamaTokenizer(str(path), eos_token="<|im_end|>", chat_template=TEMPLATE, legacy=True).save_pretrained(folder)
    path.unlink()


def make_pack(checkpoint: Path, folder: Path, options: ConvertOptions) -> Converted:
    """The pack of a checkpoint, with its manifest."""
    converted = convert(checkpoint, folder, options, lambda _line: None)
    recipe = PackRecipe(
        name="tiny-llm",
        version="0.1.0",
        kind="text-generation",
        title="Tiny, for tests",
        languages=("en",),
        licence="CC0-1.0",
        about="Random weights, for tests; says nothing sensible.",
        path=Path(),
    )
    write_manifest(folder, recipe, converted.settings, sources=[], memory_bytes=converted.memory_bytes)
    return converted


def reference(checkpoint: Path) -> PreTrainedModel:
    """The checkpoint in transformers, fp32."""
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32, local_files_only=True).eval()
    model.generation_config.eos_token_id = None
    return model


def greedy(model: PreTrainedModel, prompt: list[int], most: int, size: int) -> list[int]:
    """What transformers writes after `prompt`, of the ids below `size`."""
    unknown = list(range(size, model.config.vocab_size))
    ids = torch.tensor([prompt])
    written = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=most,
        pad_token_id=0,
        suppress_tokens=unknown or None,
    )
    found: list[int] = written[0, len(prompt) :].tolist()
    return found


def main() -> None:
    """Write tests/data/tiny-llm."""
    work = ROOT / "build" / "tiny-llm"
    shutil.rmtree(work, ignore_errors=True)
    save_sentencepiece(work)
    size = spm.SentencePieceProcessor(model_file=str(work / "tokenizer.model")).get_piece_size()
    config = smollm2(
        vocab_size=size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        initializer_range=0.2,
    )
    save_model(config, work)
    shutil.rmtree(GOLDEN, ignore_errors=True)
    make_pack(work, GOLDEN / "pack", ConvertOptions(bits=32, context=256))
    model = reference(work)
    pieces = spm.SentencePieceProcessor(model_file=str(work / "tokenizer.model"))
    prompts = [pieces.encode(text) for text in (SAMPLES[0], SAMPLES[1], " ".join(SAMPLES[:2]), "a")]
    rows = [{"prompt": prompt, "written": greedy(model, prompt, 40, size)} for prompt in prompts]
    with torch.no_grad():
        last = model(torch.tensor([prompts[0]])).logits[0, -1].tolist()
    (GOLDEN / "expected.json").write_text(json.dumps({"greedy": rows, "last_logits": last}), encoding="utf-8")


if __name__ == "__main__":
    main()
