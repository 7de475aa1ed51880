"""Reading what a person typed."""

from __future__ import annotations

from flask import request


def field(name: str) -> str:
    """A field of the form; browsers send line breaks as two characters, they become one."""
    return _one_line_break(request.form.get(name, ""))


def asked(name: str) -> str:
    """A field of the query."""
    return _one_line_break(request.args.get(name, ""))


def whole(text: str) -> int:
    """A number from outside; anything else is 0, the beginning."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _one_line_break(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
