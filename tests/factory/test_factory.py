"""The factory makes a pack from text that the engine of the box opens, and its output is the reference's."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytestmark = pytest.mark.factory
torch = pytest.importorskip("torch", reason="the factory's libraries are not installed: make test-factory")
zstandard = pytest.importorskip("zstandard", reason="the factory's libraries are not installed: make test-factory")

from appliance.inference.seq2seq import Seq2Seq  # noqa: E402
from appliance.inference.translator import Translator  # noqa: E402
from appliance.packs.store import verify  # noqa: E402
from models import corpus  # noqa: E402
from models.errors import CorpusError, RecipeError  # noqa: E402
from models.parity import translation_error  # noqa: E402
from models.recipe import EvaluationSet, read_any_recipe, read_recipe  # noqa: E402
from tests.factory import tiny  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    work = tmp_path_factory.mktemp("tiny")
    return work, tiny.make(work)


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    folder = tmp_path / "corpora"
    (folder / "dev").mkdir(parents=True)
    pairs = tiny.tiny_pairs()["made"]
    lines = "".join(f"made\t{pair.source}\t{pair.target}\n" for pair in pairs)
    (folder / "made.tsv.zst").write_bytes(zstandard.compress(lines.encode()))
    for language, side in (("en", "source"), ("es", "target")):
        held = "".join(f"{getattr(pair, side)}\n" for pair in pairs[:5])
        (folder / "dev" / f"made.{language}").write_text(held, encoding="utf-8")
    return folder


@pytest.mark.parametrize("beams", [1, 4])
def test_the_engine_says_what_transformers_says_token_for_token(made, beams: int) -> None:  # type: ignore[no-untyped-def]
    work, model = made
    ids = tiny.sources(work / "spm.model")
    expected = tiny.reference(model, ids, beams)
    assert max(map(len, expected)) < tiny.LIMIT
    assert Translator(verify(work / "pack"), 1).decode_ids(ids, tiny.LIMIT, beams) == expected


def test_the_logits_of_the_graphs_are_those_of_the_model(made) -> None:  # type: ignore[no-untyped-def]
    work, model = made
    graphs = Seq2Seq(work / "pack" / "encoder.onnx", work / "pack" / "decoder.onnx", "tiny", 1)
    sources = tiny.sources(work / "spm.model")[:3]
    error = translation_error(model, graphs, sources, [[2, 50, 60]] * 3)
    assert error.largest < 1e-3
    assert (error.top1, error.tokens) == (1.0, 9)


def recipe_with_evaluation(tmp_path: Path) -> Path:
    text = (Path(tiny.HERE) / "tiny.toml").read_text(encoding="utf-8")
    text += '\n[[evaluation]]\nname = "made"\nfiles = { en = "dev/made.en", es = "dev/made.es" }\n'
    path = tmp_path / "tiny.toml"
    path.write_text(text, encoding="utf-8")
    return path


def build(recipe: Path, tmp_path: Path, *options: str, corpora: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "models.cli", "build", str(recipe), "--threads", "1"]
    command += ["--work", str(tmp_path / "work"), "--packs", str(tmp_path / "packs"), *options]
    environment = {**os.environ, "BARAZA_CORPORA": str(corpora), "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)


def test_a_whole_build_stops_goes_on_and_ends_in_a_pack_with_figures(tmp_path: Path, corpora: Path) -> None:
    recipe = recipe_with_evaluation(tmp_path)
    first = build(recipe, tmp_path, "--stretch", "0.02", corpora=corpora)
    assert (first.returncode, "run the same command" in first.stdout) == (0, True), first.stderr
    second = build(recipe, tmp_path, corpora=corpora)
    assert second.returncode == 0, second.stderr
    assert "tokenizer: done before" in second.stdout
    pack = verify(tmp_path / "packs" / "tiny" / "0.1.0")
    assert {(figure.metric, figure.direction) for figure in pack.manifest.figures} == {
        (metric, direction) for metric in ("chrF2", "BLEU") for direction in ("en-es", "es-en")
    }
    assert pack.manifest.selftest["en-es"].startswith("I see water")
    Translator(pack, 1).translate(["I see bread."], "en", "es")
    third = build(recipe, tmp_path, corpora=corpora)
    assert third.stdout.count("done before") == 8


def test_a_missing_corpus_is_said_with_what_to_do(tmp_path: Path) -> None:
    result = build(recipe_with_evaluation(tmp_path), tmp_path, corpora=tmp_path / "nowhere")
    assert result.returncode == 1
    assert "BARAZA_CORPORA" in result.stderr
    assert "Traceback" not in result.stderr


def test_held_out_sentences_never_reach_training(tmp_path: Path, corpora: Path) -> None:
    recipe = tiny.tiny_recipe()
    sets = (EvaluationSet("made", {"en": "dev/made.en", "es": "dev/made.es"}),)
    counts = corpus.prepare(recipe.corpus, sets, corpora, tmp_path / "pairs.tsv.zst")
    assert counts == {"made": 395}


def test_a_line_without_three_columns_is_said(tmp_path: Path) -> None:
    (tmp_path / "made.tsv.zst").write_bytes(zstandard.compress(b"made\tone\tuno\nmade\ttwo\n"))
    with pytest.raises(CorpusError, match="line 2"):
        corpus.prepare(tiny.tiny_recipe().corpus, (), tmp_path, tmp_path / "out")


def test_the_same_seed_draws_the_same_pairs() -> None:
    recipe = tiny.tiny_recipe()
    draws = [
        corpus.Sampler(tiny.tiny_pairs(), recipe.corpus.sources, recipe.train, seed).draw(50)
        for seed in ("1", "1", "2")
    ]
    assert draws[0] == draws[1] != draws[2]


def test_noise_keeps_the_two_sides_together() -> None:
    recipe = tiny.tiny_recipe()
    noisy = replace(recipe.train, joined=1.0, lower_case=0.0, upper_case=0.0, bare_end=0.0)
    for pair in corpus.Sampler(tiny.tiny_pairs(), recipe.corpus.sources, noisy, "x").draw(20):
        assert pair.source.count("I see") == pair.target.count("Veo") == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "tiny"\n', "", "missing"),
        ("[train]", "[train]\nminuts = 3", "minuts"),
        ('kind = "translation"', 'kind = "speech"', "speech"),
        ("[train]", "[train", "TOML"),
        ("[model]", "colour = 1\n[model]", "colour"),
    ],
)
def test_a_wrong_recipe_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (Path(tiny.HERE) / "tiny.toml").read_text(encoding="utf-8")
    path = tmp_path / "wrong.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RecipeError, match=said):
        read_recipe(path)


def test_every_recipe_of_the_repository_is_sound() -> None:
    recipes = [read_any_recipe(path) for path in (ROOT / "models" / "recipes").glob("*.toml")]
    assert {recipe.kind for recipe in recipes} == {"translation", "embedding"}
    sources = [source for recipe in recipes for source in getattr(recipe, "corpus", recipe).sources]
    assert all(source.url and source.licence for source in sources)
