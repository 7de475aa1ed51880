"""Text is cut into sentences and comes back whole."""

from __future__ import annotations

import random

import pytest

from appliance.translation.sentences import LONGEST, join, split

TEXT = """Dear friend,

  The pump gives no water.  We looked at it: the rod is broken!
- First item. Second sentence.
2) Another item
\tTabbed line without end

Mr. Smith came at 3.30 p.m. with 2.5 kg of maize. "Is it dry?" he asked. We said no… Then he left.
¿Dónde está el agua? ¡Aquí! El Sr. Pérez lo sabe.\r
Last line"""


def sentences(text: str) -> list[str]:
    return [piece.sentence for piece in split(text) if piece.sentence]


@pytest.mark.parametrize("text", ["", " ", "\n\n", "a", ".", "...", "- ", "1.", "\r\n \t", TEXT, TEXT * 3, "😀", "—"])
def test_the_pieces_give_the_text_back(text: str) -> None:
    assert join(split(text)) == text


def test_any_text_comes_back() -> None:
    rng = random.Random(1)
    for _ in range(300):
        text = "".join(rng.choices('aB.?! \n\t,;-1)"é…\u00a0\u2028<>/', k=rng.randint(0, 900)))
        assert join(split(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Mr. Smith came. He left.", ["Mr. Smith came.", "He left."]),
        ("El Sr. Pérez vino. Se fue.", ["El Sr. Pérez vino.", "Se fue."]),
        ("It is 2.5 kg. Good.", ["It is 2.5 kg. Good."]),
        ("J. Nyerere spoke.", ["J. Nyerere spoke."]),
        ('"Is it dry?" he asked.', ['"Is it dry?" he asked.']),
        ('He said "no." Then he left.', ['He said "no."', "Then he left."]),
        ("Wait... what?", ["Wait... what?"]),
        ("¿Dónde? ¡Aquí!", ["¿Dónde?", "¡Aquí!"]),
        ("- First. Second.", ["First.", "Second."]),
        ("12) Dig a hole", ["Dig a hole"]),
        ("<p>The water.</p><br/>Good &amp; clean", ["The water.", "Good &amp; clean"]),
        ("3 < 5 and 7 > 2", ["3 < 5 and 7 > 2"]),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_a_very_long_sentence_is_cut_at_a_comma_or_a_space() -> None:
    parts = sentences("we went to the market and bought seeds, " * 30)
    assert all(len(part) <= LONGEST for part in parts)
    assert all(part.endswith(",") for part in parts[:-1])
    assert max(map(len, sentences("word " * 400))) <= LONGEST
    assert max(map(len, sentences("x" * 2000))) <= LONGEST
