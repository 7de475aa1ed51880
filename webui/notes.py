"""What needs a look, and what a figure means, in the reader's words."""

from __future__ import annotations

from flask_babel import gettext, lazy_gettext

from appliance.advice.articles import ByVillage
from appliance.translation.texts import Segment
from webui.languages import language_name

# What the texts were that a model was measured on, by the name of the set. An unknown set is shown by its name.
SETS = {
    "tatoeba": lazy_gettext("everyday sentences (Tatoeba)"),
    "flores": lazy_gettext("news, encyclopedia and travel texts (FLORES)"),
    "flores-dev": lazy_gettext("news, encyclopedia and travel texts (FLORES)"),
    "ntrex": lazy_gettext("news (NTREX)"),
}
KINDS = {
    "translation": lazy_gettext("Translation"),
    "text-generation": lazy_gettext("Writing of text"),
    "embedding": lazy_gettext("Search by meaning"),
    "knowledge": lazy_gettext("Knowledge"),
    "speech": lazy_gettext("Speech"),
    "interface": lazy_gettext("Words of the page"),
}
COSTS = {
    "free": lazy_gettext("nothing"),
    "low": lazy_gettext("little"),
    "medium": lazy_gettext("some"),
    "high": lazy_gettext("much"),
}
EFFORTS = {
    "minutes": lazy_gettext("minutes"),
    "hours": lazy_gettext("hours"),
    "days": lazy_gettext("days"),
    "season": lazy_gettext("a season"),
}


def notes(segment: Segment) -> str:
    """Why a sentence of a translation needs a look; "" if it does not."""
    said = []
    if segment.missing:
        said.append(gettext("number missing: %(numbers)s", numbers=", ".join(segment.missing)))
    if segment.added:
        said.append(gettext("number added: %(numbers)s", numbers=", ".join(segment.added)))
    if segment.cut:
        said.append(gettext("the end was left out"))
    if segment.circling:
        said.append(gettext("the same again and again"))
    if segment.foreign:
        said.append(gettext("left as it is"))
    return "; ".join(said)


def set_name(name: str) -> str:
    """What the texts of a set are."""
    return str(SETS.get(name, name))


def kind_name(kind: str) -> str:
    """What a kind of pack does."""
    return str(KINDS.get(kind, kind))


def cost_name(cost: str) -> str:
    """What the first steps of an article cost."""
    return str(COSTS.get(cost, cost))


def effort_name(effort: str) -> str:
    """How long the first steps of an article take."""
    return str(EFFORTS.get(effort, effort))


def village_name(by: ByVillage) -> str:
    """Whose village wrote something."""
    return by.village or (gettext("this village") if by.here else gettext("another village"))


def way_name(direction: str) -> str:
    """“en-es”, or “en” alone, with the names of the languages."""
    source, mark, target = direction.partition("-")
    return f"{language_name(source)} → {language_name(target)}" if mark else language_name(source)
