"""Is there a keeper's PIN, and does somebody try to guess it?"""

from __future__ import annotations

from pathlib import Path

from appliance.errors import PinDamagedError, PinNotSetError, StorageError
from appliance.health.finding import Finding, Level
from appliance.keeper.pin import KeeperPin, Standing

MANY = 10  # wrong tries since the last right one: more than a keeper who cannot remember makes


def check(folder: Path) -> Finding:
    """A warning without a PIN, with one that cannot be read, and after many wrong tries."""
    pin = KeeperPin(folder)
    try:
        standing, wrong = pin.standing(), pin.wrong_tries()
    except StorageError as error:
        return Finding("keeper", Level.WARNING, str(error), "Let the user that runs the box read it.")
    if standing is Standing.DAMAGED:
        told = str(PinDamagedError(path=str(folder)))
        return Finding("keeper", Level.WARNING, told, "Set it anew: baraza keeper pin")
    if standing is Standing.NONE:
        return Finding("keeper", Level.WARNING, str(PinNotSetError()), "Set it: baraza keeper pin")
    if wrong > MANY:
        advice = "Somebody may be guessing. Take a longer PIN: baraza keeper pin"
        return Finding("keeper", Level.WARNING, f"{wrong} PINs were wrong since the right one", advice)
    return Finding("keeper", Level.GOOD, "a PIN is set")
