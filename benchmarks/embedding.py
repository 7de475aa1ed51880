"""How fast the embedding pack is, and how well its vectors find articles, alone and together with words.

    .venv/bin/python -m benchmarks.embedding [--pack FOLDER] [--anyway]

Prints the time of a question, of 16 short texts in one call and one by one, and of passages; the memory the pack takes;
how far a vector in a batch is from the one the text has alone; and for each language the share of the questions in
tests/advice/questions.tsv whose article comes first, or among three.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil

from appliance.advice.articles import read_articles
from appliance.config import load
from appliance.inference.embedder import Embedder
from appliance.packs.store import InstalledPack, PackStore, verify
from benchmarks.advice import answerable
from benchmarks.harness import Row, interleave, medians, pin, quiet_machine, report
from models.retrieval import Question, Vectors, advice_table, passages

ROOT = Path(__file__).resolve().parents[1]
RUNS = 30
SHORT = 16
PARITY = 64  # passages, of many lengths


def main() -> None:
    """Print the table, and a line for each figure."""
    quiet_machine()
    pin(2)
    pack = _pack()
    before = psutil.Process().memory_info().rss
    embedder = Embedder(pack, load().threads)
    articles = read_articles(ROOT / "knowledge")
    questions = [Question(*row) for row in answerable()]
    texts = [text for each in articles.values() for text in passages(each, "en")]

    def embed(asked: Sequence[str], as_query: bool) -> Vectors:
        return embedder.embed(asked, as_query=as_query)

    embed(texts, False)
    grown = psutil.Process().memory_info().rss - before
    print(f"{pack.name}: {pack.manifest.size / 1e6:.1f} MB on the disk, {grown / 1e6:.0f} MB of memory")
    for row in advice_table(embed, articles, questions):
        print(row.line())
    short = [each.text for each in questions[:SHORT]]
    taken = interleave(
        {
            "question": lambda: _seconds(embedder, short[:1]),
            "together": lambda: _seconds(embedder, short),
            "one by one": lambda: sum(_seconds(embedder, [text]) for text in short),
        },
        RUNS,
    )
    taken |= interleave({"passages": lambda: _seconds(embedder, texts)}, 5)
    typical = medians(taken)
    alone = np.concatenate([embedder.embed([text]) for text in texts[:PARITY]])
    apart = float(np.abs(embedder.embed(texts[:PARITY]) - alone).max())
    rows = [
        Row("question", 1000 * typical["question"], "ms"),
        Row(f"{SHORT}_short_texts", 1000 * typical["together"], "ms"),
        Row(f"{SHORT}_short_texts_against_one_by_one", typical["one by one"] / typical["together"], "times", 1.0),
        Row("passages", len(texts) / typical["passages"], "a_second"),
        Row("memory", grown / 1e6, "MB", round(pack.manifest.memory_bytes / 1e6), at_least=False),
        Row("vector_in_a_batch_from_alone", apart, "largest_difference", 1e-6, at_least=False),
    ]
    report("embedding", rows, taken)


def _pack() -> InstalledPack:
    if "--pack" in sys.argv:
        return verify(Path(sys.argv[sys.argv.index("--pack") + 1]))
    settings = load()
    for pack in PackStore(settings.packs, settings.data / "packs").active():
        if pack.manifest.embedding is not None:
            return pack
    raise SystemExit("There is no embedding pack: build models/recipes/starter-embedding.toml with the factory.")


def _seconds(embedder: Embedder, texts: Sequence[str]) -> float:
    began = time.perf_counter()
    embedder.embed(texts)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
