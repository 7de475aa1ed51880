"""The ways from one language to another: by a pack that translates directly, else by two, through a third language."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.packs.manifest import Figure, Manifest
from appliance.packs.store import InstalledPack
from appliance.translation.steps import Step

STARTER = "starter-"  # how the names of the packs begin that came with the software
FIRST_HUB = "en"  # most packs translate from or to it, and most text they learned from was in it


@dataclass(frozen=True)
class Route:
    steps: tuple[Step, ...]

    @property
    def packs(self) -> list[InstalledPack]:
        return [step.pack for step in self.steps]

    @property
    def through(self) -> str:
        """The language in the middle, "" if there is none."""
        return self.steps[0].target if len(self.steps) > 1 else ""


def find_routes(packs: Iterable[InstalledPack], beam: int) -> dict[tuple[str, str], Route]:
    """A route for every pair of languages that can be had with one pack, or with two.

    Where several languages could stand in the middle, English does, else the first by its tag.
    """
    direct: dict[tuple[str, str], Step] = {}
    for pack in packs:
        for way in ways_of(pack):
            step = Step(pack, *way, beam)
            if way not in direct or _worth(step) > _worth(direct[way]):
                direct[way] = step
    languages = sorted({language for way in direct for language in way}, key=lambda each: (each != FIRST_HUB, each))
    routes = {way: Route((step,)) for way, step in direct.items()}
    for source in languages:
        for target in languages:
            hubs = (hub for hub in languages if (source, hub) in direct and (hub, target) in direct)
            hub = next(hubs, None)
            if source != target and hub and (source, target) not in direct:
                routes[source, target] = Route((direct[source, hub], direct[hub, target]))
    return routes


def ways_of(pack: InstalledPack) -> list[tuple[str, str]]:
    """The directions (source, target) that `pack` translates in."""
    settings = pack.manifest.translation
    return [(way.source, way.target) for way in settings.directions] if settings else []


def figures_of(manifest: Manifest, source: str, target: str) -> tuple[Figure, ...]:
    """The figures of a pack that hold for one of its directions."""
    return tuple(each for each in manifest.figures if each.direction in (f"{source}-{target}", ""))


def hardest(figures: Iterable[Figure]) -> float:
    """The least chrF2: a pack that is good at small talk only must not be praised for it. 0 if none was measured."""
    return min((each.value for each in figures if each.metric == "chrF2"), default=0.0)


def _worth(step: Step) -> tuple[bool, float]:
    """Of two packs for one direction the one of more worth is used: one that somebody installed, the better one."""
    manifest = step.pack.manifest
    return not manifest.name.startswith(STARTER), hardest(figures_of(manifest, step.source, step.target))
