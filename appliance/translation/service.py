"""Translating a text: language, sentences, the model, the numbers, the label."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from appliance.errors import (
    EmptyTextError,
    LanguageNotRecognisedError,
    NoModelError,
    TextTooLongError,
    UnknownLanguagePairError,
)
from appliance.inference.queue import Context, Job, JobQueue
from appliance.inference.translator import Translated, Translator, never
from appliance.limits import LIMITS, Limits
from appliance.packs.manifest import Figure
from appliance.translation import sentences
from appliance.translation.languages import LanguageDetector
from appliance.translation.numbers import differing
from appliance.translation.sentences import Piece

STARTER_BELOW = 60.0  # chrF2; a pack with a set under it is called “starter quality” on the page


@dataclass(frozen=True)
class Segment:
    """One sentence and its translation.

    `missing` are numbers of the sentence that the translation lacks, `added` those that it alone has, as digits;
    `cut`: the end of the sentence was left out.
    """

    before: str
    source: str
    target: str
    after: str
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    cut: bool = False

    @property
    def needs_a_look(self) -> bool:
        return bool(self.missing or self.added) or self.cut


@dataclass(frozen=True)
class Translation:
    source: str
    target: str
    segments: tuple[Segment, ...]
    detected: bool  # the language of the source was not given but recognised

    @property
    def text(self) -> str:
        return "".join(segment.before + segment.target + segment.after for segment in self.segments)

    @property
    def source_text(self) -> str:
        return "".join(segment.before + segment.source + segment.after for segment in self.segments)


@dataclass(frozen=True)
class Quality:
    """What the pack's own figures say of a direction: shown beside every translation."""

    pack: str
    starter: bool
    figures: tuple[Figure, ...]


class TranslationService:
    """Everything about translation that is not a page."""

    def __init__(
        self,
        translators: Iterable[Translator],
        detector: LanguageDetector,
        queue: JobQueue,
        beam: int,
        limits: Limits = LIMITS,
    ) -> None:
        self._translators = {way: translator for translator in translators for way in translator.directions}
        self._detector, self._queue, self._beam, self._limits = detector, queue, beam, limits

    @property
    def directions(self) -> list[tuple[str, str]]:
        """(source, target) pairs of BCP 47 tags that are installed."""
        return sorted(self._translators)

    @property
    def languages(self) -> list[str]:
        return sorted({language for way in self._translators for language in way})

    def quality(self, source: str, target: str) -> Quality:
        """The figures of the pack for this direction. Raises UnknownLanguagePairError."""
        manifest = self._translator(source, target).pack.manifest
        figures = tuple(each for each in manifest.figures if each.direction in (f"{source}-{target}", ""))
        # By the hardest set: a pack that is good at small talk only must not be praised for it.
        hardest = min((each.value for each in figures if each.metric == "chrF2"), default=0.0)
        return Quality(manifest.title, hardest < STARTER_BELOW, figures)

    def check(self, text: str, source: str, target: str) -> tuple[str, str]:
        """The direction to translate `text` in; `source` "" is recognised from the text.

        A text found to be in `target` already goes into the first other language there is: whoever pastes a text
        and presses the button wants it translated, and the page says what was done.

        Raises:
            EmptyTextError, TextTooLongError, LanguageNotRecognisedError, UnknownLanguagePairError, NoModelError
        """
        if not text.strip():
            raise EmptyTextError
        if len(text) > self._limits.translation_characters:
            raise TextTooLongError(length=len(text), most=self._limits.translation_characters)
        if not self._translators:
            raise NoModelError(kind="translation")
        if not source:
            source = self._detect(text, target)
            if source == target:
                target = next((other for one, other in self.directions if one == source), target)
        self._translator(source, target)
        return source, target

    def submit(self, owner: str, text: str, source: str, target: str) -> Job:
        """Put a translation in the queue; its result is a `Translation`. Raises what `check` and the queue do."""
        chosen = self.check(text, source, target)
        request = {"text": text, "source": chosen[0], "target": chosen[1], "detected": not source}

        def work(context: Context) -> Translation:
            done = self.translate(text, *chosen, cancelled=context.cancelled, on_part=_Reporter(context, text))
            return replace(done, detected=not source)

        return self._queue.submit(owner, "translation", work, cost=len(text), request=request)

    def translate(
        self,
        text: str,
        source: str,
        target: str,
        *,
        cancelled: Callable[[], bool] = never,
        on_part: Callable[[list[Segment]], None] | None = None,
    ) -> Translation:
        """Translate `text` now, in this thread; `on_part` is given the segments as they are ready, in order.

        Raises:
            UnknownLanguagePairError: no installed pack translates so.
            CancelledError: `cancelled()` was true between two steps of the model.
        """
        translator = self._translator(source, target)
        segments: list[Segment] = []
        for part in self._parts(sentences.split(text)):
            texts = [piece.sentence for piece in part]
            results = translator.translate(texts, source, target, beam=self._beam, cancelled=cancelled)
            ready = [_segment(piece, result) for piece, result in zip(part, results, strict=True)]
            segments += ready
            if on_part:
                on_part(ready)
        return Translation(source, target, tuple(segments), detected=False)

    def translate_lines(self, lines: list[str], source: str, target: str) -> list[str]:
        """Translate many lines at once, in the largest batches: what the command line uses."""
        pieces = [sentences.split(line) for line in lines]
        flat = [piece.sentence for line in pieces for piece in line]
        results = iter(self._translator(source, target).translate(flat, source, target, beam=self._beam))
        return [sentences.join([replace(piece, sentence=next(results).text) for piece in line]) for line in pieces]

    def detect(self, text: str) -> str:
        """The installed language that `text` is in. Raises LanguageNotRecognisedError."""
        return self._detector.detect(text)

    def _detect(self, text: str, target: str) -> str:
        try:
            return self._detector.detect(text)
        except LanguageNotRecognisedError:
            # Only figures and signs: they are copied, whatever the direction.
            others = [one for one, other in self.directions if other == target]
            if not others:
                raise
            return others[0]

    def _translator(self, source: str, target: str) -> Translator:
        translator = self._translators.get((source, target))
        if translator is None:
            installed = ", ".join(f"{one}→{other}" for one, other in self.directions) or "–"
            raise UnknownLanguagePairError(source=source, target=target, installed=installed)
        return translator

    def _parts(self, pieces: list[Piece]) -> Iterator[list[Piece]]:
        """A short first part, so that something is seen soon; then larger ones."""
        size = 2
        while pieces:
            yield pieces[:size]
            pieces, size = pieces[size:], self._limits.part_sentences


class _Reporter:
    """Tells a job's readers how far a translation is."""

    def __init__(self, context: Context, text: str) -> None:
        self._context, self._total, self._done = context, len(text), 0

    def __call__(self, segments: list[Segment]) -> None:
        self._done += sum(len(each.before) + len(each.source) + len(each.after) for each in segments)
        self._context.text(text="".join(each.before + each.target + each.after for each in segments))
        self._context.progress(self._done, self._total)


def _segment(piece: Piece, result: Translated) -> Segment:
    missing, added = differing(piece.sentence, result.text)
    return Segment(piece.before, piece.sentence, result.text, piece.after, missing, added, result.cut)
