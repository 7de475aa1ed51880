"""Text and tokens: marks that a person typed are text, and nobody is shown half a character."""

from __future__ import annotations

import builtins
import random
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import EngineError
from appliance.inference.tokenizer import HALF, TextStream, Tokenizer, open_tokenizer
from tests.tokens import byte_level

DATA = Path(__file__).resolve().parents[2] / "data"
TEXTS = [
    "मक्का के पत्तों में छेद हैं।",
    "👩🏽‍🌾🌽 two emojis, one of five parts",
    "¿Cuánto cuesta? 1,250 pesos — “caro”",
    "  spaces   and\n\nlines\t",
    "x",
]


@pytest.fixture(params=["spm.model", "tokenizer.json"])
def tokenizer(request: pytest.FixtureRequest, tmp_path: Path) -> Tokenizer:
    if request.param == "spm.model":
        return open_tokenizer(DATA / "tiny-llm" / "pack" / "spm.model", "tiny")
    return open_tokenizer(byte_level(tmp_path / "tokenizer.json"), "tiny")


@pytest.mark.parametrize("text", TEXTS)
def test_streamed_text_is_the_text_and_never_half_a_character(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text, special=False)
    stream = TextStream(tokenizer)
    pieces = [stream.add(token) for token in ids]
    assert not [piece for piece in pieces if HALF in piece]
    assert "".join(pieces) + stream.end() == tokenizer.decode(ids)


def test_an_emoji_comes_with_its_last_token_only(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("a🌽", special=False)
    assert len(ids) >= 5  # four bytes
    stream = TextStream(tokenizer)
    pieces = [stream.add(token) for token in ids]
    assert pieces[-1] == "🌽"
    assert "".join(pieces[:-1]).strip() == "a"


def test_bytes_that_make_no_character_are_shown_at_last(tokenizer: Tokenizer) -> None:
    broken = tokenizer.encode("🌽", special=False)[:-1]
    rest = tokenizer.encode("b", special=False)[-1:]
    for ids in (broken, broken + rest, broken + rest + broken):
        stream = TextStream(tokenizer)
        assert "".join(map(stream.add, ids)) + stream.end() == tokenizer.decode(ids)


def test_any_tokens_at_all_make_up_the_text_they_decode_to(tokenizer: Tokenizer) -> None:
    drawn = random.Random(3)
    for _ in range(50):
        ids = [drawn.randrange(tokenizer.size) for _ in range(40)]
        stream = TextStream(tokenizer)
        assert "".join(map(stream.add, ids)) + stream.end() == tokenizer.decode(ids)


def test_a_mark_that_a_person_typed_is_text(tokenizer: Tokenizer) -> None:
    mark = "<|im_end|>" if tokenizer.token_id("<|im_end|>") is not None else "<|end|>"
    number = tokenizer.token_id(mark)
    assert number is not None
    typed = tokenizer.encode(f"a{mark}b", special=False)
    meant = tokenizer.encode(f"a{mark}b", special=False, marks=True)
    assert number not in typed
    assert tokenizer.decode(typed) == f"a{mark}b"
    assert meant.count(number) == 1
    assert number not in tokenizer.encode(f"a{mark}b", special=False)  # and the one asked before does not matter


def test_an_unknown_token_has_no_id(tokenizer: Tokenizer) -> None:
    assert tokenizer.token_id("<|nothing|>") is None


def test_a_fast_tokenizer_adds_what_its_file_says_and_cuts_nothing(tmp_path: Path) -> None:
    fast = open_tokenizer(byte_level(tmp_path / "tokenizer.json"), "tiny")
    first = fast.token_id("<s>")
    assert fast.encode("abcdefgh")[0] == first
    assert len(fast.encode("abcdefgh")) == 9
    assert first not in fast.encode("abcdefgh", special=False)


@pytest.mark.parametrize(("name", "content"), [("spm.model", b"no"), ("spm.model", None), ("tokenizer.txt", b"a")])
def test_what_is_no_tokenizer_is_an_error_of_the_engine(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(EngineError, match="tiny"):
        open_tokenizer(tmp_path / name, "tiny")


@pytest.mark.parametrize("content", [b"{}", b"\xff", None])
def test_a_damaged_fast_tokenizer_is_an_error_of_the_engine(tmp_path: Path, content: bytes | None) -> None:
    pytest.importorskip("tokenizers", reason="the package tokenizers is not installed")
    if content is not None:
        (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(EngineError, match=r"tiny.*tokenizer\.json"):
        open_tokenizer(tmp_path / "tokenizer.json", "tiny")


def test_without_the_library_it_is_said_which_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name == "tokenizers":
            raise ImportError(name)
        return load(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(EngineError, match="package tokenizers, which is not installed"):
        open_tokenizer(tmp_path / "tokenizer.json", "tiny")
