"""The text of a document: how answers go into a template, and how the finished text is read for a page.

The structure is the first characters of a line, so that the text reads well in any text box:

    # Title of the document
    ## Heading
    A paragraph; its line breaks are kept, as in an address. An empty line ends it.
    ______________________________      at least ten underscores: a line to sign on; the lines under it say who signs
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Literal

Part = Literal["title", "heading", "paragraph", "signature"]

_EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n)+")
_SIGNATURE = re.compile(r"_{10,}\s*")


@dataclass(frozen=True)
class Block:
    """A part of a finished text. The lines of a signature are who signs; they may be none."""

    part: Part
    lines: tuple[str, ...]


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put `values` in the place of `$key`; they stay as they are, whatever characters they have.

    A line with an empty value is left out, and so is a paragraph that has lost all its values, with the headings and
    labels in it. Between paragraphs stands one empty line, whatever was left out.

    Raises:
        KeyError: the template has a key that `values` does not have.
        ValueError: the template has a `$` that begins no key.
    """
    filled = (_fill_paragraph(paragraph, values) for paragraph in _EMPTY_LINES.split(template.strip()))
    return "\n\n".join(paragraph for paragraph in filled if paragraph)


def keys(template: str) -> tuple[str, ...]:
    """The keys of `template`, each once."""
    return tuple(Template(template).get_identifiers())


def is_valid(template: str) -> bool:
    """Whether every `$` begins a key or is doubled, which stands for itself."""
    return Template(template).is_valid()


def blocks(text: str) -> tuple[Block, ...]:
    """Read a finished text, changed by hand or not. Every text can be read; the lines are as they were written."""
    found: list[Block] = []
    # The text box of a browser ends lines with \r\n.
    for paragraph in _EMPTY_LINES.split(text.replace("\r\n", "\n").strip("\n")):
        found.extend(_paragraph_blocks(paragraph.split("\n")))
    return tuple(found)


def _fill_paragraph(paragraph: str, values: Mapping[str, str]) -> str:
    lines = paragraph.split("\n")
    kept = [line for line in lines if all(values[key] for key in keys(line))]
    if len(kept) < len(lines) and not any(map(keys, kept)):
        return ""
    return "\n".join(Template(line).substitute(values) for line in kept)


def _paragraph_blocks(lines: list[str]) -> list[Block]:
    found: list[Block] = []
    for line in lines:
        if line.startswith("# "):
            found.append(Block("title", (line[2:].strip(),)))
        elif line.startswith("## "):
            found.append(Block("heading", (line[3:].strip(),)))
        elif _SIGNATURE.fullmatch(line):
            found.append(Block("signature", ()))
        elif found and found[-1].part in ("paragraph", "signature"):
            found[-1] = Block(found[-1].part, (*found[-1].lines, line))
        elif line.strip():
            found.append(Block("paragraph", (line,)))
    return found
