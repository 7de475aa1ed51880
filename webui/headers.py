"""What every response says: nothing from elsewhere may run in a page, and text travels compressed."""

from __future__ import annotations

import gzip

from flask import Response, request

# Nothing inline, nothing from another host, nobody may frame the page, and forms go back to the box only.
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
LEAST_COMPRESSED = 600  # bytes; below it nothing is won
COMPRESSED = ("text/html", "application/json")


def dress(response: Response) -> Response:
    """Add the headers of every response, and compress a page."""
    headers = response.headers
    headers["Content-Security-Policy"] = POLICY
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers.setdefault("Cache-Control", "private, no-cache")
    if response.mimetype in COMPRESSED:
        response.vary.update(("Accept-Encoding", "Accept-Language", "Cookie"))
        _compress(response)
    return response


def _compress(response: Response) -> None:
    if response.is_streamed or not request.accept_encodings.quality("gzip") or "Content-Encoding" in response.headers:
        return
    body = response.get_data()
    if len(body) >= LEAST_COMPRESSED:
        response.set_data(gzip.compress(body, 6, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
