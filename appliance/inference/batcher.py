"""Sentences of all who translate at the same time share the steps of one search.

Whoever calls `run` and finds nobody at work does the steps, for all, until the own sentences are done, and hands over
to another who waits. Finished sentences leave their places and others enter between two steps, so that one sentence
of a phone does not wait for the two hundred of a document.

Whose sentence comes next: whoever has had the least so far of what was shared lately, counted in source tokens.
Background work counts several times over, so that it gets a small share beside other work, and never none.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from appliance.errors import CancelledError
from appliance.inference.search import Search, Sentence, Vocabulary, candidates_of
from appliance.inference.seq2seq import Places, Seq2Seq
from appliance.limits import LIMITS, Limits

BACKGROUND_COUNTS = 4  # times as much as other work
REFILL_BELOW = 0.75  # of the places: letting in a few at a time costs a run of the encoder each


@dataclass(eq=False)
class Request:
    """Sentences of one caller, in the order they should be begun."""

    waiting: deque[Sentence]
    beam: int
    owner: str
    background: bool
    cancelled: Callable[[], bool]
    at_work: set[Sentence] = field(default_factory=set)
    ready: deque[Sentence] = field(default_factory=deque)  # done, and not yet told
    error: BaseException | None = None

    @property
    def is_over(self) -> bool:
        return self.error is not None or not (self.waiting or self.at_work)


class Batcher:
    """The searches of one pack; safe to share between threads."""

    def __init__(self, graphs: Seq2Seq, vocabulary: Vocabulary, limits: Limits = LIMITS) -> None:
        self._graphs, self._vocabulary, self._limits = graphs, vocabulary, limits
        self._changed = threading.Condition()
        self._requests: list[Request] = []
        self._searches: dict[int, Search] = {}  # by the width of the beam; only the one at work touches them
        self._working = False
        self._shares: dict[str, float] = {}  # source tokens of each owner, since none of it was at work

    def run(
        self,
        sentences: Sequence[Sentence],
        beam: int,
        on_done: Callable[[Sentence], None],
        *,
        owner: str = "",
        background: bool = False,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Search all `sentences`; `on_done(sentence)` is called in this thread as each is finished.

        Raises:
            CancelledError: `cancelled()` was true between two steps.
        """
        request = Request(deque(sentences), beam, owner, background, cancelled)
        with self._changed:
            least = min((self._shares[each.owner] for each in self._requests), default=0.0)
            self._shares[owner] = max(self._shares.get(owner, 0.0), least)
            self._requests.append(request)
        try:
            while not request.is_over or request.ready:
                if self._take_over(request):
                    try:
                        self._turn()
                    finally:
                        self._hand_over()
                while request.ready:
                    on_done(request.ready.popleft())
        finally:
            self._leave(request)
        if request.error is not None:
            raise request.error

    def _take_over(self, request: Request) -> bool:
        """Wait until there is something to tell, or the work is this thread's to do; whether it is."""
        with self._changed:
            self._changed.wait_for(lambda: request.is_over or request.ready or not self._working)
            if request.is_over or self._working:
                return False
            self._working = True
            return True

    def _hand_over(self) -> None:
        with self._changed:
            self._working = False
            self._changed.notify_all()

    def _leave(self, request: Request) -> None:
        """Forget a request; what of it is in a search is taken out by whoever works next."""
        with self._changed:
            request.waiting.clear()
            self._requests.remove(request)
            if not any(each.owner == request.owner for each in self._requests):
                del self._shares[request.owner]
            if not self._requests and not self._working:
                self._searches.clear()

    # What the one at work does

    def _turn(self) -> None:
        """One step of every search, with the places filled before."""
        try:
            self._drop_cancelled()
            for beam in {request.beam for request in self._current()} | set(self._searches):
                self._advance(beam)
        except BaseException as error:
            # Whatever broke, nobody may wait for ever; the searches may be half done.
            with self._changed:
                self._searches.clear()
                for request in self._requests:
                    request.error = request.error or error
            raise

    def _current(self) -> list[Request]:
        with self._changed:
            return list(self._requests)

    def _drop_cancelled(self) -> None:
        for request in self._current():
            if request.error is None and request.cancelled():
                with self._changed:
                    request.error = CancelledError()
                    request.waiting.clear()

    def _advance(self, beam: int) -> None:
        requests = [request for request in self._current() if request.beam == beam]
        if beam not in self._searches:
            candidates = min(candidates_of(beam), self._graphs.allowed)
            places = Places(self._graphs, beam, candidates, self._limits.batch_sentences)
            self._searches[beam] = Search(places, self._vocabulary)
        search = self._searches[beam]
        wanted = {sentence for request in requests if request.error is None for sentence in request.at_work}
        for sentence in [each for each in search.sentences if each not in wanted]:
            search.remove(sentence)
        chosen = self._choose(requests, search)
        if chosen:
            search.add(chosen)
        finished = search.step() if search.sentences else []
        if not search.sentences:
            del self._searches[beam]  # with its caches
        with self._changed:
            for request in requests:
                done = [sentence for sentence in finished if sentence in request.at_work]
                request.at_work.difference_update(done)
                request.ready.extend(done)
            if finished:
                self._changed.notify_all()

    def _choose(self, requests: Sequence[Request], search: Search) -> list[Sentence]:
        """The sentences that enter the search now, the fair ones first."""
        limits, count = self._limits, len(search.sentences)
        newcomer = any(request.waiting and not request.at_work and not request.background for request in requests)
        if count > REFILL_BELOW * limits.batch_sentences and not newcomer:
            return []
        longest = max((len(sentence.source) for sentence in search.sentences), default=0)
        chosen: list[Sentence] = []
        with self._changed:
            while count + len(chosen) < limits.batch_sentences:
                request = self._next(requests)
                if request is None:
                    break
                sentence = request.waiting[0]
                longest = max(longest, len(sentence.source))
                if (count + len(chosen)) and longest * (count + len(chosen) + 1) > limits.batch_pieces:
                    break
                chosen.append(request.waiting.popleft())
                request.at_work.add(sentence)
                self._shares[request.owner] += len(sentence.source) * (BACKGROUND_COUNTS if request.background else 1)
        return chosen

    def _next(self, requests: Sequence[Request]) -> Request | None:
        waiting = [request for request in requests if request.waiting and request.error is None]
        return min(waiting, key=lambda each: (self._shares[each.owner], each.background), default=None)
