"""A prompt that begins like one before it is read from where they part, and its answer is the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.errors import CancelledError
from appliance.inference.causal import Decoding
from appliance.inference.chat import Message
from appliance.inference.generator import TextGenerator
from appliance.limits import Limits
from appliance.packs.store import verify

PACK = Path(__file__).resolve().parents[2] / "data" / "tiny-llm" / "pack"
RULES = list(range(5, 105))  # what stands before every prompt
LIMITS = Limits(loop_tokens=10**6, prompt_chunk=32)
MOST = 30


def open_tiny(prefix_bytes: int = 10**7, limits: Limits = LIMITS) -> TextGenerator:
    return TextGenerator(verify(PACK), 1, limits, prefix_bytes=prefix_bytes)


@pytest.fixture(scope="module")
def expected() -> Callable[[Sequence[int]], list[int]]:
    """What is written after a prompt with nothing kept."""
    plain = open_tiny(0)
    return lambda prompt: plain.decode_ids(prompt, MOST)


@pytest.fixture
def tiny_llm() -> TextGenerator:
    return open_tiny()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Of each call, how many tokens of a prompt were computed."""
    counted: list[int] = []
    read = Decoding.read

    def counting(self: Decoding, ids: Sequence[int]) -> None:
        counted.append(len(ids))
        read(self, ids)

    monkeypatch.setattr(Decoding, "read", counting)
    yield counted


@pytest.mark.parametrize("shared", [16, 17, 31, 32, 63, 64, 99, 100])
def test_the_answer_is_the_same_wherever_two_prompts_part(
    tiny_llm: TextGenerator, expected: Any, reads: list[int], shared: int
) -> None:
    one, other = RULES, [*RULES[:shared], *(200 + n % 50 for n in range(60))]
    assert tiny_llm.decode_ids(one, MOST) == expected(one)
    before = sum(reads)
    assert tiny_llm.decode_ids(other, MOST) == expected(other)
    computed = sum(reads) - before - (len(other) - 1)  # less what `expected` read
    assert computed == len(other) - 1 - min(shared, len(one) - 1)


def test_the_same_prompt_again_reads_nothing_but_its_last_token(tiny_llm: TextGenerator, reads: list[int]) -> None:
    first = tiny_llm.decode_ids(RULES, MOST)
    del reads[:]
    assert tiny_llm.decode_ids(RULES, MOST) == first
    assert reads == []


def test_too_little_in_common_is_not_worth_it(tiny_llm: TextGenerator, reads: list[int]) -> None:
    tiny_llm.decode_ids(RULES, 1)
    del reads[:]
    tiny_llm.decode_ids([*RULES[:15], *range(150, 180)], 1)
    assert sum(reads) == 15 + 30 - 1


def test_the_logits_are_those_of_a_prompt_read_at_once(tiny_llm: TextGenerator) -> None:
    graph = tiny_llm._graph
    whole, parts = graph.start(200), graph.start(200)
    whole.read(RULES)
    parts.read(RULES[:41])
    copy = graph.start(200)
    copy.begin_as(parts, 41)
    copy.read(RULES[41:])
    assert np.allclose(whole.step([9], [0]), copy.step([9], [0]), atol=1e-5)


def test_what_an_answer_wrote_is_not_taken_for_a_prompt(tiny_llm: TextGenerator, expected: Any) -> None:
    """Tokens written one by one may be computed with other weights than those of a prompt."""
    written = tiny_llm.decode_ids(RULES, MOST)
    (kept,) = tiny_llm._prefixes._idle
    assert kept.read_ids == RULES[:-1]
    longer = [*RULES, *written, 7, 8, 9]
    assert tiny_llm.decode_ids(longer, MOST) == expected(longer)


def test_two_prompts_that_share_only_their_beginning_are_both_kept(
    tiny_llm: TextGenerator, expected: Any, reads: list[int]
) -> None:
    other = [*RULES[:20], *(110 + n for n in range(80))]
    for prompt in (RULES, other):
        tiny_llm.decode_ids(prompt, 1)
    del reads[:]
    assert [tiny_llm.decode_ids(prompt, MOST) for prompt in (RULES, other, RULES)] == [
        expected(prompt) for prompt in (RULES, other, RULES)
    ]
    assert sum(reads) == 3 * 99  # those of `expected`


def test_no_more_is_kept_than_the_budget_allows_and_the_oldest_leaves_first(reads: list[int]) -> None:
    bytes_a_token = open_tiny()._graph.token_bytes
    few = open_tiny(2 * 256 * bytes_a_token)
    prompts = [[kind] * 20 + list(range(80)) for kind in (201, 202, 203)]
    for prompt in prompts:
        few.decode_ids(prompt, 1)
    assert 0 < few._prefixes.memory <= 2 * 256 * bytes_a_token
    del reads[:]
    few.decode_ids(prompts[2], 1)
    few.decode_ids(prompts[1], 1)
    assert reads == []
    few.decode_ids(prompts[0], 1)
    assert sum(reads) == 99


def test_nothing_is_kept_without_a_budget(reads: list[int]) -> None:
    none = open_tiny(0)
    for _ in range(2):
        none.decode_ids(RULES, 1)
    assert (sum(reads), none._prefixes.memory) == (2 * 99, 0)


def test_a_prompt_given_up_half_way_is_gone_on_with(tiny_llm: TextGenerator, expected: Any, reads: list[int]) -> None:
    answers = iter([False, True])
    with pytest.raises(CancelledError):
        tiny_llm.generate([Message("user", "Maize. " * 20)], most_tokens=9, cancelled=lambda: next(answers))
    prompt = tiny_llm.encode([Message("user", "Maize. " * 20)])
    assert reads == [32]
    del reads[:]
    assert tiny_llm.decode_ids(prompt, MOST) == expected(prompt)
    assert sum(reads) == 2 * (len(prompt) - 1) - 32


def test_an_answer_given_up_gives_its_memory_back(tiny_llm: TextGenerator) -> None:
    answers = iter([False] * 8 + [True])
    with pytest.raises(CancelledError):
        tiny_llm.generate([Message("user", "Maize.")], most_tokens=60, cancelled=lambda: next(answers))
    assert (len(tiny_llm._prefixes._idle), tiny_llm._prefixes._busy) == (1, [])


def test_threads_share_what_was_read(tiny_llm: TextGenerator, expected: Any) -> None:
    prompts = [[*RULES[: 20 + 9 * number], *(150 + n for n in range(number + 1))] for number in range(9)] * 2
    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda prompt: tiny_llm.decode_ids(prompt, MOST), prompts))
    assert written == [expected(prompt) for prompt in prompts]


def test_the_recorded_answers_stay_the_same_in_any_order(tiny_llm: TextGenerator) -> None:
    rows = json.loads((PACK.parent / "expected.json").read_text(encoding="utf-8"))["greedy"]
    for row in [*rows, *reversed(rows)]:
        assert tiny_llm.decode_ids(row["prompt"], len(row["written"])) == row["written"]


def test_what_was_not_read_cannot_be_gone_back_to(tiny_llm: TextGenerator) -> None:
    text, other = tiny_llm._graph.start(20), tiny_llm._graph.start(10)
    text.read(list(range(12)))
    with pytest.raises(ValueError, match="13 of 12"):
        text.go_back(13)
    with pytest.raises(ValueError, match="11 of 12"):
        other.begin_as(text, 11)
