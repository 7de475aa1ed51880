"""The one place where errors become pages."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Response, g, make_response, render_template
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.routing import RequestRedirect

from appliance.errors import BarazaError
from webui.errors import PageNotFoundError, RequestTooLargeError, UnusableRequestError
from webui.messages import heading_for, words_for
from webui.site import current_site

log = logging.getLogger(__name__)

ShowAgain = Callable[[BarazaError], str]


def on_error(show: ShowAgain) -> None:
    """From here on in this request, an error is shown by `show`: the form it is about, with what was typed."""
    g.show_again = show


def page_for(error: Exception) -> Response | HTTPException:
    """The page that says `error`, with its status."""
    if isinstance(error, RequestRedirect):
        return error
    known, status = _known(error)
    show: ShowAgain = g.pop("show_again", _error_page)
    response = make_response(show(known), status)
    if isinstance(error, HTTPException):
        response.headers.extend(name for name in error.get_headers() if name[0] in ("Allow", "Retry-After"))
    return response


def _known(error: Exception) -> tuple[BarazaError, int]:
    """`error` as one of ours, and its HTTP status."""
    if isinstance(error, BarazaError):
        return error, error.status
    if isinstance(error, RequestEntityTooLarge):
        return RequestTooLargeError(kilobytes=current_site().limits.request_bytes // 1024), 413
    if isinstance(error, HTTPException):
        status = error.code or 500
        return (PageNotFoundError() if status == 404 else UnusableRequestError()), status
    log.error("a page broke", exc_info=error)
    return BarazaError(), 500


def _error_page(error: BarazaError) -> str:
    return render_template("error.html", heading=heading_for(error), words=words_for(error), error=error)
