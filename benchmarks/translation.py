"""How fast the starter pack translates, by batch and by width of the search.

    .venv/bin/python -m benchmarks.translation

Prints medians of interleaved runs, and their ratio to greedy search one sentence at a time: the ratios can be
compared between machines, the seconds cannot. Says what the machine is and refuses to measure on a busy one.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from pathlib import Path

import onnxruntime
import psutil

from appliance import config
from appliance.app import Appliance
from appliance.inference.translator import Translator
from appliance.limits import LIMITS
from appliance.packs.store import verify
from appliance.translation.service import TranslationService

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5
BUSY = 25.0  # percent of all cores

SENTENCES = [
    "The water is clean.",
    "I have twelve goats and two cows.",
    "The rain did not come this year, so we planted late.",
    "Can you tell me where the market is?",
    "My sister works at the school near the river.",
    "We need a new pump because the old one is broken.",
    "Please sign the letter and give it to the office.",
    "How much does a bag of maize cost today?",
]


def main() -> None:
    """Print the table."""
    busy = psutil.cpu_percent(interval=1.0)
    if busy > BUSY and "--anyway" not in sys.argv:
        top = max(psutil.process_iter(["name", "cpu_percent"]), key=lambda each: each.info["cpu_percent"] or 0)
        sys.exit(f"The machine is busy ({busy:.0f} %, {top.info['name']} among others): try again, or add --anyway.")
    (manifest,) = (ROOT / "models" / "starter").glob("starter-en-es/*/pack.toml")
    threads = os.cpu_count() or 1
    translator = Translator(verify(manifest.parent), threads)
    print(f"{translator.pack.name}, onnxruntime {onnxruntime.__version__}, {platform.machine()}, {threads} threads")
    cases = [(batch, beam) for batch in (1, 8, 32) for beam in (1, 2, 4)]
    seconds: dict[tuple[int, int], list[float]] = {case: [] for case in cases}
    for number in range(ROUNDS + 1):
        for batch, beam in cases:
            took = _seconds_a_sentence(translator, batch, beam)
            if number:  # the first round warms up
                seconds[batch, beam].append(took)
    base = statistics.median(seconds[1, 1])
    print(f"{'batch':>5} {'beam':>5} {'ms a sentence':>14} {'sentences/s':>12} {'to batch 1, beam 1':>20}")
    for (batch, beam), times in seconds.items():
        median = statistics.median(times)
        print(f"{batch:5} {beam:5} {median * 1000:14.1f} {1 / median:12.1f} {base / median:19.2f}×")
    _long_text(manifest.parent.parent.parent)


def _long_text(packs: Path) -> None:
    """A text as long as the page takes, as the page translates it: until something is seen, and until the end."""
    service = Appliance(config.load({**os.environ, "BARAZA_PACKS": str(packs)})).translation
    text = " ".join(SENTENCES * 20)[: LIMITS.translation_characters]
    _seen(service, text)  # warms up
    seen = _seen(service, text)
    print(f"a text of {len(text)} characters: something is seen after {seen[0]:.2f} s, all after {seen[-1]:.2f} s")


def _seen(service: TranslationService, text: str) -> list[float]:
    """Seconds until each part of the translation could be read."""
    began = time.perf_counter()
    seen: list[float] = []
    service.translate(text, "en", "es", on_part=lambda _: seen.append(time.perf_counter() - began))
    return seen


def _seconds_a_sentence(translator: Translator, batch: int, beam: int) -> float:
    """The same sentences for every case, `batch` of them in one call."""
    texts = SENTENCES * 4
    began = time.perf_counter()
    for first in range(0, len(texts), batch):
        translator.translate(texts[first : first + batch], "en", "es", beam=beam)
    return (time.perf_counter() - began) / len(texts)


if __name__ == "__main__":
    main()
