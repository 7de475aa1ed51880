"""Drawings of what to look at: a small part of SVG, checked and written anew, so that a page can hold it as it is.

A tree may come from a neighbour. Its picture stands in the middle of a page, where SVG could run scripts, load things
and cover the page: only shapes get through, with attributes whose values are of a known form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from appliance.errors import TreeError
from appliance.limits import LIMITS, Limits

NAMESPACE = "{http://www.w3.org/2000/svg}"
VIEW = "0 0 200 150"
DEPTH = 6  # groups in groups
SHAPES = frozenset({"path", "line", "polyline", "polygon", "circle", "ellipse", "rect"})

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)"
_NUMBERS = re.compile(rf"\s*{_NUMBER}(?:[\s,]+{_NUMBER})*\s*")
_PAINT = re.compile("none|currentColor")
_LENGTH = re.compile(_NUMBER)
_PATH = re.compile(r"[MmLlHhVvCcSsQqTtAaZz0-9\s,.+-]+")
_MOVES = re.compile(r"(?:\s*(?:translate|rotate|scale|matrix|skewX|skewY)\([-+0-9.,\s]+\)\s*)+")
_VALUES = {
    "viewBox": re.compile(VIEW),
    "fill": _PAINT,
    "stroke": _PAINT,
    "stroke-linecap": re.compile("butt|round|square"),
    "stroke-linejoin": re.compile("miter|round|bevel"),
    "fill-rule": re.compile("nonzero|evenodd"),
    "stroke-dasharray": _NUMBERS,
    "points": _NUMBERS,
    "d": _PATH,
    "transform": _MOVES,
}
_LENGTHS = ("stroke-width", "stroke-opacity", "fill-opacity", "opacity", "x", "y", "x1", "y1", "x2", "y2")
_VALUES |= dict.fromkeys((*_LENGTHS, "cx", "cy", "r", "rx", "ry", "width", "height"), _LENGTH)


@dataclass(frozen=True)
class Picture:
    title: str  # what is to be seen on it, in English
    svg: str  # of 200 × 150 units, drawn in the colour of the text; holds nothing but shapes


def read_picture(path: Path, tree: str, limits: Limits = LIMITS) -> Picture:
    """The picture in the file `path`, for `tree`. Raises TreeError: there is none, or it is not of its form."""
    try:
        if path.stat().st_size > limits.picture_bytes:
            raise ValueError(f"it is larger than {limits.picture_bytes} bytes")
        return _picture(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, ElementTree.ParseError) as error:
        raise TreeError(tree=tree, reason=f"its picture {path.stem}: {error}") from error


def _picture(text: str) -> Picture:
    if "<!" in text or "<?" in text:  # what entities are made of
        raise ValueError("it has a declaration, a comment or an instruction")
    root = ElementTree.fromstring(text)  # noqa: S314 - of a few kilobytes, and without entities
    if root.tag != f"{NAMESPACE}svg" or root.get("viewBox") != VIEW:
        raise ValueError(f"it is no SVG with the viewBox {VIEW}")
    title = root.find(f"{NAMESPACE}title")
    if title is None or len(title) or title.attrib or not (title.text or "").strip():
        raise ValueError("it has no title")
    root.remove(title)
    return Picture(str(title.text).strip(), _drawn(root, 0))


def _drawn(element: Element, depth: int) -> str:
    """`element` written anew. Raises ValueError: it is none of those that are known."""
    name = element.tag.removeprefix(NAMESPACE)
    if name not in (SHAPES | {"g"} if depth else {"svg"}) or depth > DEPTH:
        raise ValueError(f"<{name}> may not stand there")
    if (element.text or "").strip() or (element.tail or "").strip() or (len(element) and name in SHAPES):
        raise ValueError(f"<{name}> holds more than shapes")
    attributes = "".join(f' {key}="{_value(key, value)}"' for key, value in element.attrib.items())
    inner = "".join(_drawn(child, depth + 1) for child in element)
    return f"<{name}{attributes}>{inner}</{name}>"


def _value(key: str, value: str) -> str:
    form = _VALUES.get(key)
    if form is None or not form.fullmatch(value):
        raise ValueError(f"{key}=“{value}” is not allowed")
    return value
