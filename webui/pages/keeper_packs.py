"""The packs in use: their versions, what is kept from before, and the way back to it."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.errors import NoPreviousVersionError
from webui.keeping import guard
from webui.site import appliance

pages = Blueprint("keeper_packs", __name__)
guard(pages)


@pages.get("/keeper/packs")
def show() -> str:
    """Every pack in use, and the version kept before it."""
    store = appliance().packs
    rows = [(pack.manifest, store.previous(pack.manifest.name)) for pack in store.active()]
    return render_template("keeper_packs.html", rows=rows, back=request.args.get("back", ""))


@pages.get("/keeper/packs/<name>/back")
def ask_to_go_back(name: str) -> str:
    """Ask once more before the version before is put in use."""
    pack = appliance().pack(name)
    before = appliance().packs.previous(name)
    if before is None:
        raise NoPreviousVersionError(pack=name)
    return render_template("keeper_back.html", pack=pack.manifest, before=before.manifest)


@pages.post("/keeper/packs/<name>/back")
def go_back(name: str) -> Response:
    """Put the version before in use; done twice, it undoes itself."""
    pack = appliance().rollback(name)
    appliance().keeping.note("rollback", pack=pack.name)
    return redirect(url_for("keeper_packs.show", back=pack.name), 303)
