"""An answer out of a list is exactly one of them, whatever the model would rather say and however it cuts words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import EngineError
from appliance.inference.chat import Message
from appliance.inference.generator import TextGenerator
from appliance.inference.grammar import Choices, UnwritableError, Vocabulary
from appliance.inference.sampling import Chooser, Sampling
from appliance.inference.tokenizer import TextStream, open_tokenizer
from appliance.limits import Limits
from appliance.packs.store import verify

PACK = Path(__file__).resolve().parents[2] / "data" / "tiny-llm" / "pack"
ASKED = [Message("user", "Which is it?")]
END = 99


class Letters:
    """A tokenizer whose tokens are the given ones."""

    def __init__(self, *tokens: str | bytes, leading_space: bool = False) -> None:
        self._tokens = [token.encode() if isinstance(token, str) else token for token in tokens]
        self.leading_space = leading_space

    @property
    def size(self) -> int:
        return len(self._tokens)

    def spell(self, number: int) -> bytes:
        return self._tokens[number]

    def encode(self, text: str, *, special: bool = True, marks: bool = False) -> list[int]:
        raise NotImplementedError

    def decode(self, ids: Sequence[int]) -> str:
        return b"".join(self._tokens[number] for number in ids).decode()

    def token_id(self, token: str) -> int | None:
        return self._tokens.index(token.encode())


def follow(choices: list[str], tokens: Letters, written: Sequence[int] = ()) -> Choices:
    answer = Choices(choices, Vocabulary(tokens), [END])
    for token in written:
        answer.add(token)
    return answer


def allowed(choices: list[str], tokens: Letters, written: Sequence[int] = ()) -> list[int]:
    return follow(choices, tokens, written).allowed().tolist()


def test_every_way_to_cut_a_choice_is_open() -> None:
    tokens = Letters("m", "a", "ma", "i", "ize", "z", "e", "maize", "x")
    assert allowed(["maize"], tokens) == [0, 2, 7]
    assert allowed(["maize"], tokens, [0]) == [1]
    assert allowed(["maize"], tokens, [0, 1]) == allowed(["maize"], tokens, [2]) == [3, 4]
    assert follow(["maize"], tokens, [0, 1, 3, 5, 6]).whole
    assert follow(["maize"], tokens, [7]).whole


def test_a_token_that_leads_nowhere_is_closed() -> None:
    tokens = Letters("ma", "mai", "ize", "m")
    assert allowed(["maize"], tokens) == [0]  # after “mai” no token begins with z


def test_a_choice_that_begins_another_may_end_or_go_on() -> None:
    tokens = Letters("yes", ", please", "no")
    assert allowed(["yes", "yes, please", "no"], tokens) == [0, 2]
    answer = follow(["yes", "yes, please", "no"], tokens, [0])
    assert (answer.allowed().tolist(), answer.whole) == ([1, END], False)
    answer.add(END)
    assert answer.whole
    assert follow(["yes", "yes, please", "no"], tokens, [0, 1]).whole


def test_a_token_across_the_end_of_the_shorter_choice_is_open() -> None:
    tokens = Letters("y", "es", "es,", " please")
    assert allowed(["yes", "yes, please"], tokens, [0]) == [1, 2]


def test_characters_of_several_bytes_may_be_cut() -> None:
    tokens = Letters("é".encode()[:1], "é".encode()[1:], "é", "e")
    assert allowed(["é"], tokens) == [0, 2]
    assert allowed(["é"], tokens, [0]) == [1]


def test_a_space_that_the_tokenizer_takes_away_may_come_first() -> None:
    tokens = Letters(" no", "no", " ", leading_space=True)
    assert allowed(["no"], tokens) == [0, 1, 2]
    assert allowed([" no"], Letters(" no", "no", " ", leading_space=True)) == [2]


def test_two_tokens_of_one_text_are_both_open() -> None:
    assert allowed(["no"], Letters("no", "no", "")) == [0, 1]


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(UnwritableError, match="naïve"):
        follow(["no", "naïve"], Letters("n", "a", "o"))
    for wrong in ([], [""], ["no", "no"]):
        with pytest.raises(ValueError, match="choices"):
            follow(wrong, Letters("n", "o"))
    with pytest.raises(ValueError, match="token 0"):
        follow(["no"], Letters("n", "o"), [0, 0])
    with pytest.raises(ValueError, match=f"token {END}"):
        follow(["no"], Letters("n", "o"), [0, END])


@pytest.mark.parametrize("temperature", [0.0, 1.0, 30.0])
def test_only_what_is_allowed_is_chosen(temperature: float) -> None:
    logits = np.arange(50, dtype=np.float32)
    chooser = Chooser(Sampling(temperature=temperature, top_k=30, top_p=0.9, repetition_penalty=1.2, seed=3), [3], 50)
    chosen = {chooser.choose(logits, np.array([3, 7])) for _ in range(40)}
    assert chosen <= {3, 7}
    assert 7 in chosen


CHOICES = ["maize", "maize and beans", "¿frijol?", "मक्का 🌽", "7,5 kg"]


@pytest.fixture(scope="module")
def tiny_llm() -> TextGenerator:
    return TextGenerator(verify(PACK), 1, Limits(loop_period=1, loop_times=1, loop_tokens=1))


def test_a_model_says_one_of_the_choices(tiny_llm: TextGenerator) -> None:
    told: list[str] = []
    found = set()
    for seed in range(30):
        del told[:]
        answer = tiny_llm.generate(
            ASKED,
            most_tokens=1,
            choices=CHOICES,
            sampling=Sampling(temperature=5.0, seed=seed),
            on_text=told.append,
            stops=["a"],
        )
        assert answer.text == "".join(told) in CHOICES
        assert answer.reason == "end"
        found.add(answer.text)
    assert len(found) >= 4


def test_greedily_it_is_the_likeliest_token_of_those_allowed(tiny_llm: TextGenerator) -> None:
    prompt = tiny_llm.encode(ASKED)
    answer = tiny_llm.generate(ASKED, most_tokens=5, choices=["no", "yes"])
    first = tiny_llm.logits(prompt)[-1]
    open_now = Choices(["no", "yes"], tiny_llm._vocabulary, tiny_llm._ends).allowed()
    assert answer.tokens[0] == open_now[first[open_now].argmax()]


def test_a_choice_longer_than_an_answer_is_refused(tiny_llm: TextGenerator) -> None:
    with pytest.raises(ValueError, match="longer"):
        tiny_llm.generate(ASKED, most_tokens=5, choices=["a" * 1024])


def test_a_choice_that_no_token_writes_is_an_error_of_the_engine(
    tiny_llm: TextGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    poor = TextGenerator(tiny_llm.pack, 1)
    monkeypatch.setattr(poor._tokenizer, "spell", lambda number: b"" if number < 290 else b"a")
    with pytest.raises(EngineError, match="cannot write “yes”"):
        poor.generate(ASKED, most_tokens=5, choices=["yes"])


@pytest.mark.parametrize("text", CHOICES)
def test_the_bytes_of_tokens_make_up_what_they_are_decoded_to(text: str) -> None:
    tokenizer = open_tokenizer(PACK / "spm.model", "tiny")
    ids = tokenizer.encode(text)
    spelled = b"".join(map(tokenizer.spell, ids)).decode()
    assert tokenizer.leading_space
    assert spelled == " " + tokenizer.decode(ids) == " " + text
    stream = TextStream(tokenizer)
    assert "".join(map(stream.add, ids)) + stream.end() == text
