"""Asking the knowledge base, and reading it."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response

from appliance.advice.articles import BODY_LANGUAGE, Article
from appliance.advice.service import Answer
from appliance.errors import BarazaError, NoModelError
from webui import prose
from webui.answers import extracts
from webui.faults import on_error
from webui.forms import asked, field
from webui.languages import reader_language
from webui.messages import words_for
from webui.owners import queue_owner
from webui.pages.jobs import taken
from webui.pages.village import waiting_on
from webui.site import appliance

pages = Blueprint("ask", __name__)

SUBJECTS = {
    "crops": lazy_gettext("Crops and soil"),
    "livestock": lazy_gettext("Animals"),
    "water": lazy_gettext("Water"),
    "storage": lazy_gettext("Storing the harvest"),
    "repair": lazy_gettext("Repairs"),
    "energy": lazy_gettext("Sun, batteries and power"),
    "health-and-safety": lazy_gettext("Health and safety"),
    "village": lazy_gettext("Written by people of villages"),
}


@pages.get("/ask")
def ask() -> str:
    """The form; with a question, its answer too."""
    question = asked("q")
    if "q" not in request.args:
        return _page("")
    on_error(lambda error: _page(question, error=error))
    answer = appliance().ask(question, reader_language())
    return _page(question, answer=answer)


@pages.post("/ask/write")
def write() -> Response:
    """Let a model write a short answer; where none can, what the box knows is the answer."""
    question = field("q")
    on_error(lambda error: _page(question, error=error))
    try:
        return taken(appliance().submit_answer(queue_owner(), question, reader_language()))
    except NoModelError:
        return redirect(url_for("ask.ask", q=question), 303)


@pages.get("/articles/<article_id>")
def article(article_id: str) -> str:
    """A whole article."""
    found = appliance().knowing.article(article_id)
    reader = reader_language()
    return render_template(
        "article.html",
        article=found,
        face=found.face(reader),
        face_language=found.language_of_face(reader),
        subject=SUBJECTS.get(found.subject, found.subject),
        can_translate=(BODY_LANGUAGE, reader) in appliance().translation.directions,
        notes=appliance().knowing.library.notes(found.id),
        waiting=waiting_on(found.id),
        prose=prose,
    )


def _page(question: str, answer: Answer | None = None, error: BarazaError | None = None) -> str:
    return render_template(
        "ask.html",
        question=question,
        answer=answer,
        extracts=extracts(answer) if answer else {},
        back=appliance().knowing.ask_back(answer) if answer else None,
        can_write=answer is not None and appliance().answers.can_write(answer),
        error=words_for(error) if error else "",
        most=appliance().limits.question_characters,
        subjects=_subjects(),
        prose=prose,
    )


def _subjects() -> list[tuple[str, str, list[Article]]]:
    """(id, name, articles by title) of each subject."""
    reader = reader_language()
    found = appliance().knowing.advice.subjects()
    order = {subject: rank for rank, subject in enumerate(SUBJECTS)}
    return [
        (subject, str(SUBJECTS.get(subject, subject)), sorted(found[subject], key=lambda each: each.face(reader).title))
        for subject in sorted(found, key=lambda each: order.get(each, len(order)))
    ]
