"""A translation pack, opened: sentences in, sentences out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from appliance.errors import EngineError, UnknownLanguagePairError
from appliance.inference.batcher import Batcher
from appliance.inference.pieces import open_pieces
from appliance.inference.search import LEAST_REPEATS, Sentence, Vocabulary, repeats_of
from appliance.inference.seq2seq import Ints, Seq2Seq
from appliance.inference.shortlist import Shortlist, open_shortlists
from appliance.limits import LIMITS, Limits
from appliance.packs.manifest import Way
from appliance.packs.store import InstalledPack


@dataclass(frozen=True)
class Steering:
    """How a direction is told to the model: the ids before a source and at the beginning of a target, if there are.

    `shortlist` has the ids that a translation may be made of; None: all.
    """

    tag: tuple[int, ...]
    first: int | None
    shortlist: Shortlist | None

    def allowed(self, source: Sequence[int]) -> Ints | None:
        """The ids that a translation of `source` (ids) may be made of, in order; None: all."""
        return None if self.shortlist is None else self.shortlist.of(source)


@dataclass(frozen=True)
class Translated:
    """One sentence.

    `cut`: the source was too long for the model and its end was left out; `held`: the model went round in circles, and
    was kept from it.
    """

    text: str
    cut: bool = False
    held: bool = False


def never() -> bool:
    """The work is never cancelled."""
    return False


def ignore(_number: int, _sentence: Translated) -> None:
    """Nobody follows the progress."""


class Translates(ABC):
    """What translates sentences in the directions of a pack, here or in another process."""

    pack: InstalledPack

    @property
    @abstractmethod
    def directions(self) -> frozenset[tuple[str, str]]:
        """(source, target) pairs of BCP 47 tags."""

    @abstractmethod
    def rank(
        self,
        sentences: Sequence[str],
        source: str,
        target: str,
        found: Callable[[int, Iterable[Translated]], None],
        *,
        beam: int = 1,
        cancelled: Callable[[], bool] = never,
        owner: str = "",
        background: bool = False,
    ) -> None:
        """Search a translation of each of `sentences`; `found(number, translations)` is given the best one first.

        All else as `translate`.
        """

    def translate(
        self,
        sentences: Sequence[str],
        source: str,
        target: str,
        *,
        beam: int = 1,
        cancelled: Callable[[], bool] = never,
        on_done: Callable[[int, Translated], None] = ignore,
        accept: Callable[[str, str], bool] | None = None,
        owner: str = "",
        background: bool = False,
    ) -> list[Translated]:
        """Translate each of `sentences`; a blank one stays as it is.

        `cancelled` is asked before every step; `on_done(number, sentence)` is called as each is ready,
        short ones first. `accept(sentence, translation)` chooses among what the search found anyway: the best
        translation that it accepts is taken, else the best. Who calls at the same time shares the work, sentence by
        sentence, in fair shares by `owner`; `background` work has a smaller one.

        Raises:
            UnknownLanguagePairError: the pack does not translate `source` to `target`.
            CancelledError: `cancelled()` was true.
        """
        results = [Translated(sentence) for sentence in sentences]

        def choose(number: int, found: Iterable[Translated]) -> None:
            ranked = iter(found)
            results[number] = next(ranked) if accept is None else _first(ranked, sentences[number], accept)
            on_done(number, results[number])

        self.rank(sentences, source, target, choose, beam=beam, cancelled=cancelled, owner=owner, background=background)
        return results


class Translator(Translates):
    """Translates in this process; safe to share between threads."""

    def __init__(
        self, pack: InstalledPack, threads: int, limits: Limits = LIMITS, *, use_shortlist: bool = True
    ) -> None:
        """Open `pack`. Without `use_shortlist` every sentence has the whole vocabulary, as in a pack that has no list.

        Raises:
            EngineError: a graph, a SentencePiece model, the vocabulary or the shortlist cannot be used, or they do not
                fit together.
        """
        settings = pack.manifest.translation
        if settings is None:
            raise EngineError(pack=pack.name, reason="it is not a translation pack")
        self.pack = pack
        self._limits = limits
        self._pieces = open_pieces(pack, settings)
        end = self._pieces.end
        start = self._id_of(settings.start) if settings.start else self._pieces.padding
        self._vocabulary = Vocabulary(start=start, end=end)
        files = (pack.path / settings.encoder, pack.path / settings.decoder)
        listed = use_shortlist and bool(settings.shortlist)
        head = pack.path / settings.head if listed else None
        self._graphs = Seq2Seq(*files, pack.name, threads, sorted(self._pieces.never_written - {end}), head)
        lists: dict[tuple[str, str], Shortlist] = {}
        if listed:
            known = [(way.source, way.target) for way in settings.directions]
            path = pack.path / settings.shortlist
            lists = open_shortlists(path, known, self._graphs.vocabulary, pack.name, limits)
        self._ways = {
            (way.source, way.target): self._steering(way, lists.get((way.source, way.target)))
            for way in settings.directions
        }
        self._batcher = Batcher(self._graphs, self._vocabulary, limits)
        places = settings.positions or max(limits.source_pieces, limits.target_pieces + 2)
        self._source_pieces = min(limits.source_pieces, places)
        self._target_pieces = min(limits.target_pieces, places - 2)  # the start and a first piece take places too

    @property
    def directions(self) -> frozenset[tuple[str, str]]:
        return frozenset(self._ways)

    def rank(
        self,
        sentences: Sequence[str],
        source: str,
        target: str,
        found: Callable[[int, Iterable[Translated]], None],
        *,
        beam: int = 1,
        cancelled: Callable[[], bool] = never,
        owner: str = "",
        background: bool = False,
    ) -> None:
        """As `Translates.rank`; `found` is called as each is ready, short ones first."""
        way = self._way(source, target)
        encoded = [self._encode(sentence, way) for sentence in sentences]
        blank = len(way.tag) + 1
        numbers = {
            self._sentence(ids, way): number
            for number, ids in sorted(enumerate(encoded), key=lambda each: len(each[1]))
            if len(ids) > blank
        }

        def finish(sentence: Sentence) -> None:
            number = numbers[sentence]
            cut = len(encoded[number]) > self._source_pieces
            found(number, (Translated(self._pieces.decode(each.tokens), cut, each.held) for each in sentence.ranked()))

        beam = min(beam, self._limits.beam)
        self._batcher.run(list(numbers), beam, finish, owner=owner, background=background, cancelled=cancelled)

    def decode_ids(
        self,
        sources: Sequence[Sequence[int]],
        limit: int,
        beam: int = 1,
        first: str = "",
        way: tuple[str, str] | None = None,
    ) -> list[list[int]]:
        """Target ids for source ids (tag and end included), at most `limit` each, unguarded: what tests compare.

        The piece `first`, with which the targets are made to begin, is not among them. With a `way`, (source, target),
        the shortlist of that direction is used where the pack has one.
        """
        begin = self._id_of(first) if first else None
        lists = [self._way(*way).allowed(ids) if way else None for ids in sources]
        asked = [
            Sentence(list(ids), limit, first=begin, allowed=allowed)
            for ids, allowed in zip(sources, lists, strict=True)
        ]
        self._batcher.run(asked, min(beam, self._limits.beam), lambda _sentence: None)
        return [sentence.ranked()[0].tokens for sentence in asked]

    def allowed(self, sentence: str, source: str, target: str) -> Ints | None:
        """The ids that a translation of `sentence` may be made of, by the pack's shortlist; None: all."""
        way = self._way(source, target)
        return way.allowed(self._shorten(self._encode(sentence, way)))

    def encode(self, sentence: str, source: str, target: str) -> list[int]:
        """The ids the model is given for `sentence`: tag if there is one, pieces, end."""
        return self._encode(sentence, self._way(source, target))

    def _sentence(self, encoded: list[int], way: Steering) -> Sentence:
        source = self._shorten(encoded)
        repeats = max(LEAST_REPEATS, repeats_of(source))
        return Sentence(source, self._target_limit(len(source)), repeats, way.first, way.allowed(source))

    def _target_limit(self, pieces: int) -> int:
        return min(self._target_pieces, int(pieces * self._limits.target_growth) + self._limits.target_slack)

    def _way(self, source: str, target: str) -> Steering:
        way = self._ways.get((source, target))
        if way is None:
            installed = ", ".join(f"{one}→{other}" for one, other in sorted(self._ways))
            raise UnknownLanguagePairError(source=source, target=target, installed=installed)
        return way

    def _encode(self, sentence: str, way: Steering) -> list[int]:
        return [*way.tag, *self._pieces.encode(sentence), self._vocabulary.end]

    def _shorten(self, ids: list[int]) -> list[int]:
        most = self._source_pieces
        return ids if len(ids) <= most else [*ids[: most - 1], ids[-1]]

    def _steering(self, way: Way, shortlist: Shortlist | None) -> Steering:
        tag = (self._id_of(way.tag),) if way.tag else ()
        return Steering(tag, self._id_of(way.first) if way.first else None, shortlist)

    def _id_of(self, piece: str) -> int:
        found = self._pieces.id_of(piece)
        if found is None:
            raise EngineError(pack=self.pack.name, reason=f"its vocabulary has no tag {piece}")
        return found


def _first(found: Iterator[Translated], sentence: str, accept: Callable[[str, str], bool]) -> Translated:
    """The first of `found` that `accept` takes for `sentence`, else the first of all."""
    best = next(found)
    return next((each for each in chain([best], found) if accept(sentence, each.text)), best)
