"""Telling whoever looks at a job how far it is."""

from __future__ import annotations

from appliance.inference.queue import Context
from appliance.packs.copying import Progress
from appliance.packs.meter import Meter


def shown(context: Context) -> Progress:
    """Tells how many bytes are done, and how long the rest takes."""
    meter = Meter()

    def show(done: int, total: int) -> None:
        if meter.note(done, total):
            context.progress(done, total, meter.seconds_left(total))

    return show
