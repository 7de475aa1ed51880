"""A pack's card: what it is for and what it gets wrong, with sentences that it really wrote when it was made."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import sacrebleu

from appliance.inference.translator import Translator
from models.corpus import Pair
from models.pack import CARD
from models.recipe import Recipe

PROBES = Path(__file__).resolve().parent / "probes.tsv"
WORST, BEST = 4, 2


@dataclass(frozen=True)
class Probe:
    """A sentence of our own that no training text holds, what it means, and what the pack made of it."""

    source: str
    meant: str
    written: str
    chrf: float


def read_probes(source: str, target: str) -> list[tuple[str, str]]:
    """The (sentence, translation) pairs of models/probes.tsv that stand in both languages."""
    with PROBES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [(row[source], row[target]) for row in rows if source in row and target in row]


def probe(translator: Translator, source: str, target: str, beam: int, known: frozenset[str]) -> list[Probe]:
    """What the pack makes of every probe in a direction but those in `known`, worst first."""
    pairs = [pair for pair in read_probes(source, target) if not known & set(pair)]
    written = translator.translate([sentence for sentence, _ in pairs], source, target, beam=beam)
    found = [
        Probe(sentence, meant, result.text, sacrebleu.sentence_chrf(result.text, [meant]).score)
        for (sentence, meant), result in zip(pairs, written, strict=True)
    ]
    return sorted(found, key=lambda each: each.chrf)


def write_card(recipe: Recipe, folder: Path, translator: Translator, beam: int, pairs: dict[str, list[Pair]]) -> None:
    """Write `card.md` into the pack in `folder`, in plain English; its manifest has to be written after it.

    `pairs` are those it was trained on: a probe that stands there is left out.
    """
    known = frozenset(side for rows in pairs.values() for pair in rows for side in (pair.source, pair.target))
    lines = ["## What it is for", "", recipe.about, ""]
    lines += ["## What it gets wrong", ""]
    lines += [
        "Sentences of our own that it had never seen, as it translated them when it was made: the ones that came out "
        "worst, then the ones that came out best. Have a person who speaks both languages read whatever matters.",
    ]
    for way in recipe.directions:
        probes = probe(translator, way.source, way.target, beam, known)
        if not probes:
            continue
        lines += ["", f"### {way.source} → {way.target}", ""]
        for each in (*probes[:WORST], *reversed(probes[max(WORST, len(probes) - BEST) :])):
            lines += [f"- “{each.source}”", f"  - it wrote: “{each.written}”", f"  - meant: “{each.meant}”"]
    lines += [
        "",
        f"Figures, sources and their licences: in pack.toml, and on the page of the pack. Recipe: {recipe.path.name}.",
        "",
    ]
    (folder / CARD).write_text("\n".join(lines), encoding="utf-8")
