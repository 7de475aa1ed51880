"""Packs for other boxes in the network: signed packs and who signed them; machines read this, people see `/packs`.

GET /packs/shared/index.json              which publishers' packs are here
GET /packs/shared/ROOT/metadata/FILE      what a publisher signed
GET /packs/shared/ROOT/targets/NAME/FILE  an archive, made as it is sent, as it was signed
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import ExitStack

from flask import Blueprint, Response, jsonify, request

from appliance.errors import SharedLaterError
from appliance.packs.onward import Parcel
from appliance.packs.stored import blocks
from webui.site import Site, appliance, current_site

pages = Blueprint("share", __name__, url_prefix="/packs/shared")
PIECE = 64 * 1024  # bytes handed to the server at once: a slow phone line takes them before it is given up
ARCHIVE = "application/octet-stream"


@pages.errorhandler(SharedLaterError)
def later(error: SharedLaterError) -> Response:
    """Come back; machines read the header."""
    response = Response(f"{error}\n", status=error.status, mimetype="text/plain")
    response.headers["Retry-After"] = str(error.fields["seconds"])
    return response


@pages.get("/index.json")
def index() -> Response:
    """What is here."""
    return jsonify(appliance().sharing.index())


@pages.get("/<root>/metadata/<file>")
def metadata(root: str, file: str) -> Response:
    """What a publisher signed, unaltered."""
    return Response(appliance().sharing.metadata(root, file), mimetype="application/json")


@pages.get("/<root>/targets/<path:place>")
def archive(root: str, place: str) -> Response:
    """An archive. Nobody waits for a download: who comes while there are enough of them is told to come back."""
    sharing = appliance().sharing
    parcel = sharing.parcel(root, place)
    if request.method == "HEAD":
        response = Response(mimetype=ARCHIVE)
    else:
        with ExitStack() as held:
            held.enter_context(sharing.download())
            response = Response(_pieces(current_site(), parcel), mimetype=ARCHIVE)
            response.call_on_close(held.pop_all().close)  # however it ends
    response.content_length = parcel.stored.length
    response.headers["Cache-Control"] = "no-store"
    return response


def _pieces(site: Site, parcel: Parcel) -> Iterator[bytes]:
    """The archive in small pieces, as long as it is taken at a fair pace and the server is not stopping."""
    began, sent = time.monotonic(), 0
    limits = site.limits
    for block in blocks(parcel.pack.path, parcel.stored.checksums):
        view = memoryview(block)
        for at in range(0, len(view), PIECE):
            piece = bytes(view[at : at + PIECE])
            yield piece
            sent += len(piece)
            late = time.monotonic() - began > limits.silence_seconds + sent / limits.slowest_bytes_per_second
            if late or site.stopping.is_set():
                # The server closes the connection; an archive that breaks off is noticed by its length, and refused.
                raise ConnectionAbortedError(errno.ECONNABORTED, "the download was given up")
