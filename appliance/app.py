"""The appliance: the one place where the parts are put together. `webui/` and `cli.py` talk to it only."""

from __future__ import annotations

import hashlib
import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from appliance import __version__
from appliance.advice.answers import AnswerService
from appliance.advice.articles import Article, read_articles
from appliance.advice.asking import Back, ask_back, read_things
from appliance.advice.claims import Reading
from appliance.advice.community import Community
from appliance.advice.elsewhere import read_elsewhere
from appliance.advice.library import Library, Volume
from appliance.advice.season import Season
from appliance.advice.service import Answer
from appliance.advice.tree_files import FOLDER as TREES
from appliance.advice.tree_files import read_trees
from appliance.advice.trees import Checks
from appliance.advice.village_pack import KIND as KNOWLEDGE
from appliance.advice.village_pack import VillagePack, name_of, read_pack, try_out
from appliance.bringing import UNATTENDED as UNATTENDED
from appliance.bringing import Bringing
from appliance.config import Config
from appliance.drafting.kinds import Kind
from appliance.drafting.service import DraftingService
from appliance.errors import (
    BarazaError,
    ContributionsSetAsideError,
    DocumentsLastCopyError,
    KnowledgeError,
    LanguageNotRecognisedError,
    PackNotInstalledError,
    PinDamagedError,
    StorageError,
)
from appliance.giving import Giving
from appliance.health.doctor import examine_machine, examine_packs
from appliance.health.finding import Finding
from appliance.inference import memory, providers, session
from appliance.inference.active import ActiveEmbedder
from appliance.inference.apart import Apart
from appliance.inference.engines import Engines, Openers, ignore, never
from appliance.inference.job import Job
from appliance.inference.keeping import Keeping
from appliance.inference.kept import Form, Task
from appliance.inference.queue import Context, JobQueue
from appliance.inference.selftest import check
from appliance.inference.shown import shown
from appliance.inference.threads import open_translator
from appliance.keeper.pin import KEEPER, KeeperPin, Standing
from appliance.limits import LIMITS, Limits
from appliance.packs import lan
from appliance.packs.bring import Install
from appliance.packs.copying import Progress
from appliance.packs.lan import Neighbour
from appliance.packs.look import Box
from appliance.packs.manifest import MANIFEST, NAME
from appliance.packs.onward import Exportable, Onward
from appliance.packs.own import BOX, OwnRoot
from appliance.packs.sharing import Sharing
from appliance.packs.shelf import Shelf
from appliance.packs.store import InstalledPack, PackStore, verify
from appliance.packs.trust import CLOCK, TRUST, Trust, development_root
from appliance.packs.trusted_time import TrustedTime
from appliance.packs.unattended import News
from appliance.packs.usb import Sticks
from appliance.sensors import inbox
from appliance.storage.contributions import CONTRIBUTIONS, Contributions, Village, read_village
from appliance.storage.documents import DOCUMENTS, Document, Documents
from appliance.storage.journal import Happening
from appliance.storage.lock import FolderLock, lock_folder
from appliance.translation import numbers, sentences
from appliance.translation.languages import LanguageDetector
from appliance.translation.routes import ways_of
from appliance.translation.service import TranslationService, pack_translation, unpack_translation

T = TypeVar("T")

log = logging.getLogger(__name__)

ADVICE = "advice"  # the folder of what is kept for finding articles
KINDS = Path(__file__).parent / "drafting" / "kinds"


class Appliance:
    """A box that is switched on. What is broken is left out and told in `problems`; the rest works."""

    def __init__(self, config: Config, limits: Limits = LIMITS, *, apart: bool = False) -> None:
        """With `apart`, translators work in a process of their own, as is best for a box that serves phones."""
        self.config, self.limits = config, limits
        self.problems: list[BarazaError] = []
        self.queue = JobQueue(limits, lanes=config.lanes)
        self.packs = PackStore(config.packs, config.data / "packs", limits)
        self.provider = providers.choose(config.provider)
        session.use(self.provider)
        budget = memory.budget(config.memory, memory.measure())
        self.apart = Apart()
        open_ = self.apart.open_translator if apart else open_translator
        self.engines = Engines(budget, config.threads, limits, Openers(translation=open_))
        self._refreshing = threading.Lock()
        self._of_packs: list[BarazaError] = []  # those of `problems` that are of packs
        self._verified: dict[Path, InstalledPack] = {}
        self._stamp = self.packs.stamp()
        self._active = self.packs.active()
        whole = self._whole_packs()
        self.translation = TranslationService(whole, self.engines, _detector(whole), self.queue, config.beam, limits)
        self.installs = JobQueue(limits)  # of its own, so that phones are served meanwhile; one at a time
        self.sticks = Sticks(config.sticks, limits)
        articles = read_articles(config.knowledge, limits, self._note)
        elsewhere = self._try(lambda: read_elsewhere(config.knowledge, limits)) or {}
        model = ActiveEmbedder(self.engines, self._embedding_pack)
        self.library = Library(articles, elsewhere, model, config.data / ADVICE, limits)
        self.advice = self.library.service
        self.checks = Checks(read_trees(config.knowledge / TREES, articles, limits, self._note))
        self._things = self._try(lambda: read_things(config.knowledge, limits)) or ()
        reading = Reading(numbers.plain, numbers.find, sentences.split)
        self.answers = AnswerService(self._writing_pack, self.engines, self.queue, reading, limits)
        self.drafting = DraftingService(KINDS, limits)
        self.keeping = Keeping(config.data, limits, self.queue, self._note)
        self.keeper = KeeperPin(config.data / KEEPER, limits)
        self.season = Season(config, articles, lambda: self.keeping.journal, limits, self._note)
        self._lock: FolderLock | None = None
        self._stopping = threading.Event()
        self._warming: threading.Thread | None = None
        self._tending: threading.Thread | None = None
        self._renewing = threading.Lock()
        self._learning: threading.Thread | None = None
        self._renew_knowledge(prepared=False)

    def start(self) -> None:
        """Begin to work on jobs, as the only process on the data folder.

        Raises:
            StorageError: another process works on it.
        """
        self._lock = lock_folder(self.config.data)
        self._try(self._look_at_pin)
        self.keeping.open(lambda: self.documents, self._forms)
        self._try(self._open_community)
        self.queue.start()
        self._warming = threading.Thread(target=self._warm, name="baraza-warming", daemon=True)
        self._warming.start()
        self.installs.start()
        self._tending = threading.Thread(target=self._tend, name="baraza-packs", daemon=True)
        self._tending.start()

    def close(self) -> None:
        """Stop working; the job in hand is cancelled, and so is an installation."""
        self._stopping.set()
        if "sharing" in self.__dict__:  # it was needed
            self.sharing.close()
        self.installs.close()
        if self._tending is not None:
            self._tending.join()
        self.queue.close()
        self.engines.close()
        self.apart.close()
        for thread in (self._warming, self._learning):
            if thread is not None:
                thread.join()
        if self._lock is not None:
            TrustedTime(self.config.data / TRUST / CLOCK).ran()
            self.keeping.close()
            self._lock.release()

    @cached_property
    def trust(self) -> Trust:
        """Whose packs this box takes. Raises RootError: the setting of the development root names no root."""
        root = development_root(self.config.development_root)
        return Trust(self.config.data / TRUST, self.limits, development=root)

    @cached_property
    def documents(self) -> Documents:
        """Opened when first needed: the commands that need none must not touch the file of a box at work."""
        return Documents(self.config.data / DOCUMENTS, self.limits, room=self.keeping.room)

    def restore_documents(self) -> int:
        """Bring the documents of the last good copy back; how many they are. Raises NoLastCopyError, StorageError."""
        back = self.documents.restore_last()
        self.problems = [each for each in self.problems if not isinstance(each, DocumentsLastCopyError)]
        self.keeping.tell_of(self.documents)
        return back

    # What a keeper does

    def note(self, event: str, **about: str | int) -> None:
        """Write down in the journal what happened to the box, as far as it can be written."""
        journal = self.keeping.journal
        if journal is None:
            return
        try:
            journal.note(event, **about)
        except StorageError as error:
            log.warning("%s", error)

    def history(self, most: int = 100) -> list[Happening]:
        """What happened to the box, the newest first. Raises StorageError."""
        journal = self.keeping.journal
        return journal.history(most) if journal else []

    def findings(self) -> list[Finding]:
        """How the machine is, as far as it can be told in a moment."""
        return examine_machine(self.config, self.limits)

    def submit_examination(self, owner: str) -> Job:
        """A job of the queue `installs` that reads every pack to its end and puts every model to its self-test.

        It ends in a tuple of `Finding`. Raises QueueError.
        """

        def work(context: Context) -> tuple[Finding, ...]:
            return examine_packs(self.packs, self._try_out, context.progress, context.cancelled, self.limits)

        return self.installs.submit(owner, "examination", work, cost=1, hold_for=owner)

    def _try_out(self, pack: InstalledPack, cancelled: Callable[[], bool]) -> None:
        """Raises what speaks against `pack`, which is in use and stays so."""
        _check(pack, self.engines, cancelled)

    # Requests that were left with the box

    def run_again(self, job_id: str) -> Job:
        """Put a request that was left with the box, and is over, in the queue anew, in the place of the old one.

        Raises:
            JobLostError, JobGoneError: there is no such request (any more).
            QueueError: the box has no room for it now. The old one stays.
            BarazaError: what was asked for cannot be done any more.
        """
        old = self.queue.get(job_id)
        if not old.held_for or not old.is_over:
            return old
        job = self._put(old.owner, self._forms[old.kind].task(old.request), old.held_for)
        self.queue.forget(old.id)
        return job

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

    def submit_install(
        self, owner: str, source: Path | Callable[[], AbstractContextManager[Path]], expected: str | None = None
    ) -> Job:
        """A job of the queue `installs` that ends in the `InstalledPack`, in use; it goes on though nobody looks.

        Its events are `progress` (bytes, with the `seconds` left once they are known), then `opening`: it is tried out.

        Args:
            owner: who asked for it.
            source: an archive or a folder, or what gives one for as long as the job is at work on it.
            expected: the sha256 that its `pack.toml` must have.

        Raises QueueError.
        """
        opened = (lambda: nullcontext(source)) if isinstance(source, Path) else source

        def work(context: Context) -> InstalledPack:
            with opened() as path:
                return self.install(
                    path, shown(context), expected=expected, cancelled=context.cancelled, on_trial=context.opening
                )

        request = {"source": source.name} if isinstance(source, Path) else {}
        return self.installs.submit(owner, "install", work, cost=1, request=request, hold_for=owner)

    def install(
        self,
        source: Path,
        progress: Progress | None = None,
        *,
        expected: str | None = None,
        cancelled: Callable[[], bool] = never,
        on_trial: Callable[[], None] = ignore,
    ) -> InstalledPack:
        """Install a pack, try it out, and work with it from now on. Raises as `PackStore.install` and its self-test.

        `on_trial` is called when it is copied, before it is tried out.
        """

        def selftest(pack: InstalledPack) -> None:
            on_trial()
            self._selftest(pack, cancelled)

        pack = self.packs.install(source, progress, expected=expected, selftest=selftest, cancelled=cancelled)
        self._verified[pack.path] = pack
        self.note("installed", pack=pack.name)
        self.refresh()
        return pack

    def rollback(self, name: str) -> InstalledPack:
        """Work with the version of pack `name` before this one. Raises as `PackStore.rollback`."""
        pack = self.packs.rollback(name)
        self.refresh()
        return pack

    def refresh(self) -> None:
        """Work with the packs that are in use now. Who is at work finishes with those of before.

        Engines of packs that were replaced are closed once they are idle, those of new ones opened if memory is free,
        and versions that nobody needs any more are removed.
        """
        with self._refreshing:
            self._stamp, before = self.packs.stamp(), self._active
            self._active = self.packs.active()
            self.problems = [problem for problem in self.problems if problem not in self._of_packs]
            self._of_packs = []
            whole = self._whole_packs()
            self.translation.replace(whole, _detector(whole))
            at_work = {pack.path: pack for pack in (*self.translation.packs_at_work(), *self._active)}
            self.engines.employ(at_work.values())
            self.engines.retire(pack for pack in before if pack.path not in at_work)
            if _knowledge(before) != _knowledge(self._active):
                self._renew_knowledge()
            self._warm()
            self._try(lambda: self.packs.tidy(at_work))

    # Sticks, and what is at other places

    def box(self) -> Box:
        """What this box has room for now."""
        there = next(folder for folder in (self.config.data, *self.config.data.parents) if folder.is_dir())
        return Box(self.engines.use().budget, shutil.disk_usage(there).free, __version__)

    def look(self, place: str) -> tuple[Shelf, ...]:
        """What is at `place` (the name of a stick, a folder, http://…), and what it would change; nothing is installed.

        Raises AddressError, RepositoryError: there is nothing at all; a repository that is refused is in the answer.
        """
        return self._bringing.look(place)

    def submit_bring(self, owner: str, place: str, names: Sequence[str] = ()) -> Job:
        """A job of the queue `installs` that installs `names` from `place`, without names all that is new or newer.

        It ends in a tuple of `InstalledPack`. What is at `place` is looked at anew. The events are those of
        `submit_install`, their bytes those of all the packs. One that fails ends it; the packs before it stay.

        Raises QueueError.
        """
        return self._bringing.submit(owner, place, names)

    def stick_news(self) -> tuple[News, ...]:
        """What became of sticks that were plugged in while nobody looked, the newest first. Raises StorageError."""
        return self._bringing.news()

    def look_at_sticks(self) -> None:
        """See to the sticks that were plugged in since the last look, if a publisher may bring packs unattended.

        For each there is a job of the queue `installs` then, whose owner is UNATTENDED. Raises QueueError, RootError.
        """
        self._bringing.look_at_sticks()

    @cached_property
    def _bringing(self) -> Bringing:
        """Raises RootError, as `trust`."""
        return Bringing(
            self.trust,
            self.packs,
            self.sticks,
            self.installs,
            self.box,
            self._brought,
            lambda: self.keeping.journal,
            self.limits,
        )

    def _brought(self, context: Context) -> Install:
        def install(source: Path, show: Progress, expected: str) -> InstalledPack:
            return self.install(source, show, expected=expected, cancelled=context.cancelled, on_trial=context.opening)

        return install

    # What a keeper gives away

    @cached_property
    def onward(self) -> Onward:
        """What this box can hand on, and under whose name. Raises RootError, as `trust`."""
        return Onward(self.trust, self.packs, self.config.data, self.limits)

    @cached_property
    def sharing(self) -> Sharing:
        """What other boxes in the network get. Raises RootError, as `trust`."""
        return Sharing(self.onward, self.packs, self.config.share, self.limits)

    @cached_property
    def _giving(self) -> Giving:
        return Giving(
            self.config.data, self.onward, self.trust, self.sticks, self.installs, self._make_village_pack, self.limits
        )

    def _make_village_pack(self, names: Sequence[str]) -> None:
        if self.village_pack.name in names:
            self.village_pack.renew()

    def exportable(self) -> tuple[Exportable, ...]:
        """The packs in use, and under whose name each would go to other boxes."""
        return self.village_pack.among(self._giving.exportable())

    def own_root(self) -> OwnRoot:
        """The eight words of this box, by which others take what it signs itself. Raises KeysError, StorageError."""
        return self._giving.own_root()

    def submit_export(self, owner: str, stick: str, names: Sequence[str]) -> Job:
        """A job of the queue `installs` that copies packs to a stick and ends in a tuple of `Exported`.

        Raises QueueError, StickNotFoundError; the job ends in ExportError, StickReadOnlyError or PackError if it fails.
        """
        return self._giving.submit_export(owner, stick, names)

    def submit_backup(self, owner: str, stick: str, passphrase: str) -> Job:
        """A job of the queue `installs` that backs the box up onto a stick and ends in the `Backup`.

        Raises QueueError, StickNotFoundError; the job ends in BackupError, ExportError or StorageError if it fails.
        """
        return self._giving.submit_backup(owner, stick, passphrase)

    def neighbours(self, seconds: float = lan.LISTENING) -> tuple[Neighbour, ...]:
        """The boxes that are heard in the network within so many seconds, without this one; it waits for so long."""
        return lan.neighbours(seconds, self.config.port, self.limits)

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

    def ask_back(self, answer: Answer) -> Back | None:
        """What to ask whoever asked a question that nothing answers; None if that would not help."""
        return ask_back(answer, self._things, self.limits)

    def submit_answer(self, owner: str, question: str, language: str) -> Job:
        """A job that ends in a `Written`: a short answer in `language`, of sentences that the passages support.

        Raises:
            EmptyTextError, TextTooLongError: as `ask`.
            NoModelError: no pack in use can write it, or the knowledge has nothing to write it from.
            QueueError: the box has no room for it.
        """
        return self.answers.submit(owner, self.ask(question, language))

    def prepare_advice(self) -> None:
        """Learn what the articles mean, if that was not done before; without a model they are found by words alone."""
        self.library.prepare(lambda: not self._stopping.is_set())

    def article(self, article_id: str) -> Article:
        """Raises ArticleNotFoundError."""
        return self.advice.article(article_id)

    def take_readings(self) -> None:
        """Take what `baraza readings add` left for a box at work into the journal."""
        journal = self.keeping.journal
        if journal is None:
            return
        try:
            inbox.take(self.config.data, journal.record, self.limits)
        except StorageError as error:
            log.warning("%s", error)

    # What the village knows

    @cached_property
    def community(self) -> Community:
        """What members wrote for the knowledge; opened when first needed, as `documents`. Raises StorageError."""
        kept = Contributions(self.config.data / CONTRIBUTIONS, self.limits, room=self.keeping.room)
        return Community(kept, self._knowledge_changed, self.note, self.limits)

    @cached_property
    def village_pack(self) -> VillagePack:
        """The knowledge of this village as a pack for others."""
        return VillagePack(self.packs, self._village, self.limits)

    def _village(self) -> Village:
        if "community" in self.__dict__:
            return self.community.village
        return read_village(self.config.data / CONTRIBUTIONS, self.limits)

    def _open_community(self) -> None:
        """Open it for good, and tell of a file that broke."""
        kept = self.community.kept
        if kept.set_aside is not None:
            self._note(ContributionsSetAsideError(path=str(kept.set_aside)))
        if kept.village.changes:
            self._renew_knowledge(prepared=False)  # a restore may have been finished since

    def judge_knowledge(self) -> None:
        """Ask anew who vouches for knowledge packs, once the keeper trusts a publisher with more or less."""
        if _knowledge(self._active):
            self._renew_knowledge()
            self._learn()

    def _knowledge_changed(self) -> None:
        """Search what is accepted now, at once; what it means is learned in the background. Renew what is handed on."""
        self._renew_knowledge()
        self._learn()
        name = self.village_pack.name
        if name and self.packs.find(name) is not None:  # what was taken back must not be given to others
            self._try(self.village_pack.renew)

    def _learn(self) -> None:
        """Learn what articles mean, in the background of a box at work."""
        if self._lock is not None:
            self._learning = threading.Thread(target=self.prepare_advice, name="baraza-learning", daemon=True)
            self._learning.start()

    def _renew_knowledge(self, *, prepared: bool = True) -> None:
        with self._renewing:
            village = self._village()
            volumes = [
                Volume(read_pack(pack, self.limits, self._note_article), self._is_vouched(pack))
                for pack in self._active
                if pack.manifest.kind == KNOWLEDGE and pack.manifest.name != name_of(village) and self._is_whole(pack)
            ]
            self.library.renew(volumes, village, prepared=prepared)

    def _note_article(self, error: KnowledgeError) -> None:
        """Once: a pack is read again whenever something else changes."""
        if str(error) not in map(str, self.problems):
            self._note_pack(error)

    def _is_vouched(self, pack: InstalledPack) -> bool:
        """Whether the software brought `pack`, or a publisher signed it whom the keeper trusts with every kind."""
        if pack.path.is_relative_to(self.config.packs):
            return True
        digest = hashlib.sha256((pack.path / MANIFEST).read_bytes()).hexdigest()
        with suppress(BarazaError, OSError):
            free = {root.name for root in self.trust.roots() if root.kinds is None and root.name != BOX}
            releases = (each for each in self.onward.releases() if each.name in free)
            return any(each.find(pack.manifest.name, digest) for each in releases)
        return False

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
        return self._put(owner, self._also_in(document_id, language), hold_for)

    def _also_in(self, document_id: str, language: str) -> Task:
        """What puts a document in another language, for the queue."""
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
        return Task("document", request, work, cost, self.translation.is_long(document.text))

    def _put(self, owner: str, task: Task, hold_for: str) -> Job:
        return self.queue.submit(
            owner, task.kind, task.work, task.cost, task.request, background=task.background, hold_for=hold_for
        )

    # Putting it together

    @cached_property
    def _forms(self) -> dict[str, Form]:
        """What is known of each kind of request that can be left with the box."""

        def document(request: dict[str, object]) -> Task:
            return self._also_in(str(request["document"]), str(request["language"]))

        def nothing(_: object) -> None:
            """The document has the result, and the page leads there."""

        return {
            "translation": Form(
                lambda request: self.translation.task_again(request), pack_translation, unpack_translation
            ),
            "document": Form(document, nothing, nothing),
        }

    def _whole_packs(self) -> list[InstalledPack]:
        """The translation packs in use, each file compared with its sha256 once; what is broken is told."""
        for problem in self.packs.problems():
            self._note_pack(problem)
        packs = [pack for pack in self._active if pack.manifest.kind == "translation"]
        return [pack for pack in packs if self._is_whole(pack)]

    def _is_whole(self, pack: InstalledPack) -> bool:
        if self._verified.get(pack.path) != pack:
            try:
                self._verified[pack.path] = verify(pack.path, self.limits)
            except BarazaError as error:
                self._note_pack(error)
                return False
        return True

    def _warm(self) -> None:
        """Open the translators ahead of the first phone, as far as the memory goes, and learn what articles mean."""
        for pack in self.translation.packs:
            try:
                self.engines.open_if_free(pack)
            except BarazaError as error:
                self._note_pack(error)
        self.prepare_advice()

    def _embedding_pack(self) -> InstalledPack | None:
        """The embedding pack in use that is whole."""
        packs = (pack for pack in self._active if pack.manifest.kind == "embedding")
        return next((pack for pack in packs if self._is_whole(pack)), None)

    def _writing_pack(self, language: str) -> InstalledPack | None:
        """The text-generation pack in use that is whole and writes `language`."""
        packs = (pack for pack in self._active if pack.manifest.kind == "text-generation")
        return next((pack for pack in packs if language in pack.manifest.languages and self._is_whole(pack)), None)

    def _selftest(self, pack: InstalledPack, cancelled: Callable[[], bool] = never) -> None:
        """Raises what speaks against `pack`; its engine is left open otherwise."""
        self.engines.employ([pack])
        try:
            _check(pack, self.engines, cancelled)
        except BaseException:
            self.engines.retire([pack])
            raise

    def _tend(self) -> None:
        """Finish what a cut left of an installation, then look now and then at what others did to the packs."""
        for error in self._try(lambda: self.packs.settle(self._selftest)) or []:
            self._note(error)
        self._glance()
        while not self._stopping.wait(self.limits.packs_glance_seconds):
            self._glance()

    def _glance(self) -> None:
        self._try(self.look_at_packs)
        self._try(self.look_at_sticks)
        self.take_readings()

    def look_at_packs(self) -> None:
        """Take up what another process (`baraza packs install`) put in use since the last look."""
        if self.packs.stamp() != self._stamp:
            self.refresh()

    def _look_at_pin(self) -> None:
        if self.keeper.standing() is Standing.DAMAGED:
            raise PinDamagedError(path=str(self.keeper.file.parent))

    def _try(self, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except BarazaError as error:
            self._note(error)
            return None

    def _note_pack(self, error: BarazaError) -> None:
        self._of_packs.append(error)
        self._note(error)

    def _note(self, error: BarazaError) -> None:
        log.error("%s", error)
        self.problems.append(error)


def install_pack(
    config: Config, source: Path, progress: Progress | None = None, *, expected: str | None = None
) -> InstalledPack:
    """Install a pack without a whole box: what the command line does. A box at work takes it up by itself.

    Raises as `PackStore.install` and the self-test.
    """
    session.use(providers.choose(config.provider))
    engines = Engines(memory.budget(config.memory, memory.measure()), config.threads)
    store = PackStore(config.packs, config.data / "packs")
    try:
        pack = store.install(source, progress, expected=expected, selftest=lambda pack: _check(pack, engines))
    finally:
        engines.close()
    with suppress(StorageError):  # a box at work knows best which of the old ones it still needs
        lock = lock_folder(config.data)
        try:
            store.tidy()
        finally:
            lock.release()
    return pack


def _check(pack: InstalledPack, engines: Engines, cancelled: Callable[[], bool] = never) -> None:
    """Put a pack to its self-test. Raises what speaks against it."""
    if pack.manifest.kind == KNOWLEDGE:
        try_out(pack)
    else:
        check(pack, engines, cancelled)


def _detector(packs: list[InstalledPack]) -> LanguageDetector:
    """Tells the languages of `packs` apart."""
    return LanguageDetector({language for pack in packs for way in ways_of(pack) for language in way}, _words(packs))


def _knowledge(packs: Sequence[InstalledPack]) -> set[Path]:
    return {pack.path for pack in packs if pack.manifest.kind == KNOWLEDGE}


def _words(packs: list[InstalledPack]) -> dict[str, list[str]]:
    """The words of each language, frequent ones first; a word that several packs list has the best of its ranks."""
    best: dict[str, dict[str, int]] = {}
    for pack in packs:
        for language, file in pack.manifest.translation.words.items() if pack.manifest.translation else ():
            ranks = best.setdefault(language, {})
            for rank, word in enumerate(_listed(pack.path / file)):
                ranks[word] = min(rank, ranks.get(word, rank))
    return {language: sorted(ranks, key=lambda word, of=ranks: of[word]) for language, ranks in best.items()}  # type: ignore[misc]


def _listed(path: Path) -> list[str]:
    """The words in a file of a pack; what is not UTF-8 in it must not keep the box from starting."""
    return path.read_text(encoding="utf-8", errors="replace").split()
