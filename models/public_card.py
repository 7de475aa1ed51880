"""The card of a public model's pack: what it is for, what it gets wrong, where it comes from, what was measured."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.packs.manifest import Figure
from models.recipe_public import PublicRecipe


def card_of(recipe: PublicRecipe, revision: str, bits: int, memory: int, figures: Sequence[Figure]) -> str:
    """Markdown in plain English, the same for the same recipe, revision and figures; `memory` in bytes."""
    model = recipe.model
    lines = ["## What it is for", "", recipe.about, "", "## What it gets wrong", "", recipe.limits, ""]
    if recipe.note:
        lines += [recipe.note, ""]
    if recipe.directions:
        ways = ", ".join(f"{way.source} → {way.target}" for way in recipe.directions)
        lines += [f"It translates {ways}.", ""]
    lines += ["## Licence", "", f"{recipe.licence}."]
    if model.non_commercial:
        lines += ["It may not be used commercially: not to sell anything, and not by a business in its work."]
    lines += [
        "",
        "## Where it comes from",
        "",
        f"- Made from the public model {model.hub}, revision {revision}; nothing was trained here.",
        f"- Its weights are kept in {bits} bits" + (" each, as they were published." if bits == 32 else "."),
        f"- It needs about {memory / 1e6:,.0f} MB of memory: computed from the size of its files, not measured.",
        "",
        "## How good it is",
        "",
    ]
    if figures:
        lines += [f"- {_figure(each)}" for each in figures]
    else:
        lines += ["It was not measured here: the test sentences were not on the machine that made this pack."]
    return "\n".join([*lines, ""])


def _figure(figure: Figure) -> str:
    direction = f" {figure.direction.replace('-', ' → ')}" if figure.direction else ""
    return f"{figure.set}{direction}: {figure.metric} {figure.value:g} ({figure.tool})"
