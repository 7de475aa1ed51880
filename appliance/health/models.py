"""Do the models load, and say something?"""

from __future__ import annotations

import sys
from collections.abc import Callable

from appliance.errors import BarazaError, CancelledError, EngineBusyError
from appliance.health.finding import Finding, Level
from appliance.inference.engines import Engines
from appliance.inference.selftest import run
from appliance.packs.store import InstalledPack


def check(packs: list[InstalledPack], threads: int) -> list[Finding]:
    """Open each translation pack and translate the sentence of its self-test."""
    translating = [pack for pack in packs if pack.manifest.kind == "translation"]
    if not translating:
        advice = "Install one: baraza packs install FILE.pack"
        return [Finding("model", Level.BAD, "no translation pack is installed", advice)]
    return [_check_one(pack, threads) for pack in translating]


def check_at_work(pack: InstalledPack, try_out: Callable[[InstalledPack], None]) -> Finding:
    """What the self-test of `pack` says on a box at work; `try_out` raises what speaks against it.

    Raises CancelledError.
    """
    try:
        try_out(pack)
    except CancelledError:
        raise
    except EngineBusyError as error:
        return Finding("model", Level.WARNING, str(error), "Look again when the box has less to do.")
    except BarazaError as error:
        return Finding("model", Level.BAD, f"{pack.name}: {error}", "Install the pack again.")
    return Finding("model", Level.GOOD, f"{pack.name} passes its self-test")


def _check_one(pack: InstalledPack, threads: int) -> Finding:
    engines = Engines(sys.maxsize, threads)  # whether there is memory for it is a check of its own
    try:
        told = run(pack, engines)
    except BarazaError as error:
        reason = error.fields.get("reason", error)
        return Finding("model", Level.BAD, f"{pack.name}: {reason}", "Install the pack again.")
    finally:
        engines.close()
    if any(not each.said for each in told):
        return Finding("model", Level.BAD, f"{pack.name} says nothing", "Install the pack again.")
    other = next((each for each in told if each.expected and each.said != each.expected), None)
    if other is not None:
        # int8 sums differ in the last digit from one CPU to another: another word is no fault by itself.
        return Finding("model", Level.WARNING, f"{pack.name} says {other.said!r}, where it was made {other.expected!r}")
    return Finding("model", Level.GOOD, f"{pack.name} loads and says what it said where it was made")
