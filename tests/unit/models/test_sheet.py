"""A sheet of pairs is read as spreadsheets write it, and what is wrong in it is said with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import CorpusError
from models.sheet import HELD_LEAST, HELD_MOST, Sheet, read_sheet, split


def sheet(tmp_path: Path, content: bytes | str) -> Sheet:
    path = tmp_path / "pairs.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_sheet(path, "en", "quz")


def made_up(count: int) -> list[tuple[str, str]]:
    return [(f"I see {number} goats today.", f"Kunan {number} cabrata rikuni.") for number in range(count)]


def test_pairs_are_read_with_or_without_a_header(tmp_path: Path) -> None:
    pairs = [("Water.", "Unu."), ("Bread.", "T'anta.")]
    plain = "Water.\tUnu.\nBread.\tT'anta.\n"
    assert sheet(tmp_path, plain) == Sheet(pairs, "", 0)
    assert sheet(tmp_path, f"EN\tquz\n{plain}") == Sheet(pairs, "EN | quz", 0)
    assert sheet(tmp_path, f"source\ttarget\n{plain}").pairs == pairs


def test_columns_in_the_other_order_are_told_by_the_header(tmp_path: Path) -> None:
    assert sheet(tmp_path, "quz\ten\nUnu.\tWater.\n").pairs == [("Water.", "Unu.")]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfWater.\tUnu.\n",
        b"Water.\tUnu.\r\n\r\n",
        b"Water.\tUnu.\rWater.\tUnu.",
        b'"Water."\tUnu.\n\n\n',
        b"  Water. \t Unu.  \n",
    ],
)
def test_marks_of_spreadsheets_and_systems_are_taken_off(tmp_path: Path, content: bytes) -> None:
    assert sheet(tmp_path, content).pairs == [("Water.", "Unu.")]


def test_quotation_marks_that_belong_to_the_text_stay(tmp_path: Path) -> None:
    found = sheet(tmp_path, '"He said ""yes""."\tAri nirqan.\n"Yes" and "no"\tAri, mana\n"\tsimi\n').pairs
    assert [one for one, _ in found] == ['He said "yes".', '"Yes" and "no"', '"']


def test_letters_are_composed_so_that_the_same_text_is_the_same(tmp_path: Path) -> None:
    found = sheet(tmp_path, "Year.\tan\u0303o\nYear.\ta\u00f1o\n")
    assert (found.pairs, found.repeated) == ([("Year.", "a\u00f1o")], 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Water.\tUnu.\nBread\n", r"line 2: one column only.*tab"),
        ("Water.\tUnu.\tnote\n", r"line 1: 3 columns"),
        ("Water.\tUnu.\n\n\tT'anta.\n", r"line 3: the first column is empty"),
        ('Water.\t""\n', r"line 1: the second column is empty"),
        ("Water.\tUnu.\nMañana.\tPaqarin.\n".encode("latin-1"), r"line 2, after “Ma”\).*UTF-8"),
        ("Water.\tUnu.\n".encode("utf-16"), r"UTF-16"),
        (b"PK\x03\x04rest", r"spreadsheet file"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, content: bytes | str, said: str) -> None:
    with pytest.raises(CorpusError, match=f"(?s){said}"):
        sheet(tmp_path, content)


def test_many_wrong_lines_are_counted_and_the_first_ones_shown(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"(?s)30 lines are not a pair.*line 10:.*and 20 more") as raised:
        sheet(tmp_path, "one column\n" * 30)
    assert "line 11" not in str(raised.value)


def test_a_missing_sheet_is_said(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be read"):
        read_sheet(tmp_path / "no.tsv", "en", "quz")


@pytest.mark.parametrize(("pairs", "apart"), [(200, HELD_LEAST), (4_000, 200), (30_000, HELD_MOST)])
def test_a_twentieth_is_kept_apart_within_bounds(pairs: int, apart: int) -> None:
    training, held = split(made_up(pairs))
    assert (len(held), len(training)) == (apart, pairs - apart)


def test_what_is_kept_apart_does_not_depend_on_the_order_and_stays_when_the_sheet_grows() -> None:
    pairs = made_up(4_000)
    _, held = split(pairs)
    assert split(pairs[::-1])[1] == held
    assert len(set(split(made_up(4_400))[1]) & set(held)) > 150


def test_nothing_to_train_on_says_the_same_as_what_is_kept_apart() -> None:
    pairs = made_up(1_000)
    twins = [(one.upper().rstrip("."), f"{other}!") for one, other in pairs]
    training, held = split(pairs + twins)
    told = {text.casefold().rstrip(".!") for pair in held for text in pair}
    assert len(held) == 100
    assert not told & {text.casefold().rstrip(".!") for pair in training for text in pair}


def test_single_words_are_for_training_where_there_are_sentences() -> None:
    words = [(f"word{number}", f"simi{number}") for number in range(2_000)]
    _, held = split(words + made_up(2_000))
    assert len(held) == 200
    assert not set(held) & set(words)
    assert len(split(words)[1]) == 100
