"""Answering a question from the knowledge base, or saying that it does not know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from appliance.advice.articles import BODY_LANGUAGE, Article, Face
from appliance.advice.confidence import THRESHOLD
from appliance.advice.finder import Finder
from appliance.advice.words import stems
from appliance.errors import ArticleNotFoundError, EmptyTextError, TextTooLongError
from appliance.limits import LIMITS, Limits

SECTION = re.compile(r"^## +(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Passage:
    """An article that may help: its face in the reader's language, and the part of its text that fits best."""

    article: Article
    face: Face
    score: float  # 0..1: how sure it is that it answers
    heading: str = ""
    text: str = ""  # Markdown, in English; empty where the face is in another language


@dataclass(frozen=True)
class Answer:
    """`abstained`: no passage is good enough; then `passages` holds none and `nearest` some topics to look at.

    `language` is the one the passages are shown in.
    """

    question: str
    language: str
    passages: tuple[Passage, ...]
    nearest: tuple[Passage, ...] = ()

    @property
    def abstained(self) -> bool:
        return not self.passages


class AdviceService:
    """Everything about advice that is not a page."""

    def __init__(self, articles: Mapping[str, Article], finder: Finder | None = None, limits: Limits = LIMITS) -> None:
        """Without a `finder` of its own the articles are found by their words alone."""
        self._known, self._limits = (articles, finder or Finder(articles, limits=limits)), limits

    def replace(self, articles: Mapping[str, Article], finder: Finder) -> None:
        """Know `articles` from now on, which `finder` finds; who is being answered gets those of before."""
        self._known = (articles, finder)

    @property
    def _articles(self) -> Mapping[str, Article]:
        return self._known[0]

    @property
    def languages(self) -> list[str]:
        """The languages a question can be asked in."""
        return sorted({language for article in self._articles.values() for language in article.faces})

    def article(self, article_id: str) -> Article:
        """Raises ArticleNotFoundError."""
        try:
            return self._articles[article_id]
        except KeyError:
            raise ArticleNotFoundError(article=article_id) from None

    def subjects(self) -> dict[str, list[Article]]:
        """All articles by subject, to look through without a question."""
        found: dict[str, list[Article]] = {}
        for article in self._articles.values():
            found.setdefault(article.subject, []).append(article)
        return found

    def ask(self, question: str, language: str, shown_in: str = "") -> Answer:
        """The passages that answer `question`, best first; `language` is the question's.

        They are shown in `shown_in`, by default in the language of the question.

        Raises:
            EmptyTextError: there is no question.
            TextTooLongError: it is longer than `limits.question_characters`.
        """
        if not question.strip():
            raise EmptyTextError
        if len(question) > self._limits.question_characters:
            raise TextTooLongError(length=len(question), most=self._limits.question_characters)
        chosen = language if language in self.languages else BODY_LANGUAGE
        shown = shown_in if shown_in in self.languages else chosen
        articles, finder = self._known
        asked, found = set(stems(question, chosen)), finder.find(question, chosen)
        passages = tuple(_passage(articles[name], shown, asked, sure) for name, sure in found.articles)
        if not found.known:
            return Answer(question, shown, (), passages[:3])
        return Answer(question, shown, tuple(passage for passage in passages if passage.score >= THRESHOLD))


def _passage(article: Article, language: str, asked: set[str], score: float) -> Passage:
    face, sections = article.face(language), _sections(article.text)
    if language != BODY_LANGUAGE or not sections:
        return Passage(article, face, score)
    heading, text = max(sections, key=lambda section: len(asked & set(stems(" ".join(section), language))))
    return Passage(article, face, score, heading, text)


def _sections(body: str) -> list[tuple[str, str]]:
    """(heading, text) of each section of an article."""
    parts = SECTION.split(body)
    sections = [("", parts[0].strip()), *zip(parts[1::2], map(str.strip, parts[2::2]), strict=True)]
    return [section for section in sections if section[1]]
