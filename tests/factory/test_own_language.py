"""A language of one's own, from a sheet of pairs to a signed pack on a stick and a box that translates with it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

pytestmark = pytest.mark.factory
pytest.importorskip("torch", reason="the factory's libraries are not installed: make test-factory")
sacrebleu = pytest.importorskip("sacrebleu", reason="the factory's libraries are not installed: make test-factory")

from appliance import cli as box_cli  # noqa: E402
from appliance.packs.manifest import SELFTEST_ARROW  # noqa: E402
from appliance.packs.store import verify  # noqa: E402
from models import cli as factory_cli  # noqa: E402
from models import corpus  # noqa: E402
from models.errors import CorpusError, RecipeError  # noqa: E402
from models.own_language import PAIRS_NEEDED, SETTINGS, Wish, prepare, recipe_text  # noqa: E402
from models.recipe import read_recipe  # noqa: E402
from tests.client import client, fetch  # noqa: E402
from tests.factory import invented  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
MINUTES = "9"
UPDATES = 1_000  # end the training, also where they take longer than so many minutes
WAYS = ("en-qtv", "qtv-en")
WISH = Wish("en", "qtv", "CC0-1.0", "own-en-qtv")


def write_sheet(folder: Path, pairs: list[tuple[str, str]], header: str = "en\tqtv\n") -> Path:
    path = folder / "tavo.tsv"
    path.write_text(header + "".join(f"{one}\t{other}\n" for one, other in pairs), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Workshop:
    """The folder in which a person works, and the command line."""

    folder: Path

    def run(self, module: str, *words: str, wrong: bool = False) -> str:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "BARAZA_CORPORA": str(self.folder / "nowhere"),
            "BARAZA_DATA": str(self.folder / "box"),
            "BARAZA_PACKS": str(self.folder / "no-packs"),
        }
        done = subprocess.run(
            [sys.executable, "-m", module, *words],
            capture_output=True,
            text=True,
            env=environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        with (self.folder / "said.txt").open("a", encoding="utf-8") as log:
            log.write(f"$ {module} {' '.join(words)}\n{done.stdout}{done.stderr if wrong else ''}")
        assert (done.returncode != 0) == wrong, done.stderr
        assert "Traceback" not in done.stderr or not wrong
        return done.stderr if wrong else done.stdout

    def factory(self, *words: str, wrong: bool = False) -> str:
        return self.run("models.cli", *words, wrong=wrong)

    def box(self, *words: str) -> str:
        return self.run("appliance.cli", *words)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A pack of the invented language, built by the commands of the guide: the training takes most of a minute."""
    made = Workshop(tmp_path_factory.mktemp("own"))
    write_sheet(made.folder, invented.pairs())
    said = made.factory(
        *("new-language", "tavo.tsv", "--source", "en", "--target", "qtv", "--licence", "CC0-1.0"),
        *("--title", "English ↔ Tavo", "--minutes", MINUTES),
    )
    assert "2,900 different pairs" in said
    recipe = made.folder / "own-en-qtv.toml"
    timed = recipe.read_text(encoding="utf-8")
    assert timed.count(f"minutes = {MINUTES}\n") == 1
    counted = timed.replace(f"minutes = {MINUTES}\n", f"minutes = 999\nupdates = {UPDATES}\n")
    recipe.write_text(counted, encoding="utf-8")
    built = made.factory("build", "own-en-qtv.toml", "--work", "work", "--packs", "packs", "--threads", "2")
    assert "The pack is in packs/own-en-qtv/0.1.0" in built
    return made


def pack_of(workshop: Workshop) -> Path:
    return workshop.folder / "packs" / "own-en-qtv" / "0.1.0"


@pytest.mark.timeout(900)
def test_it_has_learnt_the_language_and_not_only_how_its_sentences_look(workshop: Workshop) -> None:
    said = workshop.factory("evaluate", "own-en-qtv.toml", "--pack", str(pack_of(workshop)), "--threads", "2")
    scores = {way: float(re.search(rf"{way} +\d+ +([\d.]+)", said)[1]) for way in WAYS}  # type: ignore[index]
    for way in WAYS:
        sentences = corpus.read_lines(workshop.folder / f"own-en-qtv.dev.{way.split('-')[1]}")
        # What a model gets that writes good sentences of the language, but does not read its source.
        unread = sacrebleu.corpus_chrf(sentences[1:] + sentences[:1], [sentences]).score
        assert scores[way] > unread + 20, (scores, unread)
    figures = {(each.metric, each.direction): each.value for each in verify(pack_of(workshop)).manifest.figures}
    assert {way: figures["chrF2", way] for way in WAYS} == scores


@pytest.mark.timeout(900)
def test_what_measures_it_was_never_trained_on(workshop: Workshop) -> None:
    recipe = read_recipe(workshop.folder / "own-en-qtv.toml")
    (pairs,) = corpus.load(workshop.folder / "work" / "pairs.tsv.zst").values()
    (files,) = (each.files for each in recipe.evaluation)
    held = {line for file in files.values() for line in corpus.read_lines(Path(file))}
    assert len(held) == 2 * 145
    assert not held & {side for pair in pairs for side in (pair.source, pair.target)}


@pytest.mark.timeout(900)
def test_a_stick_brings_it_signed_to_a_box_that_translates(workshop: Workshop, tmp_path: Path) -> None:
    folder = workshop.folder
    said = workshop.factory("publish", str(pack_of(workshop)), "--to", "stick", "--keys", "keys")
    assert re.search(r"^root: (\w+ ){7}\w+$", said, re.MULTILINE)
    updater = client(folder / "stick", tmp_path, (folder / "keys" / "1.root.json").read_bytes())
    workshop.box("packs", "install", str(fetch(updater, "own-en-qtv", "0.1.0")))
    assert "own-en-qtv" in workshop.box("packs", "list")
    for way, expected in verify(pack_of(workshop)).manifest.selftest.items():
        source, target = way.split("-")
        sentence, translation = expected.split(SELFTEST_ARROW)
        said = workshop.box("translate", "--from", source, "--to", target, "--beam", "1", sentence)
        assert said.strip() == translation


@pytest.mark.timeout(900)
def test_a_finished_build_is_not_done_again(workshop: Workshop) -> None:
    again = workshop.factory("build", "own-en-qtv.toml", "--work", "work", "--packs", "packs", "--threads", "2")
    assert again.count("done before") == 8


# The guide


def test_the_guide_names_commands_and_options_that_exist() -> None:
    text = (ROOT / "docs" / "bring-your-own-language.md").read_text(encoding="utf-8")
    named = re.findall(r"[`$] ?(baraza(?:-factory)?) ((?:[a-z][a-z-]+ ?)+)([^`\n]*)", text)
    assert len(named) >= 12
    for program, words, rest in named:
        command: click.Command = box_cli.main if program == "baraza" else factory_cli.main
        for word in words.split():
            if not isinstance(command, click.Group):
                break
            assert word in command.commands, f"{program} {words}"
            command = command.commands[word]
        known = {name for option in command.params for name in option.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, f"{program} {words}{rest}"


# Recipes


@pytest.mark.parametrize("count", [1, 3_000, 20_000, 100_000])
def test_every_size_gets_a_sound_recipe(tmp_path: Path, count: int) -> None:
    training = [invented.pairs(600)[0]] * count
    held = invented.pairs(60)
    path = tmp_path / "own.toml"
    path.write_text(recipe_text(WISH, "tavo.tsv", training, held), encoding="utf-8")
    recipe = read_recipe(path)
    settings = next(each for each in SETTINGS if count >= each.pairs)
    assert (recipe.train.minutes, recipe.model.d_model) == (settings.minutes, settings.width)
    assert recipe.tokenizer.vocab_size >= settings.vocabulary
    assert recipe.model.d_model % recipe.model.attention_heads == 0


def test_odd_words_survive_the_recipe(tmp_path: Path) -> None:
    wish = Wish("en", "qtv", "LicenseRef-Tavo", "own", title='“Tavo” \\ "quoted"', credit="O'Neill\ttab")
    path = tmp_path / "own.toml"
    path.write_text(recipe_text(wish, 'a "sheet".tsv', invented.pairs(600), invented.pairs(60)), encoding="utf-8")
    recipe = read_recipe(path)
    assert (recipe.title, recipe.corpus.sources[0].title) == (wish.title, wish.credit)


def test_a_growing_sheet_is_written_anew_only_when_asked(tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path, invented.pairs(900))
    first = prepare(sheet, WISH)
    before = set(corpus.read_lines(tmp_path / "own-en-qtv.dev.en"))
    write_sheet(tmp_path, invented.pairs(2_000))
    with pytest.raises(RecipeError, match="--force"):
        prepare(sheet, WISH)
    second = prepare(sheet, WISH, overwrite=True)
    assert second.training > first.training
    assert len(before & set(corpus.read_lines(tmp_path / "own-en-qtv.dev.en"))) > len(before) // 3
    assert not list(tmp_path.glob(".new-language-*"))


def test_too_little_text_is_said_with_what_so_much_would_give(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=rf"(?s)400 different pairs.*At least {PAIRS_NEEDED}.*3,000 +short sentences"):
        prepare(write_sheet(tmp_path, invented.pairs(400)), WISH)
    for least, left in ((400, r"\d\d\d"), (0, "0")):
        lopsided = [
            (one, other if number < least else f"{other} " * 9)
            for number, (one, other) in enumerate(invented.pairs(900))
        ]
        with pytest.raises(CorpusError, match=f"Only {left} of the pairs can be used"):
            prepare(write_sheet(tmp_path, lopsided), WISH)
    assert [path.name for path in tmp_path.iterdir()] == ["tavo.tsv"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "LicenseRef-NAME"),
        (("--licence", "free for all!"), "SPDX"),
        (("--licence", "CC0-1.0", "--target", "Tavo language"), "qaa to qtz"),
        (("--licence", "CC0-1.0", "--target", "en"), "same language"),
        (("--licence", "CC0-1.0", "--name", "My Pack"), "small letters"),
        (("--licence", "CC0-1.0", "--version", "1"), "0.1.0"),
    ],
)
def test_what_is_missing_or_mistyped_is_said(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    write_sheet(tmp_path, invented.pairs(10))
    assert said in Workshop(tmp_path).factory(
        "new-language", "tavo.tsv", "--source", "en", "--target", "qtv", *words, wrong=True
    )
