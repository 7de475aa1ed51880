"""The sentence pairs of our own are well formed, and numbers agree in all their languages."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from appliance.translation.numbers import differing
from models import own
from models.errors import CorpusError


def phrasebook() -> list[dict[str, str]]:
    with own.PHRASEBOOK.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_every_phrase_stands_in_every_language() -> None:
    rows = phrasebook()
    assert len(rows) > 300
    assert set(rows[0]) == {"en", "es", "fr", "sw"}
    assert not [row for row in rows if not all(text and text == text.strip() for text in row.values())]


def test_no_phrase_stands_twice() -> None:
    assert [text for text, count in Counter(row["en"] for row in phrasebook()).items() if count > 1] == []


@pytest.mark.parametrize("language", ["es", "fr", "sw"])
def test_numbers_agree(language: str) -> None:
    assert [row["en"] for row in phrasebook() if any(differing(row["en"], row[language]))] == []


def test_the_articles_give_pairs_in_both_languages() -> None:
    pairs = list(own.own_pairs("en", "es"))
    assert ("own_knowledge", "Fall armyworm in maize", "Gusano cogollero en el maíz") in pairs
    assert len([pair for pair in pairs if pair[0] == "own_knowledge"]) > 300
    assert len([pair for pair in own.own_pairs("en", "sw") if pair[0] == "own_knowledge"]) > 300
    assert not [pair for pair in own.own_pairs("en", "de") if pair[0] == "own_knowledge"]


def test_a_row_with_a_missing_column_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "book.tsv").write_text("en\tes\nmaize\tmaíz\nwater\n", encoding="utf-8")
    monkeypatch.setattr(own, "PHRASEBOOK", tmp_path / "book.tsv")
    with pytest.raises(CorpusError, match="line 3"):
        list(own.own_pairs("en", "es"))
