"""A pattern means to the appliance what it means to Python's `re`, byte by byte."""

from __future__ import annotations

import random
import re

import pytest

from appliance.inference.automaton import NOWHERE, Automaton, TooManyStatesError, build
from appliance.inference.pattern import PatternError, parse
from tests.patterns import PATTERNS, random_pattern

LETTERS = "ab é🌽-z"


def compiled(pattern: str, most_states: int = 4096) -> Automaton:
    return build(parse(pattern), most_states)


def matches(automaton: Automaton, text: bytes) -> bool:
    state = automaton.start
    for byte in text:
        state = int(automaton.table[state, byte])
        if state == NOWHERE:
            return False
    return bool(automaton.accepting[state])


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("a|bc|", ["a", "bc", ""], ["b", "ac", "abc"]),
        ("a(b|c)d", ["abd", "acd"], ["ad", "abcd"]),
        ("ab?c*d+", ["ad", "abccdd"], ["abc", "abbd"]),
        ("a{2}b{1,}c{1,2}", ["aabc", "aabbbcc"], ["abc", "aac", "aabccc"]),
        ("(ab){0}c", ["c"], ["abc"]),
        (".", ["x", "é", "🌽", "\t"], ["\n", "", "xx"]),
        ("[a-cx-]", ["a", "c", "x", "-"], ["d", "ax"]),
        ("[^a-c]", ["d", "\n", "é", "🌽", "\0"], ["a", ""]),
        ("[à-ÿ一-龠🌽]", ["é", "的", "🌽"], ["e", "🌾"]),
        (r"\.\\\n\t\-\/[\]^\[]", [".\\\n\t-/]", ".\\\n\t-/^", ".\\\n\t-/["], [".\\\n\t-/"]),
        ("((a|b)*|c)*d", ["d", "abcbad"], ["", "abc"]),
        ("()", [""], ["a"]),
    ],
)
def test_what_a_pattern_allows(pattern: str, yes: list[str], no: list[str]) -> None:
    automaton = compiled(pattern)
    for text in yes + no:
        assert matches(automaton, text.encode()) == (text in yes) == bool(re.fullmatch(pattern, text)), text


def test_random_patterns_mean_what_they_mean_to_python() -> None:
    drawn = random.Random(5)
    checked = {True: 0, False: 0}
    for _ in range(400):
        pattern, _ = random_pattern(drawn, LETTERS, unbounded=True)
        automaton = compiled(pattern)
        for _ in range(30):
            text = "".join(drawn.choices(LETTERS + "\n一", k=drawn.randrange(6)))
            expected = bool(re.fullmatch(pattern, text))
            assert matches(automaton, text.encode()) == expected, (pattern, text)
            checked[expected] += 1
    assert min(checked.values()) > 500


@pytest.mark.parametrize("ranges", ["[^x]", "[\x00-\U0010ffff]", "[\x7f-\x80߿-ࠀ퟿-\ue000\uffff-𐀀]"])
def test_ranges_of_characters_are_exact_in_bytes(ranges: str) -> None:
    automaton = compiled(ranges)
    edges = [0, 0x7E, 0x7F, 0x80, 0x7FE, 0x7FF, 0x800, 0xFFF, 0x1000, 0xD7FE, 0xD7FF, 0xE000, 0xE001]
    edges += [0xFFFE, 0xFFFF, 0x10000, 0x3FFFF, 0x40000, 0x10FFFE, 0x10FFFF]
    drawn = random.Random(1)
    for number in [*edges, *(drawn.randrange(0x110000) for _ in range(2000))]:
        if not 0xD800 <= number <= 0xDFFF:
            assert matches(automaton, chr(number).encode()) == bool(re.fullmatch(ranges, chr(number))), hex(number)


def test_no_bytes_are_allowed_that_make_no_character() -> None:
    automaton = compiled("[^x]*")
    for wrong in (b"\x80", b"\xc3", b"\xc0\x80", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff"):
        assert not matches(automaton, wrong)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(a", r"at character 3: a \) is missing"),
        ("a)", r"at character 2: there is no \( for this"),
        ("[a", "ends too early"),
        ("[]", "no character"),
        ("[^\\x]", "is not known here"),
        ("[b-a]", "at character 5: a range"),
        ("[[a]", r"put \\ before it"),
        ("*a", r"at character 1: to write \* itself"),
        ("a**", "repeated twice"),
        ("a+?", "repeated twice"),
        ("a{2,1}", "smaller"),
        ("a{b}", "one or two numbers"),
        ("a{,2}", "one or two numbers"),
        ("a}", "to write } itself"),
        ("^a", r"to write \^ itself"),
        ("a$", r"to write \$ itself"),
        ("(?:a)", r"begin with \(\?"),
        (r"\d", r"\\d is not known"),
        ("a\\", "is not known"),
        ("\ud800", "half a character"),
        ("(" * 60 + ")" * 60, "more than 50 groups"),
    ],
)
def test_what_is_no_pattern_is_refused_with_its_place(pattern: str, reason: str) -> None:
    with pytest.raises(PatternError, match=reason):
        parse(pattern)


def test_a_pattern_that_would_take_too_much_is_refused() -> None:
    for pattern in ("[ab]*a[ab]{20}", "((((()){999}){999}){999}){999}", "(.{999}){999}"):
        with pytest.raises(TooManyStatesError, match="500 states"):
            compiled(pattern, 500)
    assert len(compiled("[0-9]{1,3}", 4).table) == 4


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_patterns_of_other_tests_are_python_s_too(pattern: str) -> None:
    assert re.compile(pattern)
    assert len(compiled(pattern).table) > 1
