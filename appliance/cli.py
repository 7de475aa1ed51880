"""`baraza …`: the box from the command line."""

from __future__ import annotations

import itertools
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import click

from appliance import __version__, config
from appliance.commands.bars import Bars
from appliance.commands.checks import checks
from appliance.commands.keeper import keeper
from appliance.commands.keys import keys, offer_packs, publish_packs
from appliance.commands.look import install_from, look_at
from appliance.commands.parts import is_repository
from appliance.commands.readings import readings
from appliance.commands.roots import roots
from appliance.commands.share import announced, export_packs, neighbours
from appliance.commands.sticks import sticks
from appliance.errors import BarazaError, NotUtf8Error, PackArchiveError
from appliance.health.finding import Level
from appliance.limits import LIMITS
from appliance.packs.store import InstalledPack, PackStore, verify
from appliance.storage.backup import BEFORE, make_backup, restore, settle
from appliance.storage.documents import DOCUMENTS, Documents
from appliance.storage.lock import lock_folder

TAKEN_UP = f" A box at work takes it up within {LIMITS.packs_glance_seconds} seconds."
LINES_AT_ONCE = 256  # of standard input: enough to fill batches with sentences of like length
MARKS = {Level.GOOD: "ok     ", Level.WARNING: "warning", Level.BAD: "BAD    "}


class Group(click.Group):
    """Turns an error of ours into one line on standard error and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BarazaError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Group)
@click.version_option(__version__, prog_name="baraza")
def main() -> None:
    """Baraza: an offline AI box for translation, documents, and crop and repair advice.

    Settings are read from the environment: `baraza settings` lists them.
    """


@main.command()
def settings() -> None:
    """List every setting with its unit, what it is now, and what it is for."""
    now = config.load()
    for setting in config.SETTINGS:
        click.echo(f"BARAZA_{setting.name.upper()}  [{setting.unit}]  now: {getattr(now, setting.name)}")
        click.echo(f"    {setting.help}")


@main.command()
@click.option("--host", help="Address to listen on. [BARAZA_HOST]")
@click.option("--port", type=click.IntRange(0, 65_535), help="TCP port to listen on. [BARAZA_PORT]")
def serve(host: str | None, port: int | None) -> None:
    """Serve the page until stopped with Ctrl-C."""
    # The page, and what computes, are not needed for the other commands, and take half a second to load.
    from appliance.app import Appliance
    from webui.server import serve as serve_pages

    environment = _environment({"host": host, "port": port})
    chosen = config.load(environment)
    logging.basicConfig(level=chosen.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    appliance = Appliance(chosen, apart=True)
    appliance.start()
    try:
        with announced(appliance):
            serve_pages(appliance)
    except OSError as error:
        where = f"{chosen.host}:{chosen.port}"
        advice = "Stop the other program, or choose another port: baraza serve --port 8081"
        raise click.ClickException(f"Cannot listen on {where}: {error.strerror or error}. {advice}") from error
    finally:
        appliance.close()


@main.command()
@click.option("--from", "source", required=True, help="Language of the text, e.g. en.")
@click.option("--to", "target", required=True, help="Language to translate to, e.g. es.")
@click.option("--beam", type=click.IntRange(1, LIMITS.beam), help="Width of the search; 1 is fastest. [BARAZA_BEAM]")
@click.argument("text", required=False)
def translate(source: str, target: str, beam: int | None, text: str | None) -> None:
    """Translate TEXT, else standard input line by line to standard output."""
    from appliance.app import Appliance

    appliance = Appliance(config.load(_environment({"beam": beam})))
    if text is not None:
        source, target = appliance.translation.check(text, source, target)
        click.echo(appliance.translation.translate(text, source, target).text)
        return
    lines = _lines(sys.stdin.buffer)
    while some := list(itertools.islice(lines, LINES_AT_ONCE)):
        for line in appliance.translation.translate_lines(some, source, target):
            click.echo(line)


@main.command()
@click.option("--lang", default="en", show_default=True, help="Language of the question.")
@click.option("--json", "as_json", is_flag=True, help='Print {"abstained", "articles": [{"id", "title", "score"}]}.')
@click.argument("question")
def ask(lang: str, as_json: bool, question: str) -> None:
    """Ask the knowledge base."""
    from appliance.app import Appliance

    appliance = Appliance(config.load())
    appliance.knowing.learn()
    answer = appliance.ask(question, lang)
    if as_json:
        rows = [
            {"id": each.article.id, "title": each.face.title, "score": round(each.score, 4)} for each in answer.passages
        ]
        click.echo(json.dumps({"abstained": answer.abstained, "articles": rows}, ensure_ascii=False))
        return
    if answer.abstained:
        click.echo("I do not know this. Nearest topics:")
        for each in answer.nearest:
            click.echo(f"  {each.face.title} ({each.article.id})")
        return
    for each in answer.passages:
        _print_passage(each.face.title, each.face.danger, each.face.first_steps, each.article.sources)


@main.group()
def packs() -> None:
    """The packs on this box."""


@packs.command("list")
def list_packs() -> None:
    """List the packs in use, with size, licence and languages."""
    for pack in _store().active():
        one = pack.manifest
        size = f"{one.size / 1e6:.1f} MB"
        click.echo(f"{one.name:24} {one.version:8} {one.kind:16} {size:>9}  {one.licence:14} {' '.join(one.languages)}")


@packs.command("verify")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
def verify_packs(folder: Path | None) -> None:
    """Check every file of every pack (or of the pack in FOLDER) against its sha256. Exit status 1 if one is wrong."""
    folders = [folder] if folder else list(_store().folders())
    broken = 0
    for each in folders:
        try:
            click.echo(f"ok   {verify(each).name}")
        except BarazaError as error:
            broken += 1
            click.echo(f"BAD  {error}")
    if broken:
        raise click.exceptions.Exit(1)


@packs.command("install")
@click.argument("place")
@click.argument("names", nargs=-1)
def install_pack(place: str, names: tuple[str, ...]) -> None:
    """Install packs from PLACE and put them in use: a stick, a folder or a neighbour's address with signed packs.

    Without NAMES everything that is new or newer; `baraza packs look PLACE` shows it. PLACE may also be a .pack file
    or the folder of a pack: nobody vouches for that, so know where it comes from.

    \b
    baraza packs install /media/stick
    baraza packs install http://192.168.1.20:8080/packs starter-en-sw
    baraza packs install own-en-quz-0.2.0.pack
    """  # noqa: D301
    with Bars() as bars:
        if is_repository(place):
            installed = list(install_from(place, names, _install, bars.show))
        else:
            installed = [_install_unsigned(Path(place), bars)]
    for pack in installed:
        click.echo(f"{pack.name} is installed and in use.{TAKEN_UP}")
    if not installed:
        click.echo("Nothing there is newer than what is on the box.")


def _install(source: Path, progress: Callable[[int, int], None], expected: str | None) -> InstalledPack:
    from appliance.app import install_pack as install_here

    return install_here(config.load(), source, progress, expected=expected)


def _install_unsigned(source: Path, bars: Bars) -> InstalledPack:
    if not source.exists():
        raise PackArchiveError(archive=str(source), reason="there is no such file or folder")
    click.echo(f"Nobody signed {source.name}: you vouch for it yourself.", err=True)
    return _install(source, lambda done, total: bars.show("Installing", done, total), None)


packs.add_command(look_at)
packs.add_command(export_packs)
packs.add_command(publish_packs)
packs.add_command(offer_packs)
main.add_command(checks)
main.add_command(keys)
main.add_command(neighbours)
main.add_command(roots)
main.add_command(sticks)
main.add_command(keeper)
main.add_command(readings)


@packs.command("activate")
@click.argument("name")
@click.argument("version")
def activate_pack(name: str, version: str) -> None:
    """Put another VERSION of pack NAME, that is on the box, in use."""
    _store().activate(name, version)
    click.echo(f"{name} {version} is in use.{TAKEN_UP}")


@packs.command("rollback")
@click.argument("name")
def rollback_pack(name: str) -> None:
    """Put the version of pack NAME before this one back in use; once more undoes it."""
    pack = _store().rollback(name)
    click.echo(f"{pack.name} is in use again.{TAKEN_UP}")


@main.group()
def documents() -> None:
    """The documents people saved."""


@documents.command("restore-last")
def restore_last() -> None:
    """Bring back the documents of the last good copy, after their file broke. What was saved since stays."""
    data = config.load().data
    lock = lock_folder(data)
    try:
        settle(data)
        opened = Documents(data / DOCUMENTS)
        copy = opened.last_good
        if copy is not None:
            click.echo(f"A copy of {copy.saved_at or 'an unknown time'} holds {copy.documents} documents.")
        click.echo(f"Brought back: {opened.restore_last()}.")
        if opened.set_aside:
            click.echo(f"What could not be read is in {opened.set_aside}; delete it when nobody misses anything.")
    finally:
        lock.release()


@main.command()
@click.argument("target", type=click.Path(path_type=Path))
def backup(target: Path) -> None:
    """Back the box up into one sealed file: TARGET, or a new file in the folder TARGET. The box may be at work.

    In it are documents, requests, history, readings, settings, trusted roots and the community's knowledge; not the
    packs, and not the private keys for signing packs (copy DATA/keys yourself). The passphrase is asked for, or read
    from BARAZA_BACKUP_PASSPHRASE. Without it nobody can open the file.
    """
    passphrase = _backup_passphrase(confirm=True)
    made = make_backup(config.load().data, target, passphrase)
    click.echo(f"Backed up {made.documents} documents ({made.files} files in all) into {made.path}, and read it back.")


@main.command("restore")
@click.argument("source", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def restore_backup(source: Path) -> None:
    """Put what the backup SOURCE holds on this box, in the place of what is there, which is kept beside it."""
    data = config.load().data
    made = restore(source, data, _backup_passphrase(confirm=False))
    click.echo(f"Restored the backup of {made.made_at} with {made.documents} documents.")
    if (data / BEFORE).exists():
        click.echo(f"What was there before is in {data / BEFORE}; delete it when nobody misses anything.")


def _backup_passphrase(confirm: bool) -> str:
    given = os.environ.get("BARAZA_BACKUP_PASSPHRASE", "")
    if given:
        return given
    asked: str = click.prompt("Passphrase of the backup", hide_input=True, confirmation_prompt=confirm)
    return asked


@main.command()
def doctor() -> None:
    """Check the box; exit status 1 if something that people come for does not work."""
    from appliance.health.doctor import examine

    findings = examine(config.load())
    for each in findings:
        click.echo(f"{MARKS[each.level]}  {each.check:8} {each.found}")
        if each.advice:
            click.echo(f"                  → {each.advice}")
    if any(each.level is Level.BAD for each in findings):
        raise click.exceptions.Exit(1)


def _store() -> PackStore:
    chosen = config.load()
    return PackStore(chosen.packs, chosen.data / "packs")


def _environment(given: dict[str, Any]) -> dict[str, str]:
    """The environment with the options that were given on the command line over it."""
    return {
        **os.environ,
        **{f"BARAZA_{name.upper()}": str(value) for name, value in given.items() if value is not None},
    }


def _lines(stream: IO[bytes]) -> Iterator[str]:
    for number, raw in enumerate(stream, 1):
        try:
            yield raw.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            click.echo(f"Line {number}:", err=True, nl=False)
            raise NotUtf8Error from None


def _print_passage(title: str, danger: str, steps: tuple[str, ...], sources: tuple[Any, ...]) -> None:
    click.echo(click.style(title, bold=True))
    if danger:
        click.echo(f"  ! {danger}")
    for number, step in enumerate(steps, 1):
        click.echo(f"  {number}. {step}")
    for source in sources:
        click.echo(f"  Source: {source.publisher}, {source.title}, {source.year}")
    click.echo()


if __name__ == "__main__":
    main()
