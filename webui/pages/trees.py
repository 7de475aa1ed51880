"""Finding out step by step what is wrong; and sheets of paper for those who are away from the box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flask import Blueprint, render_template, url_for

from appliance.advice.articles import Article
from appliance.advice.trees import Leaf, Tree, Words, labels, resolve
from appliance.errors import ArticleNotFoundError
from webui.forms import asked
from webui.languages import reader_language
from webui.pages.ask import SUBJECTS
from webui.sheets import address_of, largest, style
from webui.site import appliance

pages = Blueprint("trees", __name__)

# Of paper: A4 less its margins, in millimetres, and sizes of letters in points.
WIDTH, HEIGHT = 190.0, 277.0
COLUMN = 92.0  # half of it, less the gap
HEAD, PICTURE, GAP = 48.0, 6.0, 1.2  # what the top and the foot, a picture and the space after a step or leaf take
TREE_SIZES = (10, 9.5, 9, 8.5, 8, 7.5, 7, 6.5, 6)
TIGHT = 8  # and below: answers follow one another in the line, and a leaf may begin in one column and end in the next
ARTICLE_SIZES = (13, 12, 11, 10, 9, 8, 7)
ARTICLE_HEAD = 45.0  # what the title, what is above the headings, and the foot take
HEADINGS = 10 * "."  # lines that the headings take
SIGN = "(10) "  # what stands before a question


@pages.app_context_processor
def _words() -> dict[str, object]:
    """What the pages of articles and answers need to lead here."""
    return {"checks_of": appliance().knowing.checks.of}


@pages.get("/checks")
def index() -> str:
    """All trees, by subject."""
    reader = reader_language()
    found: dict[str, list[Tree]] = {}
    for tree in sorted(appliance().knowing.checks.all(), key=lambda each: each.title[each.spoken(reader)]):
        found.setdefault(tree.subject, []).append(tree)
    order = list(SUBJECTS)
    subjects = sorted(found, key=lambda each: order.index(each) if each in order else len(order))
    return render_template("trees.html", subjects=[(each, SUBJECTS.get(each, each), found[each]) for each in subjects])


@pages.get("/checks/<tree_id>")
def show(tree_id: str) -> str:
    """One step of a tree, or the leaf that its answers led to."""
    tree = appliance().knowing.checks.get(tree_id)
    place = resolve(tree, asked("so-far"))
    leaf = place.here if isinstance(place.here, Leaf) else None
    return render_template(
        "tree_leaf.html" if leaf else "tree_step.html",
        tree=tree,
        place=place,
        here=place.here,
        language=tree.spoken(reader_language()),
        article=_article(leaf.article) if leaf else None,
        dangers=_dangers(tree, leaf),
    )


@pages.get("/checks/<tree_id>/sheet")
def sheet(tree_id: str) -> str:
    """The whole tree on one sheet of paper."""
    tree = appliance().knowing.checks.get(tree_id)
    language = tree.spoken(reader_language())
    called, points = labels(tree), _points(tree, language)
    return render_template(
        "tree_sheet.html",
        tree=tree,
        language=language,
        labels=called,
        dangers_of=lambda leaf: _dangers(tree, leaf)[bool(tree.danger) :],
        articles=_more_on(tree, called),
        style=f"{style(points)} tight" if points <= TIGHT else style(points),
        address=address_of(url_for("trees.show", tree_id=tree.id)),
    )


@pages.get("/articles/<article_id>/sheet")
def article_sheet(article_id: str) -> str:
    """What to do first, on one sheet of paper."""
    article = appliance().knowing.article(article_id)
    reader = reader_language()
    face = article.face(reader)
    sources = [f"{each.publisher}: {each.title}, {each.year}" for each in article.sources]
    texts = [*HEADINGS, face.danger, *face.signs, *face.first_steps, face.get_help, *sources]
    return render_template(
        "article_sheet.html",
        article=article,
        face=face,
        language=article.language_of_face(reader),
        style=style(largest(lambda _: texts, WIDTH, HEIGHT - ARTICLE_HEAD, ARTICLE_SIZES)),
        address=address_of(url_for("ask.article", article_id=article.id)),
    )


def _article(article_id: str) -> Article | None:
    """None: it came on a pack that was taken out since."""
    try:
        return appliance().knowing.article(article_id)
    except ArticleNotFoundError:
        return None


def _dangers(tree: Tree, leaf: Leaf | None) -> list[tuple[str, str]]:
    """(language, text) of what can hurt somebody here; where the tree is silent, what the article of the leaf says."""
    reader = reader_language()
    told: list[Words] = [tree.danger, leaf.danger if leaf else {}]
    language = tree.spoken(reader)
    dangers = [(language, words[language]) for words in told if words]
    article = _article(leaf.article) if leaf and not dangers else None
    if article and article.face(reader).danger:
        dangers.append((article.language_of_face(reader), article.face(reader).danger))
    return dangers


def _more_on(tree: Tree, called: Mapping[str, str]) -> list[tuple[Article, str]]:
    """The articles on paper, each with the letters of the leaves that lead to it."""
    letters: dict[str, list[str]] = {}
    for name, label in called.items():
        if name in tree.leaves:
            letters.setdefault(tree.leaves[name].article, []).append(label)
    found = ((_article(article), ", ".join(them)) for article, them in letters.items())
    return [(article, them) for article, them in found if article]


def _points(tree: Tree, language: str) -> float:
    """The size of the letters with which a tree goes onto one sheet."""
    pictures = sum(PICTURE for step in tree.steps.values() if step.picture)
    gaps = GAP * (len(tree.steps) + len(tree.leaves))
    height = 2 * (HEIGHT - HEAD) - pictures - gaps
    return largest(lambda points: _texts(tree, language, points), COLUMN, height, TREE_SIZES)


def _texts(tree: Tree, language: str, points: float) -> Iterator[str]:
    """What stands in the columns."""
    if points > TIGHT:  # a step or leaf is not divided between the columns, which leaves a part of them empty
        yield from "." * (len(tree.steps) + len(tree.leaves))
    for step in tree.steps.values():
        yield SIGN + step.ask[language]
        yield step.look.get(language, "")
        said = [f"• {choice.say[language]} → 10" for choice in step.choices]
        yield from [" ".join(said)] if points <= TIGHT else said
    for leaf in tree.leaves.values():
        yield SIGN + leaf.title[language]
        yield from (SIGN + text for _, text in _dangers(tree, leaf)[bool(tree.danger) :])
        yield from (f"1. {action}" for action in leaf.do[language])
