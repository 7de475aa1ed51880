"""The models of this box: what each is for, what it gets wrong, what it was made from."""

from __future__ import annotations

from flask import Blueprint, render_template

from webui import prose
from webui.languages import WRITTEN_IN, reader_language
from webui.site import appliance

pages = Blueprint("packs", __name__)


@pages.get("/packs")
def show() -> str:
    """Every pack in use."""
    return render_template("packs.html", packs=[pack.manifest for pack in appliance().packs.active()])


@pages.get("/packs/<name>")
def pack(name: str) -> str:
    """The card of a pack."""
    box = appliance()
    found = box.pack(name)
    card = box.card(found)
    way = (WRITTEN_IN, reader_language())
    return render_template(
        "pack.html",
        pack=found.manifest,
        card=card,
        prose=prose,
        can_translate=way in box.translation.directions and len(card) <= box.limits.translation_characters,
    )
