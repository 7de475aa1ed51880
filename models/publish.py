"""`baraza-factory publish`: packs signed into a folder. The work is done by appliance/packs/publish.py."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("packs", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--to", "folder", required=True, type=click.Path(path_type=Path, file_okay=False), help="Where to.")
@click.option("--keys", type=click.Path(path_type=Path, file_okay=False), help="Folder of the keys, made on first use.")
@click.option("--remove", multiple=True, metavar="NAME", help="Take this pack out; may be given several times.")
@click.option("--prune", is_flag=True, help="Keep only the newest version of each pack.")
def publish(packs: tuple[Path, ...], folder: Path, keys: Path | None, remove: tuple[str, ...], prune: bool) -> None:
    """Put PACKS, folders or .pack files, signed, into a folder that boxes accept: a stick, or a web server's.

    What is there stays: other packs, and other versions of these. With no pack, what is there is signed for another
    400 days. The passphrase of locked keys is asked for, or read from BARAZA_KEYS_PASSPHRASE.

    \b
    baraza-factory publish packs/own-en-quz/0.1.0 --to /media/stick/baraza
    baraza-factory publish own-en-quz-0.2.0.pack --to /media/stick/baraza --prune
    baraza-factory publish --to /media/stick/baraza --remove own-en-quz
    """  # noqa: D301
    from appliance.commands.keys import publish_changes
    from appliance.packs.publish import Changes

    publish_changes(folder, Changes(packs, remove, prune), keys)
