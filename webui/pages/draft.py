"""Writing a document from a form, and what one does with it afterwards."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.drafting.form import blocks
from appliance.drafting.kinds import Kind
from appliance.errors import BarazaError, MissingAnswersError, NotFoundError, UnknownKindError
from appliance.storage.documents import Document
from webui.faults import on_error
from webui.forms import asked, field
from webui.languages import WRITTEN_IN, reader_language
from webui.messages import words_for
from webui.owners import device, queue_owner
from webui.pages.jobs import may_be_left, taken
from webui.site import appliance

pages = Blueprint("draft", __name__)

ANSWER = "answer-"  # before the key of a question, in the names of the form's fields
BESIDE = "beside-"  # before the language of a translation


@pages.get("/draft")
def choose() -> str:
    """The kinds of document, and what this device saved."""
    kinds = appliance().kinds()
    return render_template(
        "draft.html",
        kinds=kinds,
        documents=appliance().documents.list(device()),
        titles={kind.id: kind.words[_spoken(kind)].title for kind in kinds},
        spoken=_spoken,
    )


@pages.get("/draft/<kind_id>")
def form(kind_id: str) -> str:
    """The empty form of a kind of document."""
    return _form(_kind(kind_id), {}, reader_language())


@pages.post("/draft/<kind_id>")
def write(kind_id: str) -> Response:
    """Write the document, keep it, and show it."""
    kind = _kind(kind_id)
    answers = {question.key: field(ANSWER + question.key) for question in kind.questions}
    language = field("language") or _spoken(kind)
    on_error(lambda error: _form(kind, answers, language, error))
    document = appliance().draft(device(), kind.id, answers, language)
    return redirect(url_for("draft.document", document_id=document.id), 303)


@pages.get("/documents/<document_id>")
def document(document_id: str) -> str:
    """A saved document, to read, change and print."""
    return _document(appliance().documents.get(document_id))


@pages.post("/documents/<document_id>")
def save(document_id: str) -> Response:
    """Keep what was changed; then print it, or put it in another language, if that was asked for."""
    old = appliance().documents.get(document_id)
    title = field("title").strip() or old.title
    text = field("text") if "text" in request.form else old.text
    # A translation that came while this form was open is not in it, and stays.
    beside = {each: field(BESIDE + each) for each in old.translations if BESIDE + each in request.form}
    changed = {"title": title, "text": text, "translations": {**old.translations, **beside}}
    on_error(lambda error: _document(old, changed, error, field("also_in")))
    appliance().documents.update(document_id, title=title, text=text, translations=beside)
    if field("print"):
        return redirect(_sheet_url(document_id, field("print")), 303)
    if field("also_in") or field("leave"):
        return _also_in(document_id, field("also_in") or field("leave"), leave=bool(field("leave")))
    return redirect(url_for("draft.document", document_id=document_id, saved="yes"), 303)


@pages.post("/documents/<document_id>/also-in")
def also_in(document_id: str) -> Response:
    """Put the document, as it is saved, in another language beside it: the way back from a job that failed."""
    found = appliance().documents.get(document_id)
    on_error(lambda error: _document(found, None, error, field("language")))
    return _also_in(document_id, field("language"))


@pages.get("/documents/<document_id>/print")
def sheet(document_id: str) -> str:
    """The document as a sheet of paper."""
    found = appliance().documents.get(document_id)
    language = asked("language") or found.language
    if language not in (found.language, *found.translations):
        raise NotFoundError
    text = found.text if language == found.language else found.translations[language]
    return render_template("sheet.html", document=found, language=language, blocks=blocks(text))


@pages.get("/documents/<document_id>/delete")
def ask_to_delete(document_id: str) -> str:
    """Ask once more before a document is deleted."""
    return render_template("delete.html", document=appliance().documents.get(document_id))


@pages.post("/documents/<document_id>/delete")
def delete(document_id: str) -> Response:
    """Delete a document for good."""
    appliance().documents.delete(document_id)
    return redirect(url_for("draft.choose", deleted="yes"), 303)


def _also_in(document_id: str, language: str, leave: bool = False) -> Response:
    hold_for = device() if leave else ""
    return taken(appliance().submit_also_in(queue_owner(), document_id, language, hold_for))


def _sheet_url(document_id: str, language: str) -> str:
    return url_for("draft.sheet", document_id=document_id, language=language)


def _kind(kind_id: str) -> Kind:
    for kind in appliance().kinds():
        if kind.id == kind_id:
            return kind
    raise UnknownKindError(kind=kind_id)


def _spoken(kind: Kind) -> str:
    """The reader's language, if the kind speaks it."""
    return reader_language() if reader_language() in kind.words else WRITTEN_IN


def _form(kind: Kind, answers: dict[str, str], language: str, error: BarazaError | None = None) -> str:
    missing = str(error.fields["questions"]).split(",") if isinstance(error, MissingAnswersError) else []
    return render_template(
        "form.html",
        kind=kind,
        spoken=_spoken(kind),
        answers=answers,
        language=language if language in kind.words else _spoken(kind),
        missing=missing,
        error=words_for(error) if error else "",
        prefix=ANSWER,
    )


def _document(
    saved: Document, changed: Mapping[str, object] | None = None, error: BarazaError | None = None, asked_for: str = ""
) -> str:
    """The page of a document. `asked_for`: the language that it was to be translated into when `error` came."""
    directions = appliance().translation.directions
    shown: Mapping[str, object] = changed or {
        "title": saved.title,
        "text": saved.text,
        "translations": saved.translations,
    }
    return render_template(
        "document.html",
        document=saved,
        shown=shown,
        error=words_for(error) if error else "",
        just_saved="saved" in request.args and not error,
        others=[target for source, target in directions if source == saved.language],
        through={way[1]: appliance().translation.through(*way) for way in directions if way[0] == saved.language},
        prefix=BESIDE,
        offered=asked_for if may_be_left(error) else "",
    )
