"""Translating a text."""

from __future__ import annotations

from flask import Blueprint, render_template
from werkzeug.wrappers import Response

from appliance.errors import BarazaError, NoModelError
from webui.faults import on_error
from webui.forms import asked, field
from webui.languages import language_name, reader_language
from webui.messages import words_for
from webui.owners import device, queue_owner
from webui.pages.jobs import may_be_left, taken
from webui.site import appliance

pages = Blueprint("translate", __name__)


@pages.get("/translate")
def form() -> str | tuple[str, int]:
    """The empty form."""
    if not appliance().translation.languages:
        error = NoModelError(kind="translation")
        return _form("", "", "", error), error.status
    return _form("", asked("from"), asked("to"))


@pages.post("/translate")
def submit() -> Response:
    """Put the text in the queue, and show how it goes; or leave it with the box, if that was chosen."""
    text, source, target = field("text"), field("from"), field("to") or _usual_target()
    target = _the_other(source) if source == target else target
    hold_for = device() if field("leave") else ""
    on_error(lambda error: _form(text, source, target, error, offered=may_be_left(error) and not hold_for))
    return taken(appliance().submit_translation(queue_owner(), text, source, target, hold_for))


def _form(text: str, source: str, target: str, error: BarazaError | None = None, offered: bool = False) -> str:
    return render_template(
        "translate.html",
        text=text,
        source=source,
        target=target or _usual_target(),
        languages=appliance().translation.languages,
        most=appliance().limits.translation_characters,
        twice=_twice(),
        error=words_for(error) if error else "",
        offered=offered,
    )


def _twice() -> dict[str, list[str]]:
    """The pairs of languages between which a text is translated twice, in words, by the language in the middle."""
    translation = appliance().translation
    ways = {way: hub for way in translation.directions if (hub := translation.through(*way))}
    found: dict[str, list[str]] = {}
    for (source, target), hub in ways.items():
        both = (target, source) in ways
        if not both or source < target:
            pair = f"{language_name(source)} {'↔' if both else '→'} {language_name(target)}"
            found.setdefault(language_name(hub), []).append(pair)
    return found


def _the_other(language: str) -> str:
    """The first language that `language` can be put into: nobody wants a text in the language it has.

    The same as is done with a text whose language was recognised; the page says from what into what.
    """
    return next((target for source, target in appliance().translation.directions if source == language), language)


def _usual_target() -> str:
    """The reader's language; a text that is already in it goes the other way."""
    languages = appliance().translation.languages
    return reader_language() if reader_language() in languages else next(iter(languages), "")
