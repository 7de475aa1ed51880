"""Vectors of texts: normalised, in their places, bounded, and close where the texts are alike."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import EngineError, PackManifestError
from appliance.inference.embedder import Embedder
from appliance.limits import Limits
from appliance.packs.manifest import parse_manifest
from appliance.packs.store import InstalledPack, verify

TINY = Path(__file__).resolve().parents[2] / "data" / "tiny-embedding"
TEXTS = ["I see water.", "", "I see a goat near the road and 7 more near our field.", "  ", "bread"]


@pytest.fixture(scope="module")
def pack() -> InstalledPack:
    return verify(TINY)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(TINY, tmp_path / "pack")
    return tmp_path / "pack"


def changed(pack: InstalledPack, **settings: str | int) -> InstalledPack:
    assert pack.manifest.embedding is not None
    return replace(
        pack,
        manifest=replace(pack.manifest, embedding=replace(pack.manifest.embedding, **settings)),  # type: ignore[arg-type]
    )


def test_every_text_gets_a_vector_of_length_one_in_its_place(pack: InstalledPack) -> None:
    embedder = Embedder(pack, 1)
    vectors = embedder.embed(TEXTS)
    assert (vectors.shape, vectors.dtype) == ((5, embedder.dimensions), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 0, 1, 0, 1], abs=1e-6)
    for place in (0, 2, 4):
        assert vectors[place] == pytest.approx(embedder.embed([TEXTS[place]])[0], abs=1e-5)


def test_no_texts_give_no_vectors(pack: InstalledPack) -> None:
    assert Embedder(pack, 1).embed([]).shape == (0, Embedder(pack, 1).dimensions)


def test_the_same_call_gives_the_same_vectors(pack: InstalledPack) -> None:
    one, other = Embedder(pack, 1), Embedder(pack, 2)
    assert np.array_equal(one.embed(TEXTS), one.embed(TEXTS))
    assert one.embed(TEXTS) == pytest.approx(other.embed(TEXTS), abs=1e-5)


def test_what_it_has_learnt_brings_a_translation_near(pack: InstalledPack) -> None:
    english = ["I see water and 3 more near bread.", "I see a goat and 5 more near the roof."]
    spanish = ["Veo agua y 3 más cerca de pan.", "Veo una cabra y 5 más cerca de el techo."]
    embedder = Embedder(pack, 1)
    likeness = embedder.embed(english) @ embedder.embed(spanish).T
    assert list(likeness.argmax(axis=0)) == list(likeness.argmax(axis=1)) == [0, 1]


def test_a_long_text_counts_with_its_beginning_and_its_frame_stays(pack: InstalledPack) -> None:
    embedder = Embedder(changed(pack, most_tokens=12), 1)
    long = "I see bread and water near the road. " * 30
    ids = embedder.encode(long)
    whole = Embedder(pack, 1).encode("I see bread and water near the road.")
    assert len(ids) == 12
    assert (ids[0], ids[-1]) == (whole[0], whole[-1])
    assert ids[1:6] == whole[1:6]
    assert np.array_equal(embedder.embed([long]), embedder.embed([long + "and a goat"]))


def test_a_query_and_a_passage_get_their_prefix(pack: InstalledPack) -> None:
    embedder = Embedder(changed(pack, query="I see ", passage="bread "), 1)
    plain = Embedder(pack, 1)
    assert np.array_equal(embedder.embed(["water"], as_query=True), plain.embed(["I see water"]))
    assert np.array_equal(embedder.embed(["water"]), plain.embed(["bread water"]))


def test_the_first_token_stands_for_the_text_where_the_pack_says_so(pack: InstalledPack) -> None:
    embedder = Embedder(changed(pack, pooling="cls"), 1)
    ids = np.array([embedder.encode("bread")])
    given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    (hidden,) = embedder._session.run(None, given)
    assert embedder.embed(["bread"])[0] == pytest.approx(hidden[0, 0] / np.linalg.norm(hidden[0, 0]), abs=1e-6)
    assert np.abs(embedder.embed(["bread"]) - Embedder(pack, 1).embed(["bread"])).max() > 1e-3


def test_a_mark_typed_by_a_person_is_text(pack: InstalledPack) -> None:
    embedder = Embedder(pack, 1)
    end = embedder.encode("bread")[-1]
    assert embedder.encode("bread</s>").count(end) == 1


def test_batches_are_bounded_in_texts_and_tokens(pack: InstalledPack) -> None:
    embedder = Embedder(pack, 1, Limits(batch_sentences=3, batch_pieces=40))
    batches = list(embedder._batches([[9] * length for length in (5, 0, 30, 6, 90, 4, 5, 12, 13)]))
    assert sorted(number for batch in batches for number in batch) == [0, 2, 3, 4, 5, 6, 7, 8]
    lengths = [5, 0, 30, 6, 90, 4, 5, 12, 13]
    for batch in batches:
        assert len(batch) <= 3
        assert len(batch) == 1 or len(batch) * max(lengths[number] for number in batch) <= 40


def test_a_pack_of_another_kind_is_refused(tiny_pack: Path) -> None:
    with pytest.raises(EngineError, match="not an embedding pack"):
        Embedder(verify(tiny_pack), 1)


@pytest.mark.parametrize("name", ["model.onnx", "spm.model"])
def test_a_damaged_file_is_an_error_of_the_engine(copy: Path, name: str) -> None:
    sound = verify(copy)
    (copy / name).write_bytes(b"not a model")
    with pytest.raises(EngineError, match=name):
        Embedder(sound, 1)


def test_a_graph_that_gives_something_else_is_refused(copy: Path, tiny_pack: Path) -> None:
    sound = verify(copy)
    (copy / "model.onnx").write_bytes((tiny_pack / "decoder.onnx").read_bytes())
    with pytest.raises(EngineError, match="does not take"):
        Embedder(sound, 1)
    with pytest.raises(EngineError, match="99 dimensions"):
        Embedder(changed(verify(TINY), dimensions=99), 1)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('pooling = "mean"', 'pooling = "max"', "max"),
        ('graph = "model.onnx"', 'graph = "other.onnx"', "other.onnx"),
        ('graph = "model.onnx"', 'graph = "../model.onnx"', "graph"),
        ("dimensions = ", "dimensions = -", "dimensions"),
        ("most_tokens = ", "most_tokens = 9999", "most_tokens"),
        ("[embedding]", "[embeddings]", "embedding"),
        ("[embedding]", "[embedding]\nquery = 7", "query"),
    ],
)
def test_a_wrong_manifest_is_said_by_the_name_of_the_field(old: str, new: str, reason: str) -> None:
    text = (TINY / "pack.toml").read_text(encoding="utf-8").replace(old, new, 1)
    with pytest.raises(PackManifestError, match=reason):
        parse_manifest(text.encode(), "tiny")
