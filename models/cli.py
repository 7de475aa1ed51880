"""`baraza-factory`: build, evaluate and list packs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from appliance.errors import BarazaError
from appliance.packs import archive
from appliance.packs.manifest import MANIFEST, read_manifest
from models import listing
from models.errors import FactoryError
from models.publish import publish
from models.recipe import Recipe, read_any_recipe
from models.recipe_embedding import EmbeddingRecipe
from models.recipe_public import KINDS, PublicRecipe, read_public_recipe

try:
    from models.build import Build, Options
    from models.own_language import new_language
except ModuleNotFoundError as missing:
    raise SystemExit(f"The factory needs {missing.name}, which is not installed here: run `make factory`.") from missing

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "models" / "recipes"
PUBLIC = RECIPES / "public"
STARTER = ROOT / "models" / "starter"
PACKS = ROOT / "build" / "packs"  # of public models: too large for the repository
WORK = ROOT / "build" / "factory"
PUBLIC_ONLY = ("bits", "checkpoint", "newest", "licence", "accept_non_commercial")

THREADS = click.option(
    "--threads", type=int, default=os.cpu_count() or 1, show_default="all cores", help="CPU threads."
)
BEAM = click.option("--beam", type=click.IntRange(1, 8), default=4, show_default=True, help="Width of the search.")
MOST = click.option("--most", type=int, help="Score only so many sentences of each set.")


class Group(click.Group):
    """Turns the errors of the factory and of the box into one line and exit status 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (FactoryError, BarazaError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Group)
def main() -> None:
    """Make packs for Baraza: from text or a checkpoint to ONNX int8 files with their figures."""


@main.command("list")
@click.argument("kind", required=False, type=click.Choice(KINDS))
def list_recipes(kind: str | None) -> None:
    """The recipes there are, by kind: those trained here, then public models. Sizes are computed, not measured."""
    trained = [read_any_recipe(path) for path in sorted(RECIPES.glob("*.toml"))]
    public = [read_public_recipe(path) for path in sorted(PUBLIC.glob("*.toml"))]
    for each in (kind,) if kind else KINDS:
        click.echo(f"{each}\n  trained here")
        for recipe in trained:
            if recipe.kind == each:
                click.echo(listing.trained_line(recipe, _built(recipe)))
        click.echo(listing.public_heading())
        for found in public:
            if found.kind == each:
                click.echo(listing.public_line(found, _built(found)))
        click.echo()


@main.command()
@click.argument("recipe")
@click.option(
    "--work", type=click.Path(path_type=Path), help="Folder for what is made on the way. [build/factory/NAME]"
)
@click.option(
    "--packs",
    type=click.Path(path_type=Path),
    help="Where the pack goes. [models/starter; build/packs for a public model]",
)
@click.option("--stretch", type=float, help="Train so many minutes, then stop; the same command goes on later.")
@click.option("--minutes", type=float, help="Train so many minutes in all, instead of what the recipe says.")
@click.option("--bits", type=click.Choice(["4", "8", "32"]), help="Bits of a weight of a public model. [the recipe's]")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A public model's files in a folder, instead of the hub: where there is no network.",
)
@click.option("--newest", is_flag=True, help="Take the newest revision of a public model, not the one made before.")
@click.option("--licence", metavar="SPDX", help="The licence on the model card, where the recipe says another.")
@click.option("--accept-non-commercial", is_flag=True, help="Make a pack that may not be used commercially.")
@THREADS
@BEAM
@MOST
def build(recipe: str, work: Path | None, packs: Path | None, **options: Any) -> None:
    """Make the pack of RECIPE: a name from `list`, or a TOML file. A build that was stopped goes on where it was."""
    path = find_recipe(recipe)
    read = read_any_recipe(path)
    work = work or WORK / read.name
    shared = {name: options[name] for name in ("threads", "beam", "most")}
    if isinstance(read, PublicRecipe):
        _only(options, "public models are not trained", "stretch", "minutes")
        done = _build_public(read, work, packs or PACKS, options, shared)
    else:
        _only(options, "that is for public models only", *PUBLIC_ONLY)
        training = Options(stretch=options["stretch"], minutes=options["minutes"], **shared)
        done = _train(read, path, work, packs or STARTER, training)
    folder = (packs or (PACKS if isinstance(read, PublicRecipe) else STARTER)) / read.name / read.version
    click.echo(f"The pack is in {folder}" if done else "Stopped; run the same command to go on.")


def _build_public(read: PublicRecipe, work: Path, packs: Path, options: dict[str, Any], shared: dict[str, Any]) -> bool:
    from models.public import PublicBuild, PublicOptions

    chosen = {name: options[name] for name in ("checkpoint", "newest", "licence", "accept_non_commercial")}
    bits = int(options["bits"]) if options["bits"] else None
    return PublicBuild(read, work, packs, PublicOptions(bits=bits, **chosen, **shared), click.echo).run()


def _train(read: Recipe | EmbeddingRecipe, path: Path, work: Path, packs: Path, options: Options) -> bool:
    if isinstance(read, Recipe):
        return Build(read, work, packs, options, click.echo).run()
    from models.build_embedding import build_embedding

    return build_embedding(path, work, packs, options, click.echo)


def _only(options: dict[str, Any], reason: str, *names: str) -> None:
    given = [f"--{name.replace('_', '-')}" for name in names if options.get(name)]
    if given:
        raise FactoryError(f"{', '.join(given)}: {reason}.")


@main.command()
@click.argument("recipe")
@click.option(
    "--pack",
    type=click.Path(path_type=Path),
    help="Folder of the pack. [where `build` puts it]",
)
@click.option("--exact", is_flag=True, help="The weights as trained, in fp32, beside the int8 pack: what it costs.")
@click.option("--shortlist", is_flag=True, help="Instead: the pack with and without its shortlist, what it costs.")
@THREADS
@BEAM
@MOST
def evaluate(
    recipe: str, pack: Path | None, exact: bool, shortlist: bool, threads: int, beam: int, most: int | None
) -> None:
    """Print the figures of the pack of RECIPE on its evaluation sets, through the engine of the box.

    BLEU and chrF2 of a translation; cosine to the teacher and what is found of an embedding.
    """
    path = find_recipe(recipe)
    read = read_any_recipe(path)
    folder = pack or (PACKS if isinstance(read, PublicRecipe) else STARTER) / read.name / read.version
    if isinstance(read, EmbeddingRecipe):
        from models.evaluate_embedding import main as measure_embedding

        measure_embedding.callback(path, folder, threads, most)  # type: ignore[misc]
        return
    if read.kind != "translation":
        raise FactoryError(f"There are no figures for packs of kind “{read.kind}” of public models.")
    if shortlist:
        from models.evaluate import evaluate_shortlist

        click.echo(f"{read.name}, {folder.name}, beam {beam}: the whole vocabulary → the shortlist")
        found = evaluate_shortlist(read, folder, beam, threads, most, lambda each: click.echo(f"  {each}"))
        lost = [each.whole.chrf2 - each.listed.chrf2 for each in found]
        click.echo(f"chrF2 lost by the shortlist: {sum(lost) / len(lost):.2f} on average, {max(lost):.2f} at most")
        return
    _evaluate_translation(read, folder, exact, beam, threads, most)


def _evaluate_translation(recipe: Recipe, pack: Path, exact: bool, beam: int, threads: int, most: int | None) -> None:
    from models.evaluate import Score, exact_pack
    from models.evaluate import evaluate as measure

    def show(score: Score) -> None:
        click.echo(
            f"{label:5} {score.set:12} {score.direction:10} {score.sentences:9} {score.chrf2:7.2f} {score.bleu:7.2f} "
            f"{score.tokens_per_second:9.0f}"
        )

    click.echo(f"{recipe.name}, {pack.name}, beam {beam}")
    click.echo(f"{'':5} {'set':12} {'direction':10} {'sentences':>9} {'chrF2':>7} {'BLEU':>7} {'tokens/s':>9}")
    label = "int8"
    small = measure(recipe, pack, beam, threads, most, show)
    if exact:
        label = "fp32"
        large = measure(recipe, exact_pack(recipe, WORK / recipe.name), beam, threads, most, show)
        lost = [one.chrf2 - other.chrf2 for one, other in zip(large, small, strict=True)]
        click.echo(f"chrF2 lost by int8: {sum(lost) / len(lost):.2f} on average, {max(lost):.2f} at most")


def find_recipe(name: str) -> Path:
    """The file of a recipe: a path to one, or a name that `list` shows.

    Raises:
        FactoryError: there is none.
    """
    candidates = (Path(name), RECIPES / f"{name}.toml", PUBLIC / f"{name}.toml")
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise FactoryError(f"There is no recipe {name}. `baraza-factory list` shows those there are.")
    return found


def _built(recipe: Any) -> bool:
    return any((packs / recipe.name / recipe.version / MANIFEST).is_file() for packs in (STARTER, PACKS))


@main.command("archive")
@click.argument("pack", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def make_archive(pack: Path, folder: Path) -> None:
    """Write the pack in folder PACK as NAME-VERSION.pack into FOLDER, to be carried and installed."""
    manifest = read_manifest(pack)
    target = folder / f"{manifest.name}-{manifest.version}.pack"
    archive.create(pack, target)
    click.echo(f"{target}  {target.stat().st_size:,} bytes")


main.add_command(publish)
main.add_command(new_language)

if __name__ == "__main__":
    main()
