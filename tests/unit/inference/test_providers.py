"""What computes: what is set, if it can, else the processor, and always with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from appliance.inference import providers, session
from appliance.inference.embedder import Embedder
from appliance.inference.providers import NAMES, Provider, choose
from appliance.packs.store import verify

TINY = Path(__file__).resolve().parents[2] / "data" / "tiny-embedding"
OTHERS = [name for name in NAMES if name != "cpu"]


def test_by_itself_the_processor_computes() -> None:
    assert choose("auto").order == choose("cpu").order == ["CPUExecutionProvider"]


@pytest.mark.parametrize("name", OTHERS)
def test_what_this_onnx_runtime_lacks_is_replaced_and_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert choose(name) == Provider(
        "cpu", f"{name} is set, but this ONNX Runtime {ort.__version__} was built without it"
    )


def test_what_is_built_in_but_computes_nothing_here_is_replaced_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    # The provider of the plain wheel that hands every operator on to a server, and computes none itself.
    if "AzureExecutionProvider" not in ort.get_available_providers():
        pytest.skip("this ONNX Runtime has no provider that computes nothing")
    monkeypatch.setitem(providers.NAMES, "cuda", "AzureExecutionProvider")
    found = choose("cuda")
    assert found.name == "cpu"
    assert found.reason.startswith("cuda is set, but does not start here: ")


def test_the_graph_it_is_tried_with_adds_a_number_to_itself() -> None:
    tried = ort.InferenceSession(providers.SMALLEST_GRAPH, providers=["CPUExecutionProvider"])
    assert tried.run(None, {"x": np.array([21], np.float32)})[0].tolist() == [42]


@pytest.mark.parametrize("name", OTHERS)
def test_a_provider_that_is_there_gives_the_vectors_of_the_processor(name: str) -> None:
    chosen = choose(name)
    if chosen.name == "cpu":
        pytest.skip(chosen.reason)
    pack = verify(TINY)
    texts = ["I see water.", "I see a goat near the road."]
    expected = Embedder(pack, 1).embed(texts)
    before = session.used()
    session.use(chosen)
    try:
        assert Embedder(pack, 1).embed(texts) == pytest.approx(expected, abs=1e-3)
    finally:
        session.use(before)
