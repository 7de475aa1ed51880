"""Public models from a hub: fetched, refused, taken up, made into a pack, and made again of the same revision."""

from __future__ import annotations

import json
import os
import pickle
import re
import socket
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.factory
torch = pytest.importorskip("torch", reason="the factory's libraries are not installed: make test-factory")

import huggingface_hub  # noqa: E402
import transformers  # noqa: E402
from click.testing import CliRunner, Result  # noqa: E402

from appliance.inference.translator import Translator  # noqa: E402
from appliance.packs.store import verify  # noqa: E402
from models import cli  # noqa: E402
from models.convert import marian as marian_converter  # noqa: E402
from models.errors import RecipeError  # noqa: E402
from models.recipe import read_any_recipe  # noqa: E402
from models.recipe_public import PublicRecipe, read_public_recipe  # noqa: E402
from tests.factory import public_models  # noqa: E402
from tests.factory.hub_server import HubServer, Repository  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = sorted((ROOT / "models" / "recipes" / "public").glob("*.toml"))
FIRST, SECOND = "a" * 40, "b" * 40
NAME = "somebody/tiny-opus"

RECIPE = f"""
name = "tiny-opus"
version = "1.0.0"
kind = "translation"
title = "Tiny"
languages = ["en", "es"]
licence = "Apache-2.0"
about = "For tests."
limits = "Says nothing sensible."

[model]
hub = "{NAME}"
family = "marian"
bits = 32

[shape]
vocabulary = 1200
width = 64
ffn = 128
encoder_layers = 2
decoder_layers = 2

[[directions]]
source = "en"
target = "es"
tag = ">>spa<<"

[selftest]
en-es = "The water is clean."
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A tiny checkpoint as a repository has it, with much beside that is not needed."""
    folder = tmp_path_factory.mktemp("checkpoint")
    public_models.make_marian(folder, public_models.small_marian())
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    beside = ("tf_model.h5", "rust_model.ot", "pytorch_model.bin", "onnx/model.onnx", "run.py", "training_args.bin")
    return {
        **found,
        "README.md": b"---\nlicense: apache-2.0\n---\n",
        "LICENSE": b"Apache",
        **dict.fromkeys(beside, b"x"),
    }


@pytest.fixture
def hub(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    server = HubServer()
    server.repositories[NAME] = Repository({FIRST: files}, {"license": "apache-2.0"})
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    (tmp_path / "tiny-opus.toml").write_text(RECIPE, encoding="utf-8")
    yield server
    server.close()


def build(tmp_path: Path, *options: str) -> Result:
    command = ["build", str(tmp_path / "tiny-opus.toml"), "--threads", "1"]
    command += ["--work", str(tmp_path / "work"), "--packs", str(tmp_path / "packs"), *options]
    result = CliRunner().invoke(cli.main, command)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def refused(tmp_path: Path, *options: str) -> str:
    result = build(tmp_path, *options)
    assert result.exit_code == 1, result.output
    return result.output


@pytest.fixture
def no_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that end before the conversion: it must not begin."""

    def begin(*_arguments: object) -> None:
        raise AssertionError("the conversion began")

    monkeypatch.setattr(marian_converter, "convert", begin)


def test_a_pack_is_made_of_a_public_model_and_names_its_revision(hub: HubServer, tmp_path: Path) -> None:
    result = build(tmp_path)
    assert result.exit_code == 0, result.output
    pack = verify(tmp_path / "packs" / "tiny-opus" / "1.0.0")
    manifest = pack.manifest
    assert [(each.title, each.revision, each.licence) for each in manifest.origins] == [(NAME, FIRST, "Apache-2.0")]
    assert manifest.card == "card.md"
    card = (pack.path / "card.md").read_text(encoding="utf-8")
    assert FIRST in card
    assert "was not measured" in card
    assert "LICENSE" in {file.path for file in manifest.files}
    assert manifest.selftest["en-es"].startswith("The water is clean.")
    assert Translator(pack, 1).translate(["x"], "en", "es")[0].text

    asked = len(hub.requests)
    again = build(tmp_path)
    assert again.output.count("done before") == 4
    assert len(hub.requests) == asked

    # The hub moves on, and the folder of the build is lost: the revision in the pack is made again, unless told not to.
    hub.repositories[NAME].commits[SECOND] = hub.repositories[NAME].commits[FIRST]
    for options, revision in (((), FIRST), (("--newest",), SECOND)):
        work = tmp_path / "work" / "hub" / "source.json"
        work.unlink()
        assert build(tmp_path, *options).exit_code == 0
        assert json.loads(work.read_text(encoding="utf-8"))["revision"] == revision
        assert verify(pack.path).manifest.origins[0].revision == revision


def test_only_what_is_needed_is_fetched(hub: HubServer, tmp_path: Path, no_conversion: None) -> None:
    with pytest.raises(AssertionError, match="the conversion began"):
        CliRunner().invoke(
            cli.main,
            ["build", str(tmp_path / "tiny-opus.toml"), "--work", str(tmp_path / "work")],
            catch_exceptions=False,
        )
    assert hub.fetched() == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "source.spm",
        "target.spm",
        "vocab.json",
        "tokenizer_config.json",
        "README.md",
        "LICENSE",
    }


def test_a_download_that_was_cut_goes_on_where_it_was(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A block of the library is ten times larger than the largest file here, and what came of a block is not kept.
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 20_000)
    hub.cut_after = 100_000
    said = refused(tmp_path)
    assert "the same command goes on" in said
    assert "--checkpoint" in said
    hub.cut_after = None
    assert build(tmp_path).exit_code == 0
    assert [begin for _, _, begin in hub.requests if begin] == ["bytes=100000-"]


def test_no_network_is_said_with_the_way_round_it(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        said = refused(tmp_path)
        assert "cannot be reached" in said
        assert f"hf download {NAME}" in said
        carried = tmp_path / "carried"
        carried.mkdir()
        for name, content in files.items():
            if "/" not in name:
                (carried / name).write_bytes(content)
        assert build(tmp_path, "--checkpoint", str(carried)).exit_code == 0
    origin = verify(tmp_path / "packs" / "tiny-opus" / "1.0.0").manifest.origins[0]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", origin.revision)
    assert not hub.requests


def change(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "tiny-opus.toml"
    assert old in path.read_text(encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (NAME, "somebody/else", "There is no repository somebody/else"),
        ('family = "marian"', f'family = "marian"\nrevision = "{SECOND}"', f"has no revision {SECOND}"),
        (NAME, "some body/x", "not the name of a repository"),
        ('licence = "Apache-2.0"', 'licence = "MIT"', "the model card says apache-2.0"),
        ('family = "marian"', 'family = "llm"', "the family is llm, but marian is of marian"),
        ("bits = 32", "bits = 32\nnon_commercial = true", "--accept-non-commercial"),
    ],
)
def test_a_recipe_that_does_not_fit_the_hub_is_refused(
    hub: HubServer, tmp_path: Path, no_conversion: None, old: str, new: str, said: str
) -> None:
    change(tmp_path, old, new)
    assert said in refused(tmp_path)
    assert "model.safetensors" not in hub.fetched()


def test_the_licence_of_the_card_is_taken_when_it_is_named(hub: HubServer, tmp_path: Path) -> None:
    hub.repositories[NAME].card["license"] = "cc-by-nc-4.0"
    assert "Which is right?" in refused(tmp_path, "--licence", "MIT")
    assert build(tmp_path, "--licence", "CC-BY-NC-4.0").exit_code == 0
    assert verify(tmp_path / "packs" / "tiny-opus" / "1.0.0").manifest.licence == "CC-BY-NC-4.0"


def test_a_closed_repository_and_a_hub_in_trouble_are_said(hub: HubServer, tmp_path: Path, no_conversion: None) -> None:
    hub.repositories[NAME].gated = True
    assert "HF_TOKEN" in refused(tmp_path)
    hub.status = 503
    assert "status 503" in refused(tmp_path)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "t5"}, "t5, for which there is no converter"),
        ({"auto_map": {"AutoModel": "run.X"}}, "code of its own"),
    ],
)
def test_a_model_that_cannot_be_converted_is_refused_before_its_weights_come(
    hub: HubServer, tmp_path: Path, files: dict[str, bytes], config: dict, said: str
) -> None:
    changed = json.dumps({**json.loads(files["config.json"]), **config}).encode()
    hub.repositories[NAME] = Repository({FIRST: {**files, "config.json": changed}}, {"license": "apache-2.0"})
    assert said in refused(tmp_path)
    assert hub.fetched() == {"config.json"}


class Evil:
    """What a pickle runs when it is read without care."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("made-by-the-pickle",)


def test_a_pickle_that_holds_more_than_weights_is_not_run(
    hub: HubServer, tmp_path: Path, files: dict[str, bytes], no_conversion: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pickled = {name: content for name, content in files.items() if name != "model.safetensors"}
    pickled["pytorch_model.bin"] = pickle.dumps(Evil(), protocol=2)
    hub.repositories[NAME] = Repository({FIRST: pickled}, {"license": "apache-2.0"})
    assert "more than weights" in refused(tmp_path)
    assert not (tmp_path / "made-by-the-pickle").exists()


def test_a_file_that_is_not_what_the_hub_says_is_not_kept(hub: HubServer, tmp_path: Path, no_conversion: None) -> None:
    hub.spoiled = "model.safetensors"
    assert "did not come through whole" in refused(tmp_path)
    assert not (tmp_path / "work" / "hub" / "model.safetensors").exists()


def test_too_little_room_is_said_before_the_weights_come(
    hub: HubServer, tmp_path: Path, no_conversion: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs
    fields = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail")
    small = namedtuple("small", fields)(512, 512, 1000, 1000, 1000)
    monkeypatch.setattr(os, "statvfs", lambda path: small if str(tmp_path) in str(path) else real(path))
    said = refused(tmp_path)
    assert "not enough room" in said
    assert "for the conversion" in said
    assert "1 MB are free" in said
    assert "model.safetensors" not in hub.fetched()


def test_a_repository_without_weights_is_said(hub: HubServer, tmp_path: Path, files: dict[str, bytes]) -> None:
    bare = {name: content for name, content in files.items() if not name.endswith((".safetensors", ".bin"))}
    hub.repositories[NAME] = Repository({FIRST: bare}, {"license": "apache-2.0"})
    assert "holds no weights" in refused(tmp_path)


def test_options_that_make_no_sense_are_refused(hub: HubServer, tmp_path: Path) -> None:
    assert "--minutes" in refused(tmp_path, "--minutes", "3")
    said = CliRunner().invoke(cli.main, ["build", str(ROOT / "tests/factory/tiny.toml"), "--newest"]).output
    assert "--newest" in said
    assert "no recipe nowhere" in CliRunner().invoke(cli.main, ["build", "nowhere"]).output


# The catalogue


def test_the_list_shows_every_recipe_with_licence_and_size() -> None:
    shown = CliRunner().invoke(cli.main, ["list"]).output
    for path in CATALOGUE:
        recipe = read_public_recipe(path)
        (line,) = (line for line in shown.splitlines() if f" {recipe.name} " in line)
        assert recipe.licence in line
        assert "MB" in line
    assert "not for commercial use" in shown


@pytest.mark.parametrize("path", CATALOGUE, ids=lambda path: path.stem)
def test_a_recipe_of_the_catalogue_is_whole(path: Path) -> None:
    recipe = read_any_recipe(path)
    assert isinstance(recipe, PublicRecipe)
    assert (recipe.name, cli.find_recipe(recipe.name)) == (path.stem, path)
    assert recipe.boards()
    assert len(recipe.limits) > 60
    languages = {language for way in recipe.directions for language in (way.source, way.target)}
    assert languages <= set(recipe.languages)
    assert recipe.model.non_commercial == ("-NC-" in recipe.licence)


def test_the_catalogue_has_both_directions_of_every_language_asked_for() -> None:
    ways = {(way.source, way.target) for path in CATALOGUE for way in read_public_recipe(path).directions}
    for language in ("es", "fr", "sw", "ha", "am", "hi", "ar", "pt"):
        assert {("en", language), (language, "en")} <= ways


def parameters_of(recipe: PublicRecipe) -> int:
    """Of a model of that shape in transformers, made without its weights."""
    shape = recipe.shape
    with torch.device("meta"):
        if recipe.model.family == "marian" and recipe.model.hub.startswith("Helsinki"):
            heads = shape.width // 64
            config = public_models.marian(
                shape.vocabulary, shape.width, shape.encoder_layers, shape.decoder_layers, shape.ffn, heads
            )
            config.update({"pad_token_id": 1, "max_position_embeddings": shape.positions // 2})
            model = transformers.MarianMTModel(config)
        elif recipe.model.family == "marian":
            config = public_models.nllb(shape.vocabulary, shape.width, shape.encoder_layers, shape.ffn)
            model = transformers.M2M100ForConditionalGeneration(config)
        elif recipe.model.family == "llm":
            config = transformers.Qwen2Config(
                vocab_size=shape.vocabulary,
                hidden_size=shape.width,
                intermediate_size=shape.ffn,
                num_hidden_layers=shape.layers,
                num_attention_heads=shape.width // 64,
                num_key_value_heads=shape.kv_width // 64,
                tie_word_embeddings=True,
            )
            model = transformers.Qwen2ForCausalLM(config)
        else:
            config = transformers.BertConfig(
                vocab_size=shape.vocabulary,
                hidden_size=shape.width,
                intermediate_size=shape.ffn,
                num_hidden_layers=shape.layers,
                max_position_embeddings=shape.positions,
            )
            model = transformers.BertModel(config, add_pooling_layer=False)
    return model.num_parameters()


@pytest.mark.parametrize("path", CATALOGUE, ids=lambda path: path.stem)
def test_the_size_that_is_computed_is_that_of_a_model_of_this_shape(path: Path) -> None:
    recipe = read_public_recipe(path)
    assert recipe.shape.parameters == pytest.approx(parameters_of(recipe), rel=0.01)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "translation"', 'kind = "speech"', "speech"),
        ('family = "marian"', 'family = "rnn"', "rnn"),
        ("bits = 32", "bits = 3", "bits is 3"),
        (NAME, "nobody", "owner/name"),
        ("[[directions]]", "[[ways]]", "ways"),
        ('limits = "Says nothing sensible."\n', "", "limits"),
        ("width = 64", "wide = 64", "wide"),
        ("[shape]", "[shape", "TOML"),
    ],
)
def test_a_wrong_recipe_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(RECIPE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RecipeError, match=said):
        read_public_recipe(path)
