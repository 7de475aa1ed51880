"""The figures of a pack: BLEU and chrF2 of the pack as it is, through the engine of the box."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import sacrebleu
from tqdm import tqdm

from appliance.inference.translator import Translator
from appliance.packs.manifest import SELFTEST_ARROW, Figure
from appliance.packs.store import verify
from models import corpus
from models.errors import FactoryError
from models.recipe import Recipe


@dataclass(frozen=True)
class Score:
    set: str
    direction: str
    bleu: float
    chrf2: float
    sentences: int
    tokens_per_second: float
    tool: str

    def figures(self) -> list[Figure]:
        return [
            Figure(self.set, "chrF2", self.chrf2, self.tool, self.direction),
            Figure(self.set, "BLEU", self.bleu, self.tool, self.direction),
        ]


def evaluate(
    recipe: Recipe,
    pack: Path,
    beam: int,
    threads: int,
    most: int | None = None,
    report: Callable[[Score], None] = lambda score: None,
) -> list[Score]:
    """Translate every evaluation set of the recipe in every direction with the pack in folder `pack`.

    `most` sentences of each set, all by default; `report(score)` as each is ready.

    Raises:
        CorpusError: an evaluation file is missing.
        PackError, EngineError: the pack is not sound.
    """
    translator = Translator(verify(pack), threads)
    scores = []
    for name, way, sources, references in _sets(recipe, most):
        score, _ = _score(translator, name, way, sources, references, beam)
        report(score)
        scores.append(score)
    return scores


def _sets(recipe: Recipe, most: int | None) -> Iterator[tuple[str, tuple[str, str], list[str], list[str]]]:
    """(name, (source, target), sources, references) of every evaluation set and direction."""
    folder = corpus.corpora_folder()
    for each in recipe.evaluation:
        for way in recipe.directions:
            if way.source in each.files and way.target in each.files:
                sources = corpus.read_lines(folder / each.files[way.source])[:most]
                references = corpus.read_lines(folder / each.files[way.target])[:most]
                yield each.name, (way.source, way.target), sources, references


@dataclass(frozen=True)
class Shortened:
    """A set with the pack's shortlist and without: what the list costs in quality, and gains in speed.

    `same` is the share of sentences that are translated alike, `allowed` how many pieces a translation may be made of,
    on average.
    """

    listed: Score
    whole: Score
    same: float
    allowed: float

    def __str__(self) -> str:
        listed, whole = self.listed, self.whole
        return (
            f"{listed.set} {listed.direction}, {listed.sentences} sentences: chrF2 {whole.chrf2:.2f} → "
            f"{listed.chrf2:.2f}, BLEU {whole.bleu:.2f} → {listed.bleu:.2f}, {self.same:.1%} the same, "
            f"{self.allowed:.0f} pieces, {whole.tokens_per_second:.0f} → {listed.tokens_per_second:.0f} tokens/s"
        )


def evaluate_shortlist(
    recipe: Recipe, pack: Path, beam: int, threads: int, most: int | None, report: Callable[[Shortened], None]
) -> list[Shortened]:
    """Translate every evaluation set with the whole vocabulary and with the shortlist of the pack in folder `pack`.

    Raises:
        CorpusError: an evaluation file is missing.
        PackError, EngineError: the pack is not sound.
        FactoryError: the pack has no shortlist.
    """
    opened = verify(pack)
    if not (opened.manifest.translation and opened.manifest.translation.shortlist):
        raise FactoryError(f"{pack} has no shortlist.")
    with_list, without = (Translator(opened, threads, use_shortlist=use) for use in (True, False))
    found = []
    for name, way, sources, references in _sets(recipe, most):
        (whole, plain), (listed, texts) = (
            _score(each, name, way, sources, references, beam) for each in (without, with_list)
        )
        lists = [with_list.allowed(sentence, *way) for sentence in sources]
        same = sum(one == other for one, other in zip(plain, texts, strict=True)) / len(texts)
        found.append(Shortened(listed, whole, same, sum(len(each) for each in lists if each is not None) / len(lists)))
        report(found[-1])
    return found


def exact_pack(recipe: Recipe, work: Path) -> Path:
    """The folder of a pack with the weights as they were trained, in fp32, made from what a build left in `work`.

    Raises:
        FactoryError: nothing was built there.
    """
    from models.convert.seq2seq import open_model, write_graphs  # torch takes seconds to import
    from models.pack import build_pack

    if not (work / "checkpoint" / "config.json").is_file():
        raise FactoryError(f"{work} holds no trained model: run `baraza-factory build {recipe.path.stem}` first.")
    write_graphs(open_model(work / "checkpoint"), work / "exact", None)
    build_pack(recipe, work / "exact", work / "spm.model", corpus.load(work / "pairs.tsv.zst"), work / "exact-pack")
    return work / "exact-pack"


def _score(
    translator: Translator, name: str, way: tuple[str, str], sources: list[str], references: list[str], beam: int
) -> tuple[Score, list[str]]:
    """The score, and the translations."""
    began = time.monotonic()
    with tqdm(total=len(sources), unit=" sentences", desc=f"{name} {'-'.join(way)}", leave=False, disable=None) as bar:
        translated = translator.translate(sources, *way, beam=beam, on_done=lambda _number, _sentence: bar.update())
    texts = [each.text for each in translated]
    seconds = time.monotonic() - began
    tokens = sum(len(translator.encode(text, *way)) - 2 for text in texts)
    score = Score(
        set=name,
        direction="-".join(way),
        bleu=round(sacrebleu.corpus_bleu(texts, [references]).score, 2),
        chrf2=round(sacrebleu.corpus_chrf(texts, [references]).score, 2),
        sentences=len(texts),
        tokens_per_second=round(tokens / seconds, 1),
        tool=f"sacrebleu {sacrebleu.__version__}, int8 pack, baraza engine, beam {beam}",
    )
    return score, texts


def run_selftest(recipe: Recipe, pack: Path) -> dict[str, str]:
    """What the pack itself makes of the recipe's sentences, greedily: a box compares it after installing.

    Returns `{"en-es": "source ⇒ translation"}`, one sentence a direction.
    """
    translator = Translator(verify(pack), threads=1)
    results = {}
    for direction, sentence in recipe.selftest.items():
        source, target = direction.split("-")
        results[direction] = f"{sentence}{SELFTEST_ARROW}{translator.translate([sentence], source, target)[0].text}"
    return results
