"""The figures of an embedding pack, through the engine of the box, beside those of its teacher.

python -m models.evaluate_embedding RECIPE [--pack FOLDER]
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from appliance.advice.articles import read_articles
from appliance.inference.embedder import Embedder
from appliance.packs.manifest import Figure
from appliance.packs.store import verify
from models import corpus
from models.own import KNOWLEDGE
from models.recipe import EvaluationSet
from models.recipe_embedding import EmbeddingRecipe, read_embedding_recipe
from models.retrieval import Question, Vectors, advice_table, found_first
from models.teacher import TeacherModel

AMONG = 1000
ROOT = Path(__file__).resolve().parents[1]
QUESTIONS = ROOT / "tests" / "advice" / "questions.tsv"
ENGLISH = "en"
COSINE = "cosine to the teacher"


@dataclass(frozen=True)
class Score:
    """One figure; `teacher` is the teacher's own where it has one, to compare with."""

    set: str
    metric: str
    direction: str
    value: float
    sentences: int
    tool: str
    teacher: float | None = None

    def figure(self) -> Figure:
        return Figure(self.set, self.metric, self.value, self.tool, self.direction)

    def line(self) -> str:
        beside = "" if self.teacher is None else f"  (teacher {self.teacher:g})"
        return f"{self.set:12} {self.direction:6} {self.metric:26} {self.value:7g}{beside}"


class Opened:
    """The pack in a folder and the teacher of its recipe."""

    def __init__(self, recipe: EmbeddingRecipe, pack: Path, threads: int) -> None:
        self.embedder = Embedder(verify(pack), threads)
        self.teacher = TeacherModel(recipe.teacher)


def evaluate(
    recipe: EmbeddingRecipe,
    opened: Opened,
    most: int | None = None,
    report: Callable[[Score], None] = lambda score: None,
) -> list[Score]:
    """Of every evaluation set: likeness to the teacher's vector of the English, and translations found, both ways.

    `most` sentences of each set, all by default; `report(score)` as each is ready.

    Raises:
        CorpusError: an evaluation file is missing.
        EngineError: the pack cannot be run.
    """
    scores = []
    for each in recipe.evaluation:
        for score in _scores(each, opened, most):
            report(score)
            scores.append(score)
    return scores


def _scores(each: EvaluationSet, opened: Opened, most: int | None) -> Iterator[Score]:
    folder = corpus.corpora_folder()
    (other,) = (language for language in each.files if language != ENGLISH)
    sides = {language: corpus.read_lines(folder / file)[:most] for language, file in each.files.items()}
    ours = {language: opened.embedder.embed(texts) for language, texts in sides.items()}
    theirs = {language: opened.teacher.embed(texts) for language, texts in sides.items()}
    tool = f"numpy {np.__version__}, int8 pack, baraza engine"
    count = len(sides[ENGLISH])
    for language in (ENGLISH, other):
        likeness = float((ours[language] * theirs[ENGLISH]).sum(axis=1).mean())
        yield Score(each.name, COSINE, language, round(likeness, 4), count, tool)
    among = min(AMONG, count)
    for source, target in ((ENGLISH, other), (other, ENGLISH)):
        share, beside = (_percent_found(made[source], made[target], among) for made in (ours, theirs))
        metric = f"% found first among {among}"
        yield Score(each.name, metric, f"{source}-{target}", share, among, tool, teacher=beside)


def _percent_found(queries: Vectors, targets: Vectors, among: int) -> float:
    return round(100 * found_first(queries[:among], targets[:among]), 1)


def advice_questions() -> list[Question]:
    """The questions in people's words of tests/advice, each with the article that answers it best."""
    rows = (line.split("\t") for line in QUESTIONS.read_text(encoding="utf-8").splitlines())
    return [Question(language, text, ids.partition(",")[0]) for language, text, ids in rows if ids != "-"]


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path, exists=True))
@click.option("--pack", type=click.Path(path_type=Path), help="Folder of the pack. [models/starter/NAME/VERSION]")
@click.option("--threads", type=int, default=os.cpu_count() or 1, show_default="all cores", help="CPU threads.")
@click.option("--most", type=int, help="So many sentences of each set.")
def main(recipe: Path, pack: Path | None, threads: int, most: int | None) -> None:
    """Print what the pack of RECIPE finds, and what its teacher would."""
    read = read_embedding_recipe(recipe)
    opened = Opened(read, pack or ROOT / "models" / "starter" / read.name / read.version, threads)
    evaluate(read, opened, most, lambda score: click.echo(score.line()))
    articles, questions = read_articles(KNOWLEDGE), advice_questions()

    def of_the_pack(texts: Sequence[str], as_query: bool) -> Vectors:
        return opened.embedder.embed(texts, as_query=as_query)

    def of_the_teacher(texts: Sequence[str], as_query: bool) -> Vectors:
        return opened.teacher.embed(texts)

    for name, embed in (("pack", of_the_pack), ("teacher", of_the_teacher)):
        click.echo(f"advice, {len(articles)} articles, vectors of the {name}:")
        for row in advice_table(embed, articles, questions):
            click.echo(f"  {row.line()}")


if __name__ == "__main__":
    main()
