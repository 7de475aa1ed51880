"""The steps from a public model's recipe to its pack: fetch, convert, describe, try.

The revision that the hub named when a pack was first made is kept, in the folder of the build and in the pack itself,
and made again from then on, unless the newest is asked for.
"""

from __future__ import annotations

import importlib
import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from appliance.errors import PackManifestError
from appliance.packs.manifest import Figure, Origin, read_manifest
from models import hub
from models.convert import Converted, ConvertOptions
from models.errors import CorpusError, FactoryError
from models.pack import CARD, begin_pack, write_manifest
from models.public_card import card_of
from models.recipe_public import PublicRecipe
from models.steps import Steps

# config.json's model_type → (family, module with `convert`).
CONVERTERS = {
    "marian": ("marian", "models.convert.marian"),
    "m2m_100": ("marian", "models.convert.marian"),
    "llama": ("llm", "models.convert.llm"),
    "qwen2": ("llm", "models.convert.llm"),
    "bert": ("embedding", "models.convert.embedding"),
    "xlm-roberta": ("embedding", "models.convert.embedding"),
}
COMMIT = re.compile(r"[0-9a-f]{40}")
PAGE = "https://huggingface.co/"

Say = Callable[[str], None]


@dataclass(frozen=True)
class PublicOptions:
    """What whoever runs the factory says. `checkpoint` is a folder to use in place of the hub.

    `licence` is the SPDX name on the model card where the recipe says another; `newest` takes the newest revision;
    `bits` of a weight are the recipe's if not given.
    """

    threads: int
    bits: int | None = None
    checkpoint: Path | None = None
    newest: bool = False
    licence: str | None = None
    accept_non_commercial: bool = False
    beam: int = 4
    most: int | None = None


class PublicBuild:
    """The making of one public model's pack, in `work`; the finished pack goes to `packs/NAME/VERSION`."""

    def __init__(self, recipe: PublicRecipe, work: Path, packs: Path, options: PublicOptions, say: Say) -> None:
        self.recipe, self.work, self.options, self.say = recipe, work, options, say
        self.bits = options.bits or recipe.model.bits
        self.pack = packs / recipe.name / recipe.version
        self.folder = options.checkpoint or work / "hub"
        self.licence = recipe.licence

    def run(self) -> bool:
        """Make the pack.

        Raises:
            FactoryError: a step could not be done; the steps before it are kept, a download too.
        """
        if self.recipe.model.non_commercial and not self.options.accept_non_commercial:
            raise FactoryError(
                f"{self.recipe.name} is under {self.recipe.licence}, which forbids commercial use. If that fits where "
                "the box will stand, give --accept-non-commercial."
            )
        self.work.mkdir(parents=True, exist_ok=True)
        fetched = self._local() if self.options.checkpoint else self._fetch()
        steps = Steps(self.work, self.say)
        what = {
            "revision": fetched.revision,
            "bits": self.bits,
            "directions": list(map(asdict, self.recipe.directions)),
        }
        what |= {each: getattr(self.recipe, each) for each in ("context", "prompts", "query", "passage")}
        steps.do("convert", what, self._convert, self.work / "converted.json")
        about = asdict(replace(self.recipe, path=Path(self.recipe.path.name)))
        about |= {"licence": self.licence}
        steps.do("pack", about, lambda: self._pack(fetched, [], None), self.pack / "pack.toml")
        measured = {"beam": self.options.beam, "most": self.options.most}
        if self.recipe.kind == "translation":
            steps.do("try", measured, lambda: self._try(fetched), self.pack / "pack.toml")
        return True

    def _local(self) -> hub.Fetched:
        fetched = hub.local(self.folder, self.recipe.model.hub)
        self.say(f"checkpoint: {self.folder}, {fetched.repository} at {fetched.revision}")
        self._check_model()
        self.licence = hub.check_licence(self.recipe.licence, fetched.licence, self.options.licence)
        self._check_room(0, sum(path.stat().st_size for path in self.folder.glob("*") if path.is_file()))
        hub.check_weights(self.folder)
        return fetched

    def _fetch(self) -> hub.Fetched:
        repository, wanted = self.recipe.model.hub, self._wanted()
        kept = hub.read_stamp(self.folder)
        if kept and kept.repository == repository and wanted == kept.revision:
            self.say(f"fetch: done before ({repository} at {kept.revision})")
            self.licence = hub.check_licence(self.recipe.licence, kept.licence, self.options.licence)
            return kept
        self.say(f"fetch {repository}{f' at {wanted}' if wanted else ', the newest revision'} …")
        remote = hub.look_up(repository, wanted)
        self.licence = hub.check_licence(self.recipe.licence, remote.licence, self.options.licence)
        if kept and kept.revision != remote.revision:
            shutil.rmtree(self.folder)
        self.folder.mkdir(exist_ok=True)
        if hub.CONFIG not in remote.sizes:
            raise FactoryError(f"{repository} has no {hub.CONFIG}: it is not a model in Hugging Face form.")
        hub.fetch_one(remote, hub.CONFIG, self.folder)
        self._check_model()
        weights = sum(remote.sizes[name] for name in remote.chosen())
        here = (self.folder / name for name in remote.chosen())
        self._check_room(weights - sum(path.stat().st_size for path in here if path.is_file()), weights)
        fetched = hub.fetch(remote, self.folder, self.say)
        hub.check_weights(self.folder)
        return fetched

    def _wanted(self) -> str:
        """The revision to make the pack of: the recipe's, else the one it was made of before, else the newest: ""."""
        if self.options.newest:
            return ""
        if self.recipe.model.revision:
            return self.recipe.model.revision
        kept = hub.read_stamp(self.folder)
        if kept and kept.repository == self.recipe.model.hub:
            return kept.revision
        try:
            origins = read_manifest(self.pack).origins
        except PackManifestError:
            return ""
        recorded = (each.revision for each in origins if each.url == PAGE + self.recipe.model.hub)
        return next((revision for revision in recorded if COMMIT.fullmatch(revision)), "")

    def _check_model(self) -> None:
        """Whether there is a converter for it; before the weights are fetched."""
        config = json.loads((self.folder / hub.CONFIG).read_text(encoding="utf-8"))
        kind = str(config.get("model_type"))
        if kind not in CONVERTERS:
            raise FactoryError(
                f"{self.recipe.model.hub} is a model of type {kind}, for which there is no converter. "
                f"There is one for {', '.join(CONVERTERS)}."
            )
        if config.get("auto_map"):
            raise FactoryError(
                f"{self.recipe.model.hub} needs code of its own (auto_map) to run; none is ever run here."
            )
        if CONVERTERS[kind][0] != self.recipe.model.family:
            raise FactoryError(
                f"The recipe says the family is {self.recipe.model.family}, but {kind} is of {CONVERTERS[kind][0]}."
            )

    def _check_room(self, download: int, weights: int) -> None:
        exact = weights * (2 if self.recipe.stored in ("float16", "bfloat16") else 1)
        needs = [
            (self.work, download, "for the download"),
            (self.work, exact * hub.CONVERSION[self.recipe.model.family], "for the conversion"),
            (self.pack, self.recipe.estimate(self.bits).pack, "for the pack"),
        ]
        hub.check_room(needs)

    def _convert(self) -> None:
        kind = json.loads((self.folder / hub.CONFIG).read_text(encoding="utf-8"))["model_type"]
        convert = importlib.import_module(CONVERTERS[kind][1]).convert
        options = ConvertOptions(
            bits=self.bits,
            languages=self.recipe.languages,
            directions=self.recipe.directions,
            context=self.recipe.context,
            prompts=self.recipe.prompts,
            query=self.recipe.query,
            passage=self.recipe.passage,
        )
        begin_pack(self.work / "converted")
        made: Converted = convert(self.folder, self.work / "converted", options, self.say)
        for path in sorted(self.folder.glob("LICENSE*")):
            shutil.copyfile(path, self.work / "converted" / path.name)
        (self.work / "converted.json").write_text(json.dumps(asdict(made)), encoding="utf-8")

    def _pack(self, fetched: hub.Fetched, figures: Sequence[Figure], selftest: dict[str, str] | None) -> None:
        made = Converted(**json.loads((self.work / "converted.json").read_text(encoding="utf-8")))
        begin_pack(self.pack)
        for path in sorted((self.work / "converted").iterdir()):
            shutil.copyfile(path, self.pack / path.name)
        recipe = replace(self.recipe, licence=self.licence)
        card = card_of(recipe, fetched.revision, self.bits, made.memory_bytes, figures)
        (self.pack / CARD).write_text(card, encoding="utf-8")
        write_manifest(
            self.pack,
            recipe,
            made.settings,
            sources=[Origin(recipe.model.hub, self.licence, PAGE + recipe.model.hub, fetched.revision)],
            memory_bytes=made.memory_bytes,
            figures=figures,
            selftest=selftest,
        )

    def _try(self, fetched: hub.Fetched) -> None:
        """Translate with the pack: the sentences a box compares, and the evaluation sets that are there."""
        from models.evaluate import evaluate, run_selftest

        selftest = run_selftest(self.recipe, self.pack)  # type: ignore[arg-type]
        figures: list[Figure] = []
        try:
            scores = evaluate(self.recipe, self.pack, self.options.beam, self.options.threads, self.options.most)  # type: ignore[arg-type]
            figures = [figure for score in scores for figure in score.figures()]
        except CorpusError as error:
            self.say(f"  not measured: {error}")
        for figure in figures:
            self.say(f"  {figure.set} {figure.direction}: {figure.metric} {figure.value}")
        self._pack(fetched, figures, selftest)
