"""Is the box too hot? Boards slow down from about 80 °C on, and memory cards die early."""

from __future__ import annotations

from pathlib import Path

from appliance.health.finding import Finding, Level

SYS = Path("/sys")
WARM, HOT = 70.0, 80.0  # °C
CAN_BE = (-40.0, 150.0)  # °C: a sensor that says otherwise is broken


def check(sys: Path = SYS) -> Finding:
    """Bad above 80 °C, a warning above 70: the hottest place that is measured."""
    measured = ((zone, _degrees(zone)) for zone in sorted(sys.glob("class/thermal/thermal_zone*")))
    zones = {zone: degrees for zone, degrees in measured if degrees is not None}
    if not zones:
        return Finding("heat", Level.GOOD, "not measured on this machine")
    zone, degrees = max(zones.items(), key=lambda pair: pair[1])
    told = f"{degrees:.0f} °C ({_text(zone / 'type') or zone.name})"
    advice = "Give the box air and shade, clean its fan, or fit a heat sink."
    if degrees >= HOT:
        return Finding("heat", Level.BAD, told, advice)
    if degrees >= WARM:
        return Finding("heat", Level.WARNING, told, advice)
    return Finding("heat", Level.GOOD, told)


def _degrees(zone: Path) -> float | None:
    """°C; None if the zone says nothing that can be. The kernel gives thousandths."""
    try:
        degrees = int(_text(zone / "temp")) / 1000
    except ValueError:
        return None
    return degrees if CAN_BE[0] < degrees < CAN_BE[1] else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:  # a zone that is switched off says EINVAL or EAGAIN
        return ""
