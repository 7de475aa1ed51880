"""The published shapes, whole, with weights drawn at random: minutes and gigabytes, so on request (`-m slow`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.factory, pytest.mark.slow, pytest.mark.timeout(1800)]
torch = pytest.importorskip("torch", reason="the factory's libraries are not installed: make test-factory")

from models.parity import translation_error  # noqa: E402
from models.recipe_public import read_public_recipe  # noqa: E402
from tests.factory import public_models  # noqa: E402
from tests.factory.test_public_translation import NLLB, OPUS, Made, greedy  # noqa: E402

RECIPES = Path(__file__).resolve().parents[2] / "models" / "recipes" / "public"
SENTENCES = public_models.SENTENCES[:3]
LIMIT = 12


def make(name: str, folder: Path) -> Made:
    if name.startswith("opus"):
        return Made(folder, public_models.make_marian(folder, public_models.marian(), lively=False), OPUS)
    return Made(folder, public_models.make_nllb(folder, public_models.nllb(), lively=False), NLLB)


@pytest.mark.parametrize(
    ("name", "bits"), [("opus-mt-en-es", 32), ("opus-mt-en-es", 8), ("nllb-200-distilled-600m", 8)]
)
def test_a_whole_model_says_what_transformers_says(name: str, bits: int, tmp_path: Path, record_property: Any) -> None:
    made = make(name, tmp_path / name)
    translator, way = made.translator(bits), made.directions[0]
    sources = [translator.encode(sentence, way.source, way.target) for sentence in SENTENCES]
    written = translator.decode_ids(sources, LIMIT, first=way.first)
    begin = [translator._vocabulary.start, *([translator._pieces.id_of(way.first)] if way.first else [])]
    error = translation_error(made.model, made.graphs(bits), sources, [begin + tokens for tokens in written])
    record_property(f"{name}, {bits} bits", str(error))
    size = sum(path.stat().st_size for path in made.pack(bits).iterdir() if path.suffix in (".onnx", ".bin"))
    record_property(f"{name}, {bits} bits, bytes", size)
    assert size == pytest.approx(read_public_recipe(RECIPES / f"{name}.toml").estimate(bits).pack, rel=0.05)
    if bits == 32:
        assert written == greedy(made, sources, way, translator, LIMIT)
        assert error.largest < 1e-4
    else:
        assert 0 < error.mean < 0.1 * error.spread
