"""What somebody who asks is told: an extract of an article at once, and, where a model can write, a short answer.

The extract needs no model. The answer is written from the passages only; of it, a sentence at a time, only what a
passage supports is shown (`support.py`, decision 31). If nothing is, the extract is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from appliance.advice.claims import Reading, ends
from appliance.advice.prompt import messages
from appliance.advice.service import Answer, Passage
from appliance.advice.support import Grounds, Support
from appliance.advice.words import stems
from appliance.errors import NoModelError
from appliance.inference.chat import Message
from appliance.inference.engines import Engines, never
from appliance.inference.generator import Generated
from appliance.inference.job import Job
from appliance.inference.queue import Context, JobQueue
from appliance.limits import LIMITS, Limits
from appliance.packs.store import InstalledPack

KIND = "answer"  # of its jobs
SIGNS = 3  # of an article, in an extract

FindPack = Callable[[str], InstalledPack | None]
Tell = Callable[["Sentence"], None]


class Writes(Protocol):
    """What writes: a `TextGenerator`."""

    @property
    def context(self) -> int: ...
    def encode(self, messages: Sequence[Message]) -> list[int]: ...
    def generate(
        self,
        messages: Sequence[Message],
        *,
        most_tokens: int,
        cancelled: Callable[[], bool],
        on_text: Callable[[str], None],
    ) -> Generated: ...


@dataclass(frozen=True)
class Extract:
    """The lines of a passage that help first, in the language of its face: danger, name, signs, steps, help."""

    passage: Passage
    danger: str  # "" if nothing can hurt
    title: str
    signs: tuple[str, ...]
    first_steps: tuple[str, ...]
    get_help: str

    @property
    def whether_it_is(self) -> bool:
        """Whether the article is about something that may be so or not, and not about how something is done."""
        return self.passage.article.kind not in ("practice", "safety")


@dataclass(frozen=True)
class Sentence:
    """One that is shown, and what it is tied to."""

    text: str
    support: Support


@dataclass(frozen=True)
class Written:
    """A short answer: sentences that passages support; none if the model wrote nothing that they do."""

    question: str
    language: str
    passages: tuple[Passage, ...]  # it was written from
    sentences: tuple[Sentence, ...]

    def number(self, sentence: Sentence) -> int:
        """Which of the passages, from 1 on, a sentence is tied to."""
        return self.passages.index(sentence.support.passage) + 1


def extract(passage: Passage, question: str, language: str) -> Extract:
    """What of `passage` helps whoever asks `question` (in `language`): of its signs, those most like what was asked."""
    face, asked = passage.face, set(stems(question, language))
    likest = sorted(range(len(face.signs)), key=lambda place: -len(asked & set(stems(face.signs[place], language))))
    signs = tuple(face.signs[place] for place in sorted(likest[:SIGNS]))
    return Extract(passage, face.danger, face.title, signs, face.first_steps, face.get_help)


class Sieve:
    """Lets through, of a text that comes in pieces, the sentences that passages support."""

    def __init__(self, grounds: Grounds, reading: Reading, most: int, tell: Tell) -> None:
        """`tell` is given at most `most` sentences, each as soon as it is whole."""
        self._grounds, self._reading, self._most, self._tell = grounds, reading, most, tell
        self._rest = ""
        self.sentences: list[Sentence] = []

    def add(self, text: str) -> None:
        """The next piece of the text."""
        self._rest += text
        whole = self._whole()
        self._check(self._rest[:whole])
        self._rest = self._rest[whole:]

    def end(self, *, broken_off: bool) -> None:
        """The text is over. What comes last is no sentence if it was broken off."""
        if not broken_off or ends(self._rest):
            self._check(self._rest)
        self._rest = ""

    def _whole(self) -> int:
        """How many characters of the rest are sentences that nothing can be added to."""
        pieces = self._reading.split(self._rest)
        place = whole = 0
        for piece in pieces[:-1]:
            place += len(piece.before + piece.sentence + piece.after)
            if not piece.sentence or ends(piece.sentence):
                whole = place
        return whole

    def _check(self, text: str) -> None:
        for sentence in self._reading.sentences(text):
            if len(self.sentences) == self._most:
                return
            support = self._grounds.support(sentence)
            shown = sentence if ends(sentence) else f"{sentence}."
            if support is not None and shown not in (each.text for each in self.sentences):
                self.sentences.append(Sentence(shown, support))
                self._tell(self.sentences[-1])


def write(
    generator: Writes,
    answer: Answer,
    reading: Reading,
    limits: Limits = LIMITS,
    *,
    cancelled: Callable[[], bool] = never,
    tell: Tell = lambda _: None,
) -> Written:
    """A short answer to the question of `answer`, from its passages; `tell` is given each sentence as it is ready.

    Raises:
        CancelledError: `cancelled()` was true.
    """
    passages = _to_write_from(answer)[: limits.written_passages]
    sieve = Sieve(Grounds(passages, answer.language, reading), reading, limits.written_sentences, tell)
    room = generator.context - limits.written_tokens
    prompt = next((each for each in messages(answer, passages) if len(generator.encode(each)) <= room), None)
    if prompt is not None:
        most = limits.written_tokens
        written = generator.generate(prompt, most_tokens=most, cancelled=cancelled, on_text=sieve.add)
        sieve.end(broken_off=written.reason in ("length", "loop"))
    return Written(answer.question, answer.language, passages, tuple(sieve.sentences))


def _to_write_from(answer: Answer) -> tuple[Passage, ...]:
    """The passages to write from: in the language of the answer, and none of what the village wrote itself."""
    fitting = (each for each in answer.passages if each.article.by is None)
    return tuple(each for each in fitting if each.article.language_of_face(answer.language) == answer.language)


class AnswerService:
    """Written answers, as jobs of the queue."""

    def __init__(
        self, find: FindPack, engines: Engines, queue: JobQueue, reading: Reading, limits: Limits = LIMITS
    ) -> None:
        """`find` gives the pack in use that writes a language, if there is one."""
        self._find, self._engines, self._queue = find, engines, queue
        self._reading, self._limits = reading, limits

    def can_write(self, answer: Answer) -> bool:
        """Whether a short answer can be written: there is a passage, and a pack that knows its language."""
        return bool(_to_write_from(answer)) and self._find(answer.language) is not None

    def submit(self, owner: str, answer: Answer) -> Job:
        """A job that ends in a `Written`; its events are `text`, a sentence each.

        It gives way to short work, and has one turn: the model holds its memory while it writes.

        Raises:
            NoModelError: `can_write` is not so.
            QueueError: the box has no room for it.
        """
        pack = self._find(answer.language) if self.can_write(answer) else None
        if pack is None:
            raise NoModelError(kind="text-generation")

        def work(context: Context) -> Written:
            with self._engines.generator(pack, cancelled=context.cancelled, on_wait=context.opening) as generator:
                return write(
                    generator,
                    answer,
                    self._reading,
                    self._limits,
                    cancelled=context.cancelled,
                    tell=lambda each: context.text(text=f"{each.text} ", article=each.support.passage.article.id),
                )

        request = {"question": answer.question, "language": answer.language}
        return self._queue.submit(owner, KIND, work, self._limits.written_tokens, request, background=True)
