"""The keeper reads what members wrote for the knowledge: accepts it, mends it, refuses it, or takes it back later."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.advice.community import title_of
from appliance.errors import BarazaError
from appliance.storage.contributions import CLOSED, State
from webui.faults import on_error
from webui.forms import field, whole
from webui.keeping import guard
from webui.messages import words_for
from webui.pages.village import fields, typed, view
from webui.site import appliance
from webui.village_words import kind_words, state_of

pages = Blueprint("keeper_knowledge", __name__)
guard(pages)

CLOSED_SHOWN = 20


@pages.get("/keeper/knowledge")
def show() -> str:
    """What waits, the oldest first; what everybody can read; what the village is called."""
    return _list()


@pages.post("/keeper/knowledge/name")
def name() -> Response:
    """Call the village by a name, on this box and on every other that gets its knowledge."""
    on_error(_list)
    appliance().knowing.community.name_village(field("name"))
    return _back("named")


@pages.post("/keeper/knowledge/restore")
def restore() -> Response:
    """Bring back what was there before the file broke."""
    on_error(_list)
    appliance().knowing.community.restore_last()
    return _back("restored")


@pages.get("/keeper/knowledge/<entry_id>")
def one(entry_id: str) -> str:
    """An entry as it will look, what became of it so far, and what can be done with it."""
    return _one(entry_id)


@pages.post("/keeper/knowledge/<entry_id>/accept")
def accept(entry_id: str) -> Response:
    """Let everybody read it, as it is."""
    on_error(lambda error: _one(entry_id, error))
    appliance().knowing.community.accept(entry_id, whole(field("seen")))
    return _back("accepted")


@pages.post("/keeper/knowledge/<entry_id>/edit")
def edit(entry_id: str) -> Response:
    """Let everybody read it as the keeper put it."""
    on_error(lambda error: _one(entry_id, error))
    answers = typed(appliance().knowing.community.kept.get(entry_id).kind)
    appliance().knowing.community.accept(entry_id, whole(field("seen")), answers)
    return _back("accepted")


@pages.post("/keeper/knowledge/<entry_id>/refuse")
def refuse(entry_id: str) -> Response:
    """Let nobody read it (any more), and tell its writer why."""
    on_error(lambda error: _one(entry_id, error))
    appliance().knowing.community.refuse(entry_id, whole(field("seen")), field("words"))
    return _back("refused")


def _back(what: str) -> Response:
    return redirect(url_for("keeper_knowledge.show", done=what), 303)


def _list(error: BarazaError | None = None) -> str:
    community = appliance().knowing.community
    village, last = community.village, community.kept.last_good
    return render_template(
        "keeper_knowledge.html",
        waiting=village.those(State.WAITING),
        accepted=village.those(State.ACCEPTED)[::-1],
        closed=village.those(*CLOSED)[::-1][:CLOSED_SHOWN],
        name=field("name") if error else village.name,
        last_good=last.saved_at if last else None,
        title_of=title_of,
        kind_words=kind_words,
        state_of=state_of,
        done="" if error else request.args.get("done", ""),
        error=words_for(error) if error else "",
        limits=appliance().limits,
    )


def _one(entry_id: str, error: BarazaError | None = None) -> str:
    entry = appliance().knowing.community.kept.get(entry_id)
    was_typed = request.method == "POST" and request.endpoint == "keeper_knowledge.edit"
    answers = typed(entry.kind) if was_typed else entry.texts
    return render_template(
        "keeper_entry.html",
        **view(entry),
        **fields(entry.kind, answers, error),
        editing=was_typed,
        words=field("words"),
    )
