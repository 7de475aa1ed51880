"""Did the makers of the software sign the packs that came with it?"""

from __future__ import annotations

from pathlib import Path

from appliance.health.finding import Finding, Level
from appliance.packs.shipped import check_shipped


def check(folder: Path, root: bytes | None) -> list[Finding]:
    """A warning for each shipped pack that `root` did not sign; nothing where no root is set."""
    if root is None:
        return []
    checked = check_shipped(folder, root)
    advice = "If you built it yourself, sign it: make sign. If not, get the software again from where it came."
    wrong = [Finding("signed", Level.WARNING, f"{each.pack}: {each.wrong}", advice) for each in checked if each.wrong]
    return wrong or [Finding("signed", Level.GOOD, f"{len(checked)} shipped packs are signed")]
