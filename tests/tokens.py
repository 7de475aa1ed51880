"""A tokenizer that the tests share."""

from __future__ import annotations

from pathlib import Path

import pytest


def byte_level(path: Path) -> Path:
    """A tokenizer of single bytes and three marks, as `tokenizers` saves one."""
    library = pytest.importorskip("tokenizers", reason="the package tokenizers is not installed")
    alphabet = sorted(library.pre_tokenizers.ByteLevel.alphabet())
    tokenizer = library.Tokenizer(library.models.BPE({letter: n for n, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|end|>", "<s>"])
    tokenizer.post_processor = library.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    tokenizer.enable_truncation(4)
    tokenizer.save(str(path))
    return path
