"""The appliance: the one place where the parts are put together. `webui/` and `cli.py` talk to it only."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

from appliance import __version__
from appliance.advice.answers import AnswerService
from appliance.advice.claims import Reading
from appliance.advice.service import Answer
from appliance.advice.village_pack import KIND as KNOWLEDGE
from appliance.also_in import AlsoIn
from appliance.bringing import UNATTENDED as UNATTENDED
from appliance.bringing import Bringing
from appliance.config import Config
from appliance.drafting.kinds import Kind
from appliance.drafting.service import DraftingService
from appliance.errors import (
    BarazaError,
    DocumentsLastCopyError,
    LanguageNotRecognisedError,
    PackNotInstalledError,
    PinDamagedError,
)
from appliance.giving import Giving
from appliance.health.doctor import examine_machine, examine_packs
from appliance.health.finding import Finding
from appliance.in_use import PacksInUse
from appliance.in_use import install_pack as install_pack
from appliance.inference import memory, providers, session
from appliance.inference.active import ActiveEmbedder
from appliance.inference.apart import Apart
from appliance.inference.engines import Engines, Openers, ignore, never
from appliance.inference.job import Job
from appliance.inference.keeping import Keeping
from appliance.inference.kept import Form, Task
from appliance.inference.queue import Context, JobQueue
from appliance.inference.shown import shown
from appliance.inference.threads import open_translator
from appliance.keeper.pin import KEEPER, KeeperPin, Standing
from appliance.knowing import Knowing
from appliance.limits import LIMITS, Limits
from appliance.packs import lan
from appliance.packs.bring import Install
from appliance.packs.copying import Progress
from appliance.packs.lan import Neighbour
from appliance.packs.look import Box
from appliance.packs.manifest import NAME
from appliance.packs.onward import Exportable, Onward
from appliance.packs.own import OwnRoot
from appliance.packs.sharing import Sharing
from appliance.packs.shelf import Shelf
from appliance.packs.store import InstalledPack, PackStore
from appliance.packs.trust import CLOCK, TRUST, Trust, development_root
from appliance.packs.trusted_time import TrustedTime
from appliance.packs.unattended import News
from appliance.packs.usb import Sticks
from appliance.storage.documents import DOCUMENTS, Document, Documents
from appliance.storage.journal import Happening
from appliance.storage.lock import FolderLock, lock_folder
from appliance.translation import numbers, sentences
from appliance.translation.detection import detector_of
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
        self._problems: list[BarazaError] = []
        self._refreshing = threading.Lock()
        self.queue = JobQueue(limits, lanes=config.lanes)
        self.provider = providers.choose(config.provider)
        session.use(self.provider)
        budget = memory.budget(config.memory, memory.measure())
        self.apart = Apart()
        open_ = self.apart.open_translator if apart else open_translator
        self.engines = Engines(budget, config.threads, limits, Openers(translation=open_))
        self.packs = PackStore(config.packs, config.data / "packs", limits)
        self.in_use = PacksInUse(self.packs, self.engines, limits)
        whole = self.in_use.whole("translation")
        self.translation = TranslationService(whole, self.engines, detector_of(whole), self.queue, config.beam, limits)
        self.installs = JobQueue(limits)  # of its own, so that phones are served meanwhile; one at a time
        self.sticks = Sticks(config.sticks, limits)
        self.keeping = Keeping(config.data, limits, self.queue, self._tell)
        self.keeper = KeeperPin(config.data / KEEPER, limits)
        model = ActiveEmbedder(self.engines, lambda: self.in_use.first("embedding"))
        self.knowing = Knowing(config, self.in_use, model, self.keeping, lambda: self.onward, self._tell, limits)
        reading = Reading(numbers.plain, numbers.find, sentences.split)
        writing = partial(self.in_use.first, "text-generation")
        self.answers = AnswerService(writing, self.engines, self.queue, reading, limits)
        self.drafting = DraftingService(KINDS, limits)
        self._lock: FolderLock | None = None
        self._stopping = threading.Event()
        self._warming: threading.Thread | None = None
        self._tending: threading.Thread | None = None

    @property
    def problems(self) -> list[BarazaError]:
        """What is broken, of the box and of its packs."""
        return [*self._problems, *self.in_use.problems]

    def start(self) -> None:
        """Begin to work on jobs, as the only process on the data folder.

        Raises:
            StorageError: another process works on it.
        """
        self._lock = lock_folder(self.config.data)
        self._try(self._look_at_pin)
        self.keeping.open(lambda: self.documents, self._forms)
        self._try(self.knowing.open)
        self.queue.start()
        self._warming = threading.Thread(target=self._warm, name="baraza-warming", daemon=True)
        self._warming.start()
        self.installs.start()
        self._tending = threading.Thread(target=self._tend, name="baraza-packs", daemon=True)
        self._tending.start()

    def close(self) -> None:
        """Stop working; the job in hand is cancelled, and so is an installation."""
        self._stopping.set()
        self.knowing.stop()
        if "sharing" in self.__dict__:  # it was needed
            self.sharing.close()
        self.installs.close()
        if self._tending is not None:
            self._tending.join()
        self.queue.close()
        self.engines.close()
        self.apart.close()
        if self._warming is not None:
            self._warming.join()
        self.knowing.close()
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
        self._problems = [each for each in self._problems if not isinstance(each, DocumentsLastCopyError)]
        self.keeping.tell_of(self.documents)
        return back

    # What a keeper does

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
            return examine_packs(self.packs, self.in_use.try_out, context.progress, context.cancelled, self.limits)

        return self.installs.submit(owner, "examination", work, cost=1, hold_for=owner)

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
        pack = self.in_use.install(source, progress, expected=expected, cancelled=cancelled, on_trial=on_trial)
        self.keeping.note("installed", pack=pack.name)
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
            before = self.in_use.active
            self.in_use.renew()
            whole = self.in_use.whole("translation")
            self.translation.replace(whole, detector_of(whole))
            at_work = {pack.path: pack for pack in (*self.translation.packs_at_work(), *self.in_use.active)}
            self.engines.employ(at_work.values())
            self.engines.retire(pack for pack in before if pack.path not in at_work)
            if _knowledge(before) != _knowledge(self.in_use.active):
                self.knowing.renew()
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
        if self.knowing.village_pack.name in names:
            self.knowing.village_pack.renew()

    def exportable(self) -> tuple[Exportable, ...]:
        """The packs in use, and under whose name each would go to other boxes."""
        return self.knowing.village_pack.among(self._giving.exportable())

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
        advice = self.knowing.advice
        answer = advice.ask(question, language)
        if not answer.abstained:
            return answer
        try:
            asked_in = self.translation.detect(question)
        except LanguageNotRecognisedError:
            return answer
        if asked_in == language or asked_in not in advice.languages:
            return answer
        other = advice.ask(question, asked_in, shown_in=language)
        return answer if other.abstained else other

    def submit_answer(self, owner: str, question: str, language: str) -> Job:
        """A job that ends in a `Written`: a short answer in `language`, of sentences that the passages support.

        Raises:
            EmptyTextError, TextTooLongError: as `ask`.
            NoModelError: no pack in use can write it, or the knowledge has nothing to write it from.
            QueueError: the box has no room for it.
        """
        return self.answers.submit(owner, self.ask(question, language))

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

        `hold_for`: the device that leaves the request with the box, as `JobQueue.submit` says.

        Raises:
            DocumentNotFoundError, UnknownLanguagePairError, QueueError
        """
        return self._put(owner, self._also_in().task(document_id, language), hold_for)

    def _also_in(self) -> AlsoIn:
        return AlsoIn(lambda: self.documents, self.drafting, self.translation)

    def _put(self, owner: str, task: Task, hold_for: str) -> Job:
        return self.queue.submit(
            owner, task.kind, task.work, task.cost, task.request, background=task.background, hold_for=hold_for
        )

    # Putting it together

    @cached_property
    def _forms(self) -> dict[str, Form]:
        """What is known of each kind of request that can be left with the box."""

        def document(request: dict[str, object]) -> Task:
            return self._also_in().task(str(request["document"]), str(request["language"]))

        def nothing(_: object) -> None:
            """The document has the result, and the page leads there."""

        return {
            "translation": Form(
                lambda request: self.translation.task_again(request), pack_translation, unpack_translation
            ),
            "document": Form(document, nothing, nothing),
        }

    def _warm(self) -> None:
        """Open the translators ahead of the first phone, as far as the memory goes, and learn what articles mean."""
        for pack in self.translation.packs:
            try:
                self.engines.open_if_free(pack)
            except BarazaError as error:
                self.in_use.tell(error)
        self.knowing.learn()

    def _tend(self) -> None:
        """Finish what a cut left of an installation, then look now and then at what others did to the packs."""
        for error in self._try(self.in_use.settle) or []:
            self._tell(error)
        self._glance()
        while not self._stopping.wait(self.limits.packs_glance_seconds):
            self._glance()

    def _glance(self) -> None:
        self._try(self.look_at_packs)
        self._try(self.look_at_sticks)
        self._try(self.knowing.take_readings)

    def look_at_packs(self) -> None:
        """Take up what another process (`baraza packs install`) put in use since the last look."""
        if self.in_use.changed:
            self.refresh()

    def _look_at_pin(self) -> None:
        if self.keeper.standing() is Standing.DAMAGED:
            raise PinDamagedError(path=str(self.keeper.file.parent))

    def _try(self, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except BarazaError as error:
            self._tell(error)
            return None

    def _tell(self, error: BarazaError) -> None:
        log.error("%s", error)
        self._problems.append(error)


def _knowledge(packs: Sequence[InstalledPack]) -> set[Path]:
    return {pack.path for pack in packs if pack.manifest.kind == KNOWLEDGE}
