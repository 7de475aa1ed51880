"""How fast translations are made: against CTranslate2 on the same weights, by length and batch, and through the box.

    make bench-translation

Every sentence has 20 source tokens and gets 20, in every engine: with random weights nothing would end by itself.
Both engines have the same cores and int8 weights, and take turns; so do ours with a shortlist and with the whole
vocabulary. `--anyway` measures on a busy machine too; `--rounds N` takes N turns; `--shortlist` measures that alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from appliance.app import Appliance
from appliance.config import load
from appliance.inference.batcher import Batcher
from appliance.inference.search import Sentence, Vocabulary
from appliance.inference.seq2seq import Ints, Seq2Seq
from appliance.inference.translator import Translator
from appliance.packs.store import verify
from benchmarks.harness import ROOT, Rival, Row, interleave, medians, pin, quiet_machine, report, seconds
from benchmarks.models import made, translation_model
from benchmarks.plot import Axis, Series, save

CORES = 2
TOKENS = 20
ROUNDS = 9
CASES = [(batch, beam) for batch in (1, 16) for beam in (1, 4)]
TARGETS = {1: 1.8, 16: 1.3}  # times CTranslate2's speed, by batch
STARTER_TARGET = 3.0  # times the tokens a second of the opus-mt shape
LENGTHS = (5, 10, 20, 40, 80, 160)
BATCHES = (1, 2, 4, 8, 16, 32)
ALWAYS, OWN = 2000, 200  # pieces of a made-up shortlist: those of every sentence, and more of each (docs/speed.md)

TEXT = (
    "The water is clean. I have twelve goats and two cows. The rain did not come this year, so we planted late. "
    "Can you tell me where the market is? My sister works at the school near the river. We need a new pump because the "
    "old one is broken. Please sign the letter and give it to the office. How much does a bag of maize cost today? "
)


class Ours:
    """Our engine on a pack, made to write so many tokens whatever it thinks."""

    def __init__(self, pack: Path) -> None:
        settings = verify(pack).manifest.translation
        if settings is None:
            sys.exit(f"{pack} is not a translation pack.")
        head = pack / settings.head if settings.head else None
        self.graphs = Seq2Seq(pack / settings.encoder, pack / settings.decoder, pack.name, CORES, [0], head)
        # The end is banned; a start that no checkpoint has is as good as another.
        self._batcher = Batcher(self.graphs, Vocabulary(start=self.graphs.vocabulary - 1, end=-1))

    def seconds(
        self, sources: Sequence[Sequence[int]], beam: int, tokens: int, lists: Sequence[Ints | None] = ()
    ) -> float:
        """Time to translate `sources` together, each out of the pieces in its list if there are `lists`."""
        lists = lists or [None] * len(sources)
        sentences = [Sentence(source, tokens, allowed=each) for source, each in zip(sources, lists, strict=True)]
        took = seconds(lambda: self._batcher.run(sentences, beam, lambda _sentence: None))
        written = {len(sentence.ranked()[0].tokens) for sentence in sentences}
        if written != {tokens}:
            sys.exit(f"Not {tokens} tokens were written, but {written}.")
        return took


def sources_of(count: int, length: int, vocabulary: int) -> list[list[int]]:
    """Sources of `length` tokens each, the end (0) included."""
    draw = np.random.default_rng(7)
    return [[*map(int, draw.integers(3, vocabulary - 2, length - 1)), 0] for _ in range(count)]


def against_ctranslate2(name: str, rounds: int) -> tuple[list[Row], dict[str, float]]:
    """Rows of speed against CTranslate2, and the medians in seconds."""
    files = translation_model(name)
    ours = Ours(made(files.packs[8]))
    with Rival("ctranslate2_", str(files.checkpoint), str(CORES)) as rival:
        cases: dict[str, Callable[[], float]] = {}
        for batch, beam in CASES:
            sources = sources_of(batch, TOKENS, ours.graphs.vocabulary)

            def asked(sources: Any = sources, beam: int = beam) -> float:
                return float(rival.ask(sources=sources, beam=beam, tokens=TOKENS, end=0)["seconds"])

            cases[f"ours batch {batch} beam {beam}"] = lambda s=sources, b=beam: ours.seconds(s, b, TOKENS)  # type: ignore[misc]
            cases[f"ctranslate2 batch {batch} beam {beam}"] = asked
        taken = medians(interleave(cases, rounds, warm_ups=2))
    rows = []
    for batch, beam in CASES:
        ratio = taken[f"ctranslate2 batch {batch} beam {beam}"] / taken[f"ours batch {batch} beam {beam}"]
        target = TARGETS[batch] if name == "opus-mt" else None
        rows.append(Row(f"{name}.batch{batch}.beam{beam}", ratio, "times-ctranslate2", target))
        speed = batch * TOKENS / taken[f"ours batch {batch} beam {beam}"]
        rows.append(Row(f"{name}.batch{batch}.beam{beam}.speed", speed, "tokens/s"))
    return rows, {f"{name} {case}": value for case, value in taken.items()}


def lists_of(count: int, vocabulary: int) -> list[Ints | None]:
    """Made-up shortlists of so many sentences, as long as those of the starter packs."""
    draw = np.random.default_rng(7)
    always = draw.choice(vocabulary, ALWAYS, replace=False)
    return [np.union1d(always, draw.choice(vocabulary, OWN, replace=False)) for _ in range(count)]


def shortlist(rounds: int) -> tuple[list[Row], dict[str, float]]:
    """Speed with a shortlist against the whole vocabulary: made-up lists on both shapes, real ones on real text.

    Of the shapes a plain decoder has the whole vocabulary; what a listing one takes for it is measured beside.
    """
    cases: dict[str, Callable[[], float]] = {}
    for name in ("opus-mt", "starter-shape"):
        files = translation_model(name)
        plain, listing = (Ours(made(path)) for path in (files.packs[8], files.listing))
        for batch, beam in CASES:
            vocabulary = plain.graphs.vocabulary
            sources, lists = sources_of(batch, TOKENS, vocabulary), lists_of(batch, vocabulary)
            for kind, ours, given in (("whole", plain, ()), ("listed", listing, lists), ("unused", listing, ())):
                cases[f"{name}.batch{batch}.beam{beam} {kind}"] = (
                    lambda o=ours, s=sources, b=beam, g=given: o.seconds(s, b, TOKENS, g)  # type: ignore[misc]
                )
    (manifest,) = (ROOT / "models" / "starter").glob("starter-en-es/*/pack.toml")
    pack = verify(manifest.parent)
    texts = _sentences()
    for kind, use in (("whole", False), ("listed", True)):
        translator = Translator(pack, CORES, use_shortlist=use)
        for beam in (1, 4):

            def one_by_one(translator: Translator = translator, beam: int = beam) -> float:
                return sum(seconds(lambda t=each: translator.translate([t], "en", "es", beam=beam)) for each in texts)  # type: ignore[misc]

            def together(translator: Translator = translator, beam: int = beam) -> float:
                return seconds(lambda: translator.translate(texts * 4, "en", "es", beam=beam))

            cases[f"starter-en-es.one.beam{beam} {kind}"] = one_by_one
            cases[f"starter-en-es.32.beam{beam} {kind}"] = together
    taken = medians(interleave(cases, rounds))
    names = [case.removesuffix(" whole") for case in cases if case.endswith(" whole")]
    rows = [Row(f"{name}.shortlist", taken[f"{name} whole"] / taken[f"{name} listed"], "times-whole") for name in names]
    return rows, {f"shortlist {case}": value for case, value in taken.items()}


def linearity(name: str, rounds: int) -> tuple[list[Row], dict[str, float]]:
    """Cost by length and by batch; 1 is linear: twice the tokens, twice the time."""
    ours = Ours(made(translation_model(name).packs[8]))
    vocabulary = ours.graphs.vocabulary
    cases: dict[str, Callable[[], float]] = {}
    for length in LENGTHS:
        cases[f"length {length}"] = lambda n=length: ours.seconds(sources_of(1, n, vocabulary), 4, n)  # type: ignore[misc]
    for batch in BATCHES:
        cases[f"batch {batch}"] = lambda n=batch: ours.seconds(sources_of(n, TOKENS, vocabulary), 4, TOKENS)  # type: ignore[misc]
    taken = medians(interleave(cases, rounds))
    longer = taken["length 160"] / taken["length 20"] / (160 / 20)
    wider = taken["batch 32"] / taken["batch 1"] / 32
    rows = [
        Row(f"{name}.length160-against-20", longer, "times-linear", 1.2, at_least=False),
        Row(f"{name}.batch32-against-1", wider, "times-linear", 1.0, at_least=False),
    ]
    return rows, {f"{name} {case}": value for case, value in taken.items()}


def through_the_box() -> list[Row]:
    """A real starter pack with real text: one sentence, and a page as the box translates it."""
    (manifest,) = (ROOT / "models" / "starter").glob("starter-en-es/*/pack.toml")
    translator = Translator(verify(manifest.parent), CORES)
    sentences = _sentences()

    def timed(texts: list[str]) -> float:
        return seconds(lambda: translator.translate(texts, "en", "es", beam=4))

    taken = medians(interleave({"one": lambda: timed(sentences[:1]), "many": lambda: timed(sentences * 4)}, ROUNDS))
    box = Appliance(load({}))
    text = (TEXT * 40)[:5000]
    _parts(box, text)  # opens the pack
    seen = _parts(box, text)
    return [
        Row("starter-en-es.one-sentence", 1 / taken["one"], "sentences/s"),
        Row("starter-en-es.32-sentences", len(sentences) * 4 / taken["many"], "sentences/s"),
        Row("box.5000-characters.first", seen[0], "s"),
        Row("box.5000-characters.all", seen[-1], "s"),
    ]


def _sentences() -> list[str]:
    return [f"{each}." for each in TEXT.replace("?", ".").split(". ") if each]


def _parts(box: Appliance, text: str) -> list[float]:
    """Seconds until each part of the translation of `text` could be read."""
    began = time.perf_counter()
    seen: list[float] = []
    box.translation.translate(text, "en", "es", on_part=lambda _part: seen.append(time.perf_counter() - began))
    return seen


def plot(taken: dict[str, float]) -> None:
    """docs/translation-speed.svg: milliseconds by length, one sentence, beam 4."""
    series = [
        Series(name, [(length, 1000 * taken[f"{name} length {length}"]) for length in LENGTHS])
        for name in ("opus-mt", "starter-shape")
    ]
    save(
        ROOT / "docs" / "translation-speed.svg",
        "Time of one sentence by its length",
        "Milliseconds to translate one sentence with beam 4 in int8 on two cores, for the shapes of OPUS-MT and of the "
        "starter packs, by the number of tokens of the source; as many are written.",
        Axis("tokens"),
        Axis("milliseconds"),
        series,
    )


def main() -> None:
    """Print the rows and keep the figures."""
    quiet_machine()
    pin(CORES)
    rounds = int(sys.argv[sys.argv.index("--rounds") + 1]) if "--rounds" in sys.argv else ROUNDS
    rows: list[Row] = []
    measured: dict[str, float] = {}
    if "--shortlist" in sys.argv:
        report("translation-shortlist", *shortlist(rounds))
        return
    for work in (against_ctranslate2, linearity):
        for name in ("opus-mt", "starter-shape"):
            more, taken = work(name, rounds if work is against_ctranslate2 else max(3, rounds // 3))
            rows += more
            measured |= taken
    for batch, beam in CASES:
        case = f"ours batch {batch} beam {beam}"
        ratio = measured[f"opus-mt {case}"] / measured[f"starter-shape {case}"]
        rows.append(Row(f"starter-shape.batch{batch}.beam{beam}.to-opus-mt", ratio, "times", STARTER_TARGET))
    more, taken = shortlist(rounds)
    rows, measured = rows + more, measured | taken
    rows += through_the_box()
    plot(measured)
    report("translation", rows, measured)


if __name__ == "__main__":
    main()
