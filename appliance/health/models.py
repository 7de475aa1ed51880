"""Do the models load, and say something?"""

from __future__ import annotations

from appliance.errors import BarazaError
from appliance.health.finding import Finding, Level
from appliance.inference.translator import Translator
from appliance.packs.manifest import SELFTEST_ARROW
from appliance.packs.store import InstalledPack


def check(packs: list[InstalledPack], threads: int) -> list[Finding]:
    """Open each translation pack and translate the sentence of its self-test."""
    translating = [pack for pack in packs if pack.manifest.kind == "translation"]
    if not translating:
        advice = "Install one: baraza packs install FILE.pack"
        return [Finding("model", Level.BAD, "no translation pack is installed", advice)]
    return [_check_one(pack, threads) for pack in translating]


def _check_one(pack: InstalledPack, threads: int) -> Finding:
    try:
        translator = Translator(pack, threads)
        said = []
        for direction, line in pack.manifest.selftest.items():
            source, target = direction.split("-")
            said.append(
                (
                    translator.translate([line.split(SELFTEST_ARROW)[0]], source, target)[0].text,
                    line.split(SELFTEST_ARROW)[1],
                )
            )
    except (BarazaError, ValueError, IndexError) as error:
        return Finding("model", Level.BAD, f"{pack.name}: {error}", "Install the pack again.")
    if any(not text for text, _ in said):
        return Finding("model", Level.BAD, f"{pack.name} says nothing", "Install the pack again.")
    if any(text != expected for text, expected in said):
        # int8 sums differ in the last digit from one CPU to another: another word is no fault by itself.
        return Finding("model", Level.WARNING, f"{pack.name} says {said[0][0]!r}, where it was made {said[0][1]!r}")
    return Finding("model", Level.GOOD, f"{pack.name} loads and says what it said where it was made")
