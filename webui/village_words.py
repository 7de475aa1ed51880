"""The forms by which people add to the knowledge: what each field is called, and what became of what they wrote."""

from __future__ import annotations

from flask_babel import lazy_gettext

from appliance.advice.community import ARTICLE, CORRECTION, NOTE
from appliance.storage.contributions import State

# By the key of a field: its name, and what helps to fill it in.
LABELS = {
    "title": (lazy_gettext("What is it about?"), lazy_gettext("A few words, as people here say it.")),
    "signs": (
        lazy_gettext("What does one see?"),
        lazy_gettext("One sign on each line: what one sees, hears or smells."),
    ),
    "first_steps": (
        lazy_gettext("What should one do first?"),
        lazy_gettext("One step on each line, the safe and cheap ones first."),
    ),
    "danger": (
        lazy_gettext("What can hurt somebody?"),
        lazy_gettext("Poison, electricity, gas, fire, something that may fall: say it, and how to keep safe."),
    ),
    "get_help": (
        lazy_gettext("When should one get help?"),
        lazy_gettext("When to stop, and whom to ask."),
    ),
    "text": (
        lazy_gettext("What do you want to say?"),
        lazy_gettext("What worked here, what did not, what it is called here, or what is wrong."),
    ),
    "known_from": (
        lazy_gettext("Where do you know it from?"),
        lazy_gettext("For example: I did it for three years; my father; the extension officer."),
    ),
}
KINDS = {
    ARTICLE: lazy_gettext("Article"),
    NOTE: lazy_gettext("Note"),
    CORRECTION: lazy_gettext("Something is wrong"),
}
STATES = {
    State.WAITING: lazy_gettext("waiting for the keeper"),
    State.ACCEPTED: lazy_gettext("accepted: everybody can read it"),
    State.REFUSED: lazy_gettext("not accepted"),
    State.WITHDRAWN: lazy_gettext("withdrawn by whoever wrote it"),
}


def kind_words(kind: str) -> str:
    """What an entry is."""
    return str(KINDS.get(kind, kind))


def state_of(state: State) -> str:
    """What became of an entry."""
    return str(STATES[state])
