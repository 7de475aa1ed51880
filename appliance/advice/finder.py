"""Finding the articles that answer a question, by words and by meaning together, or that none does."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from appliance.advice.articles import Article
from appliance.advice.confidence import MOST_ASKED, THRESHOLD, WITH_MEANING, WORDS_ONLY, Evidence
from appliance.advice.elsewhere import PREFIX
from appliance.advice.index import Index
from appliance.advice.meanings import Meanings
from appliance.advice.words import stems
from appliance.limits import LIMITS, Limits

Names = dict[tuple[str, frozenset[str]], list[str]]  # ids of articles, by a language and the stems of a name

BY_NAME = 0.9  # how sure it is that an article is meant by whoever asks for its name and nothing else


@dataclass(frozen=True)
class Found:
    """Articles, best first, each with how sure it is that it answers (0..1); `known`: the first one does."""

    articles: tuple[tuple[str, float], ...]
    known: bool


class Finder:
    """Searches articles, and what they are not about; safe to share between threads."""

    def __init__(
        self,
        articles: Mapping[str, Article],
        elsewhere: Mapping[str, Article] | None = None,
        meanings: Meanings | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        """`meanings` are of the articles and of `elsewhere`; without them things are found by words alone."""
        self._articles, self._elsewhere = articles, elsewhere or {}
        self._meanings, self._limits = meanings, limits
        self._preparing = threading.Lock()
        self._searched: tuple[Index, Names] | None = None

    def prepare(self) -> tuple[Index, Names]:
        """Index the articles, which takes a second or more: at the first question, if nobody did it before."""
        with self._preparing:
            if self._searched is None:
                self._searched = Index({**self._articles, **self._elsewhere}), _names(self._articles)
            return self._searched

    def find(self, question: str, language: str) -> Found:
        """What answers `question`, which is in `language`."""
        evidence = self.evidence(question, language)
        weights = WITH_MEANING if any(each.meaning for each in evidence.values()) else WORDS_ONLY
        sure = {name: weights.confidence(each) for name, each in evidence.items()}
        _, names = self.prepare()
        for article in names.get((language, frozenset(stems(question, language))), ()):
            sure[article] = max(BY_NAME, sure.get(article, 0.0))
        return decide(sure.items(), self._limits.passages)

    def evidence(self, question: str, language: str) -> dict[str, Evidence]:
        """What speaks for each article, and for each topic that the knowledge has nothing about."""
        asked = min(len(set(stems(question, language))), MOST_ASKED)
        index, _ = self.prepare()
        most = self._limits.candidates
        hits = {hit.article: hit for hit in index.search(question, language, most)}
        meant = self._meanings.likeness(question, most, hits) if self._meanings else {}
        told = {}
        for name in meant or hits:
            hit, meaning = hits.get(name), meant.get(name, 0.0)
            told[name] = Evidence(hit.score if hit else 0.0, hit.bm25 if hit else 0.0, meaning, asked)
        return told


def _names(articles: Mapping[str, Article]) -> Names:
    """The articles of each title and each other name, by its language and stems: who asks by name is answered."""
    found: Names = {}
    for article in articles.values():
        for language, face in article.faces.items():
            for words in {frozenset(stems(name, language)) for name in (face.title, *face.aliases)} - {frozenset()}:
                found.setdefault((language, words), []).append(article.id)
    return found


def decide(sure: Iterable[tuple[str, float]], most: int) -> Found:
    """The best `most` articles of those with their confidence, and whether the first one is an answer."""
    ranked = sorted(sure, key=lambda each: -each[1])
    articles = tuple(each for each in ranked if not each[0].startswith(PREFIX))[:most]
    known = bool(articles) and articles[0][1] >= THRESHOLD and articles[0] == ranked[0]
    return Found(articles, known)
