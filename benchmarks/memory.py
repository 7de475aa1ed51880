"""How much memory the starter pack takes: opened, with a batch of ordinary sentences, with one of the longest.

    .venv/bin/python -m benchmarks.memory

Resident memory of this process, in MB, each line above the one before. The pack's `memory_bytes` must cover it.
"""

from __future__ import annotations

from pathlib import Path

import psutil

from appliance.config import load
from appliance.inference.translator import Translator
from appliance.limits import LIMITS
from appliance.packs.store import verify

ROOT = Path(__file__).resolve().parents[1]
ORDINARY = (
    "The water is clean and the cooperative needs a new pump because the old one has been broken since the rains."
)


def main() -> None:
    """Print the table."""
    process = psutil.Process()
    (manifest,) = (ROOT / "models" / "starter").glob("starter-en-es/*/pack.toml")
    pack = verify(manifest.parent)
    before = process.memory_info().rss
    print(f"{'Python and onnxruntime':28} {before / 1e6:6.0f}")
    translator = Translator(pack, load().threads)
    print(f"{pack.name + ' opened':28} {process.memory_info().rss / 1e6:6.0f}")
    for name, sentence in (("ordinary sentences", ORDINARY), ("the longest sentences", " ".join([ORDINARY] * 8))):
        translator.translate([sentence] * LIMITS.batch_sentences, "en", "es", beam=4)
        print(f"{name + ', beam 4':28} {process.memory_info().rss / 1e6:6.0f}")
    taken, said = process.memory_info().rss - before, pack.manifest.memory_bytes
    verdict = "fits" if taken <= said else "DOES NOT FIT"
    print(f"the pack took {taken / 1e6:.0f} MB, its manifest says {said / 1e6:.0f} MB: {verdict}")


if __name__ == "__main__":
    main()
