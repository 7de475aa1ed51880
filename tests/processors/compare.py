"""Compare what `tokens` printed on this processor with what it printed on others; exit 1 where greedy tokens differ.

With a beam, two translations of nearly one score may change places: sums of fp32 are rounded in another order where
a register is wider, and one bit more or less in an activation's int8 is enough. Those are shown.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

GREEDY = "beam 1"


def main(here: str, *others: str) -> int:
    expected = json.loads(Path(here).read_text(encoding="utf-8"))
    wrong = 0
    for path in filter(Path.exists, map(Path, others)):
        found = json.loads(path.read_text(encoding="utf-8"))
        sentences = [(key, n) for key, rows in expected["tokens"].items() for n in range(len(rows))]
        differing = [(key, n) for key, n in sentences if found["tokens"][key][n] != expected["tokens"][key][n]]
        wrong += sum(key.endswith(GREEDY) for key, _ in differing)
        print(
            f"{path.stem}: {found['machine']}, onnxruntime {found['onnxruntime']}: "
            f"{len(sentences) - len(differing)} of {len(sentences)} token sequences equal"
        )
        for key, n in differing:
            print(f"  {key}, sentence {n + 1}: {found['tokens'][key][n]} here {expected['tokens'][key][n]}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
