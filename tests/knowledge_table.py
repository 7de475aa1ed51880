"""docs/knowledge.md: a table of all articles.

.venv/bin/python -m tests.knowledge_table     write it anew
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

from appliance.advice.articles import Article, read_articles
from tests.readability import grade

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "knowledge.md"
HEAD = """# The articles of the starter knowledge
{count} articles, in English, with title, signs and first steps also in Spanish, French and Swahili. “Read” says how
much of the sources was seen by whoever wrote the article: `text` the passage that carries the main advice, `abstract`
its opening or summary, `known` that it exists (see [write-knowledge.md](write-knowledge.md)). Nobody who knows the
subject has reviewed them unless “Reviewed” says so. “Grade” is the Flesch–Kincaid grade of all the English text, about
the years at school that it takes to read it with ease: from {least:.1f} to {most:.1f}, half of them up to {middle:.1f}.
This page is written by `python -m tests.knowledge_table`.
"""
COLUMNS = "| Article | Kind | About | Grade | Sources | Read | Reviewed |\n|---|---|---|---|---|---|---|"
ORDER = ("text", "abstract", "known")


def page() -> str:
    """What docs/knowledge.md has to be."""
    articles = read_articles(ROOT / "knowledge")
    grades = [_grade(each) for each in articles.values()]
    parts = [HEAD.format(count=len(articles), least=min(grades), most=max(grades), middle=median(grades))]
    for subject in sorted({article.subject for article in articles.values()}):
        rows = "\n".join(_row(each) for each in articles.values() if each.subject == subject)
        parts.append(f"## {subject}\n{COLUMNS}\n{rows}\n")
    return "\n".join(parts)


def _grade(article: Article) -> float:
    face = article.face("en")
    return grade((face.title, *face.signs, *face.first_steps, face.danger, face.get_help, article.text))


def _row(article: Article) -> str:
    sources = "; ".join(f"{each.publisher} {each.year}" for each in article.sources)
    read = min((each.checked for each in article.sources), key=ORDER.index)
    link = f"[{article.face('en').title}](../knowledge/{article.subject}/{article.id}.md)"
    about = ", ".join((*article.crops, *article.devices))
    hard = f"{_grade(article):.1f}"
    return f"| {link} | {article.kind} | {about} | {hard} | {sources} | {read} | {article.reviewed or 'no'} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
