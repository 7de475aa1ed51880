"""How well vectors find what they should: translations among others, and articles for a question. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.advice.articles import Article
from appliance.advice.index import Index

Vectors = npt.NDArray[np.float32]
Embed = Callable[[Sequence[str], bool], Vectors]  # texts, whether they are queries

LOOKED_AT = 20  # articles that words find
FUSION = 60  # of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): 1 / (60 + rank), added up


@dataclass(frozen=True)
class Question:
    language: str
    text: str
    article: str


def found_first(queries: Vectors, targets: Vectors) -> float:
    """The share of rows of `queries` (N, D) whose nearest row of `targets` (N, D) by cosine is their own number.

    A tie is no find: vectors that are all alike find nothing.
    """
    likeness = queries @ targets.T
    own = np.diagonal(likeness)[:, None]
    return float(((likeness >= own).sum(axis=1) == 1).mean())


def passages(article: Article, language: str) -> list[str]:
    """What stands for an article: its title, each of its other names, signs and first steps."""
    face = article.face(language)
    return [face.title, *face.aliases, *face.signs, *face.first_steps]


class Nearest:
    """Ranks articles by their passage nearest to the question, each article as its face in `language` says it."""

    def __init__(self, embed: Embed, articles: Mapping[str, Article], language: str) -> None:
        self._embed = embed
        texts = [(each.id, text) for each in articles.values() for text in passages(each, language)]
        self._owners = [owner for owner, _ in texts]
        self._vectors = embed([text for _, text in texts], False)

    def rank(self, questions: Sequence[str]) -> list[list[str]]:
        """The ids of all articles, best first, for each question."""
        likeness = self._embed(questions, True) @ self._vectors.T
        return [list(dict.fromkeys(self._owners[place] for place in np.argsort(-row))) for row in likeness]


def lexical(index: Index, questions: Sequence[Question]) -> list[list[str]]:
    """The ids that the index of the box finds, best first, for each question."""
    return [[hit.article for hit in index.search(each.text, each.language, LOOKED_AT)] for each in questions]


def fused(*rankings: Sequence[str]) -> list[str]:
    """Several rankings as one, by reciprocal rank."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for place, name in enumerate(ranking, 1):
            scores[name] = scores.get(name, 0.0) + 1 / (FUSION + place)
    return sorted(scores, key=lambda name: -scores[name])


def among(rankings: Sequence[Sequence[str]], questions: Sequence[Question], most: int) -> float:
    """The share of questions whose article is among the first `most`."""
    hits = (each.article in ranking[:most] for ranking, each in zip(rankings, questions, strict=True))
    return sum(hits) / len(questions)


def advice_table(embed: Embed, articles: Mapping[str, Article], questions: Sequence[Question]) -> list[AdviceRow]:
    """One row a language and a way of finding; questions in another language than English also on English articles."""
    index, rows = Index(articles), []
    for language in sorted({each.language for each in questions}):
        asked = [each for each in questions if each.language == language]
        words = lexical(index, asked)
        rows.append(_row(language, "words (BM25)", words, asked))
        for face in dict.fromkeys((language, "en")):
            near = Nearest(embed, articles, face).rank([each.text for each in asked])
            rows.append(_row(language, f"vectors, {face} articles", near, asked))
            if face == language:
                both = [fused(one, other) for one, other in zip(words, near, strict=True)]
                rows.append(_row(language, "words and vectors fused", both, asked))
    return rows


@dataclass(frozen=True)
class AdviceRow:
    """`first` and `three` are shares, 0..1, of `questions`."""

    language: str
    way: str
    questions: int
    first: float
    three: float

    def line(self) -> str:
        return (
            f"{self.language}  {self.way:24} {self.questions:4}  first {self.first:.0%}  among three {self.three:.0%}"
        )


def _row(language: str, way: str, rankings: list[list[str]], asked: list[Question]) -> AdviceRow:
    return AdviceRow(language, way, len(asked), among(rankings, asked, 1), among(rankings, asked, 3))
