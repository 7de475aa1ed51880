"""`baraza sticks …`: the USB sticks in the box."""

from __future__ import annotations

import json

import click

from appliance import config
from appliance.commands.look import look_at
from appliance.commands.parts import sticks as here
from appliance.packs.usb import Stick


@click.group()
def sticks() -> None:
    """The USB sticks in the box. Each has a name, which stands for its folder in other commands, too."""


@sticks.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects; `size` and `free` are bytes.")
def list_sticks(as_json: bool) -> None:
    """List the sticks that are in the box, with what they call themselves and the room on them."""
    found = here().present()
    if as_json:
        click.echo(json.dumps([_row(stick) for stick in found], ensure_ascii=False))
        return
    for stick in found:
        room = f"{stick.free / 1e6:.0f} of {stick.size / 1e6:.0f} MB free"
        written = "" if stick.writable else "  cannot be written"
        click.echo(f"{stick.name:8} {stick.label:24} {stick.filesystem or 'folder':8} {room}{written}")
    if not found:
        click.echo(f"There is no stick in the box ({config.load().sticks}).")


sticks.add_command(look_at)


@sticks.command("eject")
@click.argument("name")
def eject(name: str) -> None:
    """Make it safe to pull out the stick NAME.

    \b
    baraza sticks list
    baraza sticks eject sda1
    """  # noqa: D301
    opened = here()
    stick = opened.get(name)
    opened.eject(stick)
    click.echo(f"{stick.label} can be pulled out.")


def _row(stick: Stick) -> dict[str, str | int | bool]:
    return {
        "name": stick.name,
        "path": str(stick.path),
        "label": stick.label,
        "filesystem": stick.filesystem,
        "size": stick.size,
        "free": stick.free,
        "writable": stick.writable,
    }
