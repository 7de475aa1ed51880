"""Whose a request is. Nobody logs in: a device is known by its address, or by a cookie that only it has."""

from __future__ import annotations

import ipaddress
import re
import secrets

from flask import Response, g, request

COOKIE = "device"
COOKIE_FORM = re.compile(r"[A-Za-z0-9_-]{22}")  # 128 bits
TWO_YEARS = 2 * 365 * 24 * 3600  # seconds


def device() -> str:
    """The name of this device on the box; a new one gets its cookie with this response."""
    if "device" not in g:
        cookie = request.cookies.get(COOKIE, "")
        known = COOKIE_FORM.fullmatch(cookie) is not None
        g.device, g.device_is_new = (cookie, False) if known else (secrets.token_urlsafe(16), True)
    name: str = g.device
    return name


def queue_owner() -> str:
    """Who takes turns in the queue: the address, which a cleared cookie does not change.

    On loopback (the box's own kiosk, a proxy) every device has the same address, and the cookie has to do.
    """
    address = request.remote_addr or ""
    try:
        shared = ipaddress.ip_address(address).is_loopback
    except ValueError:
        shared = True
    return device() if shared else address


def keep_cookie(response: Response) -> Response:
    """Give a new device its cookie. Its age is counted by the phone, so the clock of the box does not matter."""
    if g.get("device_is_new"):
        response.set_cookie(COOKIE, device(), max_age=TWO_YEARS, httponly=True, samesite="Lax")
    return response
