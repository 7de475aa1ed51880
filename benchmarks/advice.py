"""How well advice finds the right article, and how well it knows what it does not know.

    .venv/bin/python -m benchmarks.advice        (make evaluate-advice)

Reads tests/advice/questions.tsv: questions in people's words, the language and the articles that answer each, or “-” if
none does. They were written by somebody who had seen the names of the articles, and neither their text nor the search.
The table has a row for each language and way of finding: both together is what the box does.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from appliance.advice.articles import Article, read_articles
from appliance.advice.confidence import WITH_MEANING, WORDS_ONLY, Evidence, Weights
from appliance.advice.elsewhere import PREFIX, read_elsewhere
from appliance.advice.finder import Finder, decide
from appliance.advice.meanings import Meanings
from appliance.inference.active import ActiveEmbedder
from appliance.inference.engines import Engines
from appliance.packs.store import PackStore
from benchmarks.harness import Row, report

ROOT = Path(__file__).resolve().parents[1]
KNOWLEDGE = ROOT / "knowledge"
QUESTIONS = ROOT / "tests" / "advice" / "questions.tsv"
LANGUAGES = ("en", "es", "fr", "sw")
NONE = "-"
LEAST = {"en": 0.92, "es": 0.85, "fr": 0.85, "sw": 0.75}  # of the questions, whose article is among the first three
ABSTAINS, REFUSES = 0.9, 0.05
REFUSED_WHEN_FITTED = 0.045  # fewer are in the end: who asks by name is answered
FITS, STEPS, RIDGE, PARTS = 5, 25, 1e-4, 10


@dataclass(frozen=True)
class Question:
    """`articles`: those that answer it, the best first; none if the knowledge has no answer."""

    language: str
    text: str
    articles: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What a way of finding gave for a question: the articles, best first, and whether it would answer."""

    question: Question
    articles: tuple[str, ...]
    answered: bool

    def right(self, most: int) -> bool:
        """Whether one that answers it is among the first `most`, answered or not."""
        return bool(set(self.articles[:most]) & set(self.question.articles))


def questions(path: Path = QUESTIONS) -> tuple[Question, ...]:
    """The questions in the file."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return tuple(Question(language, text, () if ids == NONE else tuple(ids.split(","))) for language, text, ids in rows)


def answerable() -> Iterator[tuple[str, str, str]]:
    """(language, question, article) of those that have an answer, with the best of their articles."""
    return ((each.language, each.text, each.articles[0]) for each in questions() if each.articles)


def embedder(packs: Path = ROOT / "models" / "starter") -> ActiveEmbedder:
    """The embedding pack that comes with the software."""
    there = PackStore(packs, packs / "none").active()
    pack = next((each for each in there if each.manifest.kind == "embedding"), None)
    return ActiveEmbedder(Engines(2**30, 2), lambda: pack)


def ways(folder: Path) -> dict[str, Callable[[Question], Found]]:
    """The ways of finding: by words alone, by meaning alone, and by both, as the box does; it has files in `folder`."""
    known, elsewhere = knowledge()
    meanings = learned(known, elsewhere, folder)

    def by_meaning(question: Question) -> Found:
        like = {name: share for name, share in meanings.likeness(question.text).items() if name in known}
        return Found(question, tuple(sorted(like, key=lambda each: -like[each])), answered=True)

    def by(finder: Finder) -> Callable[[Question], Found]:
        def find(question: Question) -> Found:
            found = finder.find(question.text, question.language)
            return Found(question, tuple(name for name, _ in found.articles), found.known)

        return find

    both = Finder(known, elsewhere, meanings)
    return {"words": by(Finder(known, elsewhere)), "meaning": by_meaning, "both": by(both)}


@cache
def knowledge() -> tuple[dict[str, Article], dict[str, Article]]:
    """The starter articles, and the topics that they are not about."""
    return read_articles(KNOWLEDGE), read_elsewhere(KNOWLEDGE)


def learned(known: Mapping[str, Article], elsewhere: Mapping[str, Article], folder: Path) -> Meanings:
    """Their meanings, ready."""
    meanings = Meanings({**known, **elsewhere}, embedder(), folder)
    meanings.prepare()
    return meanings


def rows(way: str, found: Sequence[Found]) -> list[Row]:
    """The figures of one way of finding."""
    known = [each for each in found if each.question.articles]
    others = [each for each in found if not each.question.articles]
    told = []
    for language in LANGUAGES:
        own = [each for each in known if each.question.language == language]
        least = LEAST[language] if way == "both" else None
        told.append(Row(f"{way}_{language}_first_of_{len(own)}", share(each.right(1) for each in own), "share"))
        told.append(Row(f"{way}_{language}_among_three", share(each.right(3) for each in own), "share", least))
    if way != "meaning":
        aims = (ABSTAINS, REFUSES) if way == "both" else (None, None)
        abstains, refuses = (share(not each.answered for each in some) for some in (others, known))
        told.append(Row(f"{way}_abstains_of_{len(others)}", abstains, "share", aims[0]))
        told.append(Row(f"{way}_refuses_of_{len(known)}", refuses, "share", aims[1], at_least=False))
    return told


def share(facts: Iterable[bool]) -> float:
    """The part that is true."""
    known = list(facts)
    return sum(known) / max(1, len(known))


# The weights


Told = list[tuple[Question, dict[str, Evidence]]]


def evidence(folder: Path, *, with_meaning: bool) -> Told:
    """What speaks for each article, for each question."""
    known, elsewhere = knowledge()
    finder = Finder(known, elsewhere, learned(known, elsewhere, folder) if with_meaning else None)
    return [(each, finder.evidence(each.text, each.language)) for each in questions()]


def fit(rows: Told, *, with_meaning: bool) -> Weights:
    """Weights by logistic regression on the best article of each question, as found by the weights before."""
    weights = WITH_MEANING if with_meaning else WORDS_ONLY
    for _ in range(FITS):
        tops = [_best(found, weights) for _, found in rows]
        weights = _regression(tops, [bool(question.articles) for question, _ in rows], weights)
    sure = sorted(weights.confidence(_best(found, weights)) for question, found in rows if question.articles)
    at = sure[int(len(sure) * REFUSED_WHEN_FITTED)]
    return replace(weights, bias=weights.bias + math.log(at / (1 - at)))  # so that the threshold is a half


def _best(found: Mapping[str, Evidence], weights: Weights) -> Evidence:
    """Of the article that is most likely the one."""
    ours = (each for name, each in found.items() if not name.startswith(PREFIX))
    return max(ours, key=weights.confidence, default=Evidence())


def _regression(tops: Sequence[Evidence], answered: Sequence[bool], before: Weights) -> Weights:
    """By Newton's method, both classes counting the same; what counted nothing before counts nothing."""
    used = [bool(before.words), bool(before.bm25), bool(before.meaning), bool(before.asked), True]
    given = np.array([(each.words, each.bm25, each.meaning, each.asked, -1.0) for each in tops]) * used
    truth = np.array(answered, float)
    importance = np.where(truth == 1, 0.5 / truth.mean(), 0.5 / (1 - truth.mean())) / len(truth)
    weights = np.zeros(given.shape[1])
    for _ in range(STEPS):
        likely = 1 / (1 + np.exp(-given @ weights))
        slope = given.T @ ((likely - truth) * importance) + RIDGE * weights
        curve = given.T @ (given * (likely * (1 - likely) * importance)[:, None]) + RIDGE * np.eye(len(weights))
        weights -= np.linalg.solve(curve, slope)
    return Weights(*weights.tolist())


def print_fit(folder: Path) -> None:
    """The weights from all questions, and what such weights give on a tenth that they were not made from, in turn."""
    for with_meaning in (True, False):
        rows = evidence(folder, with_meaning=with_meaning)
        print("with meaning" if with_meaning else "words only", fit(rows, with_meaning=with_meaning))
        refused, abstained, three = list[bool](), list[bool](), list[bool]()
        for part in range(PARTS):
            kept = [row for number, row in enumerate(rows) if number % PARTS != part]
            weights = fit(kept, with_meaning=with_meaning)
            for question, told in rows[part::PARTS]:
                found = decide([(name, weights.confidence(each)) for name, each in told.items()], 3)
                (refused if question.articles else abstained).append(not found.known)
                if question.articles:
                    three.append(bool({name for name, _ in found.articles} & set(question.articles)))
        figures = f"among three {share(three):.3f}, refuses {share(refused):.3f}, abstains {share(abstained):.3f}"
        print(f"  kept apart: {figures}")


def main() -> None:
    """Print the table, or with --fit the weights of `confidence.py`."""
    asked = questions()
    if "--fit" in sys.argv:
        with tempfile.TemporaryDirectory() as folder:
            print_fit(Path(folder))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = {way: [find(question) for question in asked] for way, find in ways(Path(folder)).items()}
    missed = [each.question.text for each in found["both"] if each.question.articles and not each.right(3)]
    report("advice", [row for way, each in found.items() for row in rows(way, each)], {"missed": missed})


if __name__ == "__main__":
    main()
