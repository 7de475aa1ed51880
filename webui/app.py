"""The Flask app, put together."""

from __future__ import annotations

import threading
from datetime import datetime

from flask import Flask, request
from flask_babel import Babel, format_date, format_datetime

from appliance.app import Appliance
from webui import languages, notes, season
from webui.assets import Assets
from webui.faults import page_for
from webui.guard import check_request
from webui.headers import dress
from webui.keeping import EXTENSION, Sessions
from webui.owners import device, keep_cookie
from webui.pages import (
    about,
    ask,
    calendar,
    draft,
    home,
    jobs,
    keeper,
    keeper_copy,
    keeper_health,
    keeper_jobs,
    keeper_knowledge,
    keeper_packs,
    keeper_publishers,
    keeper_sticks,
    packs,
    share,
    translate,
    trees,
    village,
)
from webui.site import Site, current_site

KEEPERS = (
    *(keeper, keeper_jobs, keeper_packs, keeper_sticks, keeper_publishers, keeper_copy, keeper_health),
    keeper_knowledge,
)
PAGES = (home, translate, ask, trees, calendar, village, draft, jobs, packs, share, about, *KEEPERS)
COOKIELESS = frozenset({"static", "about.health", "share.index", "share.metadata", "share.archive"})


def create_app(appliance: Appliance) -> Flask:
    """The page of `appliance`, as a WSGI application."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = appliance.limits.request_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = appliance.limits.request_bytes
    app.url_map.strict_slashes = False
    site = Site(appliance, Assets(), threading.BoundedSemaphore(appliance.limits.streams))
    app.extensions["baraza"] = site
    app.extensions[EXTENSION] = Sessions(appliance.limits)
    Babel(app, locale_selector=languages.choose_language)
    app.before_request(check_request)
    app.before_request(_know_device)
    app.after_request(keep_cookie)
    app.after_request(dress)
    app.register_error_handler(Exception, page_for)
    app.add_url_rule("/static/<digest>/<path:name>", "static", site.assets.respond)
    for page in PAGES:
        app.register_blueprint(page.pages)
    app.context_processor(_words)
    app.add_template_filter(on_day)
    app.add_template_filter(moment)
    return app


def on_day(time: str) -> str:
    """The day of a time in ISO 8601, in the reader's language; by the clock of the box, which may lie."""
    try:
        return str(format_date(datetime.fromisoformat(time), rebase=False))
    except ValueError:
        return time


def moment(time: datetime) -> str:
    """A day with its time, in the reader's language; as it is given, in UTC."""
    return str(format_datetime(time, "medium", rebase=False))


def _know_device() -> None:
    if request.endpoint not in COOKIELESS:
        device()


def _words() -> dict[str, object]:
    """What every template may use."""
    return {
        "asset": current_site().assets.url,
        "reader": languages.reader_language(),
        "interface_languages": languages.interface_languages(),
        "endonym": languages.endonym,
        "language_name": languages.language_name,
        "kind_name": notes.kind_name,
        "cost_name": notes.cost_name,
        "effort_name": notes.effort_name,
        "notes": notes.notes,
        "set_name": notes.set_name,
        "way_name": notes.way_name,
        "village_name": notes.village_name,
        "notes_on": current_site().appliance.knowing.library.notes,
        "direction": languages.direction,
        "remarks_on": season.remarks_on,
        "measured": season.measured,
        "spoken": season.spoken,
        "spoken_in": season.spoken_in(),
    }
