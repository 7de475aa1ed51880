"""The languages of the page, and the names of languages."""

from __future__ import annotations

from pathlib import Path

from babel import Locale, UnknownLocaleError
from flask import request
from flask_babel import get_locale

TRANSLATIONS = Path(__file__).parent / "translations"
WRITTEN_IN = "en"  # the language of the words in the templates
COOKIE = "language"


def interface_languages() -> list[str]:
    """BCP 47 tags of the languages the page itself speaks: English, and every one with a compiled catalog."""
    catalogs = TRANSLATIONS.glob("*/LC_MESSAGES/messages.mo")
    return sorted({WRITTEN_IN, *(path.parts[-3].replace("_", "-") for path in catalogs)})


def choose_language() -> str:
    """The language of this request, as a locale's name: what the person chose, else what the phone asks for."""
    chosen = request.cookies.get(COOKIE, "")
    tag = chosen if chosen in interface_languages() else _asked_for()
    return tag.replace("-", "_")


def _asked_for() -> str:
    """The first language the phone asks for that the page speaks; “en-GB” is served with “en”."""
    offered = {tag.lower(): tag for tag in interface_languages()}
    for asked, quality in request.accept_languages:  # the dearest first
        for tag in (asked.lower(), asked.lower().split("-")[0]):
            if quality > 0 and tag in offered:
                return offered[tag]
    return WRITTEN_IN


def reader_language() -> str:
    """The BCP 47 tag of the language this page is shown in."""
    return str(get_locale() or WRITTEN_IN).replace("_", "-")


def endonym(tag: str) -> str:
    """The name of a language in itself, as it stands on a button: “Español”."""
    locale = _locale(tag)
    name = (locale.get_display_name(tag.replace("-", "_")) or tag) if locale else tag
    return name[:1].upper() + name[1:]


def language_name(tag: str) -> str:
    """The name of a language in the reader's: “Spanish”."""
    locale = _locale(tag)
    return (locale.get_display_name(get_locale()) or tag) if locale else tag


def direction(tag: str) -> str:
    """`ltr` or `rtl`."""
    locale = _locale(tag)
    return str(locale.text_direction) if locale else "ltr"


def _locale(tag: str) -> Locale | None:
    try:
        return Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return None
