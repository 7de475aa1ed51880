"""Our own engine on one pack, in a process of its own like the rivals; runs in .venv.

    python -m benchmarks.rivals.baraza_ PACK THREADS CONTEXT

benchmarks.rivals.generation says what goes in and out. Prompts that begin alike are read once, as on a box.
"""

from __future__ import annotations

import sys
from pathlib import Path

import onnxruntime

from appliance.inference.generator import TextGenerator
from appliance.inference.sampling import GREEDY
from appliance.packs.store import verify
from benchmarks.rivals.generation import serve


def main() -> None:
    """Answer each line."""
    generator = TextGenerator(verify(Path(sys.argv[1])), int(sys.argv[2]))
    about = {"version": f"onnxruntime {onnxruntime.__version__}"}
    serve(about, lambda prompt, most: generator._write(prompt, most, GREEDY, lambda: False))


if __name__ == "__main__":
    main()
