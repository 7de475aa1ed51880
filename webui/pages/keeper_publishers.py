"""The publishers whose packs the box takes: added by typing their words, limited, removed. And the box's own words."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.errors import BarazaError, RootNotFoundError, RootWordsError
from appliance.packs.fingerprint import LENGTH
from appliance.packs.manifest import KINDS
from appliance.packs.own import BOX
from appliance.packs.roots import TrustedRoot
from appliance.packs.shelf import Shelf
from appliance.packs.trust import DEVELOPMENT
from webui.errors import NothingChosenError
from webui.faults import on_error
from webui.forms import asked, field
from webui.keeping import guard
from webui.messages import words_for
from webui.places import Place, known_place, place_called, places
from webui.site import appliance

pages = Blueprint("keeper_publishers", __name__)
guard(pages)

EVERYTHING = "everything"  # the value of the choice that limits a publisher to nothing
NOBODYS = (DEVELOPMENT, BOX)  # no keeper added these, and none changes them here


def publishers() -> list[TrustedRoot]:
    """The publishers whose packs the box takes, without itself."""
    return [root for root in appliance().trust.roots() if root.name != BOX]


@pages.get("/keeper/publishers")
def show() -> str:
    """Who is trusted with what."""
    box = appliance()
    words, error = "", ""
    try:
        words = box.own_root().words
    except BarazaError as problem:
        error = words_for(problem)
    return render_template(
        "keeper_publishers.html",
        roots=publishers(),
        damaged=[str(error.fields["name"]) for error in box.trust.problems()],
        development=DEVELOPMENT,
        own=words,
        own_error=error,
        now=box.trust.time.judge().now,
        done=request.args.get("done", ""),
    )


@pages.get("/keeper/publishers/add")
def add_form() -> str:
    """Ask for a name and the words of a publisher whose packs are at a place."""
    where = asked("place")
    on_error(lambda error: _add_page("", error))
    return _add_page(known_place(where) if where else "")


@pages.post("/keeper/publishers/add")
def add() -> Response:
    """Trust whoever signed what is at a place, if these are the publisher's words."""
    where, name = known_place(field("place")), field("name").strip().lower()
    on_error(lambda error: _add_page(where, error))
    words = " ".join(field("words").lower().split())
    kinds, unattended = _chosen_kinds(), bool(field("unattended"))
    shelf = _signed_by(words, appliance().look(where))
    if shelf is None:
        raise RootWordsError(name=name or "?")
    root = appliance().trust.add(name, shelf.signer, words, kinds, unattended)
    appliance().keeping.note("publisher_added", name=root.name)
    return redirect(url_for("keeper_sticks.look", place=where, added=root.name), 303)


@pages.get("/keeper/publishers/<name>")
def one(name: str) -> str:
    """What a publisher may bring, and whether without asking."""
    return _one_page(name)


@pages.post("/keeper/publishers/<name>")
def limit(name: str) -> Response:
    """Change what a publisher may bring."""
    _check_known(name)
    on_error(lambda error: _one_page(name, error))
    appliance().trust.limit(name, _chosen_kinds(), bool(field("unattended")))
    appliance().keeping.note("publisher_changed", name=name)
    appliance().knowing.judge()
    return redirect(url_for("keeper_publishers.show", done="changed"), 303)


@pages.get("/keeper/publishers/<name>/remove")
def ask_to_remove(name: str) -> str:
    """Ask once more before a publisher is trusted no longer."""
    _check_known(name)
    return render_template("keeper_remove.html", name=name)


@pages.post("/keeper/publishers/<name>/remove")
def remove(name: str) -> Response:
    """Trust a publisher no longer; what it brought stays."""
    _check_known(name)
    appliance().trust.remove(name)
    appliance().keeping.note("publisher_removed", name=name)
    appliance().knowing.judge()
    return redirect(url_for("keeper_publishers.show", done="removed"), 303)


def _check_known(name: str) -> None:
    """Raises RootNotFoundError; one whose files are damaged is known and can be removed."""
    trust = appliance().trust
    known = {root.name for root in trust.roots()} | {str(error.fields["name"]) for error in trust.problems()}
    if name not in known or name in NOBODYS:
        raise RootNotFoundError(name=name)


def _chosen_kinds() -> list[str] | None:
    """The kinds that are ticked; None for everything. Raises NothingChosenError."""
    if field("brings") == EVERYTHING:
        return None
    chosen = [kind for kind in request.form.getlist("kind") if kind in KINDS]
    if not chosen:
        raise NothingChosenError
    return chosen


def _signed_by(words: str, shelves: tuple[Shelf, ...]) -> Shelf | None:
    """The shelf of the stranger whose words were typed: the box compares, so that nobody skims over a word."""
    return next((shelf for shelf in shelves if shelf.signer and shelf.words == words), None)


def _add_page(where: str, error: BarazaError | None = None) -> str:
    here: Place | None = place_called(where) if where else None
    return render_template(
        "keeper_add.html",
        place=here,
        places=places() if not here else (),
        kinds=KINDS,
        everything=EVERYTHING,
        chosen=request.form.getlist("kind"),
        typed=request.form,
        count=LENGTH,
        error=words_for(error) if error else "",
    )


def _one_page(name: str, error: BarazaError | None = None) -> str:
    if name in NOBODYS:
        raise RootNotFoundError(name=name)
    root = appliance().trust.root(name)
    return render_template(
        "keeper_publisher.html",
        root=root,
        kinds=KINDS,
        everything=EVERYTHING,
        chosen=sorted(root.kinds or ()),
        all=root.kinds is None,
        error=words_for(error) if error else "",
    )
