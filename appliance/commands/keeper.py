"""`baraza keeper …`: the PIN of the keeper's pages."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from appliance import config
from appliance.errors import PinShortError
from appliance.keeper.pin import KEEPER, KeeperPin, Standing
from appliance.limits import LIMITS
from appliance.storage.atomic import storage_errors

SAID = {
    Standing.NONE: "No PIN was set yet, so nobody can open the keeper's pages. Set one: baraza keeper pin",
    Standing.SET: "A PIN is set.",
    Standing.DAMAGED: "The PIN cannot be read, so nobody can open the keeper's pages. Set it anew: baraza keeper pin",
}


@click.group()
def keeper() -> None:
    """The PIN that opens the keeper's pages: what is on sticks, installing, publishers, copies, health."""


@keeper.command("pin")
@click.option("--forget", is_flag=True, help="Take the PIN away: the next is set on the box's own screen, or here.")
def set_pin(forget: bool) -> None:
    """Set the keeper's PIN, whatever it was before: whoever has the machine has the box.

    It is asked for twice, or read from the first line of standard input. At least six digits, or a phrase. Who is on
    the keeper's pages has to enter the new one. A box at work takes it up at once.

    \b
    baraza keeper pin
    printf '%s\\n' "$PIN" | baraza keeper pin
    baraza keeper pin --forget
    """  # noqa: D301
    pin = _pin()
    if forget:
        pin.forget()
        click.echo("There is no PIN any more.")
        return
    pin.set_anew(_asked())
    _hand_over(pin.file.parent)
    click.echo("The PIN is set. Nothing on the box can show it again: write it down where you keep keys.")


@keeper.command("status")
@click.option("--json", "as_json", is_flag=True, help='Print {"pin": "none" | "set" | "damaged", "wrong_tries"}.')
def status(as_json: bool) -> None:
    """Say whether a PIN is set, and how many wrong ones were tried since the right one."""
    pin = _pin()
    standing, wrong = pin.standing(), pin.wrong_tries()
    if as_json:
        click.echo(json.dumps({"pin": standing.value, "wrong_tries": wrong}))
        return
    click.echo(SAID[standing])
    if wrong:
        click.echo(f"Wrong tries since: {wrong}")


def _pin() -> KeeperPin:
    return KeeperPin(config.load().data / KEEPER)


def _hand_over(folder: Path) -> None:
    """With sudo, what was made belongs to root; the box, which runs as another, has to read it."""
    owner = folder.parent.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        with storage_errors(folder):
            for path in (folder, *folder.iterdir()):
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _asked() -> str:
    if not sys.stdin.isatty():
        return _first_line()
    asked: str = click.prompt("The new PIN", hide_input=True, confirmation_prompt="Once more")
    return asked


def _first_line() -> str:
    """Raises PinShortError: standard input has no line, or one that is no text."""
    raw = sys.stdin.buffer.readline(4 * LIMITS.pin_characters + 2)
    try:
        return raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise PinShortError(digits=LIMITS.pin_digits, letters=LIMITS.pin_letters) from None
