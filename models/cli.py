"""`baraza-factory`: build, evaluate and list packs."""

from __future__ import annotations

import os
from pathlib import Path

import click

from appliance.errors import BarazaError
from appliance.packs import archive
from appliance.packs.manifest import read_manifest
from models.errors import FactoryError
from models.recipe import read_recipe

try:
    from models.build import Build, Options
except ModuleNotFoundError as missing:
    raise SystemExit(f"The factory needs {missing.name}, which is not installed here: run `make factory`.") from missing

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "models" / "recipes"
STARTER = ROOT / "models" / "starter"
WORK = ROOT / "build" / "factory"

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
def list_recipes() -> None:
    """The recipes there are."""
    for path in sorted(RECIPES.glob("*.toml")):
        recipe = read_recipe(path)
        click.echo(f"{path.stem:24} {recipe.version:8} {recipe.kind:14} {recipe.title}")


@main.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "--work", type=click.Path(path_type=Path), help="Folder for what is made on the way. [build/factory/NAME]"
)
@click.option("--packs", type=click.Path(path_type=Path), default=STARTER, help="Where the pack goes. [models/starter]")
@click.option("--stretch", type=float, help="Train so many minutes, then stop; the same command goes on later.")
@THREADS
@BEAM
@MOST
def build(
    recipe: Path, work: Path | None, packs: Path, stretch: float | None, threads: int, beam: int, most: int | None
) -> None:
    """Make the pack of RECIPE, a TOML file. A build that was stopped goes on where it was."""
    read = read_recipe(recipe)
    options = Options(threads=threads, stretch=stretch, beam=beam, most=most)
    job = Build(read, work or WORK / read.name, packs, options, click.echo)
    click.echo(f"The pack is in {job.pack}" if job.run() else "Stopped; run the same command to go on.")


@main.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--pack", type=click.Path(path_type=Path), help="Folder of the pack. [models/starter/NAME/VERSION]")
@THREADS
@BEAM
@MOST
def evaluate(recipe: Path, pack: Path | None, threads: int, beam: int, most: int | None) -> None:
    """Print BLEU and chrF2 of the pack of RECIPE on its evaluation sets, through the engine of the box."""
    from models.evaluate import evaluate as measure

    read = read_recipe(recipe)
    click.echo(f"{'set':12} {'direction':10} {'sentences':>9} {'chrF2':>7} {'BLEU':>7} {'tokens/s':>9}")
    measure(
        read,
        pack or STARTER / read.name / read.version,
        beam,
        threads,
        most,
        lambda s: click.echo(
            f"{s.set:12} {s.direction:10} {s.sentences:9} {s.chrf2:7.2f} {s.bleu:7.2f} {s.tokens_per_second:9.0f}"
        ),
    )


@main.command("archive")
@click.argument("pack", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def make_archive(pack: Path, folder: Path) -> None:
    """Write the pack in folder PACK as NAME-VERSION.pack into FOLDER, to be carried and installed."""
    manifest = read_manifest(pack)
    target = folder / f"{manifest.name}-{manifest.version}.pack"
    archive.create(pack, target)
    click.echo(f"{target}  {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
