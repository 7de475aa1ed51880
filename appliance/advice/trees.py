"""A troubleshooting tree: one observation a step, until it is clear what is probably wrong and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from appliance.advice.pictures import Picture
from appliance.errors import TreeNotFoundError, WayNotFoundError

Words = Mapping[str, str]  # a text by BCP 47 tag; empty if there is none
ENGLISH = "en"
WAY = re.compile(r"[1-9](?:\.[1-9]){0,15}")


@dataclass(frozen=True)
class Choice:
    """One answer to what a step asks."""

    say: Words
    next: str  # the name of a step or of a leaf


@dataclass(frozen=True)
class Step:
    name: str
    ask: Words  # one observation
    look: Words  # how to make it
    picture: Picture | None
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Leaf:
    name: str
    title: Words  # what it probably is
    do: Mapping[str, tuple[str, ...]]  # by BCP 47 tag: what to do, safe and cheap things first
    danger: Words
    article: str  # an id


@dataclass(frozen=True)
class Tree:
    """Every text is there in every one of `languages`, English among them. It has no circles."""

    id: str
    subject: str  # as of articles
    title: Words
    danger: Words
    start: str  # the name of a step
    steps: Mapping[str, Step]
    leaves: Mapping[str, Leaf]

    @property
    def languages(self) -> frozenset[str]:
        return frozenset(self.title)

    def spoken(self, language: str) -> str:
        """`language` if the tree speaks it, else English."""
        return language if language in self.title else ENGLISH

    @property
    def articles(self) -> frozenset[str]:
        """The ids of those that its leaves lead to."""
        return frozenset(leaf.article for leaf in self.leaves.values())


@dataclass(frozen=True)
class Said:
    """An answer that was given on the way."""

    step: Step
    choice: Choice
    way: str  # to the step, to answer it otherwise


@dataclass(frozen=True)
class Place:
    """Where somebody is in a tree: at a step, or at a leaf, which ends it."""

    here: Step | Leaf
    said: tuple[Said, ...]
    way: str  # the numbers of the answers so far: "2.1"; "" at the start

    def on(self, number: int) -> str:
        """The way on with answer `number` of the step, from 1."""
        return f"{self.way}.{number}" if self.way else str(number)


class Checks:
    """The trees of a box: “checks” on its pages."""

    def __init__(self, trees: Mapping[str, Tree]) -> None:
        self._trees = trees

    def all(self) -> tuple[Tree, ...]:
        return tuple(self._trees.values())

    def get(self, tree_id: str) -> Tree:
        """Raises TreeNotFoundError."""
        try:
            return self._trees[tree_id]
        except KeyError:
            raise TreeNotFoundError(tree=tree_id) from None

    def of(self, article_id: str) -> tuple[Tree, ...]:
        """Those with a leaf that leads to the article."""
        return tuple(tree for tree in self._trees.values() if article_id in tree.articles)


def resolve(tree: Tree, way: str) -> Place:
    """Where `way`, the numbers of answers from the start on, leads to. Raises WayNotFoundError."""
    here: Step | Leaf = tree.steps[tree.start]
    said: list[Said] = []
    if way and not WAY.fullmatch(way):
        raise WayNotFoundError(tree=tree.id)
    for number in map(int, way.split(".") if way else ()):
        if isinstance(here, Leaf) or number > len(here.choices):
            raise WayNotFoundError(tree=tree.id)
        choice = here.choices[number - 1]
        said.append(Said(here, choice, way[: max(0, 2 * len(said) - 1)]))
        here = at(tree, choice.next)
    return Place(here, tuple(said), way)


def at(tree: Tree, name: str) -> Step | Leaf:
    """The step or the leaf of that name."""
    return tree.steps[name] if name in tree.steps else tree.leaves[name]


def labels(tree: Tree) -> dict[str, str]:
    """What steps and leaves are called on paper: steps 1, 2, … and leaves A, B, … in the order in which one meets them.

    The one that an answer leads to comes after the step that it is an answer of, so that one reads downwards.
    """
    met = list(reversed(list(_finished(tree, tree.start, set()))))
    steps = [name for name in met if name in tree.steps]
    leaves = [name for name in met if name in tree.leaves]
    numbers = {name: str(number) for number, name in enumerate(steps, 1)}
    return numbers | {name: chr(ord("A") + number) for number, name in enumerate(leaves)}


def _finished(tree: Tree, name: str, seen: set[str]) -> Iterator[str]:
    """The names from `name` on, each after all that come after it; the first answer's last."""
    seen.add(name)
    here = at(tree, name)
    for choice in reversed(here.choices) if isinstance(here, Step) else ():
        if choice.next not in seen:
            yield from _finished(tree, choice.next, seen)
    yield name
