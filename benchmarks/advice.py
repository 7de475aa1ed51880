"""How well advice finds the right article, and how well it knows what it does not know.

    .venv/bin/python -m benchmarks.advice

Reads tests/data/questions: questions in people's words with the article that answers each, the articles' own
titles and other names as short questions, and questions that the knowledge holds no answer to.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from appliance.advice.articles import read_articles
from appliance.advice.service import THRESHOLD, AdviceService

ROOT = Path(__file__).resolve().parents[1]
QUESTIONS = ROOT / "tests" / "data" / "questions"


def answerable() -> Iterator[tuple[str, str, str]]:
    """(language, question, article)."""
    for path in sorted(QUESTIONS.glob("*.toml")):
        for row in tomllib.loads(path.read_text(encoding="utf-8")).get("question", []):
            yield row["language"], row["text"], row["article"]


def unanswerable() -> Iterator[tuple[str, str]]:
    """(language, question)."""
    rows = tomllib.loads((QUESTIONS / "unanswerable.toml").read_text(encoding="utf-8"))
    return ((language, text) for language, texts in rows.items() for text in texts)


def main() -> None:
    """Print the table."""
    articles = read_articles(ROOT / "knowledge")
    service = AdviceService(articles)
    print(f"{len(articles)} articles, threshold {THRESHOLD}")
    for language in ("en", "es"):
        asked = [(text, article) for lang, text, article in answerable() if lang == language]
        ranks = [_rank(service, language, text, article) for text, article in asked]
        print(
            f"{language}  questions {len(ranks):3}  right one first {_share(ranks, 1):.0%}"
            f"  among three {_share(ranks, 3):.0%}  nothing {_nothing(ranks):.0%}"
        )
        names = [
            (name, each.id)
            for each in articles.values()
            for name in (each.face(language).title, *each.face(language).aliases)
        ]
        ranks = [_rank(service, language, name, article) for name, article in names]
        print(
            f"{language}  names     {len(ranks):3}  right one first {_share(ranks, 1):.0%}"
            f"  among three {_share(ranks, 3):.0%}  nothing {_nothing(ranks):.0%}"
        )
        others = [text for lang, text in unanswerable() if lang == language]
        honest = sum(service.ask(text, language).abstained for text in others)
        print(f"{language}  not known {len(others):3}  said so {honest / len(others):.0%}")


def _rank(service: AdviceService, language: str, text: str, article: str) -> int:
    """Place of the right article among those shown; 0 if none is shown, 99 if only others are."""
    shown = [passage.article.id for passage in service.ask(text, language).passages]
    if not shown:
        return 0
    return shown.index(article) + 1 if article in shown else 99


def _share(ranks: list[int], most: int) -> float:
    return sum(0 < rank <= most for rank in ranks) / len(ranks)


def _nothing(ranks: list[int]) -> float:
    """The share that was answered with “I do not know this”."""
    return ranks.count(0) / len(ranks)


if __name__ == "__main__":
    main()
