"""The keeper's door: the PIN, the first of the keeper's pages, what happened to the box, and the way out."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from appliance.errors import BarazaError, PinAlreadySetError, PinWaitError, StorageError
from appliance.keeper.pin import Standing
from appliance.storage.contributions import State
from webui import keeping
from webui.errors import NotAtTheBoxError, PinDiffersError
from webui.faults import on_error
from webui.forms import asked, field
from webui.keeper_words import event_words
from webui.messages import words_for
from webui.pages.keeper_jobs import keepers_jobs, title_of
from webui.pages.keeper_publishers import publishers
from webui.progress import in_words, state_words
from webui.site import appliance

pages = Blueprint("keeper", __name__)
keeping.guard(pages, open_to_all=("pin", "enter", "set_first"))

UNREADABLE = "unreadable"  # how it stands with a PIN that cannot be read now
SHOWN = 60  # of what happened to the box


@pages.get("/keeper")
def show() -> str:
    """Where everything a keeper does begins."""
    box = appliance()
    return render_template(
        "keeper.html",
        jobs=keepers_jobs(),
        title_of=title_of,
        state_words=state_words,
        packs=len(box.packs.active()),
        roots=len(publishers()),
        damaged=len(box.trust.problems()),
        sticks=len(box.sticks.present()),
        problems=len(box.problems),
        judged=box.trust.time.judge(),
        wrong=box.keeper.wrong_tries(),
        unread=_unread(),
    )


@pages.get("/keeper/pin")
def pin() -> Response | str:
    """Ask for the PIN; where none was set yet, and this is the box's own screen, let one be set."""
    if keeping.is_keeper():
        return redirect(keeping.own_page(asked("next")), 303)
    return _pin_page(asked("next"))


@pages.post("/keeper/pin")
def enter() -> Response:
    """Compare the PIN, and go on to where one was going."""
    where = field("next")
    on_error(lambda error: _pin_page(where, error))
    stamp = appliance().keeper.check(field("pin"), keeping.visitor())
    return keeping.log_in(stamp, where)


@pages.post("/keeper/first")
def set_first() -> Response:
    """Set the PIN of a box that has none, on its own screen."""
    on_error(lambda error: _pin_page("", error))
    box = appliance()
    if not keeping.at_the_box():
        raise NotAtTheBoxError
    if box.keeper.standing() is not Standing.NONE:
        raise PinAlreadySetError
    stamp = box.keeper.set_first(_typed_twice())
    box.keeping.note("keeper_pin")
    return keeping.log_in(stamp, "")


@pages.get("/keeper/change")
def change_form() -> str:
    """Ask for the PIN and another."""
    return _change_page()


@pages.post("/keeper/change")
def change() -> Response:
    """Set another PIN. Whoever is logged in elsewhere is logged out by it."""
    on_error(_change_page)
    box, new = appliance(), _typed_twice()
    stamp = box.keeper.change(field("pin"), new, keeping.visitor())
    box.keeping.note("keeper_pin")
    return keeping.log_in(stamp, "/keeper?changed=yes")


@pages.post("/keeper/leave")
def leave() -> Response:
    """Log out."""
    return keeping.log_out()


@pages.get("/keeper/history")
def history() -> str:
    """What happened to the box lately."""
    found, error = [], ""
    try:
        found = [each for each in appliance().history(SHOWN) if each.about.get("outcome") != "installed"]  # told twice
    except StorageError as problem:
        error = words_for(problem)
    return render_template("keeper_history.html", happenings=found, event_words=event_words, error=error)


def _unread() -> int:
    """How many articles and notes of members wait."""
    try:
        return len(appliance().knowing.community.village.those(State.WAITING))
    except StorageError:  # the box tells of it among its problems
        return 0


def _typed_twice() -> str:
    """Raises PinDiffersError: what was typed the second time is something else."""
    new = field("new")
    if new != field("again"):
        raise PinDiffersError
    return new


def _wait_words(error: BarazaError | None) -> str:
    """How long this visitor has to wait, unless `error` says it. Raises StorageError."""
    wait = 0 if isinstance(error, PinWaitError) else appliance().keeper.wait(keeping.visitor())
    return in_words(wait) if wait else ""


def _pin_page(where: str, error: BarazaError | None = None) -> str:
    try:
        standing, wait = appliance().keeper.standing().value, _wait_words(error)
    except StorageError as problem:  # the card fails: that is what is to be told, and nobody is let in
        standing, wait, error = UNREADABLE, "", problem
    return render_template(
        "keeper_pin.html",
        standing=standing,
        at_the_box=keeping.at_the_box(),
        where=keeping.own_page(where),
        error=words_for(error) if error else "",
        wait=wait,
        left="left" in request.args and not error,
        limits=appliance().limits,
    )


def _change_page(error: BarazaError | None = None) -> str:
    return render_template(
        "keeper_change.html",
        error=words_for(error) if error else "",
        wait=_wait_words(error),
        limits=appliance().limits,
    )
