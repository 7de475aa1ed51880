"""`baraza packs export` and `baraza neighbours`: packs from village to village."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance import config
from appliance.advice.village_pack import VillagePack
from appliance.commands.bars import Bars
from appliance.commands.parts import sticks, store, trust
from appliance.errors import RootError, StickNotFoundError
from appliance.packs.export import Exported, export
from appliance.packs.onward import Exportable, Onward, Why
from appliance.storage.contributions import CONTRIBUTIONS, read_village

if TYPE_CHECKING:
    from appliance.app import Appliance

WHY = {
    Why.UNLISTED: "no publisher's newest release lists it",
    Why.EXPIRED: "the release that lists it is out of date",
    Why.PACKED: "its publisher packed it in a way that cannot be made again",
}


@click.command("export")
@click.argument("stick")
@click.argument("names", nargs=-1)
@click.option("--list", "only_list", is_flag=True, help="Copy nothing: list the packs, and who would vouch for each.")
def export_packs(stick: str, names: tuple[str, ...], only_list: bool) -> None:
    """Copy packs of this box to STICK (its name, or a folder) for other boxes: all those in use, or those of NAMES.

    What the keeper accepted of the village's own knowledge goes as a pack, too; --list tells its name.

    Each goes with the signature of whoever published it; what nobody else signed, this box signs itself. A box that
    trusts them takes the packs with `baraza packs install`. What else is on the stick stays.

    \b
    baraza packs export sda1
    baraza packs export /media/stick starter-en-sw
    baraza packs export /media/stick --list
    """  # noqa: D301
    data = config.load().data
    here, village = Onward(trust(), store(), data), VillagePack(store(), lambda: read_village(data / CONTRIBUTIONS))
    if only_list:
        for each in village.among(here.exportable()):
            _print(each)
        return
    if not names or village.name in names:
        village.renew()
    chosen = names or [pack.manifest.name for pack in store().active()]
    with Bars() as bars, _opened(stick) as place:
        done = export(here, trust(), place, chosen, lambda done, total: bars.show("Copying", done, total))
    _tell(done)


@click.command()
@click.option("--seconds", type=click.FloatRange(0.1, 60.0), default=3.0, show_default=True, help="To listen for.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def neighbours(seconds: float, as_json: bool) -> None:
    """List the boxes that are heard in this network; `baraza packs look ADDRESS` shows what one of them has."""
    from appliance.packs import lan

    found = lan.neighbours(seconds, config.load().port)
    if as_json:
        rows = [{"name": each.name, "url": each.url, "version": each.version} for each in found]
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for each in found:
        click.echo(f"{each.name:24} {each.url:32} {each.version}")
    if not found:
        click.echo("No other box was heard. One that is on tells its address on its page, and can be named by it.")


@contextmanager
def announced(appliance: Appliance) -> Iterator[None]:
    """Other boxes find this one meanwhile, if its page is open to them and its keeper shares packs."""
    chosen = appliance.config
    if not chosen.share or _is_loopback(chosen.host) or not chosen.port:
        yield
        return
    from appliance.packs.lan import Announcement

    announcement = Announcement(chosen.port)
    announcement.start()
    try:
        with suppress(RootError):  # a setting that is wrong, told elsewhere
            appliance.sharing.start()
        yield
    finally:
        announcement.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def _opened(stick: str) -> Iterator[Path]:
    """The folder to write to: of a stick that the system mounted, or any other."""
    here = sticks()
    try:
        found = here.get(stick)
    except StickNotFoundError:
        if not Path(stick).is_dir():
            raise
        yield Path(stick)
        return
    with here.writing(found) as path:
        yield path


def _print(each: Exportable) -> None:
    offer = each.offer
    signer = each.root or f"this box ({WHY[each.why or Why.UNLISTED]})"
    click.echo(f"{offer.name:24} {offer.version:8} {offer.kind:16} {each.length / 1e6:7.1f} MB  {signer}")


def _tell(done: tuple[Exported, ...]) -> None:
    for each in done:
        state = "copied" if each.new else "was there already"
        click.echo(f"{each.pack:32} {state}; signed by {'this box' if each.own else each.root}")
    for words in dict.fromkeys(each.words for each in done if each.own):
        click.echo("Who gets what this box signed compares these words, once: baraza roots add NAME STICK")
        click.echo(f"root: {words}")
