"""How fast language models write, beside what people would use instead: the same weights on the same two cores.

    .venv/bin/python -m benchmarks.generation [MODEL…] [--anyway]      (make bench-generation)

A prompt of 512 tokens, another one each round, then 64 more tokens, greedily. Every engine is a process of its own with
two threads, all on the same two cores, asked in turn. Rows: tokens read a second (until the first token is there),
tokens written a second after it, milliseconds until the first, memory; and how often ours reads and writes as fast.

Q4_0 and Q8_0 are as llama.cpp's quantizer makes them: it gives the embeddings, which are the last product too, eight
bits. Ours and Q4_0-pure have four there as well. onnxruntime-genai runs our own graph; transformers computes in fp32.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import ROOT, Rival, Row, pin, quiet_machine, report, seconds
from benchmarks.models import LANGUAGE_MODELS, LanguageModel, language_model, made

THREADS = 2
ROUNDS, SLOW_ROUNDS = 5, 2  # the second of an engine that takes as long as all others together, its warm-up included
PROMPT, WRITTEN = 512, 64
SHARED = 448  # tokens of a prompt that the next one begins with too
CONTEXT = 2048
REST = 0.3  # seconds, until the threads of the engine before sleep
READ_BYTES = 512 * 1024**2
PACKED_BITS = {4: 4 + 64 / 64, 8: 8 + 64 / 64}  # in memory, with two floats for each block of 64
OURS, GENAI, TRANSFORMERS = "ours-int4", "genai-int4", "transformers-fp32"
BASE, PURE = ("llama-q4_0", "llama-q8_0"), "llama-q4_0-pure"


@dataclass
class Engine:
    """A rival and what it took."""

    rival: Rival
    read: list[float] = field(default_factory=list)  # tokens a second
    written: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)  # milliseconds
    memory: int = 0

    def ask(self, prompt: list[int]) -> None:
        time.sleep(REST)
        answer = self.rival.ask(prompt=prompt, most=1 + WRITTEN)
        if len(answer["tokens"]) != 1 + WRITTEN:
            sys.exit(f"A rival wrote {len(answer['tokens'])} tokens, not {1 + WRITTEN}.")
        self.read.append(len(prompt) / answer["first"])
        self.written.append(WRITTEN / (answer["seconds"] - answer["first"]))
        self.first.append(1000 * answer["first"])
        self.memory = max(self.memory, self.rival.memory())


def main() -> None:
    """Print the table."""
    chosen = [name for name in sys.argv[1:] if not name.startswith("-")]
    unknown = sorted(set(chosen) - set(LANGUAGE_MODELS))
    if unknown:
        sys.exit(f"There is no model {', '.join(unknown)}; there are {', '.join(LANGUAGE_MODELS)}.")
    quiet_machine()
    pin(THREADS)
    rows: list[Row] = []
    measured: dict[str, Any] = {}
    for name in chosen or LANGUAGE_MODELS:
        more, measured[name] = measure(name)
        rows += more
    report("-".join(["generation", *chosen]), rows, measured)


def measure(name: str) -> tuple[list[Row], dict[str, Any]]:
    """The rows of one model, and all that was taken."""
    model = language_model(name)
    drawn = random.Random(name)
    with ExitStack() as stack:
        engines = {which: Engine(stack.enter_context(rival)) for which, rival in _rivals(model).items()}
        bandwidth: list[float] = []
        for number in range(1 + ROUNDS):  # the first warms up
            prompt = [drawn.randrange(3, 4000) for _ in range(PROMPT)]
            turns = [which for which in engines if which != TRANSFORMERS or number < SLOW_ROUNDS]
            # Each is asked in every place of the row in turn: what went before matters.
            at = number % len(turns)
            for which in turns[at:] + turns[:at]:
                engines[which].ask(prompt)
            bandwidth.append(read_bandwidth())
        again = [_again(engines[OURS], drawn) for _ in range(ROUNDS)]
        about = {which: engine.rival.about for which, engine in engines.items()}
    speed = {which: _medians(engine) for which, engine in engines.items()}
    rows = _rows(name, model, speed, statistics.median(bandwidth[1:]), statistics.median(again))
    speeds = {
        which: {"read": engine.read[1:], "written": engine.written[1:], "first": engine.first[1:]}
        for which, engine in engines.items()
    }
    return rows, {"about": about, "taken": speeds, "bandwidth": bandwidth[1:], "first_after_shared_ms": again}


def _rivals(model: LanguageModel) -> dict[str, Rival]:
    box, factory = ROOT / ".venv" / "bin" / "python", ROOT / ".venv-factory" / "bin" / "python"
    settings = (str(THREADS), str(CONTEXT))

    def rival(module: str, path: Path, *python: Path) -> Rival:
        return Rival(module, str(made(path)), *settings, **({"python": python[0]} if python else {}))

    found = {f"ours-int{bits}": rival("baraza_", pack, box) for bits, pack in model.packs.items()}
    for kind in ("Q4_0", "Q8_0", "Q4_0-pure"):
        found[f"llama-{kind.lower()}"] = rival("llama_cpp_", model.gguf(kind))
    found[GENAI] = rival("genai_", model.genai)
    if factory.exists():
        found[TRANSFORMERS] = rival("transformers_", model.checkpoint, factory)
    return found


def _again(engine: Engine, drawn: random.Random) -> float:
    """Milliseconds until the first token after a prompt whose first SHARED tokens were just read."""
    begin = [drawn.randrange(3, 4000) for _ in range(SHARED)]
    for _ in range(2):
        rest = [drawn.randrange(3, 4000) for _ in range(PROMPT - SHARED)]
        answer = engine.rival.ask(prompt=begin + rest, most=1)
    return 1000 * float(answer["first"])


def _medians(engine: Engine) -> dict[str, float]:
    each = {"read": engine.read, "written": engine.written, "first": engine.first}
    return {what: statistics.median(values[1:]) for what, values in each.items()} | {"memory": engine.memory / 1e6}


def _rows(
    name: str, model: LanguageModel, speed: dict[str, dict[str, float]], bandwidth: float, again: float
) -> list[Row]:
    """Bandwidth in bytes a second, `again` in milliseconds."""
    units = {"read": "tokens/s", "written": "tokens/s", "first": "ms", "memory": "MB"}
    words = {"read": "prefill", "written": "decode", "first": "first-token", "memory": "memory"}
    rows = [
        Row(f"{name}.{words[what]}.{which}", value, units[what])
        for what in units
        for which, values in speed.items()
        for value in [values[what]]
    ]
    ours, pure = speed[OURS], speed[PURE]
    share = ours["written"] * token_bytes(model, 4) / bandwidth
    better = max(speed[which]["read"] for which in BASE)
    return [
        *rows,
        Row(f"{name}.first-token.{OURS}.after-{SHARED}-shared", again, "ms"),
        Row(f"{name}.read-bandwidth", bandwidth / 1e9, "GB/s"),
        Row(f"{name}.decode-int4/llama-q4_0-pure", ours["written"] / pure["written"], "×"),
        Row(f"{name}.decode-int4/genai-int4", ours["written"] / speed[GENAI]["written"], "×"),
        Row(f"{name}.decode-int4/llama-q4_0", ours["written"] / speed[BASE[0]]["written"], "×", 1.0),
        Row(f"{name}.decode-int4-share-of-bandwidth", share, "of-1", 0.8),
        Row(f"{name}.prefill/better-of-llama-q4_0-and-q8_0", ours["read"] / better, "×", 1.5),
    ]


def token_bytes(model: LanguageModel, bits: int) -> float:
    """Bytes read for one token: the weights of all products as they lie in memory, and the keys and values so far."""
    config = json.loads((model.checkpoint / "config.json").read_text(encoding="utf-8"))
    hidden, layers = config["hidden_size"], config["num_hidden_layers"]
    key_values = 2 * config["num_key_value_heads"] * hidden // config["num_attention_heads"]
    layer = hidden * (2 * hidden + key_values + 3 * config["intermediate_size"])
    weights = layers * layer + config["vocab_size"] * hidden
    return weights * PACKED_BITS[bits] / 8 + 4 * layers * key_values * (PROMPT + WRITTEN / 2)


def read_bandwidth() -> float:
    """Bytes a second that THREADS threads read of an array far larger than the caches."""
    parts = np.array_split(_array(), THREADS)
    # Of NumPy's reductions the one that computes least.
    time.sleep(REST)
    threads = [threading.Thread(target=np.count_nonzero, args=(part,)) for part in parts]

    def read() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return READ_BYTES / seconds(read)


_kept: list[np.ndarray[Any, np.dtype[np.bool_]]] = []


def _array() -> np.ndarray[Any, np.dtype[np.bool_]]:
    if not _kept:
        _kept.append(np.ones(READ_BYTES, np.bool_))
    return _kept[0]


if __name__ == "__main__":
    main()
