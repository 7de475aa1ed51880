"""The steps from a recipe to a pack, each done once and found done when the build is taken up again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from models import corpus
from models.child import compute
from models.pack import CARD, SHORTLIST, build_pack, describe_translation
from models.recipe import Recipe
from models.shortlist import CHOICE, write_shortlist
from models.steps import Steps
from models.tokenizer import PAD, train_tokenizer, write_marian_vocabulary

Say = Callable[[str], None]

SAMPLE = 256  # pairs that the ranges of int8 are measured on


@dataclass(frozen=True)
class Options:
    """`stretch`: minutes to train before stopping, to be taken up later; `minutes`: in all, if not the recipe's.

    `most`: sentences of a set to score.
    """

    threads: int
    stretch: float | None = None
    minutes: float | None = None
    beam: int = 4
    most: int | None = None


def sample(recipe: Recipe, pairs: dict[str, list[corpus.Pair]], spm_model: Path) -> list[tuple[list[int], list[int]]]:
    """SAMPLE pairs of all corpora and directions: (source ids, ids given to the decoder)."""
    import sentencepiece as spm

    from models.train import encode

    processor = spm.SentencePieceProcessor(model_file=str(spm_model))
    chosen = [pair for each in pairs.values() for pair in each[:: max(1, len(each) * len(pairs) // SAMPLE)]]
    encoded = (encode(pair, recipe, number % len(recipe.directions), processor) for number, pair in enumerate(chosen))
    most = recipe.model.max_positions
    return [(source[:most], [PAD, *target[:-1]][:most]) for source, target in encoded]


class Build:
    """The making of one recipe's pack, in `work`; the finished pack goes to `packs/NAME/VERSION`."""

    def __init__(self, recipe: Recipe, work: Path, packs: Path, options: Options, say: Say) -> None:
        self.recipe, self.work, self.options, self.say = recipe, work, options, say
        self.pack = packs / recipe.name / recipe.version

    def run(self) -> bool:
        """Make the pack; False if training was stopped by `stretch` and is to be taken up later.

        Raises:
            FactoryError: a step could not be done; the steps before it are kept.
        """
        recipe, work = self.recipe, self.work
        work.mkdir(parents=True, exist_ok=True)
        steps = Steps(work, self.say)
        steps.do("corpus", {"corpus": asdict(recipe.corpus)}, self._prepare, work / "pairs.tsv.zst")
        steps.do("tokenizer", asdict(recipe.tokenizer), self._train_tokenizer, work / "spm.model")
        training = {**asdict(recipe.train), **asdict(recipe.model)}
        training["minutes"] = self.options.minutes or recipe.train.minutes
        if not recipe.train.updates:
            del training["updates"]  # what was trained before there was this setting is still as it would be now
        if not steps.do("training", training, self._train, work / "checkpoint" / "config.json"):
            return False
        steps.do("ranges", {"pairs": SAMPLE}, self._measure_ranges, work / "ranges.json")
        steps.do("graphs", {"form": "one step, in places, lists"}, self._write_graphs, work / "int8" / "head.onnx")
        steps.do("shortlist", asdict(CHOICE), self._write_shortlist, work / SHORTLIST)
        about = asdict(replace(recipe, path=Path(recipe.path.name)))
        steps.do("pack", about, self._pack, self.pack / "pack.toml")
        if recipe.evaluation or recipe.selftest:
            steps.do("evaluate", {"beam": self.options.beam, "most": self.options.most}, self._evaluate, self.pack)
        return True

    def _prepare(self) -> None:
        counts = corpus.prepare(
            self.recipe.corpus, self.recipe.evaluation, corpus.corpora_folder(), self.work / "pairs.tsv.zst"
        )
        self.say("  " + ", ".join(f"{name} {count:,}" for name, count in counts.items()))

    def _train_tokenizer(self) -> None:
        train_tokenizer(self.recipe, corpus.load(self.work / "pairs.tsv.zst"), self.work / "spm.model")

    def _train(self) -> None:
        options = self.options
        chosen = {"stretch": options.stretch, "minutes": options.minutes}
        compute("models.train", self.recipe.path, self.work, options.threads, **chosen)
        if (self.work / "checkpoint").is_dir():
            write_marian_vocabulary(self.work / "spm.model", self.work / "checkpoint")

    def _measure_ranges(self) -> None:
        from models.convert.seq2seq import open_model, ranges_of  # torch takes seconds to import

        pairs = sample(self.recipe, corpus.load(self.work / "pairs.tsv.zst"), self.work / "spm.model")
        ranges = ranges_of(open_model(self.work / "checkpoint"), pairs)
        told = {name: [each.low, each.high] for name, each in ranges.items()}
        (self.work / "ranges.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")

    def _write_graphs(self) -> None:
        from models.convert.seq2seq import open_model, write_graphs
        from models.convert.seq2seq_graph import Range

        told = json.loads((self.work / "ranges.json").read_text(encoding="utf-8"))
        ranges = {name: Range(*each) for name, each in told.items()}
        write_graphs(open_model(self.work / "checkpoint"), self.work / "int8", ranges, lists=True)

    def _write_shortlist(self) -> None:
        pairs = corpus.load(self.work / "pairs.tsv.zst")
        write_shortlist(self.recipe, pairs, self.work / "spm.model", self.work / SHORTLIST)

    def _pack(self) -> None:
        pairs, work = corpus.load(self.work / "pairs.tsv.zst"), self.work
        build_pack(self.recipe, work / "int8", work / "spm.model", pairs, self.pack, work / SHORTLIST)

    def _evaluate(self) -> None:
        from appliance.inference.translator import Translator
        from appliance.packs.store import verify
        from models.card import write_card
        from models.evaluate import evaluate, run_selftest

        options = self.options
        # A card from before is not of this pack, and a run that was cut off may have left one that is not listed.
        (self.pack / CARD).unlink(missing_ok=True)
        describe_translation(self.recipe, self.pack)
        scores = evaluate(self.recipe, self.pack, options.beam, options.threads, options.most)
        selftest = run_selftest(self.recipe, self.pack)
        for score in scores:
            self.say(f"  {score.set} {score.direction}: chrF2 {score.chrf2}, BLEU {score.bleu}")
        figures = [figure for score in scores for figure in score.figures()]
        pairs = corpus.load(self.work / "pairs.tsv.zst")
        write_card(self.recipe, self.pack, Translator(verify(self.pack), options.threads), options.beam, pairs)
        describe_translation(self.recipe, self.pack, figures, selftest)
