"""The keeper at the page: who has entered the PIN on which device, and until when.

A session is a random word in the memory of the box and in a cookie that scripts cannot read and other sites do not
send. It belongs to one device and to one PIN, and ends after some idle minutes, at “log out”, when another PIN is set,
and when the box is switched off. Every page of a keeper's blueprint asks for it (`guard`): none can forget to.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from flask import Blueprint, Response, current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.keeper.tries import Visitor
from appliance.limits import Limits
from webui.owners import device
from webui.site import appliance

COOKIE, PATH = "keeper", "/keeper"
COOKIE_FORM = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 bits
FORWARDED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via")
OWN_NAMES = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
EXTENSION = "baraza-keeping"


@dataclass(frozen=True)
class Session:
    """`stamp`: of the PIN it was opened with; `seen`: monotonic, when its last page was asked for."""

    device: str
    stamp: str
    seen: float


class Sessions:
    """Of this process. Nothing of them is written down: after a restart the PIN is asked for again."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._idle, self._most, self._clock = limits.keeper_idle_seconds, limits.keeper_sessions, clock
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Session] = OrderedDict()  # by the sha256 of the word in the cookie

    def begin(self, device: str, stamp: str) -> str:
        """A new session of `device`, the only one it has; its word."""
        word = secrets.token_urlsafe(32)
        with self._lock:
            self._end_of(device)
            self._open[_mark(word)] = Session(device, stamp, self._clock())
            while len(self._open) > self._most:
                self._open.popitem(last=False)  # seen longest ago
        return word

    def is_open(self, word: str, device: str, stamp: str) -> bool:
        """Whether `word` opens a session of this device and this PIN, which then lasts from now on."""
        mark = _mark(word)
        with self._lock:
            session = self._open.get(mark)
            if session is None:
                return False
            now = self._clock()
            if not stamp or (session.device, session.stamp) != (device, stamp) or now - session.seen > self._idle:
                del self._open[mark]
                return False
            self._open[mark] = replace(session, seen=now)
            self._open.move_to_end(mark)
            return True

    def end(self, word: str) -> None:
        """End a session, if there is such a one."""
        with self._lock:
            self._open.pop(_mark(word), None)

    def _end_of(self, device: str) -> None:
        for mark in [mark for mark, session in self._open.items() if session.device == device]:
            del self._open[mark]


def _mark(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


# In a request


def sessions() -> Sessions:
    """The sessions of this box."""
    found: Sessions = current_app.extensions[EXTENSION]
    return found


def guard(pages: Blueprint, open_to_all: tuple[str, ...] = ()) -> None:
    """Let a keeper only reach `pages`, but for the views named in `open_to_all`; and have no browser keep them."""

    def check() -> AnyResponse | None:
        free = request.endpoint in {f"{pages.name}.{view}" for view in open_to_all}
        return None if free or is_keeper() else _to_pin()

    pages.before_request(check)
    pages.after_request(_keep_nowhere)


def is_keeper() -> bool:
    """Whether this request comes from a device on which the PIN was entered. Raises StorageError."""
    if "keeper" not in g:
        word = request.cookies.get(COOKIE, "")
        g.keeper = bool(COOKIE_FORM.fullmatch(word)) and sessions().is_open(word, device(), appliance().keeper.stamp())
    found: bool = g.keeper
    return found


def log_in(stamp: str, where: str) -> AnyResponse:
    """Open a session for this device, and go on to `where`."""
    response = redirect(own_page(where), 303)
    word = sessions().begin(device(), stamp)
    response.set_cookie(COOKIE, word, path=PATH, httponly=True, samesite="Strict")
    return response


def log_out() -> AnyResponse:
    """End the session of this device, and go to the page that asks for the PIN."""
    sessions().end(request.cookies.get(COOKIE, ""))
    response = redirect(url_for("keeper.pin", left="yes"), 303)
    response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="Strict")
    return response


def own_page(where: str) -> str:
    """`where` if it is a keeper's page of this box, else the first of them."""
    inside = where == PATH or where.startswith((f"{PATH}/", f"{PATH}?"))
    return where if inside and where.isprintable() and "\\" not in where else PATH


def visitor() -> Visitor:
    """Who tries a PIN: the box's own screen, a device, or an address."""
    return Visitor(device(), "" if at_the_box() else request.remote_addr or "?")


def at_the_box() -> bool:
    """Whether this was asked on the box itself: from loopback, by a name of loopback, and through no proxy.

    A proxy on the box asks from loopback for everybody. One that says so is recognised; so is one that passes on the
    name by which people call the box. What is left is told in docs/keeper.md: set the PIN before one is put there.
    """
    try:
        local = ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
    named = OWN_NAMES.fullmatch(request.headers.get("Host", "")) is not None
    return local and named and not any(header in request.headers for header in FORWARDED)


def _to_pin() -> AnyResponse:
    """To the page that asks for the PIN, and back from there; what a form held has to be typed again."""
    where = request.full_path.rstrip("?") if request.method == "GET" else PATH
    return redirect(url_for("keeper.pin", next=where), 303)


def _keep_nowhere(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
