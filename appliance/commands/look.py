"""`baraza packs look` and the installing of packs from a signed repository."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from appliance.commands.parts import box, sources, store, trust
from appliance.packs.bring import bring
from appliance.packs.copying import Progress as Copied
from appliance.packs.look import Change, Seen
from appliance.packs.offer import Offer
from appliance.packs.shelf import Shelf, choose, shelves
from appliance.packs.store import InstalledPack

CHANGES = {
    Change.NEW: "new",
    Change.NEWER: "newer than {installed}",
    Change.SAME: "on the box",
    Change.OLDER: "older than {installed}",
    Change.OTHER: "another content than {installed} on the box",
}
OBSTACLES = {
    "missing": "listed, but not there",
    "memory": "needs more memory than this box has",
    "disk": "does not fit on the disk",
    "appliance": "needs a newer version of the software",
}
Progress = Callable[[str, int, int], None]
Install = Callable[[Path, Copied, str], InstalledPack]


@click.command("look")
@click.argument("place")
@click.option("--json", "as_json", is_flag=True, help="Print one object for each repository.")
def look_at(place: str, as_json: bool) -> None:
    """Show what is at PLACE (a stick, a folder, a neighbour's address), who signed it, and what would change.

    Nothing is installed. Exit status 1 if one of the repositories is refused.

    \b
    baraza packs look sda1                     # a stick, as `baraza sticks list` names it
    baraza packs look /media/stick
    baraza packs look http://192.168.1.20:8080/packs --json
    """  # noqa: D301
    rows = [_described(shelf) for shelf in _found(place)]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
    else:
        for row in rows:
            _print(row)
    if any("refused" in row for row in rows):
        raise click.exceptions.Exit(1)


def install_from(place: str, names: tuple[str, ...], install: Install, progress: Progress) -> Iterator[InstalledPack]:
    """Install the packs of `names` from the repositories at `place`, the newest version of each; without names all
    that are new or newer.

    Raises:
        PackNotInstalledError: a name is not offered by a publisher whom the box trusts.
        RepositoryError, StorageError: as `Trust.open`, `Repository.archive` and `PackStore.install`.
    """

    def show(offer: Offer, done: int, total: int) -> None:
        progress(f"{offer.name} {offer.version}", done, total)

    yield from bring(choose(_found(place), names), install, show)


def _found(place: str) -> tuple[Shelf, ...]:
    return shelves(trust(), store(), box(), sources(place))


def _described(shelf: Shelf) -> dict[str, Any]:
    if shelf.refused is not None:
        return {"place": shelf.place, "error": shelf.refused.key, "refused": str(shelf.refused)}
    if shelf.root is None or shelf.expires is None:
        offered = [f"{offer.name} {offer.version}" for offer in shelf.strangers]
        return {"place": shelf.place, "root": None, "words": shelf.words, "version": shelf.version, "packs": offered}
    return {
        "place": shelf.place,
        "root": shelf.root.name,
        "words": shelf.words,
        "release": shelf.release,
        "expires": f"{shelf.expires:%Y-%m-%dT%H:%M:%SZ}",
        "packs": [_row(each) for each in shelf.seen],
        "problems": list(shelf.problems),
        "clock_believed": shelf.believed,
    }


def _row(each: Seen) -> dict[str, Any]:
    offer = each.offer
    return {
        "name": offer.name,
        "version": offer.version,
        "kind": offer.kind,
        "size": offer.size,
        "memory": offer.memory,
        "change": each.change.value,
        "installed": each.installed,
        "obstacles": [obstacle.value for obstacle in each.obstacles],
    }


def _print(row: dict[str, Any]) -> None:
    if "refused" in row:
        click.echo(f"REFUSED  {row['refused']}")
    elif row["root"] is None:
        click.echo(f"{row['place']}: signed by somebody whom this box does not know; nothing of it is installed.")
        click.echo(f"root: {row['words']}")
        click.echo(f"      (version {row['version']}; if these are the publisher's words: baraza roots add NAME PLACE)")
        for pack in row["packs"]:
            click.echo(f"  {pack}  says the stranger")
    else:
        click.echo(f"{row['place']}: release {row['release']} of {row['root']}, good until {row['expires'][:10]}")
        for pack in row["packs"]:
            change = CHANGES[Change(pack["change"])].format(**pack)
            said = "; ".join([change, *(OBSTACLES[each] for each in pack["obstacles"])])
            click.echo(
                f"  {pack['name']:24} {pack['version']:8} {pack['kind']:16} {pack['size'] / 1e6:7.1f} MB  {said}"
            )
        for problem in row["problems"]:
            click.echo(f"  ! {problem}")
        if not row["clock_believed"]:
            click.echo("  ! the clock of this box cannot be right: see `baraza roots clock`")
