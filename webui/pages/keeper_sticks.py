"""What is on the sticks and at neighbours' boxes, what it would change, and installing it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.errors import BarazaError, RepositoryError, StorageError
from appliance.packs.look import Seen
from appliance.packs.shelf import Shelf
from appliance.packs.store import version_key
from appliance.packs.unattended import News
from webui.errors import NothingChosenError
from webui.faults import on_error
from webui.forms import asked, field
from webui.keeper_words import change_words, news_words, obstacle_words
from webui.keeping import guard
from webui.messages import words_for
from webui.pages.keeper_jobs import KEEPER, begun
from webui.places import known_place, place_called, places
from webui.site import appliance

pages = Blueprint("keeper_sticks", __name__)
guard(pages)


@dataclass(frozen=True)
class Row:
    """A pack on a shelf. `ticked`: it is new or newer; `offered`: it can be installed, as the newest of its name."""

    seen: Seen
    change: str
    obstacles: tuple[str, ...]
    ticked: bool
    offered: bool


@dataclass(frozen=True)
class Shown:
    """A shelf as the page shows it; `error`, `detail`: why it was refused, in words and in English."""

    shelf: Shelf
    rows: tuple[Row, ...]
    error: str
    detail: str


@pages.get("/keeper/sticks")
def show() -> str:
    """The sticks in the box; the neighbours are asked for when a keeper wants to know them: that takes seconds."""
    return _places_page(look_around="neighbours" in request.args)


@pages.get("/keeper/sticks/look")
def look() -> str:
    """What is at one place."""
    on_error(_places_page)
    return _look_page(known_place(asked("place")))


@pages.post("/keeper/sticks/bring")
def bring() -> Response:
    """Install what is ticked."""
    where = known_place(field("place"))
    on_error(lambda error: _look_page(where, error))
    names = list(dict.fromkeys(request.form.getlist("pack")))
    if not names:
        raise NothingChosenError
    return begun(appliance().submit_bring(KEEPER, where, names))


@pages.post("/keeper/sticks/eject")
def eject() -> Response:
    """Make it safe to pull a stick out."""
    on_error(_places_page)
    sticks = appliance().sticks
    stick = sticks.get(field("place"))
    sticks.eject(stick)
    return redirect(url_for("keeper_sticks.show", out=stick.label or stick.name), 303)


def _places_page(error: BarazaError | None = None, look_around: bool = False) -> str:
    return render_template(
        "keeper_sticks.html",
        places=places(),
        neighbours=appliance().neighbours() if look_around else None,
        news=_news(),
        out=request.args.get("out", ""),
        error=words_for(error) if error else "",
    )


def _look_page(where: str, error: BarazaError | None = None) -> str:
    place = place_called(where)
    shown = tuple(map(_shown, _shelves(where)))
    return render_template(
        "keeper_look.html",
        place=place,
        shelves=shown,
        believed=appliance().trust.time.judge().believed,
        offered=any(row.offered for each in shown for row in each.rows),
        added=request.args.get("added", ""),
        error=words_for(error) if error else "",
    )


def _shelves(where: str) -> tuple[Shelf, ...]:
    """What is at a place; nothing where there are no packs at all: photographs, music.

    Raises SourceLostError, AddressError.
    """
    try:
        return appliance().look(where)
    except RepositoryError as error:
        if type(error) is RepositoryError:
            return ()
        raise


def _shown(shelf: Shelf) -> Shown:
    newest: dict[str, str] = {}
    for each in sorted(shelf.seen, key=lambda each: version_key(each.offer.version)):
        newest[each.offer.name] = each.offer.version
    rows = tuple(_row(each, newest[each.offer.name] == each.offer.version) for each in shelf.seen)
    refused = shelf.refused
    return Shown(shelf, rows, words_for(refused) if refused else "", str(refused) if refused else "")


def _row(seen: Seen, is_newest: bool) -> Row:
    offered = is_newest and not seen.obstacles and seen.change.value != "same"
    return Row(
        seen,
        change_words(seen.change, seen.installed),
        tuple(map(obstacle_words, seen.obstacles)),
        ticked=offered and seen.brings,
        offered=offered,
    )


def _news() -> list[tuple[str, str, News]]:
    """(time, words, news) of what became of sticks lately; nothing if it cannot be read."""
    try:
        return [(news.time, news_words(news), news) for news in appliance().stick_news()[:10]]
    except StorageError:
        return []
