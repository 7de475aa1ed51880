"""Starts a real box on what a cut left, and looks at it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass

from appliance.app import Appliance
from tests.crash.disk import Tree, build
from tests.crash.facts import facts_of
from tests.crash.place import Place
from tests.crash.promises import Facts
from tests.crash.scenario import FORGOTTEN, Scenario

NUMBERED = re.compile(r"(?<=/metadata/)\d+(?=\.(?:targets|snapshot)\.json$)")


@dataclass(frozen=True)
class Seen:
    facts: tuple[Facts, ...]  # at once, and when the box had finished what it began before the cut
    wrong: tuple[str, ...] = ()  # whatever was promised
    names: frozenset[str] = frozenset()  # of the files there are in the end


def look(scenario: Scenario, place: Place, tree: Tree) -> Seen:
    """Start a box on `tree`, again and again, and do what people would do then."""
    _empty(place)
    build(tree, place.disk)
    try:
        return _look(scenario, place)
    except Exception as error:
        return Seen((), (f"{type(error).__name__}: {error}",))


def _look(scenario: Scenario, place: Place) -> Seen:
    with place.box() as box:
        first, told = facts_of(place, box), set(_problems(box))
    # What the first start begins in the background (a pack that was on trial) is done when the box is closed.
    with place.box() as box:
        facts = facts_of(place, box)
        told |= set(_problems(box))
        changed = scenario.again(place, box)
    with place.box() as box:
        wrong = [f"told as a problem: {each}" for each in sorted(told) if not each.startswith(scenario.told or ("-",))]
        wrong += [f"at the third start: {each}" for each in _problems(box)]
        found, expected = _lasting(facts_of(place, box)), _lasting(facts | changed)
        odd = sorted(key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key))
        wrong += [f"after the cut {key} was {expected.get(key)}, and is {found.get(key)}" for key in odd]
    return Seen((first, facts), tuple(wrong), frozenset(_names(place)))


def _lasting(facts: Facts) -> Facts:
    """Without what the next save tidies away."""
    return {key: value for key, value in facts.items() if not key.startswith(FORGOTTEN)}


def _problems(box: Appliance) -> list[str]:
    return [f"{type(problem).__name__}: {problem}" for problem in box.problems]


def _empty(place: Place) -> None:
    for entry in os.scandir(place.disk):
        if entry.is_dir():
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)  # noqa: PTH108


def unnumbered(names: Iterable[str]) -> set[str]:
    """The paths, those of a release without its number: how many there were depends on when the power went."""
    return {NUMBERED.sub("N", name) for name in names}


def _names(place: Place) -> set[str]:
    return unnumbered(path.relative_to(place.disk).as_posix() for path in place.disk.rglob("*"))
