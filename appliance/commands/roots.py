"""`baraza roots …`: the publishers whose packs this box takes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from appliance.commands.parts import sources, trust
from appliance.errors import RootError, UnknownPublisherError
from appliance.packs.manifest import KINDS
from appliance.packs.roots import TrustedRoot

KIND = click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="It may bring packs of this kind only; repeatable."
)
UNATTENDED = click.option(
    "--unattended/--attended", default=None, help="Whether its packs are installed without asking. [attended]"
)


@click.group()
def roots() -> None:
    """The publishers whose packs this box takes."""


@roots.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects, as `show` describes one.")
def list_roots(as_json: bool) -> None:
    """List the roots that are trusted, what each may bring, and the newest release seen of it."""
    here = trust()
    if as_json:
        click.echo(json.dumps([_row(root) for root in here.roots()], ensure_ascii=False))
        return
    for root in here.roots():
        _print(root)
    for problem in here.problems():
        click.echo(f"BAD  {problem}", err=True)
    if not here.roots():
        click.echo("None yet. Packs of a stick are taken once you trust who signed them: baraza roots add NAME PLACE")


@roots.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help='Print {"name", "words", "kinds", "unattended", …}.')
@click.option(
    "--save", type=click.Path(path_type=Path, dir_okay=False), help="Write the root to a file, to hand it on."
)
def show_root(name: str, as_json: bool, save: Path | None) -> None:
    """Print the words of root NAME, to be compared by others."""
    here = trust()
    root = here.root(name)
    if save:
        save.write_bytes(here.root_bytes(name))
    click.echo(json.dumps(_row(root), ensure_ascii=False)) if as_json else _print(root)


@roots.command("add")
@click.argument("name")
@click.argument("place")
@click.option("--words", help="The eight words, as the publisher tells them. [asked for]")
@KIND
@UNATTENDED
def add_root(name: str, place: str, words: str | None, kinds: tuple[str, ...], unattended: bool | None) -> None:
    """Trust, as NAME, whoever signed the packs at PLACE: a stick, a folder, a neighbour's address, or a root file.

    Ask the publisher for the eight words (`baraza keys show`), by voice or on paper, not by the stick itself.

    \b
    baraza roots add ministry /media/stick
    baraza roots add kijiji http://192.168.1.20:8080/packs --kind knowledge
    baraza roots add ministry 1.root.json --words "acorn … yellow"
    """  # noqa: D301
    here = trust()
    if not words and not _somebody_is_there():
        raise RootError(name=name, reason="nobody is there to compare the words; give them with --words")
    found = [Path(place).read_bytes()] if Path(place).is_file() else _unknown(place)
    if len(found) != 1:
        reason = f"{len(found)} publishers that are not trusted yet signed what is at {place}; name one folder of it"
        raise RootError(name=name, reason=reason)
    if not words:
        words = click.prompt("The eight words that the publisher told you")
    root = here.add(name, found[0], words or "", kinds or None, bool(unattended))
    click.echo(f"{name} is trusted now.")
    _print(root)


@roots.command("limit")
@click.argument("name")
@KIND
@click.option("--all", "everything", is_flag=True, help="It may bring packs of every kind.")
@UNATTENDED
def limit_root(name: str, kinds: tuple[str, ...], everything: bool, unattended: bool | None) -> None:
    """Change what root NAME may bring, and whether it is asked for.

    \b
    baraza roots limit kijiji --kind knowledge
    baraza roots limit ministry --all --unattended
    """  # noqa: D301
    here = trust()
    before = here.root(name)
    allowed = None if everything else (kinds or before.kinds)
    _print(here.limit(name, allowed, before.unattended if unattended is None else unattended))


@roots.command("remove")
@click.argument("name")
def remove_root(name: str) -> None:
    """Trust root NAME no longer. Packs that it brought stay on the box."""
    trust().remove(name)
    click.echo(f"{name} is not trusted any more.")


@roots.command("clock")
@click.option("--right", is_flag=True, help="The date that is shown is right: go by it from now on.")
def clock(right: bool) -> None:
    """Show the date by which it is judged whether packs are out of date."""
    time = trust().time
    if right:
        time.confirm()
    judged = time.judge()
    click.echo(f"clock of the machine  {judged.system:%Y-%m-%d %H:%M} UTC")
    click.echo(f"certainly reached     {judged.floor:%Y-%m-%d %H:%M} UTC")
    click.echo(f"judged by             {judged.now:%Y-%m-%d %H:%M} UTC")
    if not judged.believed:
        click.echo(
            "The clock cannot be gone by, so nothing is installed unattended. Set it, then: baraza roots clock --right"
        )


def _somebody_is_there() -> bool:
    return sys.stdin.isatty()


def _unknown(place: str) -> list[bytes]:
    """The roots at `place` that are not trusted yet."""
    here, found = trust(), {}
    for source in sources(place):
        try:
            here.open(source)
        except UnknownPublisherError:
            stranger = here.stranger(source)
            found[stranger.words] = stranger.root
    return list(found.values())


def _row(root: TrustedRoot) -> dict[str, Any]:
    return {
        "name": root.name,
        "words": root.words,
        "kinds": None if root.kinds is None else sorted(root.kinds),
        "unattended": root.unattended,
        "version": root.version,
        "expires": f"{root.expires:%Y-%m-%dT%H:%M:%SZ}",
        "release": root.release,
    }


def _print(root: TrustedRoot) -> None:
    brings = "everything" if root.kinds is None else ", ".join(sorted(root.kinds))
    asked = "unattended" if root.unattended else "attended"
    seen = f"release {root.release}" if root.release else "no release seen"
    click.echo(f"{root.name:16} {brings}; {asked}; {seen}; root {root.version}, until {root.expires:%Y-%m-%d}")
    click.echo(f"                 {root.words}")
