"""What the box knows: the articles it came with, those of packs, and what its village wrote, kept in step."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import TypeVar

from appliance.advice.articles import Article, read_articles
from appliance.advice.asking import Back, ask_back, read_things
from appliance.advice.community import Community
from appliance.advice.elsewhere import read_elsewhere
from appliance.advice.library import Library, Volume
from appliance.advice.meanings import Model
from appliance.advice.season import Season
from appliance.advice.service import AdviceService, Answer
from appliance.advice.tree_files import FOLDER as TREES
from appliance.advice.tree_files import read_trees
from appliance.advice.trees import Checks
from appliance.advice.village_pack import KIND as KNOWLEDGE
from appliance.advice.village_pack import VillagePack, name_of, read_pack
from appliance.config import Config
from appliance.errors import BarazaError, ContributionsSetAsideError, KnowledgeError, StorageError
from appliance.in_use import PacksInUse
from appliance.inference.keeping import Keeping
from appliance.limits import Limits
from appliance.packs.onward import Onward
from appliance.packs.store import InstalledPack
from appliance.sensors import inbox
from appliance.storage.contributions import CONTRIBUTIONS, Contributions, Village, read_village

T = TypeVar("T")

log = logging.getLogger(__name__)

ADVICE = "advice"  # the folder of what is kept for finding articles


class Knowing:
    """Whatever of it changes is searched anew at once; what it means to a model is learned in the background."""

    def __init__(
        self,
        config: Config,
        packs: PacksInUse,
        model: Model,
        keeping: Keeping,
        onward: Callable[[], Onward],
        tell: Callable[[BarazaError], None],
        limits: Limits,
    ) -> None:
        """Read the articles. What is broken is left out and given to `tell`; `onward` may raise RootError."""
        self._config, self._packs, self._keeping, self._onward = config, packs, keeping, onward
        self._tell, self._limits = tell, limits
        articles = read_articles(config.knowledge, limits, tell)
        elsewhere = self._try(lambda: read_elsewhere(config.knowledge, limits)) or {}
        self._things = self._try(lambda: read_things(config.knowledge, limits)) or ()
        self.library = Library(articles, elsewhere, model, config.data / ADVICE, limits)
        self.advice: AdviceService = self.library.service
        self.checks = Checks(read_trees(config.knowledge / TREES, articles, limits, tell))
        self.season = Season(config, articles, lambda: keeping.journal, limits, tell)
        self._renewing = threading.Lock()
        self._learning: threading.Thread | None = None
        self._at_work, self._stopping = False, threading.Event()
        self.renew(prepared=False)

    # From now on until the box is switched off

    def open(self) -> None:
        """Open what the village wrote for good, and tell of a file that broke. Raises StorageError."""
        self._at_work = True
        kept = self.community.kept
        if kept.set_aside is not None:
            self._tell(ContributionsSetAsideError(path=str(kept.set_aside)))
        if kept.village.changes:
            self.renew(prepared=False)  # a restore may have been finished since

    def stop(self) -> None:
        """Break off what is learned in the background."""
        self._stopping.set()

    def close(self) -> None:
        """Wait until nothing is learned any more."""
        self.stop()
        if self._learning is not None:
            self._learning.join()

    # Finding

    def article(self, article_id: str) -> Article:
        """Raises ArticleNotFoundError."""
        return self.advice.article(article_id)

    def ask_back(self, answer: Answer) -> Back | None:
        """What to ask whoever asked a question that nothing answers; None if that would not help."""
        return ask_back(answer, self._things, self._limits)

    def learn(self) -> None:
        """Learn what the articles mean, if that was not done before; without a model they are found by words alone."""
        self.library.prepare(lambda: not self._stopping.is_set())

    def renew(self, *, prepared: bool = True) -> None:
        """Know what is there now. With `prepared`, it is indexed before it takes the place of what is at work."""
        with self._renewing:
            village = self._village()
            volumes = [
                Volume(read_pack(pack, self._limits, self._tell_of_article), self._is_vouched(pack))
                for pack in self._packs.whole(KNOWLEDGE)
                if pack.manifest.name != name_of(village)
            ]
            self.library.renew(volumes, village, prepared=prepared)

    def judge(self) -> None:
        """Ask anew who vouches for knowledge packs, once the keeper trusts a publisher with more or less."""
        if self._packs.of(KNOWLEDGE):
            self.renew()
            self._learn_meanwhile()

    # What the village knows

    @cached_property
    def community(self) -> Community:
        """What members wrote for the knowledge; opened when first needed. Raises StorageError."""
        kept = Contributions(self._config.data / CONTRIBUTIONS, self._limits, room=self._keeping.room)
        return Community(kept, self._changed, self._keeping.note, self._limits)

    @cached_property
    def village_pack(self) -> VillagePack:
        """The knowledge of this village as a pack for others."""
        return VillagePack(self._packs.store, self._village, self._limits)

    def _village(self) -> Village:
        if "community" in self.__dict__:
            return self.community.village
        return read_village(self._config.data / CONTRIBUTIONS, self._limits)

    def _changed(self) -> None:
        """Search what is accepted now, at once, and renew what is handed on."""
        self.renew()
        self._learn_meanwhile()
        name = self.village_pack.name
        if name and self._packs.store.find(name) is not None:  # what was taken back must not be given to others
            self._try(self.village_pack.renew)

    def _learn_meanwhile(self) -> None:
        if self._at_work:
            self._learning = threading.Thread(target=self.learn, name="baraza-learning", daemon=True)
            self._learning.start()

    def _is_vouched(self, pack: InstalledPack) -> bool:
        """Whether the software brought `pack`, or a publisher signed it whom the keeper trusts with every kind."""
        if pack.path.is_relative_to(self._config.packs):
            return True
        with suppress(BarazaError, OSError):
            return self._onward().is_vouched(pack)
        return False

    # Readings

    def take_readings(self) -> None:
        """Take what `baraza readings add` left for a box at work into the journal."""
        journal = self._keeping.journal
        if journal is None:
            return
        try:
            inbox.take(self._config.data, journal.record, self._limits)
        except StorageError as error:
            log.warning("%s", error)

    def _tell_of_article(self, error: KnowledgeError) -> None:
        """Once: a pack is read again whenever something else changes."""
        if str(error) not in map(str, self._packs.problems):
            self._packs.tell(error)

    def _try(self, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except BarazaError as error:
            self._tell(error)
            return None
