"""The search index: SQLite FTS5, one row an article and language, ranked by BM25 over weighted fields."""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from appliance.advice.articles import BODY_LANGUAGE, Article
from appliance.advice.spelling import Spelling
from appliance.advice.words import stems

# Of each field its weight in BM25, and what a word found in it counts as evidence that the article is meant.
FIELDS = {
    "title": (6.0, 1.0),
    "aliases": (6.0, 1.0),
    "things": (6.0, 0.8),
    "signs": (4.0, 0.8),
    "steps": (1.5, 0.3),
    "body": (1.0, 0.1),
}
CANDIDATES = 20
MISSPELT = 0.8  # what a word counts that was read as another
ENOUGH = 4.0  # nats of evidence: one rare word and one common one


@dataclass(frozen=True)
class Hit:
    """An article found. `bm25` is SQLite's, larger is better; `score` 0..1 says how sure it is meant.

    The score is the geometric mean of two shares: of what was asked, how much the article has; and of
    `ENOUGH`, how much was found. The first alone is fooled by a question of one common word, the second by
    a long story about something else.
    """

    article: str
    bm25: float
    score: float


class Index:
    """Held in memory: a few hundred articles are indexed faster than a file on a worn card is checked."""

    def __init__(self, articles: Mapping[str, Article]) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        names = ", ".join(FIELDS)
        self._database.execute(
            f"CREATE VIRTUAL TABLE pages USING fts5(article UNINDEXED, language UNINDEXED, {names}, tokenize='ascii')"
        )
        rows = [(each.id, language, *_fields(each, language)) for each in articles.values() for language in each.faces]
        marks = ", ".join("?" * (len(FIELDS) + 2))
        self._database.executemany(f"INSERT INTO pages VALUES ({marks})", rows)  # noqa: S608 - only question marks
        self._words: dict[tuple[str, str], dict[str, float]] = {}
        self._frequency: dict[str, dict[str, int]] = {}
        self._count: dict[str, int] = {}
        for article, language, *texts in rows:
            self._note(article, language, texts)
        self._spelling = {language: Spelling(words) for language, words in self._frequency.items()}

    def search(self, question: str, language: str, most: int) -> list[Hit]:
        """The best articles for a question in `language`, best first."""
        asked = self._asked(question, language)
        if not asked:
            return []
        weights = ", ".join(["0", "0", *(str(rank) for rank, _ in FIELDS.values())])
        match = " OR ".join(f'"{word}"' for word in asked)
        with self._lock:
            rows = self._database.execute(
                f"SELECT article, -bm25(pages, {weights}) FROM pages WHERE pages MATCH ? AND language = ? "  # noqa: S608
                "ORDER BY bm25(pages, " + weights + ") LIMIT ?",
                (match, language, max(CANDIDATES, most)),
            ).fetchall()
        hits = [Hit(article, bm25, self._score(asked, article, language)) for article, bm25 in rows]
        return sorted(hits, key=lambda hit: -hit.bm25)[:most]

    def _asked(self, question: str, language: str) -> dict[str, float]:
        """The stems that are asked for, and how much each counts; one that no article has is read as it is like."""
        known = self._frequency.get(language, {})
        asked: dict[str, float] = {}
        for word in stems(question, language):
            meant = word if word in known else self._spelling[language].nearest(word) if known else ""
            counts = 1.0 if meant in ("", word) else MISSPELT
            asked[meant or word] = max(asked.get(meant or word, 0.0), counts)
        return asked

    def _note(self, article: str, language: str, texts: list[str]) -> None:
        best: dict[str, float] = {}
        for (_, evidence), text in zip(FIELDS.values(), texts, strict=True):
            for word in text.split():
                best[word] = max(best.get(word, 0.0), evidence)
        self._words[article, language] = best
        self._count[language] = self._count.get(language, 0) + 1
        frequency = self._frequency.setdefault(language, {})
        for word in best:
            frequency[word] = frequency.get(word, 0) + 1

    def _score(self, asked: Mapping[str, float], article: str, language: str) -> float:
        """See `Hit`; a word weighs more the fewer articles have it, most if none has."""
        frequency, count = self._frequency[language], self._count[language]
        has = self._words[article, language]
        weights = {word: math.log(1 + count / (1 + frequency.get(word, 0))) for word in asked}
        found = sum(weight * asked[word] * has.get(word, 0.0) for word, weight in weights.items())
        return min(1.0, found / math.sqrt(sum(weights.values()) * ENOUGH))


def _fields(article: Article, language: str) -> list[str]:
    """The stems of each of FIELDS. The English text is indexed in English only."""
    face = article.faces[language]
    texts = {
        "title": face.title,
        "aliases": " ".join(face.aliases),
        "things": " ".join((*article.crops, *article.devices)) if language == BODY_LANGUAGE else "",
        "signs": " ".join(face.signs),
        "steps": " ".join((*face.first_steps, face.danger, face.get_help)),
        "body": article.text if language == BODY_LANGUAGE else "",
    }
    return [" ".join(stems(texts[field], language)) for field in FIELDS]
