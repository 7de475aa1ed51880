"""Does the clock tell a time that can be? A Pi without a battery begins in the past after a power cut."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from appliance.health.finding import Finding, Level

RELEASED = datetime(2026, 11, 23, tzinfo=UTC)  # no box can be older than its software


def now() -> datetime:
    return datetime.now(UTC)


def check(clock: Callable[[], datetime] = now) -> Finding:
    """A warning only: nothing on the box is decided by the clock, but letters carry its date."""
    time = clock()
    found = f"{time:%Y-%m-%d %H:%M} UTC"
    advice = "Set the date: sudo timedatectl set-time 'YYYY-MM-DD HH:MM'. Documents would carry a wrong date."
    if time < RELEASED - timedelta(days=1):
        return Finding("clock", Level.WARNING, f"{found}, which is before this software was made", advice)
    if time.year > RELEASED.year + 20:
        return Finding("clock", Level.WARNING, f"{found}, which is far in the future", advice)
    return Finding("clock", Level.GOOD, found)
