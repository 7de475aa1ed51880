"""What training does beside training: other digits, another recipe's weights, the embedding stored once."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.factory
torch = pytest.importorskip("torch", reason="the factory's libraries are not installed: make test-factory")
spm = pytest.importorskip("sentencepiece")

from appliance.inference.seq2seq import Seq2Seq  # noqa: E402
from models import train  # noqa: E402
from models.convert.seq2seq import open_model, ranges_of, write_graphs  # noqa: E402
from models.corpus import Pair, renumbered  # noqa: E402
from models.embedding_table import FILE  # noqa: E402
from models.errors import FactoryError  # noqa: E402
from models.parity import translation_error  # noqa: E402
from models.recipe import read_recipe  # noqa: E402
from models.tokenizer import train_tokenizer  # noqa: E402
from tests.factory import tiny  # noqa: E402


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    work = tmp_path_factory.mktemp("tiny")
    return work, tiny.make(work)


def digits(text: str) -> list[str]:
    return re.findall("[0-9]+", text)


def test_other_digits_are_the_same_on_both_sides_and_only_there() -> None:
    pair = Pair("It costs 1,250 dollars on 3 May 2019 at 14:30.", "Le 3 mai 2019 à 14:30, il coûte 1 250 dollars.")
    rng = random.Random(5)
    for _ in range(50):
        other = renumbered(pair, rng)
        assert sorted(digits(other.source)) == sorted(digits(other.target))
        assert digits(other.source) != digits(pair.source)
        assert re.sub("[0-9]+", "#", other.target) == re.sub("[0-9]+", "#", pair.target)
        assert len(digits(other.source)[1]) == 3  # the thousands of 1,250 stay three digits


@pytest.mark.parametrize(
    "pair", [Pair("No number.", "Sin número."), Pair("7 days", "una semana"), Pair("1 dog, 05", "1 perro, 05")]
)
def test_numbers_that_only_one_side_has_and_one_and_leading_zeros_stay(pair: Pair) -> None:
    assert renumbered(pair, random.Random(1)) == pair


def test_a_model_starts_from_another_recipes_weights(made, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    work, parent = made
    recipe = tiny.tiny_recipe()
    other = replace(recipe, tokenizer=replace(recipe.tokenizer, vocab_size=330))
    pairs = {"made": [Pair(f"{p.source} Thanks.", f"{p.target} Asante sana.") for p in tiny.tiny_pairs()["made"]]}
    train_tokenizer(other, pairs, tmp_path / "spm.model")
    old, new = (spm.SentencePieceProcessor(model_file=str(folder / "spm.model")) for folder in (work, tmp_path))
    model = train.new_model(other, new.get_piece_size())
    train.take_over(model, tmp_path / "spm.model", work)
    before, after = (each.get_input_embeddings().weight for each in (parent, model))
    assert torch.equal(after[new.piece_to_id(">>spa<<")], before[old.piece_to_id(">>spa<<")])
    fresh = next(p for p in map(new.id_to_piece, range(len(new))) if old.piece_to_id(p) == old.unk_id() and p[0] != "<")
    parts = train._made_of(fresh, old)
    assert "".join(old.id_to_piece(part) for part in parts) == fresh
    assert torch.allclose(after[new.piece_to_id(fresh)], before[parts].mean(0))
    name = "model.encoder.layers.0.fc1.weight"
    assert torch.equal(model.state_dict()[name], parent.state_dict()[name])
    assert model.lm_head.weight is model.get_input_embeddings().weight


def test_a_start_that_cannot_be_is_said(made, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    work, _ = made
    recipe = tiny.tiny_recipe()
    with pytest.raises(FactoryError, match="Build the recipe"):
        train.take_over(train.new_model(recipe, 320), work / "spm.model", tmp_path / "nothing")
    wider = replace(recipe, model=replace(recipe.model, ffn_dim=128))
    with pytest.raises(FactoryError, match="same \\[model\\]"):
        train.take_over(train.new_model(wider, 320), work / "spm.model", work)


def test_the_gpu_profile_goes_before_the_plain_settings(tmp_path: Path) -> None:
    text = (tiny.HERE / "tiny.toml").read_text(encoding="utf-8")
    path = tmp_path / "tiny.toml"
    path.write_text(text + "\n[gpu.model]\nd_model = 64\n\n[gpu.train]\nbatch_tokens = 900\n", encoding="utf-8")
    plain, gpu = read_recipe(path), read_recipe(path, "gpu")
    assert (plain.model.d_model, plain.train.batch_tokens) == (32, 400)
    assert (gpu.model.d_model, gpu.train.batch_tokens, gpu.train.warmup_updates) == (64, 900, 10)


def test_pools_made_ready_beside_the_training_are_the_same(made, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    import zstandard

    work, _ = made
    lines = "".join(f"made\t{p.source}\t{p.target}\n" for p in tiny.tiny_pairs()["made"])
    (tmp_path / "pairs.tsv.zst").write_bytes(zstandard.compress(lines.encode()))
    recipe = tiny.tiny_recipe()
    supplies = [train.Supply(recipe, tmp_path / "pairs.tsv.zst", work / "spm.model", count) for count in (0, 1)]
    alone, helped = (list(supply.pool(3, 20_000)) for supply in supplies)
    supplies[1].close()
    assert len(alone) == len(helped) > 1
    for one, other in zip(alone, helped, strict=True):
        assert torch.equal(one.source, other.source)
        assert torch.equal(one.labels, other.labels)


def test_the_embedding_lies_in_the_pack_once_and_says_the_same(made, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    work, _ = made
    model = open_model(work / "checkpoint")
    sources = tiny.sources(work / "spm.model")
    targets = [[2, 50, 60, 70]] * len(sources)
    write_graphs(model, tmp_path, ranges_of(model, zip(sources, targets, strict=True)))
    table = model.get_input_embeddings().weight.detach().numpy()
    rows = np.frombuffer((tmp_path / FILE).read_bytes(), np.int8).reshape(table.shape)
    scales = np.abs(table).max(axis=1, keepdims=True) / 64
    assert np.abs(rows * scales - table).max() <= scales.max() * 0.5001
    for name in ("encoder.onnx", "decoder.onnx"):
        written = (tmp_path / name).read_bytes()
        assert rows.tobytes()[:2000] not in written
        assert np.ascontiguousarray(table.T).tobytes()[:2000] not in written
    graphs = Seq2Seq(tmp_path / "encoder.onnx", tmp_path / "decoder.onnx", "tiny", 1)
    error = translation_error(model, graphs, sources, targets)
    assert 0 < error.mean < 0.05 * error.spread
    assert error.top1 > 0.9


def test_training_goes_on_where_it_stopped(tmp_path: Path, made) -> None:  # type: ignore[no-untyped-def]
    import zstandard

    work, _ = made
    lines = "".join(f"made\t{p.source}\t{p.target}\n" for p in tiny.tiny_pairs()["made"])
    (tmp_path / "pairs.tsv.zst").write_bytes(zstandard.compress(lines.encode()))
    arguments = (tiny.tiny_recipe(), tmp_path / "pairs.tsv.zst", work / "spm.model", tmp_path / "training", "cpu")
    first = train.Trainer(*arguments)
    first.run(minutes=1, stretch=0.01)
    again = train.Trainer(*arguments)
    assert again.progress == first.progress
    assert again.progress.updates > 0
    updates = again.progress.updates
    assert again.finished(minutes=1, updates=updates) and not again.finished(minutes=1, updates=updates + 1)
    for kept, saved in zip(again.model.parameters(), first.model.parameters(), strict=True):
        assert torch.equal(kept, saved)

    again.run(minutes=100, stretch=100, updates=updates + 2)
    assert again.progress.updates == updates + 2

    recipe = arguments[0]
    wider = replace(recipe, model=replace(recipe.model, ffn_dim=2 * recipe.model.ffn_dim))
    with pytest.raises(FactoryError, match=r"another shape.*--work"):
        train.Trainer(wider, *arguments[1:])
    state = tmp_path / "training" / "state.pt"
    state.write_bytes(state.read_bytes()[:-1000])
    with pytest.raises(FactoryError, match="damaged"):
        train.Trainer(*arguments)
