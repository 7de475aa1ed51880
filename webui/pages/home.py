"""The front page, and the choice of a language."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template
from werkzeug.wrappers import Response as AnyResponse

from webui.forms import field
from webui.languages import COOKIE, interface_languages
from webui.owners import TWO_YEARS

pages = Blueprint("home", __name__)


@pages.get("/")
def show() -> str:
    """Three doors."""
    return render_template("home.html")


@pages.post("/language")
def choose_language() -> AnyResponse:
    """Remember the language on this device, and go back to the page it was chosen on."""
    response = redirect(_own_page(field("next")), 303)
    if field("language") in interface_languages():
        response.set_cookie(COOKIE, field("language"), max_age=TWO_YEARS, httponly=True, samesite="Lax")
    return response


@pages.get("/favicon.ico")
def favicon() -> Response:
    """Old browsers ask for it whatever the page says; an empty answer is shorter than an error page."""
    return Response(status=204, headers={"Cache-Control": "public, max-age=86400"})


def _own_page(path: str) -> str:
    """`path` if it is one of ours; two slashes, of either kind, lead to another host."""
    leads_away = not path.startswith("/") or path[1:2] in ("/", "\\") or not path.isprintable()
    return "/" if leads_away else path
