"""Copying to a stick: packs for another box, and a backup of this one."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from appliance.errors import BarazaError
from webui.errors import NothingChosenError, PassphraseDiffersError
from webui.faults import on_error
from webui.forms import field
from webui.keeping import guard
from webui.messages import words_for
from webui.pages.keeper_jobs import KEEPER, begun
from webui.places import places
from webui.site import appliance

pages = Blueprint("keeper_copy", __name__)
guard(pages)


@pages.get("/keeper/copy")
def show() -> str:
    """What can be copied, and to which stick."""
    return _page()


@pages.post("/keeper/copy/packs")
def export() -> Response:
    """Copy the packs that are ticked."""
    on_error(_page)
    stick = appliance().sticks.get(field("place"))
    names = list(dict.fromkeys(request.form.getlist("pack")))
    if not names:
        raise NothingChosenError
    return begun(appliance().submit_export(KEEPER, stick.name, names))


@pages.post("/keeper/copy/backup")
def backup() -> Response:
    """Make a backup. The passphrase is in memory until it is done, and written nowhere."""
    on_error(_page)
    stick = appliance().sticks.get(field("place"))
    if field("passphrase") != field("again"):
        raise PassphraseDiffersError
    return begun(appliance().submit_backup(KEEPER, stick.name, field("passphrase")))


def _page(error: BarazaError | None = None) -> str:
    return render_template(
        "keeper_copy.html",
        places=places(),
        packs=appliance().exportable(),
        chosen_place=field("place"),
        chosen=request.form.getlist("pack"),
        error=words_for(error) if error else "",
    )
