"""What goes onto one sheet of paper: where the page is found again, and letters as large as the sheet allows."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from urllib.parse import urlsplit

import segno
from flask import request
from markupsafe import Markup

BY_NAME = "baraza.local"  # what phones call the box, where it prints its own address: on its kiosk

POINT = 0.353  # millimetres
LETTER = 0.6  # of the size of the letters: how wide one is on the average, in a wide font
LEADING = 1.3  # of the size of the letters: from line to line, with a part of the gaps between paragraphs


@dataclass(frozen=True)
class Address:
    """Of a page, for a phone: in letters, and as a QR code in SVG."""

    letters: str
    qr: Markup


def address_of(path: str) -> Address:
    """Where the page at `path` is, by the address by which the box was reached now."""
    letters = _root() + path
    code = segno.make(letters, micro=False, error="m")
    # segno writes numbers and its own words only.
    return Address(letters, Markup(code.svg_inline(border=4, omitsize=True, svgclass=None, lineclass=None)))  # noqa: S704


def _root() -> str:
    """The address of the box without the slash at its end; “localhost” would lead a phone to itself."""
    there = urlsplit(request.url_root)
    if not _is_here(there.hostname or ""):
        return request.url_root.rstrip("/")
    return f"{there.scheme}://{BY_NAME}{f':{there.port}' if there.port else ''}"


def _is_here(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def largest(texts: Callable[[float], Iterable[str]], column: float, height: float, sizes: Sequence[float]) -> float:
    """The largest of `sizes`, in points, with which all texts go onto the sheet; the last of them if none does.

    Args:
        texts: gives the texts for a size, each of which begins on a new line.
        column: how wide the lines are, in millimetres.
        height: how high all columns are together, in millimetres.
        sizes: the largest first.
    """
    for points in sizes:
        letters = column / (points * POINT * LETTER)
        lines = sum(ceil(len(text) / letters) for text in texts(points))
        if lines * points * POINT * LEADING <= height:
            return points
    return sizes[-1]


def style(points: float) -> str:
    """The class of a sheet with letters of that size, in halves of a point."""
    return f"pt-{points:g}".replace(".", "-")
