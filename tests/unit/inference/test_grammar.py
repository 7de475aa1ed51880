"""An answer is one of a list or matches a pattern, whatever the model would rather say and however it cuts words."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import EngineError
from appliance.inference.chat import Message
from appliance.inference.generator import TextGenerator
from appliance.inference.grammar import Answer, UnwritableError, Vocabulary, choices_grammar, pattern_grammar
from appliance.inference.sampling import Chooser, Sampling
from appliance.inference.tokenizer import TextStream, Tokenizer, open_tokenizer
from appliance.limits import Limits
from appliance.packs.store import verify
from tests.patterns import PATTERNS, random_pattern
from tests.tokens import byte_level

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


def follow(allows: list[str] | str, tokens: Tokenizer, written: Sequence[int] = (), most: int = 100) -> Answer:
    """An answer on its way that is held to a list of choices or to a pattern."""
    vocabulary = Vocabulary(tokens)
    grammar = (
        pattern_grammar(allows, vocabulary, 500) if isinstance(allows, str) else choices_grammar(allows, vocabulary)
    )
    answer = Answer(grammar, [END], most)
    for token in written:
        answer.add(token)
    return answer


def allowed(allows: list[str] | str, tokens: Tokenizer, written: Sequence[int] = (), most: int = 100) -> list[int]:
    return sorted(follow(allows, tokens, written, most).allowed().tolist())


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
    assert allowed(["no"], Letters(" no", "no", " ", leading_space=True), [2]) == [1]
    with pytest.raises(UnwritableError):  # whether two spaces would become one depends on the tokenizer
        follow([" no"], Letters(" no", "no", " ", leading_space=True))


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
    open_now = Answer(choices_grammar(["no", "yes"], tiny_llm._vocabulary), tiny_llm._ends, 4).allowed()
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


PRICE = "[0-9]{1,3} (kg|sacks)( and [a-z]+)?"


def test_a_pattern_opens_every_way_to_cut_what_matches_it() -> None:
    tokens = Letters("1", "12", "123", "1234", " ", " k", "g", "kg", "sacks", "s", "a")
    assert allowed(PRICE, tokens) == [0, 1, 2]
    assert allowed(PRICE, tokens, [1]) == [0, 4, 5]
    assert allowed(PRICE, tokens, [1, 5]) == [6]
    assert allowed(PRICE, tokens, [1, 4]) == [7, 8]  # “s” leads nowhere: there is no c
    assert follow(PRICE, tokens, [1, 5, 6]).whole  # nor an n for “ and”


def test_an_answer_may_end_where_the_pattern_is_matched_and_only_there() -> None:
    tokens = Letters("a", "b", "ab")
    assert allowed("(ab)*", tokens) == [0, 2, END]
    assert allowed("(ab)*", tokens, [0]) == [1]
    assert allowed("(ab)*", tokens, [0, 1]) == [0, 2, END]
    with pytest.raises(ValueError, match="not allowed"):
        follow("(ab)*", tokens, [END, 0])


def test_it_comes_home_before_the_tokens_are_used_up() -> None:
    tokens = Letters("a", "b", "ab", ".")
    assert allowed("[ab]*[.]", tokens, [], 2) == [0, 1, 2, 3]
    assert allowed("[ab]*[.]", tokens, [0], 2) == [3]
    assert follow("[ab]*[.]", tokens, [0, 3], 2).whole
    assert allowed("a(bbb)?", tokens, [0], 3) == [END]
    assert allowed("a(bbb)?", tokens, [0], 4) == [1, END]
    with pytest.raises(ValueError, match="may take 3 tokens, more than 2"):
        follow("aaa", tokens, [], 2)


def test_where_bytes_have_no_tokens_of_their_own_tokens_are_counted() -> None:
    tokens = Letters("aa", "a", "bbb", ".")
    assert allowed("(aa|bbb)*[.]", tokens, [], 2) == [0, 2, 3]  # there is no token b
    assert allowed("(aa|bbb)*[.]", tokens, [1], 3) == [1]


def test_told_to_hurry_it_takes_the_shortest_way() -> None:
    tokens = Letters("a", "b", ".")
    answer = follow("[ab]{2,}[.]", tokens, [0])
    answer.hurry()
    assert answer.allowed().tolist() == [0, 1]
    answer.add(1)
    assert answer.allowed().tolist() == [2]
    answer.add(2)
    assert answer.whole


def test_a_pattern_that_begins_with_a_space_cannot_where_spaces_are_taken_away() -> None:
    spaced = Letters("a", " ", leading_space=True)
    assert allowed(" ?a", spaced) == [0, 1]
    assert allowed(" ?a", spaced, [1]) == [0]
    assert allowed(" ?a", Letters("a", " "), [1]) == [0]
    with pytest.raises(UnwritableError):
        follow(" a", spaced)


def test_what_no_token_can_write_is_refused() -> None:
    with pytest.raises(UnwritableError):
        follow("[0-9]+", Letters("a"))
    with pytest.raises(UnwritableError):
        follow("[0-9]+", Letters(""))


# Held against what a search through all token sequences finds.


def languages(seed: int) -> Iterator[tuple[str, list[bytes], list[bytes]]]:
    """Patterns, all the texts that match each, and tokens."""
    drawn = random.Random(seed)
    letters = "abé"
    texts = [""]
    for _ in range(5):
        texts += [text + letter for text in texts if len(text) == len(texts[-1]) for letter in letters]
    while True:
        pattern, longest = random_pattern(drawn, letters, unbounded=False)
        if not 0 < longest <= 5:
            continue
        pieces = {"".join(drawn.choices(letters, k=drawn.randint(1, 3))).encode() for _ in range(6)}
        singles = drawn.choice([[b"a", b"b", "é".encode()[:1], "é".encode()[1:]], [b"a"]])
        yield pattern, [text.encode() for text in texts if re.fullmatch(pattern, text)], sorted(pieces | set(singles))


def fewest(text: bytes, language: list[bytes], tokens: list[bytes]) -> int:
    """How many tokens lead at least from `text` to one of the language; 99 if none do."""
    if text in language:
        return 0
    if not any(whole.startswith(text) for whole in language):
        return 99
    return min(1 + fewest(text + token, language, tokens) for token in tokens)


def test_no_possible_token_is_closed_and_no_other_open() -> None:
    checked = 0
    for number, (pattern, language, tokens) in enumerate(languages(11)):
        if number == 40:
            break
        exact = not {b"a", b"b"} <= set(tokens)
        vocabulary = Letters(*tokens)
        if fewest(b"", language, tokens) > 90:
            with pytest.raises(UnwritableError):
                follow(pattern, vocabulary)
            continue
        for written in ways(language, tokens, random.Random(number)):
            text = b"".join(tokens[token] for token in written)
            ends = [END] if text in language else []
            possible = {token: fewest(text + tokens[token], language, tokens) for token in range(len(tokens))}
            assert allowed(pattern, vocabulary, written) == [t for t, more in possible.items() if more < 90] + ends
            left = max(fewest(text, language, tokens), 1)
            if exact:
                in_time = [token for token, more in possible.items() if more < left]
                assert allowed(pattern, vocabulary, written, len(written) + left) == in_time + ends
            checked += 1
    assert checked > 200


def ways(language: list[bytes], tokens: list[bytes], drawn: random.Random) -> Iterator[list[int]]:
    """Beginnings of answers, by their tokens."""
    for _ in range(6):
        written: list[int] = []
        while True:
            yield written
            text = b"".join(tokens[token] for token in written)
            more = [token for token in range(len(tokens)) if fewest(text + tokens[token], language, tokens) < 90]
            if not more:
                break
            written = [*written, drawn.choice(more)]


@pytest.fixture(params=["spm.model", "tokenizer.json"])
def tokenizer(request: pytest.FixtureRequest, tmp_path: Path) -> Tokenizer:
    if request.param == "spm.model":
        return open_tokenizer(PACK / "spm.model", "tiny")
    return open_tokenizer(byte_level(tmp_path / "tokenizer.json"), "tiny")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_whatever_is_chosen_matches_the_pattern_in_time(tokenizer: Tokenizer, pattern: str) -> None:
    grammar = pattern_grammar(pattern, Vocabulary(tokenizer), 4096)
    drawn = np.random.default_rng(7)
    found = set()
    for _ in range(60):
        most = grammar.shortest + int(drawn.integers(1, 20))
        answer, written = Answer(grammar, [tokenizer.size], most), []
        while not answer.whole:
            written.append(int(drawn.choice(answer.allowed())))
            answer.add(written[-1])
        ids = [token for token in written if token != tokenizer.size]
        text = tokenizer.decode(ids)
        assert re.fullmatch(pattern, text), (pattern, text)
        assert len(ids) <= most
        stream = TextStream(tokenizer)
        assert "".join(map(stream.add, ids)) + stream.end() == text
        found.add(text)
    assert len(found) > 1


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_model_writes_what_matches_the_pattern(pattern: str) -> None:
    patient = TextGenerator(verify(PACK), 1)
    for seed in range(4):
        told: list[str] = []
        answer = patient.generate(
            ASKED,
            most_tokens=40,
            pattern=pattern,
            sampling=Sampling(temperature=5.0 * seed, seed=seed),
            on_text=told.append,
            stops=["a"],
        )
        assert re.fullmatch(pattern, answer.text)
        assert answer.text == "".join(told)
        assert len(answer.tokens) <= 40


def test_an_answer_that_loops_is_led_to_its_end() -> None:
    looping = TextGenerator(verify(PACK), 1, Limits(loop_period=1, loop_times=3, loop_tokens=3))
    answer = looping.generate(ASKED, most_tokens=100, pattern="[0-9]{6,90}[.]")
    assert (len(answer.text), answer.reason) == (7, "loop")


def test_what_generate_cannot_hold_an_answer_to_is_refused(tiny_llm: TextGenerator) -> None:
    with pytest.raises(ValueError, match="both"):
        tiny_llm.generate(ASKED, most_tokens=5, choices=["a"], pattern="a")
    with pytest.raises(ValueError, match="more than 4"):
        tiny_llm.generate(ASKED, most_tokens=4, pattern="a{5}")
    with pytest.raises(ValueError, match=r"more than 4096 states"):
        tiny_llm.generate(ASKED, most_tokens=5, pattern="[ab]*a[ab]{20}")
    with pytest.raises(ValueError, match="empty answer"):
        tiny_llm.generate(ASKED, most_tokens=5, pattern="()")


def test_a_pattern_is_compiled_once(tiny_llm: TextGenerator) -> None:
    assert tiny_llm._pattern("[0-9]+") is tiny_llm._pattern("[0-9]+")


@pytest.mark.parametrize("text", CHOICES)
def test_the_bytes_of_tokens_make_up_what_they_are_decoded_to(text: str) -> None:
    tokenizer = open_tokenizer(PACK / "spm.model", "tiny")
    ids = tokenizer.encode(text)
    spelled = b"".join(map(tokenizer.spell, ids)).decode()
    assert tokenizer.leading_space
    assert spelled == " " + tokenizer.decode(ids) == " " + text
    stream = TextStream(tokenizer)
    assert "".join(map(stream.add, ids)) + stream.end() == text
