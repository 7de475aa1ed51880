"""Reading troubleshooting trees: one TOML file each, as docs/write-knowledge.md says, held to its rules."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from appliance.advice.pictures import Picture, read_picture
from appliance.advice.trees import ENGLISH, Choice, Leaf, Step, Tree, Words
from appliance.errors import TreeError
from appliance.limits import LIMITS, Limits

FOLDER = "trees"  # in the folder of the articles
PICTURES = "pictures"
NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
TAG = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
FEWEST_STEPS = 3

# The most characters in any language: each is read aloud in one breath, and the whole tree stands on one sheet.
TITLE, ASK, LOOK, SAY, DO, DANGER = 90, 90, 200, 60, 200, 300
CHOICES = (2, 4)
ACTIONS = (1, 4)


def read_trees(
    folder: Path,
    articles: Collection[str],
    limits: Limits = LIMITS,
    on_error: Callable[[TreeError], None] | None = None,
) -> dict[str, Tree]:
    """All trees in `folder`, by id. One that is wrong is left out and told to `on_error`, if that is given.

    Args:
        folder: holds ID.toml files, and their pictures in `pictures/`.
        articles: the ids of the articles that there are.
        limits: how large a tree may be.
        on_error: is told of each tree that is left out.

    Raises:
        TreeError: a tree is not of its form, and there is no `on_error`.
    """
    trees: dict[str, Tree] = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            trees[path.stem] = read_tree(path, articles, limits)
        except TreeError as error:
            if on_error is None:
                raise
            on_error(error)
    return trees


def read_tree(path: Path, articles: Collection[str], limits: Limits = LIMITS) -> Tree:
    """Read one tree and its pictures. Raises TreeError."""
    name = path.stem
    try:
        if path.stat().st_size > limits.tree_bytes:
            raise ValueError(f"it is larger than {limits.tree_bytes} bytes")
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        reader = _Reader(name, path.parent / PICTURES, frozenset(table["title"]), limits)
        tree = reader.tree(table)
        _check_names(tree, articles)
        _check_ways(tree, limits)
    except KeyError as error:
        raise TreeError(tree=name, reason=f"{error} is missing") from error
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise TreeError(tree=name, reason=str(error)) from error
    return tree


@dataclass(frozen=True)
class _Reader:
    """Takes the tables of one file. Its methods raise ValueError, TypeError, KeyError, AttributeError, TreeError."""

    tree_id: str
    pictures: Path
    languages: frozenset[str]  # those of the title, which every text has
    limits: Limits

    def tree(self, table: dict[str, Any]) -> Tree:
        _only(table, {"subject", "title", "danger", "start", "steps", "leaves"}, "the tree")
        if ENGLISH not in self.languages or not all(map(TAG.fullmatch, self.languages)):
            raise ValueError("its title is not in English, or in what is no language")
        return Tree(
            id=self.tree_id,
            subject=str(table["subject"]),
            title=self.words(table, "title", TITLE, "the tree"),
            danger=self.words(table, "danger", DANGER, "the tree", needed=False),
            start=str(table["start"]),
            steps={name: self.step(name, row) for name, row in table["steps"].items()},
            leaves={name: self.leaf(name, row) for name, row in table["leaves"].items()},
        )

    def step(self, name: str, row: dict[str, Any]) -> Step:
        _only(row, {"picture", "ask", "look", "answers"}, name)
        choices = tuple(self.choice(name, each) for each in row["answers"])
        _count(choices, CHOICES, f"{name}: answers")
        picture = self.picture(row["picture"]) if "picture" in row else None
        look = self.words(row, "look", LOOK, name, needed=False)
        return Step(name, self.words(row, "ask", ASK, name), look, picture, choices)

    def choice(self, step: str, row: dict[str, Any]) -> Choice:
        _only(row, {"say", "next"}, step)
        return Choice(self.words(row, "say", SAY, step), str(row["next"]))

    def leaf(self, name: str, row: dict[str, Any]) -> Leaf:
        _only(row, {"title", "do", "danger", "article"}, name)
        do = {language: tuple(_text(line, DO, f"{name}.do") for line in lines) for language, lines in row["do"].items()}
        self.check_languages(do, f"{name}.do")
        _count(do[ENGLISH], ACTIONS, f"{name}: actions")
        if len({len(lines) for lines in do.values()}) > 1:
            raise ValueError(f"{name}: there are more actions in one language than in another")
        danger = self.words(row, "danger", DANGER, name, needed=False)
        return Leaf(name, self.words(row, "title", TITLE, name), do, danger, str(row["article"]))

    def words(self, row: dict[str, Any], field: str, most: int, where: str, needed: bool = True) -> Words:
        if field not in row and not needed:
            return {}
        words = {language: _text(text, most, f"{where}.{field}") for language, text in row[field].items()}
        self.check_languages(words, f"{where}.{field}")
        return words

    def check_languages(self, table: Mapping[str, object], where: str) -> None:
        if table.keys() != self.languages:
            raise ValueError(f"{where}: it is in {', '.join(table)}, the title in {', '.join(sorted(self.languages))}")

    def picture(self, name: object) -> Picture:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError(f"“{name}” is no name of a picture")
        return read_picture(self.pictures / f"{name}.svg", self.tree_id, self.limits)


def _check_names(tree: Tree, articles: Collection[str]) -> None:
    for name in (tree.id, tree.subject, *tree.steps, *tree.leaves):
        if not NAME.fullmatch(name):
            raise ValueError(f"“{name}” is not in lower case with hyphens")
    if tree.id in articles:
        raise ValueError("an article has the same name")
    if both := tree.steps.keys() & tree.leaves.keys():
        raise ValueError(f"a step and a leaf are both called {', '.join(both)}")
    for leaf in tree.leaves.values():
        if leaf.article not in articles:
            raise ValueError(f"{leaf.name}: there is no article {leaf.article}")


def _check_ways(tree: Tree, limits: Limits) -> None:
    """Every name leads somewhere, every place is reached, nobody goes round in circles or for too long."""
    _count(tree.steps, (FEWEST_STEPS, limits.tree_steps), "steps")
    _count(tree.leaves, (1, limits.tree_leaves), "leaves")
    if tree.start not in tree.steps:
        raise ValueError(f"it starts at {tree.start}, which is no step")
    before: dict[str, set[str]] = {name: set() for name in (*tree.steps, *tree.leaves)}
    for step in tree.steps.values():
        for choice in step.choices:
            if choice.next not in before:
                raise ValueError(f"{step.name}: there is no {choice.next}")
            before[choice.next].add(step.name)
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError as error:
        raise ValueError(f"it goes round in a circle: {' → '.join(error.args[1])}") from error
    if lost := [name for name in order if not before[name] and name != tree.start]:
        raise ValueError(f"nothing leads to {', '.join(lost)}")
    asked = dict(_observations(order, before))
    if (longest := max(asked.values())) > limits.tree_observations:
        raise ValueError(f"a leaf comes after {longest} observations, and {limits.tree_observations} are the most")


def _observations(order: list[str], before: Mapping[str, set[str]]) -> Iterator[tuple[str, int]]:
    """How many steps at most come before each place; `order` has what comes before first."""
    asked: dict[str, int] = {}
    for name in order:
        asked[name] = max((asked[each] + 1 for each in before[name]), default=0)
        yield name, asked[name]


def _text(value: object, most: int, where: str) -> str:
    if not isinstance(value, str) or not value.strip() or value != value.strip() or not value.isprintable():
        raise ValueError(f"{where}: {value!r} is no line of text")
    if len(value) > most:
        raise ValueError(f"{where}: “{value}” has {len(value)} characters, and {most} are the most")
    return value


def _count(things: Collection[object], bounds: tuple[int, int], what: str) -> None:
    if not bounds[0] <= len(things) <= bounds[1]:
        raise ValueError(f"{what}: {len(things)}, which is not {bounds[0]} to {bounds[1]}")


def _only(row: dict[str, Any], known: set[str], where: str) -> None:
    if unknown := row.keys() - known:
        raise ValueError(f"{where}: {', '.join(sorted(unknown))} is not known")
