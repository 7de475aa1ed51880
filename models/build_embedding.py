"""The steps from a recipe of kind “embedding” to a pack: texts, vocabulary, the teacher's vectors, training, pack."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from appliance.packs.manifest import Figure, Origin
from models import embedding_texts
from models.build import Options
from models.child import compute
from models.convert import Converted, ConvertOptions
from models.corpus import corpora_folder
from models.pack import begin_pack, write_manifest
from models.recipe_embedding import EmbeddingRecipe, read_embedding_recipe
from models.steps import Steps

Say = Callable[[str], None]


def build_embedding(recipe_path: Path, work: Path, packs: Path, options: Options, say: Say) -> bool:
    """Make the pack `packs/NAME/VERSION`; False if training was stopped by `options.stretch`, to be taken up later.

    Raises:
        FactoryError: a step could not be done; the steps before it are kept.
    """
    return EmbeddingBuild(read_embedding_recipe(recipe_path), work, packs, options, say).run()


class EmbeddingBuild:
    """The making of one recipe's pack, in `work`; the finished pack goes to `packs/NAME/VERSION`."""

    def __init__(self, recipe: EmbeddingRecipe, work: Path, packs: Path, options: Options, say: Say) -> None:
        self.recipe, self.work, self.options, self.say = recipe, work, options, say
        self.pack = packs / recipe.name / recipe.version

    def run(self) -> bool:
        """See `build_embedding`."""
        recipe, work = self.recipe, self.work
        work.mkdir(parents=True, exist_ok=True)
        steps = Steps(work, self.say)
        texts = [asdict(each) for each in (recipe.texts, *recipe.corpora, *recipe.evaluation)]
        steps.do("texts", texts, self._prepare, work / "texts.tsv.zst")
        steps.do("vocabulary", asdict(recipe.tokenizer), self._train_vocabulary, work / "spm.model")
        steps.do("vectors", asdict(recipe.teacher), self._embed_with_teacher, work / "vectors")
        training = {**asdict(recipe.student), **asdict(recipe.train)}
        if not steps.do("training", training, self._train, work / "checkpoint" / "config.json"):
            return False
        steps.do("convert", {"bits": 8, "scales": "of rows"}, self._convert, work / "int8.json")
        about = asdict(replace(recipe, path=Path(recipe.path.name)))
        steps.do("pack", about, self._pack, self.pack / "pack.toml")
        if recipe.evaluation:
            steps.do("evaluate", {"most": self.options.most}, self._evaluate, self.pack)
        return True

    def _prepare(self) -> None:
        counts = embedding_texts.prepare(self.recipe, corpora_folder(), self.work)
        self.say("  " + ", ".join(f"{name} {count:,}" for name, count in counts.items()))

    def _train_vocabulary(self) -> None:
        from models.embedding_vocabulary import train_vocabulary

        texts = embedding_texts.load(self.work / "texts.tsv.zst")
        train_vocabulary(self.recipe, texts, embedding_texts.weights(self.recipe, texts), self.work / "spm.model")

    def _train(self) -> None:
        options = self.options
        chosen = {"stretch": options.stretch, "minutes": options.minutes}
        compute("models.train_embedding", self.recipe.path, self.work, options.threads, **chosen)

    def _embed_with_teacher(self) -> None:
        compute("models.teacher", self.recipe.path, self.work, self.options.threads)

    def _convert(self) -> None:
        from models.convert.embedding import convert  # onnx and optimum take seconds to import

        begin_pack(self.work / "int8")
        made = convert(self.work / "checkpoint", self.work / "int8", ConvertOptions(bits=8), self.say)
        (self.work / "int8.json").write_text(json.dumps(vars(made)), encoding="utf-8")

    def _pack(self) -> None:
        begin_pack(self.pack)
        for path in (self.work / "int8").iterdir():
            (self.pack / path.name).write_bytes(path.read_bytes())
        self._describe([])

    def _describe(self, figures: Sequence[Figure]) -> None:
        made = Converted(**json.loads((self.work / "int8.json").read_text(encoding="utf-8")))
        write_manifest(
            self.pack,
            self.recipe,
            made.settings,
            sources=origins(self.recipe),
            memory_bytes=made.memory_bytes,
            figures=figures,
        )

    def _evaluate(self) -> None:
        from models.card_embedding import write_card
        from models.evaluate_embedding import Opened, evaluate

        self._pack()  # a card from before is not of these files
        opened = Opened(self.recipe, self.pack, self.options.threads)
        scores = evaluate(self.recipe, opened, self.options.most, lambda score: self.say(f"  {score.line()}"))
        write_card(self.recipe, self.pack, opened.embedder, scores)
        self._describe([score.figure() for score in scores])


def origins(recipe: EmbeddingRecipe) -> list[Origin]:
    """The teacher and every source of text, each once."""
    teacher = recipe.teacher
    named: dict[tuple[Any, ...], Origin] = {}
    for each in recipe.sources:
        named.setdefault((each.title, each.url), Origin(each.title, each.licence, each.url, each.revision))
    return [Origin(teacher.title, teacher.licence, teacher.url, f"sha256:{teacher.sha256}"), *named.values()]
