"""What is to be done when, and what the sensors say to it: calendars, readings, and what day it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import date, datetime

from appliance.advice.articles import Article
from appliance.advice.calendar import Calendar, Plan, plan, read_calendars
from appliance.advice.readings import About, Remark, newest, read_meaning
from appliance.config import Config
from appliance.errors import CalendarNotFoundError, KnowledgeError, StorageError
from appliance.limits import Limits
from appliance.packs.trust import CLOCK, TRUST
from appliance.packs.trusted_time import TrustedTime, utc_now
from appliance.storage.journal import Journal, Reading

RECENT = 50  # readings of a sensor that are looked through for the last one: they may have come out of order

log = logging.getLogger(__name__)


class Season:
    """Everything about calendars and readings that is not a page."""

    def __init__(
        self,
        config: Config,
        articles: Mapping[str, Article],
        journal: Callable[[], Journal | None],
        limits: Limits,
        on_error: Callable[[KnowledgeError], None],
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Read the calendars; what is wrong is left out and told to `on_error`."""
        self._journal, self._limits, self._clock = journal, limits, clock
        self._time = TrustedTime(config.data / TRUST / CLOCK, clock)
        self.calendars: Mapping[str, Calendar] = read_calendars(config.knowledge, articles, limits, on_error)
        self.meaning = read_meaning(config.knowledge, self.calendars, articles, limits, on_error)

    def today(self) -> date | None:
        """The day where the box stands; None if its clock cannot be right."""
        judged = self._time.judge()
        return judged.system.astimezone().date() if judged.believed else None

    def plan(self, calendar_id: str, planted: date, climate: str, today: date) -> Plan:
        """The calendar of a crop with its dates.

        Raises:
            CalendarNotFoundError: there is none for this crop.
            DateError: nobody plants in such a year.
        """
        if calendar_id not in self.calendars:
            raise CalendarNotFoundError(crop=calendar_id)
        return plan(self.calendars[calendar_id], planted, climate, today)

    def readings(self) -> list[Reading]:
        """The last reading of each quantity of each sensor; none while the journal cannot be read."""
        journal = self._journal()
        if journal is None:
            return []
        try:
            feeds = journal.feeds(self._limits.sensors)
            last = (newest(journal.readings(*feed, most=RECENT), self._clock()) for feed in feeds)
            return [reading for reading in last if reading is not None]
        except StorageError as error:
            log.warning("%s", error)
            return []

    def remarks(self, about: About) -> list[Remark]:
        """What the last readings say to it; nothing if nobody knows how old they are, as the clock is wrong."""
        if self.today() is None:
            return []
        return self.meaning.bring_in(about, self.readings(), self._clock())

    def remarks_on(self, article: Article) -> list[Remark]:
        """The same for an article, if readings matter for it."""
        if not any(article.id in kind.articles for kind in self.meaning.kinds.values()):
            return []
        return self.remarks(About(article.crops, article=article.id))
