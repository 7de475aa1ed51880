"""`baraza packs look` and the installing of packs from a signed repository."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from appliance.commands.parts import box, sources, store, trust
from appliance.errors import BarazaError, PackNotInstalledError, UnknownPublisherError
from appliance.packs.look import Change, Seen, look
from appliance.packs.repository import Repository
from appliance.packs.store import InstalledPack, version_key

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
Install = Callable[[Path, Callable[[int, int], None], str], InstalledPack]


@click.command("look")
@click.argument("place")
@click.option("--json", "as_json", is_flag=True, help="Print one object for each repository.")
def look_at(place: str, as_json: bool) -> None:
    """Show what is at PLACE (a stick, a folder, a neighbour's address), who signed it, and what would change.

    Nothing is installed. Exit status 1 if one of the repositories is refused.

    \b
    baraza packs look /media/stick
    baraza packs look http://192.168.1.20:8080/packs --json
    """  # noqa: D301
    here, rows = trust(), []
    for source in sources(place):
        try:
            rows.append(_known(here.open(source)))
        except UnknownPublisherError:
            stranger = here.stranger(source)
            rows.append({"place": source.label, "root": None, "words": stranger.words, "version": stranger.version})
            rows[-1]["packs"] = [f"{offer.name} {offer.version}" for offer in stranger.offers]
        except BarazaError as error:
            rows.append({"place": source.label, "error": error.key, "refused": str(error)})
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
    opened, failures = _opened(place)
    found = [(repository, each) for repository in opened for each in _seen(repository) if names or each.brings]
    found.sort(key=lambda pair: version_key(pair[1].offer.version))
    offered = {each.offer.name: (repository, each) for repository, each in found}  # the newest comes last
    missing = [name for name in names if name not in offered]
    if (missing or not opened) and failures:
        raise failures[0]
    if missing:
        raise PackNotInstalledError(pack=missing[0])
    for name in names or sorted(offered):
        repository, each = offered[name]
        label = f"{name} {each.offer.version}"

        def show(done: int, total: int, label: str = label) -> None:
            progress(label, done, total)

        with repository.archive(each.offer) as path:
            yield install(path, show, each.offer.manifest)


def _opened(place: str) -> tuple[list[Repository], list[BarazaError]]:
    here, opened, failures = trust(), list[Repository](), list[BarazaError]()
    for source in sources(place):
        try:
            opened.append(here.open(source))
        except BarazaError as error:
            failures.append(error)
    return opened, failures


def _seen(repository: Repository) -> tuple[Seen, ...]:
    return look(repository.offers, map(repository.present, repository.offers), store(), box())


def _known(repository: Repository) -> dict[str, Any]:
    return {
        "place": repository.label,
        "root": repository.root.name,
        "words": repository.root.words,
        "release": repository.release,
        "expires": f"{repository.expires:%Y-%m-%dT%H:%M:%SZ}",
        "packs": [_row(each) for each in _seen(repository)],
        "problems": list(repository.problems),
        "clock_believed": repository.judged.believed,
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
