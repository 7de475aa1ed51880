"""Translating a text: language, sentences, the model, the numbers, the label."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from appliance.errors import (
    EmptyTextError,
    LanguageNotRecognisedError,
    NoModelError,
    TextTooLongError,
    UnknownLanguagePairError,
)
from appliance.inference.engines import Engines, never
from appliance.inference.job import Job
from appliance.inference.kept import Task
from appliance.inference.queue import Context, JobQueue, Together
from appliance.limits import LIMITS, Limits
from appliance.packs.manifest import Figure, Manifest
from appliance.packs.store import InstalledPack
from appliance.translation import sentences
from appliance.translation.languages import LanguageDetector
from appliance.translation.routes import Route, figures_of, find_routes, hardest
from appliance.translation.steps import Asker, Rendered, Step, render
from appliance.translation.texts import Follower, Segment, Text, joined, nobody, translate_texts

FIRST_PART = 2  # sentences, the first to be seen
STARTER_BELOW = 60.0  # chrF2; a pack with a set under it is called “starter quality” on the page


@dataclass(frozen=True)
class Translation:
    source: str
    target: str
    segments: tuple[Segment, ...]
    detected: bool  # the language of the source was not given but recognised
    through: str = ""  # the language in the middle, where it was translated twice

    @property
    def text(self) -> str:
        return joined(self.segments)

    @property
    def source_text(self) -> str:
        return "".join(segment.before + segment.source + segment.after for segment in self.segments)


def pack_translation(translation: Translation) -> dict[str, Any]:
    """A translation as JSON values."""
    return asdict(translation)


def unpack_translation(values: Any) -> Translation:
    """The translation that `pack_translation` made JSON values of. Raises TypeError, KeyError."""

    def segment(each: dict[str, Any]) -> Segment:
        numbers = {name: tuple(each[name]) for name in ("missing", "added")}
        return Segment(**{**each, **numbers})

    segments = tuple(map(segment, values["segments"]))
    return Translation(**{**values, "segments": segments})


@dataclass(frozen=True)
class StepQuality:
    """What a pack's own figures say of a direction."""

    source: str
    target: str
    pack: Manifest
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Quality:
    """What is known of a direction: shown beside every translation. Two steps where it goes `through` a language."""

    steps: tuple[StepQuality, ...]
    through: str

    @property
    def starter(self) -> bool:
        """By the hardest set of the weakest step."""
        return min(hardest(step.figures) for step in self.steps) < STARTER_BELOW


@dataclass(eq=False)
class _Offered:
    """What can be had with the packs of one moment; `users` work with it now."""

    routes: dict[tuple[str, str], Route]
    detector: LanguageDetector
    users: int = 0

    @property
    def packs(self) -> list[InstalledPack]:
        return list({pack.path: pack for route in self.routes.values() for pack in route.packs}.values())


class TranslationService:
    """Everything about translation that is not a page."""

    def __init__(
        self,
        packs: Iterable[InstalledPack],
        engines: Engines,
        detector: LanguageDetector,
        queue: JobQueue,
        beam: int,
        limits: Limits = LIMITS,
    ) -> None:
        self._now = _Offered(find_routes(packs, beam), detector)
        self._engines, self._queue, self._beam, self._limits = engines, queue, beam, limits
        self._changing = threading.Lock()
        self._replaced: list[_Offered] = []  # with jobs still at work on them

    @property
    def directions(self) -> list[tuple[str, str]]:
        """(source, target) pairs of BCP 47 tags that can be had: direct ones, then those through a third language."""
        routes = self._now.routes
        return sorted(routes, key=lambda way: (routes[way].through, way))

    @property
    def packs(self) -> list[InstalledPack]:
        """The packs that are used, by name."""
        found = {pack.name: pack for pack in self._now.packs}
        return [found[name] for name in sorted(found)]

    @property
    def languages(self) -> list[str]:
        return sorted({language for way in self._now.routes for language in way})

    def replace(self, packs: Iterable[InstalledPack], detector: LanguageDetector) -> None:
        """Work with `packs` from now on. What is being translated is finished with those of before.

        The engines of packs that are not among them are closed once nobody works with them.
        """
        new = _Offered(find_routes(packs, self._beam), detector)
        with self._changing:
            self._replaced.append(self._now)
            self._now = new
            self._engines.employ(new.packs)
            self._retire_unused()

    def packs_at_work(self) -> list[InstalledPack]:
        """The packs that are used, and those that were replaced and still have a translation to finish."""
        with self._changing:
            return list({pack.path: pack for each in (self._now, *self._replaced) for pack in each.packs}.values())

    @contextmanager
    def _at_work(self) -> Iterator[_Offered]:
        """What is offered now, kept as it is for as long as this is open."""
        with self._changing:
            offered = self._now
            offered.users += 1
        try:
            yield offered
        finally:
            with self._changing:
                offered.users -= 1
                self._retire_unused()

    def _retire_unused(self) -> None:
        """Under the lock: let go of what was replaced and has no work left."""
        over = [each for each in self._replaced if not each.users]
        if over:
            self._replaced = [each for each in self._replaced if each.users]
            kept = {pack.path for each in (self._now, *self._replaced) for pack in each.packs}
            gone = {pack.path: pack for each in over for pack in each.packs if pack.path not in kept}
            self._engines.retire(gone.values())

    def through(self, source: str, target: str) -> str:
        """The language that this direction goes through, "" if it is direct. Raises UnknownLanguagePairError."""
        return self._route(source, target).through

    def quality(self, source: str, target: str) -> Quality:
        """The figures of the packs of this direction. Raises UnknownLanguagePairError."""
        route = self._route(source, target)
        steps = []
        for step in route.steps:
            manifest = step.pack.manifest
            figures = figures_of(manifest, step.source, step.target)
            steps.append(StepQuality(step.source, step.target, manifest, figures))
        return Quality(tuple(steps), route.through)

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
        if not self._now.routes:
            raise NoModelError(kind="translation")
        if not source:
            source = self._detect(text, target)
            if source == target:
                target = next((other for one, other in self.directions if one == source), target)
        self._route(source, target)
        return source, target

    def submit(self, owner: str, text: str, source: str, target: str, hold_for: str = "") -> Job:
        """Put a translation in the queue; its result is a `Translation`. Raises what `check` and the queue do.

        `hold_for`: the device that leaves the request with the box, as `JobQueue.submit` says.
        """
        task = self.task(text, *self.check(text, source, target), detected=not source)
        return self._queue.submit(
            owner,
            task.kind,
            task.work,
            task.cost,
            task.request,
            background=task.background,
            hold_for=hold_for,
            together=task.together,
        )

    def task(self, text: str, source: str, target: str, *, detected: bool) -> Task:
        """What translates `text`, for the queue. Raises UnknownLanguagePairError."""

        def work(context: Context) -> Translation:
            asker = Asker(context.owner, context.background, context.cancelled)
            done = self._translate_one(text, source, target, asker, _follower(context))
            return replace(done, detected=detected)

        request = {"text": text, "source": source, "target": target, "detected": detected}
        together = Together(("translation", source, target), self._translate_together)
        return Task("translation", request, work, self.cost(text, source, target), self.is_long(text), together)

    def task_again(self, request: dict[str, Any]) -> Task:
        """What was asked before, made again after a restart.

        Raises:
            KeyError, ValueError: it is no request of ours.
            UnknownLanguagePairError, TextTooLongError, NoModelError: it cannot be done any more.
        """
        text, source, target = (request[name] for name in ("text", "source", "target"))
        if not all(isinstance(each, str) and each for each in (text, source, target)):
            raise ValueError("a text or a language is missing")
        return self.task(text, *self.check(text, source, target), detected=bool(request.get("detected")))

    def is_long(self, text: str) -> bool:
        """Whether `text` has so many sentences that its translation gives way to shorter ones."""
        found = sum(1 for piece in sentences.split(text) if piece.sentence)
        return found > self._limits.background_sentences

    def cost(self, text: str, source: str, target: str) -> int:
        """The work of a translation, in characters. Raises UnknownLanguagePairError."""
        return len(text) * len(self._route(source, target).steps)

    def translate(
        self,
        text: str,
        source: str,
        target: str,
        *,
        cancelled: Callable[[], bool] = never,
        on_part: Callable[[list[Segment]], None] = nobody,
        on_progress: Callable[[int, int], None] = nobody,
        on_wait: Callable[[], None] = nobody,
        between_parts: Callable[[], None] = nobody,
        others_wait: Callable[[], bool] = never,
        owner: str = "",
        background: bool = False,
    ) -> Translation:
        """Translate `text` now, in this thread; `on_part` is given the segments as they are ready, in order.

        `on_progress` is given (characters translated, all of them); where there are two steps, one is half the work.
        `on_wait` is called when a model has to be opened first, or its memory waited for. `between_parts` is called
        where other work may be done first: no engine is in use then. While `others_wait`, there are more such places.
        `owner` and `background` are those of `Translator.translate`.

        Raises:
            UnknownLanguagePairError: no installed pack translates so.
            EngineTooLargeError, EngineBusyError, EngineError: the model has no room, or cannot be opened.
            CancelledError: `cancelled()` was true between two steps of the model.
        """
        asker = Asker(owner, background, cancelled)
        follower = Follower(on_part, on_progress, on_wait, between_parts, others_wait)
        return self._translate_one(text, source, target, asker, follower)

    def _translate_one(self, text: str, source: str, target: str, asker: Asker, follower: Follower) -> Translation:
        with self._at_work() as offered:
            route = self._route(source, target, offered)
            ((_, segments),) = self._translate([Text(text, follower)], route, asker)
        return Translation(source, target, tuple(segments), detected=False, through=route.through)

    def _translate_together(self, contexts: Sequence[Context]) -> Generator[tuple[int, Translation], None, None]:
        """The short translations in one direction that `contexts` are of, in shared batches, as they are ready."""
        source, target = (contexts[0].request[name] for name in ("source", "target"))
        texts = [Text(each.request["text"], _follower(each), each.cancelled) for each in contexts]
        asker = Asker(contexts[0].owner, False, lambda: all(each.cancelled() for each in contexts))
        with self._at_work() as offered:
            route = self._route(source, target, offered)
            for place, segments in self._translate(texts, route, asker):
                detected = contexts[place].request["detected"]
                yield place, Translation(source, target, tuple(segments), detected, route.through)

    def _translate(self, texts: Sequence[Text], route: Route, asker: Asker) -> Iterator[tuple[int, list[Segment]]]:
        """As `translate_texts`: a short first part of each, so that something is seen soon; then larger ones, as large
        as a turn while others wait.

        Where the engines of a route have no room beside each other, all is one part: each is opened once then.
        """

        def run(step: Step, asked: list[str], on_wait: Callable[[], None]) -> list[Rendered]:
            with self._engines.translator(step.pack, cancelled=asker.cancelled, on_wait=on_wait) as translator:
                return render(translator, step, asked, asker)

        def size(follower: Follower) -> int:
            return self._limits.turn_sentences if follower.others_wait() else self._limits.part_sentences

        first = FIRST_PART if self._engines.fit(route.packs) else self._limits.translation_characters
        yield from translate_texts(texts, route.steps, run, first, size)

    def translate_lines(self, lines: list[str], source: str, target: str) -> list[str]:
        """Translate many lines at once, in the largest batches: what the command line uses."""
        pieces = [sentences.split(line) for line in lines]
        texts = [piece.sentence for line in pieces for piece in line]
        with self._at_work() as offered:
            for step in self._route(source, target, offered).steps:
                with self._engines.translator(step.pack) as translator:
                    texts = [each.text for each in render(translator, step, texts, Asker())]
        results = iter(texts)
        return [sentences.join([replace(piece, sentence=next(results)) for piece in line]) for line in pieces]

    def detect(self, text: str) -> str:
        """The installed language that `text` is in. Raises LanguageNotRecognisedError."""
        return self._now.detector.detect(text)

    def _detect(self, text: str, target: str) -> str:
        try:
            return self._now.detector.detect(text)
        except LanguageNotRecognisedError:
            # Only figures and signs: they are copied, whatever the direction.
            others = [one for one, other in self.directions if other == target]
            if not others:
                raise
            return others[0]

    def _route(self, source: str, target: str, offered: _Offered | None = None) -> Route:
        route = (offered or self._now).routes.get((source, target))
        if route is None:
            installed = ", ".join(f"{one}→{other}" for one, other in self.directions) or "–"
            raise UnknownLanguagePairError(source=source, target=target, installed=installed)
        return route


def _follower(context: Context) -> Follower:
    return Follower(
        on_part=lambda segments: context.text(text=joined(segments)),
        on_progress=context.progress,
        on_wait=context.opening,
        between_parts=context.breathe,
        others_wait=context.others_wait,
    )
