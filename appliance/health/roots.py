"""Do the trusted roots still count, or will sticks be refused soon?"""

from __future__ import annotations

from datetime import timedelta

from appliance.health.finding import Finding, Level
from appliance.packs.roots import TrustedRoot
from appliance.packs.trust import Trust
from appliance.packs.trusted_time import Judgement

SOON = timedelta(days=180)


def check(trust: Trust) -> list[Finding]:
    """A warning for each root that has expired, does so within half a year, or whose files are damaged."""
    judged = trust.time.judge()
    damaged = [
        Finding("root", Level.WARNING, str(error), f"baraza roots remove {error.fields['name']}, then add it again.")
        for error in trust.problems()
    ]
    found = [*damaged, *(_check_one(root, judged) for root in trust.roots())]
    return found or [Finding("root", Level.GOOD, "no root was added by a keeper")]


def _check_one(root: TrustedRoot, judged: Judgement) -> Finding:
    found = f"{root.name} counts until {root.expires:%Y-%m-%d}"
    advice = "Ask its publisher for a stick with a renewed root; what is installed goes on working."
    if root.expires <= judged.now:
        return Finding("root", Level.WARNING, f"{found}, which is over by the clock of the box", advice)
    if root.expires - judged.now < SOON:
        return Finding("root", Level.WARNING, found, advice)
    return Finding("root", Level.GOOD, found)
