"""Finding with vectors is measured as it should be."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from appliance.advice.articles import read_articles
from models.retrieval import Nearest, Question, Vectors, advice_table, among, found_first, fused

ARTICLES = read_articles(Path(__file__).resolve().parents[3] / "knowledge")


def of_letters(texts: Sequence[str], as_query: bool) -> Vectors:
    """A crude embedding that is real enough to rank: counts of pairs of letters."""
    vectors = np.zeros((len(texts), 26 * 26), np.float32)
    for row, text in enumerate(texts):
        letters = [ord(sign) - 97 for sign in text.lower() if "a" <= sign <= "z"]
        for one, other in itertools.pairwise(letters):
            vectors[row, 26 * one + other] += 1
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def test_what_lies_nearest_is_found() -> None:
    queries = np.eye(3, dtype=np.float32)
    assert found_first(queries, queries) == 1.0
    assert found_first(queries, queries[[1, 0, 2]]) == pytest.approx(1 / 3)


def test_vectors_that_are_all_alike_find_nothing() -> None:
    alike = np.ones((4, 2), np.float32)
    assert found_first(alike, alike) == 0.0


def test_an_article_is_found_by_its_own_words() -> None:
    for language in ("en", "es"):
        titles = [(each.id, each.face(language).title) for each in ARTICLES.values()]
        ranked = Nearest(of_letters, ARTICLES, language).rank([title for _, title in titles])
        found = [ranking[0] == name for ranking, (name, _) in zip(ranked, titles, strict=True)]
        assert sum(found) >= 0.99 * len(found)  # two articles may have a name in common
        assert all(sorted(ranking) == sorted(ARTICLES) for ranking in ranked)


def test_fusion_prefers_what_both_rankings_have() -> None:
    assert fused(["a", "b", "c"], ["d", "b"])[0] == "b"
    assert fused(["a"], []) == ["a"]


def test_the_table_has_every_way_in_every_language() -> None:
    titles = [(language, each) for each in ARTICLES.values() for language in ("en", "es")]
    questions = [Question(language, each.face(language).title, each.id) for language, each in titles]
    rows = {(row.language, row.way): row for row in advice_table(of_letters, ARTICLES, questions)}
    assert len(rows) == 7
    assert rows["es", "vectors, es articles"].first >= 0.99
    assert rows["es", "vectors, en articles"].first < 0.9
    assert all(row.first <= row.three for row in rows.values())


def test_a_share_counts_only_the_first_places() -> None:
    questions = [Question("en", "?", "x"), Question("en", "?", "y")]
    rankings = [["a", "x"], ["y", "a"]]
    assert (among(rankings, questions, 1), among(rankings, questions, 2)) == (0.5, 1.0)
