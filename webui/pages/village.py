"""What people of the village add to the knowledge: notes, corrections, whole articles; the keeper reads them first."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.advice.community import ARTICLE, BLANKS, CORRECTION, NOTE, article_of, note_of, title_of
from appliance.errors import BarazaError, MissingAnswersError, StorageError
from appliance.storage.contributions import Entry, State
from webui.faults import on_error
from webui.forms import field
from webui.languages import interface_languages, reader_language
from webui.messages import words_for
from webui.owners import device, queue_owner
from webui.site import appliance
from webui.village_words import LABELS, kind_words, state_of

pages = Blueprint("village", __name__)

PREFIX = "answer-"  # before the key of a field, in the names of the form's fields


@pages.get("/village")
def show() -> str:
    """How to add to the knowledge, and what this device wrote."""
    return render_template(
        "village.html",
        entries=appliance().knowing.community.own(device()),
        title_of=title_of,
        kind_words=kind_words,
        state_of=state_of,
    )


@pages.get("/village/write")
def form() -> str:
    """The empty form of an article."""
    return _form(ARTICLE, "")


@pages.post("/village/write")
def write() -> Response:
    """Keep an article until the keeper has read it."""
    return _write(ARTICLE, "")


@pages.get("/articles/<article_id>/note")
def note_form(article_id: str) -> str:
    """The empty form of a note to an article."""
    return _form(NOTE, appliance().knowing.article(article_id).id)


@pages.post("/articles/<article_id>/note")
def write_note(article_id: str) -> Response:
    """Keep a note, or what somebody says is wrong, until the keeper has read it."""
    return _write(CORRECTION if field("kind") == CORRECTION else NOTE, appliance().knowing.article(article_id).id)


@pages.get("/village/<entry_id>")
def one(entry_id: str) -> str:
    """What this device wrote, as it looks, and what the keeper said."""
    entry = appliance().knowing.community.own_one(entry_id, device())
    return render_template("village_entry.html", **view(entry), just_sent="sent" in request.args)


@pages.post("/village/<entry_id>/withdraw")
def withdraw(entry_id: str) -> Response:
    """Take back what this device wrote."""
    appliance().knowing.community.withdraw(entry_id, device())
    return redirect(url_for("village.one", entry_id=entry_id), 303)


def view(entry: Entry) -> dict[str, object]:
    """What the pages of an entry show: it looks as everybody would see it."""
    village = appliance().knowing.community.village.name
    article = article_of(entry, village) if entry.kind == ARTICLE else None
    return {
        "entry": entry,
        "title": title_of(entry),
        "kind": kind_words(entry.kind),
        "state": state_of(entry.state),
        "state_of": state_of,
        "states": State,
        "article": article,
        "face": article.face(entry.language) if article else None,
        "face_language": entry.language,
        "note": None if article else note_of(entry, village),
        "is_correction": entry.kind == CORRECTION,
        "about": about(entry),
    }


def about(entry: Entry) -> str:
    """The title of the article that an entry is about; "" if that is not on the box (any more)."""
    try:
        return appliance().knowing.article(entry.about).face(reader_language()).title if entry.about else ""
    except BarazaError:
        return ""


def waiting_on(article_id: str) -> list[Entry]:
    """What this device wrote about an article that waits for the keeper; nobody else sees it."""
    try:
        own = appliance().knowing.community.own(device())
    except StorageError:  # the article can be read all the same
        return []
    return [entry for entry in own if entry.about == article_id and entry.state is State.WAITING]


def languages() -> list[str]:
    """The languages that one can write in: those of the page and of the knowledge."""
    return sorted({*interface_languages(), *appliance().knowing.advice.languages})


def typed(kind: str) -> dict[str, str]:
    """The answers in the form that was sent."""
    return {blank.key: field(PREFIX + blank.key) for blank in BLANKS[kind]}


def fields(kind: str, answers: Mapping[str, str], error: BarazaError | None = None) -> dict[str, object]:
    """What `_village_fields.html` needs."""
    missing = str(error.fields["questions"]).split(",") if isinstance(error, MissingAnswersError) else []
    return {
        "blanks": BLANKS[kind],
        "labels": LABELS,
        "answers": answers,
        "missing": missing,
        "prefix": PREFIX,
        "error": words_for(error) if error else "",
        "limits": appliance().limits,
    }


def _write(kind: str, article_id: str) -> Response:
    on_error(lambda error: _form(kind, article_id, error))
    language = field("language") if field("language") in languages() else reader_language()
    entry = appliance().knowing.community.write(
        device(), queue_owner(), kind, language, field("name"), typed(kind), article_id
    )
    return redirect(url_for("village.one", entry_id=entry.id, sent="yes"), 303)


def _form(kind: str, article_id: str, error: BarazaError | None = None) -> str:
    found = appliance().knowing.article(article_id) if article_id else None
    return render_template(
        "village_form.html",
        about=found,
        about_face=found.face(reader_language()) if found else None,
        about_language=found.language_of_face(reader_language()) if found else "",
        kind=kind,
        correction=CORRECTION,
        languages=languages(),
        language=field("language") or reader_language(),
        name=field("name"),
        **fields(kind, typed(kind), error),
    )
