"""The appliance: the one place where the parts are put together. `webui/` and `cli.py` talk to it only."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from appliance.advice.articles import Article, read_articles
from appliance.advice.service import AdviceService, Answer
from appliance.config import Config
from appliance.drafting.kinds import Kind
from appliance.drafting.service import DraftingService
from appliance.errors import BarazaError, DocumentsSetAsideError, LanguageNotRecognisedError, PackNotInstalledError
from appliance.inference import memory, providers, session
from appliance.inference.engines import Engines, Openers
from appliance.inference.job import Job
from appliance.inference.queue import Context, JobQueue
from appliance.inference.threads import open_translator
from appliance.limits import LIMITS, Limits
from appliance.packs.manifest import NAME
from appliance.packs.store import InstalledPack, PackStore, verify
from appliance.storage.documents import DOCUMENTS, Document, Documents
from appliance.storage.lock import FolderLock, lock_folder
from appliance.translation.languages import LanguageDetector
from appliance.translation.routes import ways_of
from appliance.translation.service import TranslationService

T = TypeVar("T")

log = logging.getLogger(__name__)

KINDS = Path(__file__).parent / "drafting" / "kinds"


class Appliance:
    """A box that is switched on. What is broken is left out and told in `problems`; the rest works."""

    def __init__(self, config: Config, limits: Limits = LIMITS) -> None:
        self.config, self.limits = config, limits
        self.problems: list[BarazaError] = []
        self.queue = JobQueue(limits, lanes=config.lanes)
        self.packs = PackStore(config.packs, config.data / "packs", limits)
        self.provider = providers.choose(config.provider)
        session.use(self.provider)
        budget = memory.budget(config.memory, memory.measure())
        self.engines = Engines(budget, config.threads, limits, Openers(translation=open_translator))
        self.translation = self._open_translation()
        self.advice = AdviceService(read_articles(config.knowledge, limits, self._note), limits)
        self.drafting = DraftingService(KINDS, limits)
        self._lock: FolderLock | None = None
        self._warming: threading.Thread | None = None

    def start(self) -> None:
        """Begin to work on jobs, as the only process on the data folder.

        Raises:
            StorageError: another process works on it.
        """
        self._lock = lock_folder(self.config.data)
        # A card that lost its documents must not take translation and advice with it.
        opened = self._try(lambda: self.documents)
        if opened and opened.set_aside:
            self._note(DocumentsSetAsideError(path=str(opened.set_aside)))
        self.queue.start()
        self._warming = threading.Thread(target=self._warm, name="baraza-warming", daemon=True)
        self._warming.start()

    def close(self) -> None:
        """Stop working; the job in hand is cancelled."""
        self.queue.close()
        self.engines.close()
        if self._warming is not None:
            self._warming.join()
        if self._lock is not None:
            self._lock.release()

    @cached_property
    def documents(self) -> Documents:
        """Opened when first needed: the commands that need none must not touch the file of a box at work."""
        return Documents(self.config.data / DOCUMENTS, self.limits)

    # Translation

    def submit_translation(self, owner: str, text: str, source: str, target: str, hold_for: str = "") -> Job:
        """A job that ends in a `Translation`; `source` "" is recognised. Raises as `TranslationService.submit`."""
        return self.translation.submit(owner, text, source, target, hold_for)

    # Packs

    def pack(self, name: str) -> InstalledPack:
        """The version of pack `name` in use. Raises PackNotInstalledError."""
        found = self.packs.find(name) if NAME.fullmatch(name) else None
        if found is None:
            raise PackNotInstalledError(pack=name)
        return found

    def card(self, pack: InstalledPack) -> str:
        """What `pack` says of itself in Markdown; "" if it has no card that can be read."""
        if not pack.manifest.card:
            return ""
        try:
            with (pack.path / pack.manifest.card).open("rb") as file:
                return file.read(self.limits.article_bytes).decode("utf-8", errors="replace")
        except OSError:
            return ""

    # Advice

    def ask(self, question: str, language: str) -> Answer:
        """The answer in `language`, which is the page's; the question may be in another that the knowledge has.

        Raises EmptyTextError, TextTooLongError.
        """
        answer = self.advice.ask(question, language)
        if not answer.abstained:
            return answer
        try:
            asked_in = self.translation.detect(question)
        except LanguageNotRecognisedError:
            return answer
        if asked_in == language or asked_in not in self.advice.languages:
            return answer
        other = self.advice.ask(question, asked_in, shown_in=language)
        return answer if other.abstained else other

    def article(self, article_id: str) -> Article:
        """Raises ArticleNotFoundError."""
        return self.advice.article(article_id)

    # Documents

    def kinds(self) -> tuple[Kind, ...]:
        return self.drafting.kinds()

    def draft(self, owner: str, kind: str, answers: dict[str, str], language: str) -> Document:
        """Write a document from the answers of a form and keep it.

        Raises:
            UnknownKindError, MissingAnswersError, TextTooLongError: the form is not as it should be.
            StorageError: it could not be kept.
        """
        cleaned = self.drafting.check(kind, answers)
        draft = self.drafting.write(kind, cleaned, language)
        return self.documents.create(owner, kind, language, draft.title, cleaned, draft.text)

    def submit_also_in(self, owner: str, document_id: str, language: str, hold_for: str = "") -> Job:
        """A job that puts the document in `language` beside it, and ends in the `Document`.

        A document as the form wrote it gets the form's own wording in that language, if it has one, with the
        answers that are sentences translated; any other document is translated as it stands. `hold_for`: the device
        that leaves the request with the box, as `JobQueue.submit` says.

        Raises:
            DocumentNotFoundError, UnknownLanguagePairError, QueueError
        """
        document = self.documents.get(document_id)
        way = (document.language, language)
        cost = self.translation.cost(document.text, *way)

        def work(context: Context) -> Document:
            def translate(text: str) -> str:
                context.breathe()
                done = self.translation.translate(
                    text,
                    *way,
                    cancelled=context.cancelled,
                    on_wait=context.opening,
                    between_parts=context.breathe,
                    others_wait=context.others_wait,
                    owner=context.owner,
                    background=context.background,
                )
                return done.text

            return self.documents.update(
                document_id, translations={**document.translations, language: other(translate)}
            )

        def other(translate: Callable[[str], str]) -> str:
            written = self.drafting.write(document.kind, document.answers, document.language).text
            if document.text == written and language in self.drafting.kind(document.kind).words:
                return self.drafting.also_in(document.kind, document.answers, language, translate).text
            return translate(document.text)

        request = {"document": document_id, "language": language, "title": document.title}
        background = self.translation.is_long(document.text)
        return self.queue.submit(
            owner, "document", work, cost=cost, request=request, background=background, hold_for=hold_for
        )

    # Putting it together

    def _open_translation(self) -> TranslationService:
        for problem in self.packs.problems():
            self._note(problem)
        packs = [pack for pack in self.packs.active() if pack.manifest.kind == "translation"]
        whole = [found for pack in packs if (found := self._try(lambda pack=pack: verify(pack.path, self.limits)))]  # type: ignore[misc]
        languages = {language for pack in whole for way in ways_of(pack) for language in way}
        detector = LanguageDetector(languages, _words(whole))
        return TranslationService(whole, self.engines, detector, self.queue, self.config.beam, self.limits)

    def _warm(self) -> None:
        """Open the translators ahead of the first phone, as far as the memory goes, while the pages are served."""
        for pack in self.translation.packs:
            self._try(lambda pack=pack: self.engines.open_if_free(pack))  # type: ignore[misc]

    def _try(self, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except BarazaError as error:
            self._note(error)
            return None

    def _note(self, error: BarazaError) -> None:
        log.error("%s", error)
        self.problems.append(error)


def _words(packs: list[InstalledPack]) -> dict[str, list[str]]:
    """The words of each language, frequent ones first; a word that several packs list has the best of its ranks."""
    best: dict[str, dict[str, int]] = {}
    for pack in packs:
        for language, file in pack.manifest.translation.words.items() if pack.manifest.translation else ():
            ranks = best.setdefault(language, {})
            for rank, word in enumerate((pack.path / file).read_text(encoding="utf-8").split()):
                ranks[word] = min(rank, ranks.get(word, rank))
    return {language: sorted(ranks, key=lambda word, of=ranks: of[word]) for language, ranks in best.items()}  # type: ignore[misc]
