"""Text that a model reads while the ranges of its int8 form are measured: everyday sentences of many languages."""

from __future__ import annotations

import csv
from pathlib import Path

from models.own import PHRASEBOOK

SENTENCES = Path(__file__).with_name("sample.tsv")


def sample_text(language: str, most: int) -> list[str]:
    """At most `most` sentences in `language`; of a language that there are none of, sentences of all the others."""
    rows = _rows(PHRASEBOOK)
    if language in rows[0]:
        return _spread([row[language] for row in rows if " " in row[language]], most)
    others = _rows(SENTENCES)
    own = [row["sentence"] for row in others if row["language"] == language]
    return _spread(own or [row["sentence"] for row in others], most)


def _spread(sentences: list[str], most: int) -> list[str]:
    return sentences[:: -(-len(sentences) // most)]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
