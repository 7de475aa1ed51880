"""Bars of progress on standard error, for whoever watches a command."""

from __future__ import annotations

import sys
from typing import Any

import click


class Bars:
    """A bar of progress for each thing that is worked on, one after the other; nothing where nobody watches."""

    def __init__(self) -> None:
        self._label = ""
        self._bar: Any = None

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def show(self, label: str, done: int, total: int) -> None:
        """`done` of `total` bytes of `label`."""
        if label != self._label or self._bar is None:
            self._end()
            self._label = label
            self._bar = click.progressbar(length=1000, label=label, file=sys.stderr, item_show_func=str)
            self._bar.__enter__()
        self._bar.update(1000 * done // max(total, 1) - self._bar.pos, f"{done / 1e6:.0f} of {total / 1e6:.0f} MB")

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None
