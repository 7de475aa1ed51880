"""What computes: the processor, or what was set?"""

from __future__ import annotations

from appliance.health.finding import Finding, Level
from appliance.inference.providers import AUTO, choose


def check(setting: str) -> Finding:
    """A warning if another provider is set than the one that computes here."""
    provider = choose(setting)
    found = f"{provider.name} computes: {provider.reason}"
    if setting not in (AUTO, provider.name):
        advice = "Install an ONNX Runtime that has it, with its drivers, or take BARAZA_PROVIDER away."
        return Finding("provider", Level.WARNING, found, advice)
    return Finding("provider", Level.GOOD, found)
