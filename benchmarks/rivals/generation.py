"""How a rival in generation is talked to: a JSON object a line.

First line out: what it says of itself. Then {"prompt": [ids], "most": tokens} in,
{"first": seconds until the first token, "seconds": all, "tokens": [ids]} out.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Write = Callable[[Sequence[int], int], Iterator[int]]


def serve(about: Mapping[str, Any], write: Write) -> None:
    """Answer each line with the tokens that `write(prompt, most)` gives."""
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        began = time.perf_counter()
        tokens, first = [], 0.0
        for token in write(question["prompt"], question["most"]):
            first = first or time.perf_counter() - began
            tokens.append(token)
        seconds = time.perf_counter() - began
        print(json.dumps({"first": first, "seconds": seconds, "tokens": tokens}), flush=True)
