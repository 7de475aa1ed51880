"""The search index: SQLite FTS5, one row an article and language, ranked by BM25 over weighted fields."""

from __future__ import annotations

import math
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
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
MOST_WORDS = 12  # of a question, the rarest: a common one is in so many articles that it takes time and tells nothing
BLANKS = 3  # empty rows for each article: BM25 takes a word for rarer then, and finds better (benchmarks/advice.py)
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
    """Held in memory: a few hundred articles are indexed faster than a file on a worn card is checked.

    Each language has a table of its own, so that a question meets the rows of its language only.
    """

    def __init__(self, articles: Mapping[str, Article]) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        languages = {language for article in articles.values() for language in article.faces}
        self._tables = {
            language: _Table(self._database, f"pages_{number}", language, articles.values())
            for number, language in enumerate(sorted(languages))
        }

    def search(self, question: str, language: str, most: int) -> list[Hit]:
        """The best `most` articles for a question in `language`, best first."""
        table = self._tables.get(language)
        asked = table.asked(question) if table else {}
        if table is None or not asked:
            return []
        with self._lock:
            rows = table.best(self._database, asked, most)
        return [Hit(table.articles[row], bm25, table.score(asked, row)) for row, bm25 in rows]


class _Table:
    """The articles in one language."""

    def __init__(self, database: sqlite3.Connection, name: str, language: str, articles: Iterable[Article]) -> None:
        self._name, self._language = name, language
        self.articles: list[str] = []  # by row
        self._fields: list[tuple[str, ...]] = []  # by row: the stems of each of FIELDS
        self._frequency: Counter[str] = Counter()  # in how many articles each stem is
        for article in articles:
            if language in article.faces:
                fields = _fields(article, language)
                self.articles.append(article.id)
                self._fields.append(fields)
                self._frequency.update({word for field in fields for word in field.split()})
        self._spelling = Spelling(self._frequency)
        self._fill(database)

    def _fill(self, database: sqlite3.Connection) -> None:
        """The table keeps what finds a row, and no text (`content=''`); its rank is BM25 with the weights of FIELDS."""
        ranks = ", ".join(str(rank) for rank, _ in FIELDS.values())
        marks = ", ".join("?" * (len(FIELDS) + 1))
        blanks = [("",) * len(FIELDS)] * (BLANKS * len(self._fields))
        database.execute(
            f"CREATE VIRTUAL TABLE {self._name} USING fts5({', '.join(FIELDS)}, content='', tokenize='ascii')"
        )
        database.execute(f"INSERT INTO {self._name} ({self._name}, rank) VALUES ('rank', 'bm25({ranks})')")  # noqa: S608
        database.executemany(
            f"INSERT INTO {self._name} (rowid, {', '.join(FIELDS)}) VALUES ({marks})",  # noqa: S608
            ((row, *fields) for row, fields in enumerate((*self._fields, *blanks))),
        )

    def best(self, database: sqlite3.Connection, asked: Iterable[str], most: int) -> list[tuple[int, float]]:
        """The rows that have the rarest of the words asked, with their BM25 (larger is better), best first."""
        known = [word for word in asked if self._frequency[word]]
        rarest = sorted(known, key=lambda word: (self._frequency[word], word))[:MOST_WORDS]
        if not rarest:
            return []
        return database.execute(
            f"SELECT rowid, -rank FROM {self._name} WHERE {self._name} MATCH ? ORDER BY rank LIMIT ?",  # noqa: S608
            (" OR ".join(f'"{word}"' for word in rarest), most),
        ).fetchall()

    def asked(self, question: str) -> dict[str, float]:
        """The stems that are asked for, and how much each counts; one that no article has is read as it is like."""
        asked: dict[str, float] = {}
        for word in stems(question, self._language):
            meant = word if word in self._frequency else self._spelling.nearest(word)
            counts = 1.0 if meant in ("", word) else MISSPELT
            asked[meant or word] = max(asked.get(meant or word, 0.0), counts)
        return asked

    def score(self, asked: Mapping[str, float], row: int) -> float:
        """See `Hit`; a word weighs more the fewer articles have it, most if none has."""
        has: dict[str, float] = {}
        for (_, evidence), field in zip(FIELDS.values(), self._fields[row], strict=True):
            for word in asked.keys() & set(field.split()):
                has[word] = max(has.get(word, 0.0), evidence)
        weights = {word: math.log(1 + len(self.articles) / (1 + self._frequency[word])) for word in asked}
        found = sum(weight * asked[word] * has.get(word, 0.0) for word, weight in weights.items())
        return min(1.0, found / math.sqrt(sum(weights.values()) * ENOUGH))


def _fields(article: Article, language: str) -> tuple[str, ...]:
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
    return tuple(" ".join(stems(texts[field], language)) for field in FIELDS)
