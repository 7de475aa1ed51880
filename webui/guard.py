"""What is looked at before any page: the name the box was called by, where a form comes from, and its bytes."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote_to_bytes, urlsplit

from flask import request

from appliance.errors import NotUtf8Error
from webui.errors import ForeignFormError, RequestTooLargeError, UnknownHostError, UnusableRequestError
from webui.site import current_site

# Names the hotspot gives the box, besides its addresses. Any other name may be a foreign one, rebound to the box.
NAMES = frozenset({"localhost", "baraza", "baraza.local", "baraza.home.arpa"})
HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>\d{1,5}))?")
FORM = "application/x-www-form-urlencoded"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
DRAINED = 4  # times the largest request; what is larger still is cut off by the server
BLOCK = 64 * 1024


def check_request() -> None:
    """Let a request through, or raise.

    Raises:
        UnknownHostError: the box was called by a name that is not its own.
        ForeignFormError: a form does not come from a page of the box.
        RequestTooLargeError: the body is larger than `limits.request_bytes`.
        NotUtf8Error: the form or the query is not UTF-8.
        UnusableRequestError: the body is no form.
    """
    _check_host()
    _check_utf8(request.query_string)
    if request.method in SAFE_METHODS:
        return
    _check_origin()
    _check_size()
    body = request.get_data()
    if body and request.mimetype != FORM:
        raise UnusableRequestError
    _check_utf8(body)


def _check_host() -> None:
    found = HOST.fullmatch(request.headers.get("Host", ""))
    name = found["name"].lower().rstrip(".") if found else ""
    if name not in NAMES and not _is_address(name):
        raise UnknownHostError(host=name or "–")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _check_origin() -> None:
    """Browsers say where a form comes from; over plain http this is all that tells a foreign page apart."""
    try:
        origin = urlsplit(request.headers.get("Origin") or request.headers.get("Referer", ""))
    except ValueError as error:
        raise ForeignFormError from error
    if origin.scheme not in ("http", "https") or _place(origin.netloc) != _place(request.headers["Host"]):
        raise ForeignFormError


def _place(netloc: str) -> str:
    """Host and port in one form: browsers leave the usual port out."""
    return netloc.lower().removesuffix(":80").removesuffix(":443")


def _check_size() -> None:
    limits = current_site().limits
    length = request.content_length or 0
    if length <= limits.request_bytes:
        return
    # Read to its end, a body that is too large still gets a page; unread, the phone sees a broken connection.
    left = length if length <= DRAINED * limits.request_bytes else 0
    while left > 0 and (block := request.input_stream.read(min(BLOCK, left))):
        left -= len(block)
    raise RequestTooLargeError(kilobytes=limits.request_bytes // 1024)


def _check_utf8(form: bytes) -> None:
    try:
        unquote_to_bytes(form).decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotUtf8Error from error
