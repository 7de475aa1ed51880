"""`baraza readings …`: what sensors said, by hand or from a file, until the box has sensors of its own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from appliance import config
from appliance.advice.readings import newest
from appliance.errors import FolderInUseError
from appliance.limits import LIMITS
from appliance.sensors import inbox
from appliance.sensors.readings import COLUMNS, read_feed
from appliance.storage.database import snapshot
from appliance.storage.journal import JOURNAL, Journal, Reading
from appliance.storage.lock import lock_folder
from appliance.storage.quantities import QUANTITIES
from appliance.storage.tables import utc_now


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help='Print [{"sensor", "quantity", "value", "unit", "time"}].')
@click.pass_context
def readings(context: click.Context, as_json: bool) -> None:
    """List the last reading of each sensor; the box may be at work."""
    if context.invoked_subcommand is not None:
        return
    found = _last(config.load().data)
    if as_json:
        rows = [{column: getattr(each, column) for column in COLUMNS} for each in found]
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for each in found:
        click.echo(f"{each.sensor:20} {each.quantity:18} {each.value:8g} {each.unit:4} {each.time}")
    if not found:
        click.echo("There are no readings yet. Add some: baraza readings add FILE.csv")


@readings.command("add")
@click.argument("file", type=click.File("rb"))
def add(file: BinaryIO) -> None:
    """Add the readings in FILE (- is standard input): lines of sensor,quantity,value,unit,time.

    All lines are added, or none: what is wrong is told with the number of the line. The time is like 2026-05-03T14:30,
    of this machine if it has no zone, and now if it is left out.

    \b
    field-1,soil-moisture,12,%,2026-05-03T14:30
    store,grain-moisture,13.5,%
    """  # noqa: D301
    found = read_feed(file, getattr(file, "name", "standard input"))
    at_work = _add(config.load().data, found)
    later = f" The box at work takes them up within {LIMITS.packs_glance_seconds} seconds." if at_work else ""
    click.echo(f"Added {len(found)} {'reading' if len(found) == 1 else 'readings'}.{later}")


@readings.command("quantities")
def quantities() -> None:
    """List what can be measured, with its unit and what is possible."""
    for name, each in QUANTITIES.items():
        click.echo(f"{name:18} {each.unit:3} {each.least:g} to {each.most:g}")


def _add(data: Path, found: list[Reading]) -> bool:
    """Whether a box is at work, which takes them up by itself: only one process may write to the journal."""
    try:
        lock = lock_folder(data)
    except FolderInUseError:
        inbox.leave(data, found)
        return True
    try:
        with closing(Journal(data / JOURNAL)) as journal:
            inbox.take(data, journal.record)
            journal.record(found)
    finally:
        lock.release()
    return False


def _last(data: Path) -> list[Reading]:
    found = list(inbox.peek(data))
    if (data / JOURNAL).exists():
        with _copy(data) as journal:
            found = [each for feed in journal.feeds(LIMITS.sensors) for each in journal.readings(*feed)] + found
    feeds: dict[tuple[str, str], list[Reading]] = {}
    for each in found:
        feeds.setdefault((each.sensor, each.quantity), []).append(each)
    last = (newest(feeds[feed], utc_now()) for feed in sorted(feeds))
    return [each for each in last if each is not None]


@contextmanager
def _copy(data: Path) -> Iterator[Journal]:
    """A copy of the journal to read: a box may be at work on it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / JOURNAL
        snapshot(data / JOURNAL, copy)
        with closing(Journal(copy)) as journal:
            yield journal
