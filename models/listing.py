"""The lines of `baraza-factory list`."""

from __future__ import annotations

from models.recipe import Recipe
from models.recipe_embedding import EmbeddingRecipe
from models.recipe_public import PublicRecipe

MANY = 6  # languages told by name


def trained_line(recipe: Recipe | EmbeddingRecipe, built: bool) -> str:
    """Name, version, licence, languages, whether it is built, title."""
    state = "built" if built else "-"
    languages = _languages(recipe.languages)
    return f"    {recipe.name:24} {recipe.version:7} {recipe.licence:15} {languages:16} {state:6} {recipe.title}"


def public_heading() -> str:
    """What the columns of a public model are."""
    return (
        f"  public models\n    {'name':24} {'version':7} {'licence':15} {'languages':16} {'built':6} "
        f"{'fetch':>8} {'pack':>8} {'memory':>8}  smallest board"
    )


def public_line(recipe: PublicRecipe, built: bool) -> str:
    """Name, version, licence, languages, whether it is built, bytes to fetch, of the pack, of memory, and a board."""
    estimate = recipe.estimate()
    sizes = " ".join(f"{size / 1e6:5,.0f} MB" for size in (estimate.download, estimate.pack, estimate.memory))
    board = next(iter(recipe.boards()), "none of those known")
    licence = recipe.licence + ("*" if recipe.model.non_commercial else "")
    languages = _languages(recipe.languages)
    state = "built" if built else "-"
    line = f"    {recipe.name:24} {recipe.version:7} {licence:15} {languages:16} {state:6} {sizes}  {board}"
    return line + ("\n      * not for commercial use" if recipe.model.non_commercial else "")


def _languages(languages: tuple[str, ...]) -> str:
    return " ".join(languages) if len(languages) <= MANY else f"{len(languages)} languages"
