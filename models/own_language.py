"""A language of one's own: from a sheet of sentence pairs to a recipe that `baraza-factory build` takes.

Beside the sheet are written NAME.toml (the recipe, to be read and changed), NAME.tsv.zst (the pairs to train on) and
NAME.dev.LANGUAGE (the sentences kept apart, which the figures are measured on). See docs/bring-your-own-language.md.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
import zstandard

from appliance.packs.manifest import LANGUAGE, NAME, VERSION
from appliance.translation.numbers import differing
from models import corpus
from models.errors import CorpusError, RecipeError
from models.pack import toml_value
from models.recipe import read_recipe
from models.sheet import Sheet, read_sheet, split

PAIRS_NEEDED = 500
BYTES = 256  # pieces that every vocabulary has
LICENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*(?: (?:AND|OR|WITH) [A-Za-z0-9][A-Za-z0-9.+-]*)*")
WHAT_SO_MANY_GIVE = """\
    500  the phrases of the sheet and close variants of them, little else
  3,000  short sentences built like those of the sheet, about the same things
 20,000  everyday sentences, often with a wrong or missing word
100,000  most everyday sentences; rare words and long sentences go wrong"""
WHY_A_LICENCE = (
    "Say with --licence under which terms the text may be used, as an SPDX identifier: CC0-1.0, CC-BY-4.0, "
    "CC-BY-SA-4.0, CC-BY-NC-4.0, or LicenseRef-NAME for terms of your own. Whoever meets the pack sees it, and a pack "
    "without terms may not be copied by anybody. If the text is not yours, ask those whose language it is first."
)


@dataclass(frozen=True)
class Settings:
    """What suits so much text; see the recipe's `Model` and `Train`."""

    pairs: int  # at least
    vocabulary: int
    width: int
    encoder_layers: int
    minutes: float
    optimizer: str  # Muon learns more from an update, but on small matrices takes longer than the update itself
    dropout: float
    batch_tokens: int  # small: many small updates teach more than few large ones
    updates_a_minute: int  # on two cores, roughly


SETTINGS = (
    Settings(100_000, 8000, 256, 4, 120, "muon", 0.1, 4000, 200),
    Settings(20_000, 5000, 256, 4, 60, "muon", 0.15, 3000, 250),
    Settings(3_000, 2500, 192, 3, 25, "adamw", 0.2, 1200, 800),
    Settings(0, 1200, 128, 2, 10, "adamw", 0.3, 800, 1500),
)
RATES = {"muon": "2e-3", "adamw": "2e-3"}


@dataclass(frozen=True)
class Wish:
    """What the person who brings the language says of it."""

    source: str
    target: str
    licence: str
    name: str
    version: str = "0.1.0"
    title: str = ""
    credit: str = ""
    minutes: float | None = None


@dataclass(frozen=True)
class Prepared:
    """The recipe that was written, and how many pairs are for training and for measuring."""

    recipe: Path
    sheet: Sheet
    training: int
    held: int
    numbers_differ: int


def prepare(sheet_path: Path, wish: Wish, *, overwrite: bool = False) -> Prepared:
    """Write the recipe and its text beside the sheet.

    Raises:
        CorpusError: the sheet is not of its form, or holds too few pairs.
        RecipeError: a recipe of that name is there, or something wished is not of its form.
    """
    _check(wish)
    folder = sheet_path.parent
    recipe = folder / f"{wish.name}.toml"
    if recipe.exists() and not overwrite:
        raise RecipeError(f"{recipe} is there already. Take another --name, or write it anew with --force.")
    sheet = read_sheet(sheet_path, wish.source, wish.target)
    training, held = split(sheet.pairs)
    if len(training) < PAIRS_NEEDED:
        raise CorpusError(
            f"{sheet_path.name} holds {len(sheet.pairs):,} different pairs; {len(training):,} are left to train on, "
            f"for {len(held):,} measure it. At least {PAIRS_NEEDED} are needed. So many pairs give about this:\n"
            f"{WHAT_SO_MANY_GIVE}"
        )
    with tempfile.TemporaryDirectory(prefix=".new-language-", dir=folder) as temporary:
        written = Path(temporary)
        rows = "".join(f"pairs\t{one}\t{other}\n" for one, other in training)
        (written / f"{wish.name}.tsv.zst").write_bytes(zstandard.compress(rows.encode(), 9))
        for side, language in enumerate((wish.source, wish.target)):
            sentences = "".join(f"{pair[side]}\n" for pair in held)
            (written / f"{wish.name}.dev.{language}").write_text(sentences, encoding="utf-8")
        text = recipe_text(wish, sheet_path.name, training, held)
        (written / recipe.name).write_text(text, encoding="utf-8")
        usable = _usable(written / recipe.name)
        for path in sorted(written.iterdir(), key=lambda path: path.suffix == ".toml"):  # the recipe last
            path.replace(folder / path.name)
    odd = sum(any(differing(one, other)) for one, other in training)
    return Prepared(recipe, sheet, usable, len(held), odd)


def recipe_text(wish: Wish, sheet: str, training: list[tuple[str, str]], held: list[tuple[str, str]]) -> str:
    """The recipe as TOML, with settings for so much text; `sheet` is the name of the file it comes from."""
    parts = (_heading(wish, sheet, len(training)), _corpus(wish, sheet), _settings(wish, training), _sets(wish, held))
    return "\n".join(parts)


def _heading(wish: Wish, sheet: str, pairs: int) -> str:
    title = wish.title or f"{wish.source} ↔ {wish.target}"
    about = (
        f"Trained from nothing on {pairs:,} pairs of one sheet. It knows the words and the kinds of sentence "
        "of that sheet; have someone who speaks both languages read what matters."
    )
    value = toml_value
    return f"""\
# {title}: made by `baraza-factory new-language` from {sheet}; read it, change it, keep it with the sheet.
# Raise `version` whenever you publish a pack made anew.
name = {value(wish.name)}
version = {value(wish.version)}
kind = "translation"
title = {value(title)}
languages = {value([wish.source, wish.target])}
licence = {value(wish.licence)}
about = {value(about)}
"""


def _corpus(wish: Wish, sheet: str) -> str:
    value = toml_value
    return f"""\
[[directions]]
source = {value(wish.source)}
target = {value(wish.target)}
tag = ">>{wish.target}<<"

[[directions]]
source = {value(wish.target)}
target = {value(wish.source)}
tag = ">>{wish.source}<<"

[corpus]  # the file lies beside this one
file = {value(f"{wish.name}.tsv.zst")}
source = {value(wish.source)}
target = {value(wish.target)}

[[corpus.sources]]
name = "pairs"
prefix = "pairs"
weight = 1
licence = {value(wish.licence)}
title = {value(wish.credit or f"Sentence pairs of {sheet}")}
url = ""
"""


def _settings(wish: Wish, training: list[tuple[str, str]]) -> str:
    settings = next(each for each in SETTINGS if len(training) >= each.pairs)
    characters = len({letter for pair in training for side in pair for letter in side})
    minutes = settings.minutes if wish.minutes is None else wish.minutes
    updates = max(100, int(minutes * settings.updates_a_minute))
    value = toml_value
    return f"""\
[tokenizer]  # the less text, the fewer pieces: each must be seen often enough to be learnt
vocab_size = {max(settings.vocabulary, BYTES + characters + 500)}
character_coverage = 1.0
method = {value("bpe" if settings.vocabulary < 8000 else "unigram")}

[model]
d_model = {settings.width}
encoder_layers = {settings.encoder_layers}
decoder_layers = 2
ffn_dim = {4 * settings.width}

[train]  # minutes of computing on two cores; on a faster machine the same minutes learn more
minutes = {minutes:g}
optimizer = {value(settings.optimizer)}
peak_rate = {RATES[settings.optimizer]}
warmup_updates = {min(300, updates // 10)}
plain_updates = {min(2000, updates // 3)}
batch_tokens = {settings.batch_tokens}
batch_tokens_late = {settings.batch_tokens * 2}
dropout = {settings.dropout}
renumbered = 0.3
"""


def _sets(wish: Wish, held: list[tuple[str, str]]) -> str:
    example = min(held, key=lambda pair: (any(map(str.isdigit, pair[0])), abs(len(pair[0]) - 30), pair))
    value = toml_value
    return f"""\
[[evaluation]]  # {len(held)} sentences of the sheet that are never trained on
name = "kept apart"
files = {{ {value(wish.source)} = {value(f"{wish.name}.dev.{wish.source}")}, \
{value(wish.target)} = {value(f"{wish.name}.dev.{wish.target}")} }}

[selftest]
{wish.source}-{wish.target} = {value(example[0])}
{wish.target}-{wish.source} = {value(example[1])}
"""


def _check(wish: Wish) -> None:
    for what, language in (("--source", wish.source), ("--target", wish.target)):
        if not LANGUAGE.fullmatch(language):
            raise RecipeError(
                f"{what} {language}: give the code of the language (BCP 47, ISO 639-3): en, sw, quz … A language that "
                "has none takes one of qaa to qtz, which are kept for private use."
            )
    if wish.source == wish.target:
        raise RecipeError("--source and --target are the same language.")
    if not LICENCE.fullmatch(wish.licence):
        raise RecipeError(f"--licence {wish.licence}: {WHY_A_LICENCE}")
    for what, form, said in (("--name", NAME, wish.name), ("--version", VERSION, wish.version)):
        if not form.fullmatch(said):
            raise RecipeError(f"{what} {said}: a name is small letters, digits and hyphens; a version is like 0.1.0.")


def _usable(recipe: Path) -> int:
    """How many pairs the build will keep. Raises CorpusError if they are too few."""
    read = read_recipe(recipe)
    with tempfile.TemporaryDirectory() as temporary:
        try:
            counts = corpus.prepare(read.corpus, read.evaluation, recipe.parent, Path(temporary) / "pairs.tsv.zst")
        except CorpusError:  # none at all: said below with what is wrong with them
            counts = {"pairs": 0}
    usable = counts["pairs"]
    if usable < PAIRS_NEEDED:
        raise CorpusError(
            f"Only {usable:,} of the pairs can be used: the others have a side of more than {read.corpus.max_words} "
            f"words, or one side much longer than the other. At least {PAIRS_NEEDED} are needed."
        )
    return usable


@click.command("new-language")
@click.argument("pairs", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--source", required=True, metavar="CODE", help="Language of the first column, e.g. en.")
@click.option("--target", required=True, metavar="CODE", help="Language of the second column, e.g. quz.")
@click.option("--licence", metavar="SPDX", help="Terms of the text and of the pack, e.g. CC-BY-4.0. Required.")
@click.option("--name", help="Name of the pack.  [default: own-SOURCE-TARGET]")
@click.option("--title", default="", help="Title that people see, e.g. “English ↔ Quechua of Cusco”.")
@click.option("--credit", default="", help="Whose text it is, as people see it with the pack.")
@click.option("--version", default="0.1.0", show_default=True, help="Version of the pack.")
@click.option("--minutes", type=click.FloatRange(min=0.01), help="Minutes of training.  [default: by the size]")
@click.option("--force", is_flag=True, help="Write anew what stands there under that name.")
def new_language(
    pairs: Path,
    source: str,
    target: str,
    licence: str | None,
    name: str | None,
    title: str,
    credit: str,
    version: str,
    minutes: float | None,
    force: bool,
) -> None:
    """Make a recipe for a language of your own from PAIRS, a text file with two columns separated by a tab.

    \b
    baraza-factory new-language pairs.tsv --source en --target quz --licence CC-BY-4.0
    baraza-factory build own-en-quz.toml --packs packs
    baraza-factory publish packs/own-en-quz/0.1.0 --to /media/stick/baraza
    """  # noqa: D301
    if not licence:
        raise RecipeError(WHY_A_LICENCE)
    chosen = name or f"own-{source}-{target}".lower()
    wish = Wish(source, target, licence, chosen, version, title, credit, minutes)
    made = prepare(pairs, wish, overwrite=force)
    if made.sheet.header:
        click.echo(f"Taken as the header: {made.sheet.header}")
    click.echo(f"{len(made.sheet.pairs):,} different pairs; {made.sheet.repeated:,} lines say what another says.")
    click.echo(f"{made.training:,} are for training, {made.held:,} are kept apart to measure with.")
    if made.numbers_differ:
        click.echo(f"In {made.numbers_differ:,} pairs the numbers of the two sides differ: have a look at them.")
    click.echo(f"So many pairs give about this:\n{WHAT_SO_MANY_GIVE}")
    click.echo(f"Recipe: {made.recipe}\nNext: baraza-factory build {made.recipe} --packs FOLDER")
