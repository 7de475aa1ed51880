"""What calendars and sensors say, in the reader's words."""

from __future__ import annotations

from flask_babel import gettext

from appliance.advice.articles import BODY_LANGUAGE, Article
from appliance.advice.fields import LANGUAGES, Words
from appliance.advice.readings import Remark
from webui.languages import reader_language
from webui.progress import in_words
from webui.site import appliance


def remarks_on(article: Article) -> list[Remark]:
    """What the last readings of sensors say to an article."""
    return appliance().knowing.season.remarks_on(article)


def spoken_in() -> str:
    """The language in which `spoken` gives words."""
    reader = reader_language()
    return reader if reader in LANGUAGES else BODY_LANGUAGE


def spoken(words: Words) -> str:
    """`words` of a data file in the reader's language, else in English."""
    return words[spoken_in()]


def capital(text: str) -> str:
    """`text` as it stands at the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def measured(remark: Remark) -> str:
    """What was measured, by which sensor, and how long ago."""
    about = {"what": spoken(remark.name), "sensor": remark.reading.sensor, "time": in_words(remark.age.total_seconds())}
    if remark.stale:
        words = gettext(
            "%(what)s (%(sensor)s): the last reading is %(time)s old, so it says nothing of today.", **about
        )
        return str(words)
    about |= {"value": f"{remark.reading.value:g}", "unit": remark.reading.unit}
    return str(gettext("%(what)s (%(sensor)s): %(value)s %(unit)s, measured %(time)s ago:", **about))
