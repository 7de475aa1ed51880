"""`baraza keys …` and `baraza packs publish`: the keys of a publisher, and what is signed with them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance import config
from appliance.commands.bars import Bars
from appliance.commands.parts import store
from appliance.errors import PackNotInstalledError
from appliance.packs.manifest import NAME
from appliance.storage.atomic import write_atomically

if TYPE_CHECKING:
    from securesystemslib.signer import Key

    from appliance.packs.keys import Keyring
    from appliance.packs.publish import Changes

UNLOCK = "BARAZA_KEYS_PASSPHRASE"
EVERYBODY = 0o644  # may read a public key
KEYS = click.option(
    "--keys", type=click.Path(path_type=Path, file_okay=False), help="Folder of the keys. [keys in BARAZA_DATA]"
)


@click.group()
def keys() -> None:
    """The keys that sign packs; boxes trust a publisher by them."""


@keys.command("make")
@KEYS
def make_keys(keys: Path | None) -> None:
    """Make keys to sign packs with, locked with a passphrase if you give one.

    The passphrase is asked for, or read from BARAZA_KEYS_PASSPHRASE.

    \b
    baraza keys make
    baraza keys make --keys ~/baraza-keys
    """  # noqa: D301
    make_keys_at(keys or keys_folder())


@keys.command("show")
@KEYS
def show_keys(keys: Path | None) -> None:
    """Print the words by which other people recognise these keys."""
    from appliance.packs.keys import read_keys

    keyring = read_keys(keys or keys_folder())
    click.echo(f"Keys in {keyring.folder}")
    show_root(keyring)


@keys.command("renew")
@click.option("--new-packs-key", is_flag=True, help="Make a new key for packs: the one of before was lost or stolen.")
@KEYS
def renew_keys(keys: Path | None, new_packs_key: bool) -> None:
    """Sign the root for another ten years. Boxes follow when they next meet packs of yours."""
    from appliance.packs.keys import renew_root

    show_root(renew_root(keys or keys_folder(), ask_passphrase, new_packs_key=new_packs_key))


@keys.command("public")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@KEYS
def save_public_key(file: Path, keys: Path | None) -> None:
    """Write the public key of your packs to FILE, for a publisher who lets you list yours: `baraza keys delegate`.

    It is no secret, but must not be swapped on its way: tell the publisher the line that is printed, by voice or on
    paper.
    """
    from appliance.packs.delegate import public_key, read_public_key

    raw = public_key(keys or keys_folder())
    write_atomically(file, raw, EVERYBODY)
    click.echo(f"key: {key_words(read_public_key(file))}")


@keys.command("delegate")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@KEYS
def delegate_to(folder: Path, name: str, file: Path, keys: Path | None) -> None:
    """Let the cooperative NAME list packs called NAME or NAME-… in the published FOLDER, signed with its own key.

    FILE is what `baraza keys public` wrote there; compare the words that are printed with those that they tell you.
    Boxes that trust you take such packs from then on. A key that NAME had before counts no longer.

    \b
    baraza keys delegate /media/stick/baraza kijiji kijiji.pub
    """  # noqa: D301
    from appliance.packs.delegate import Delegate, read_public_key
    from appliance.packs.publish import Changes

    key = read_public_key(file)
    publish_changes(folder, Changes(delegate=(Delegate(name, key),)), keys)
    click.echo(f"{name} may list packs called {name} or {name}-…; its key: {key_words(key)}")


@keys.command("revoke")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("name")
@KEYS
def revoke_from(folder: Path, name: str, keys: Path | None) -> None:
    """Let the cooperative NAME list nothing any more in the published FOLDER. Its packs leave it.

    Boxes that had installed them keep them, and get no newer ones.
    """
    from appliance.packs.publish import Changes

    publish_changes(folder, Changes(revoke=(name,)), keys)
    click.echo(f"{name} lists no packs any more.")


@click.command("offer")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("name")
@click.argument("packs", nargs=-1)
@KEYS
def offer_packs(folder: Path, name: str, packs: tuple[str, ...], keys: Path | None) -> None:
    """Put packs into FOLDER as the cooperative NAME, for the publisher who let you: `baraza packs publish --take`.

    PACKS are names of packs on this box, .pack files or folders of packs; without them all packs on this box that are
    called NAME or NAME-…. What FOLDER held of NAME before is replaced: name all that is to be listed.

    \b
    baraza packs offer /media/stick/kijiji kijiji kijiji-en-swc
    """  # noqa: D301
    from appliance.packs.delegate import offer

    here = store()
    mine = [pack for pack in here.active() if pack.manifest.name == name or pack.manifest.name.startswith(f"{name}-")]
    chosen = [_pack_at(each) for each in packs] or [pack.path for pack in mine]
    with Bars() as bars:
        listed = offer(folder, keys or keys_folder(), name, tuple(chosen), ask_passphrase, bars.show)
    for path in listed:
        click.echo(path.rpartition("/")[2])
    click.echo(f"{name} offers {len(listed)} packs in {folder}.")


def _pack_at(named: str) -> Path:
    """The folder of an installed pack, or whatever pack lies at a path. Raises PackNotInstalledError."""
    found = store().find(named) if NAME.fullmatch(named) else None
    if found is not None:
        return found.path
    if not Path(named).exists():
        raise PackNotInstalledError(pack=named)
    return Path(named)


@click.command("publish")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("names", nargs=-1)
@click.option("--remove", multiple=True, metavar="NAME", help="Take this pack out; may be given several times.")
@click.option("--prune", is_flag=True, help="Keep only the newest version of each pack.")
@click.option(
    "--take",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Take in what a cooperative offers in this folder; may be given several times.",
)
@KEYS
def publish_packs(
    folder: Path,
    names: tuple[str, ...],
    remove: tuple[str, ...],
    prune: bool,
    take: tuple[Path, ...],
    keys: Path | None,
) -> None:
    """Put packs of this box, signed, into FOLDER (a stick), for other boxes: all those in use, or those of NAMES.

    \b
    baraza packs publish /media/stick/baraza
    baraza packs publish /media/stick/baraza starter-en-es
    baraza packs publish /media/stick/baraza --prune
    """  # noqa: D301
    from appliance.packs.publish import Changes

    here = store()
    missing = [name for name in names if here.find(name) is None]
    if missing:
        raise PackNotInstalledError(pack=missing[0])
    chosen = tuple(pack.path for pack in here.active() if pack.manifest.name in (names or [pack.manifest.name]))
    publish_changes(folder, Changes(() if (remove or take) and not names else chosen, remove, prune, take=take), keys)


def publish_changes(folder: Path, changes: Changes, keys: Path | None) -> None:
    """Publish into `folder` with a bar for each pack, and print what is in it then; makes keys on first use."""
    from appliance.packs.keys import check_place
    from appliance.packs.publish import publish

    place = keys or keys_folder()
    check_place(place, apart=folder)
    if not (place / "1.root.json").is_file():
        make_keys_at(place)
    with Bars() as bars:
        made = publish(folder, place, changes, ask_passphrase, bars.show)
    for offer in made.offers:
        languages = " ".join(offer.languages)
        click.echo(f"{offer.name:24} {offer.version:8} {offer.kind:16} {offer.size / 1e6:7.1f} MB  {languages}")
    click.echo(f"Release {made.release} in {folder}; boxes accept it until {made.expires:%Y-%m-%d}.")
    show_root(made.keyring)
    if made.root_ends_soon:
        click.echo("The root ends soon; sign it for longer: baraza keys renew", err=True)


def key_words(key: Key) -> str:
    """What people compare of a public key."""
    from appliance.packs.fingerprint import key_fingerprint

    return key_fingerprint(key)


def keys_folder() -> Path:
    return config.load().data / "keys"


def make_keys_at(folder: Path) -> None:
    from appliance.packs.keys import make_keys as make

    passphrase = os.environ.get(UNLOCK, "")
    if not passphrase and sys.stdin.isatty():
        passphrase = click.prompt(
            "A passphrase to lock the keys (none: press Enter)",
            default="",
            show_default=False,
            hide_input=True,
            confirmation_prompt=True,
        )
    keyring = make(folder, passphrase)
    click.echo(f"Made keys in {folder}{'' if passphrase else ', not locked with a passphrase'}.")
    click.echo("Keep a copy of this folder in a safe place: without it nobody can publish in your name again.")
    click.echo("Whoever copies it can publish in your name.")
    show_root(keyring)


def ask_passphrase() -> str:
    """The passphrase of locked keys: from the environment, else from whoever sits there."""
    given = os.environ.get(UNLOCK, "")
    if given or not sys.stdin.isatty():
        return given
    asked: str = click.prompt("Passphrase of the keys", hide_input=True)
    return asked


def show_root(keyring: Keyring) -> None:
    root = keyring.root
    click.echo(f"root: {keyring.words}")
    click.echo(f"      (version {root.version}, until {root.expires:%Y-%m-%d}; people compare these words)")
