"""Does the power supply give enough? A Raspberry Pi with too little voltage slows down, and spoils what it writes.

Three places know: the firmware's own word in /sys, the same by `vcgencmd`, and the alarm of the kernel's sensor.
The word has a bit for each thing that is so now, and 16 bits higher one that it was so since the start.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from appliance.health.finding import Finding, Level

SYS = Path("/sys")
THROTTLED = "devices/platform/soc/soc:firmware/get_throttled"
SENSOR = "rpi_volt"  # the name of the kernel's sensor
BITS = {
    0: "the voltage is too low",
    1: "the processor may not run at its full speed",
    2: "the processor is slowed down",
    3: "it is too hot for full speed",
}
SINCE = 16  # how much higher the bit stands that says: since the start
SECONDS = 5

Ask = Callable[[], str]


def ask_vcgencmd() -> str:
    """What the tool of the Raspberry Pi says; "" where there is none."""
    tool = shutil.which("vcgencmd")
    if tool is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            [tool, "get_throttled"], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def check(sys: Path = SYS, ask: Ask = ask_vcgencmd) -> Finding:
    """Bad while the voltage is too low, a warning if it was, or while something slows the processor down."""
    word = _word(_read(sys / THROTTLED)) if (sys / THROTTLED).exists() else _word(ask().partition("=")[2])
    if word is not None:
        return _of_word(word)
    alarms = [_read(path) for path in _alarms(sys)]
    if not alarms:
        return Finding("power", Level.GOOD, "not measured on this machine")
    if any(alarm.strip() == "1" for alarm in alarms):
        return Finding("power", Level.BAD, "the voltage is too low", ADVICE)
    return Finding("power", Level.GOOD, "the voltage is high enough")


ADVICE = "Use the power supply made for the board, and a short, thick cable; unplug what hangs on its USB ports."


def _of_word(word: int) -> Finding:
    now = [words for bit, words in BITS.items() if word >> bit & 1]
    before = [words for bit, words in BITS.items() if word >> (bit + SINCE) & 1 and not word >> bit & 1]
    told = [f"now: {words}" for words in now] + [f"since the start it happened: {words}" for words in before]
    found = "; ".join(told)
    if word & 1:
        return Finding("power", Level.BAD, found, ADVICE)
    if now or before:
        return Finding("power", Level.WARNING, found, ADVICE)
    return Finding("power", Level.GOOD, "the voltage is high enough, and was since the start")


def _word(text: str) -> int | None:
    """The number in hexadecimal, with or without 0x; None if it is none."""
    found = re.fullmatch(r"(?:0x)?([0-9a-fA-F]{1,8})", text.strip())
    return int(found[1], 16) if found else None


def _alarms(sys: Path) -> list[Path]:
    sensors = [name.parent for name in sys.glob("class/hwmon/hwmon*/name") if _read(name).strip() == SENSOR]
    return [path for sensor in sensors for path in sorted(sensor.glob("in*_lcrit_alarm"))]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
