"""The embedding pack of the repository: sentences it was not trained on find their translations."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from appliance.inference.embedder import Embedder
from appliance.packs.store import verify

MODELS = Path(__file__).resolve().parents[3] / "models"
LANGUAGES = ("en", "es", "fr", "sw")


@pytest.fixture(scope="module")
def starter() -> Embedder:
    manifests = sorted((MODELS / "starter").glob("starter-embedding/*/pack.toml"))
    if not manifests:
        pytest.skip("no embedding pack under models/starter")
    return Embedder(verify(manifests[-1].parent), threads=2)


def test_a_text_has_the_vector_it_has_alone_whatever_shares_its_batch(starter: Embedder) -> None:
    with (MODELS / "probes.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    texts = [
        *(row[language] for row in rows for language in LANGUAGES),
        "Ñandú!!! 9,999,999 %%% 🐐",
        "a",
        "water " * 90,
    ]
    alone = np.concatenate([starter.embed([text]) for text in texts])
    assert starter.embed(texts) == pytest.approx(alone, abs=1e-6)
    assert starter.embed(texts[::-1])[::-1] == pytest.approx(alone, abs=1e-6)


@pytest.mark.parametrize("source", LANGUAGES)
@pytest.mark.parametrize("target", LANGUAGES)
def test_a_sentence_is_nearest_to_its_translation(starter: Embedder, source: str, target: str) -> None:
    with (MODELS / "probes.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    queries, found_in = (starter.embed([row[language] for row in rows]) for language in (source, target))
    nearest = (queries @ found_in.T).argmax(axis=1)
    assert sum(number == place for place, number in enumerate(nearest)) >= 0.9 * len(rows)
    assert len(rows) >= 20
