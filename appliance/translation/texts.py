"""Texts on their way from one language to another: in parts, so that something is seen soon; several share batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from appliance.inference.engines import ignore, never
from appliance.translation import sentences
from appliance.translation.numbers import differing_in
from appliance.translation.sentences import Piece
from appliance.translation.steps import Rendered, Step


@dataclass(frozen=True)
class Segment:
    """One sentence and its translation.

    `missing` are numbers of the sentence that the translation lacks, `added` those that it alone has, as they stand
    there; `cut`: the end of the sentence was left out; `circling`: it says the same again and again, or the model did;
    `foreign`: it is left as it is, for it is not in the letters of its language; `restored`: its true numbers were
    put in the places of others that the model had been given.
    """

    before: str
    source: str
    target: str
    after: str
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    cut: bool = False
    circling: bool = False
    foreign: bool = False
    restored: bool = False

    @property
    def needs_a_look(self) -> bool:
        return bool(self.missing or self.added) or self.cut or self.circling or self.foreign


def joined(segments: Iterable[Segment]) -> str:
    """The translation that `segments` are of."""
    return "".join(each.before + each.target + each.after for each in segments)


def nobody(*_: object) -> None:
    """Nobody follows the translation."""


@dataclass(frozen=True)
class Follower:
    """Who is told how a translation gets on, as `TranslationService.translate` says."""

    on_part: Callable[[list[Segment]], None] = nobody
    on_progress: Callable[[int, int], None] = nobody
    on_wait: Callable[[], None] = ignore
    between_parts: Callable[[], None] = ignore
    others_wait: Callable[[], bool] = never


class Text:
    """A text, and what of it is translated. Where nobody wants it any more (`cancelled`) no further part is begun."""

    def __init__(self, text: str, follower: Follower, cancelled: Callable[[], bool] = never) -> None:
        self.follower, self.cancelled = follower, cancelled
        self.segments: list[Segment] = []
        self._pieces, self._length = sentences.split(text), len(text)
        self._before = 0  # characters of the parts that are ready
        self._part: list[Piece] = []

    @property
    def is_over(self) -> bool:
        return not (self._pieces or self._part)

    def begin_part(self, first: int, next_: Callable[[Follower], int]) -> list[str]:
        """The sentences of the next part: `first` at the beginning, later as many as `next_` says."""
        size = next_(self.follower) if self.segments else first
        self._part, self._pieces = self._pieces[:size], self._pieces[size:]
        return [piece.sentence for piece in self._part]

    def tell_step(self, number: int, steps: int) -> None:
        """The part is through step `number` of `steps`."""
        if number < steps:
            characters = sum(map(_length, self._part))
            self.follower.on_progress(self._before + characters * number // steps, self._length)

    def end_part(self, results: Sequence[Rendered], languages: tuple[str, str]) -> None:
        """The part is translated."""
        ready = [_segment(piece, result, languages) for piece, result in zip(self._part, results, strict=True)]
        self.segments += ready
        self._before += sum(map(_length, self._part))
        self._part = []
        self.follower.on_part(ready)
        self.follower.on_progress(self._before, self._length)


def translate_texts(
    texts: Sequence[Text],
    steps: Sequence[Step],
    run: Callable[[Step, list[str], Callable[[], None]], list[Rendered]],
    first: int,
    next_: Callable[[Follower], int],
) -> Iterator[tuple[int, list[Segment]]]:
    """The place of each text and its segments, as it is ready; the parts that come next are worked on together.

    `run` translates sentences by a step, and calls what it is given besides if it has to wait for a model; `first` and
    `next_` say how large the parts are, as for `Text.begin_part`. Texts that were cancelled are left out.

    Raises what `run` does.
    """
    languages = (steps[0].source, steps[-1].target)
    left = dict(enumerate(texts))
    while left:
        for place in [place for place, text in left.items() if text.is_over or text.cancelled()]:
            text = left.pop(place)
            if text.is_over:
                yield place, text.segments
        parts = [(text, [Rendered(each) for each in text.begin_part(first, next_)]) for text in left.values()]
        for number, step in enumerate(steps, 1):
            parts = _run_step(parts, step, run)
            for text, _ in parts:
                text.tell_step(number, len(steps))
        for text, results in parts:
            text.end_part(results, languages)
            if not text.is_over:
                text.follower.between_parts()


def _run_step(
    parts: list[tuple[Text, list[Rendered]]],
    step: Step,
    run: Callable[[Step, list[str], Callable[[], None]], list[Rendered]],
) -> list[tuple[Text, list[Rendered]]]:
    """The parts of all texts, translated by one step."""

    def wait() -> None:
        for text, _ in parts:
            text.follower.on_wait()

    before = [each for _, part in parts for each in part]
    if not before:
        return parts
    after = iter(run(step, [each.text for each in before], wait))
    return [(text, [next(after).after(each) for each in part]) for text, part in parts]


def _length(piece: Piece) -> int:
    return len(piece.before + piece.sentence + piece.after)


def _segment(piece: Piece, result: Rendered, languages: tuple[str, str]) -> Segment:
    missing, added = differing_in(piece.sentence, result.text, languages)
    return Segment(
        piece.before,
        piece.sentence,
        result.text,
        piece.after,
        missing,
        added,
        result.cut,
        result.circling,
        result.foreign,
        result.restored,
    )
