"""How fast the embedding pack is, and how well its vectors find articles, alone and together with words.

    .venv/bin/python -m benchmarks.embedding

Prints the time of a query and of passages, the memory the pack takes, and for each language the share of the
questions in tests/data/questions whose article comes first, or among three.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from appliance.advice.articles import read_articles
from appliance.config import load
from appliance.inference.embedder import Embedder
from appliance.packs.store import InstalledPack, PackStore
from benchmarks.advice import answerable
from models.retrieval import Question, Vectors, advice_table, passages

ROOT = Path(__file__).resolve().parents[1]
RUNS = 30


def main() -> None:
    """Print the table."""
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
    query = statistics.median(_seconds(embedder, [each.text]) for each in questions[:RUNS])
    many = statistics.median(_seconds(embedder, texts) for _ in range(5))
    print(f"one question {1000 * query:.1f} ms; {len(texts)} passages {len(texts) / many:.0f} a second")
    for row in advice_table(embed, articles, questions):
        print(row.line())


def _pack() -> InstalledPack:
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
