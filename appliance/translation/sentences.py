"""Text cut into sentences and put together again, with every space and line break where it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 300  # characters of one piece; the model was trained on sentences, not on paragraphs

# Words after which a full stop does not end a sentence (English and Spanish; compared in lower case).
ABBREVIATIONS = frozenset(
    (
        "mr mrs ms dr prof st jr sr sra srta dra no nº núm num art fig vol p pp pág págs ed eds etc e.g i.e "
        "p.ej ej vs approx ca cap av avda ud uds vd vds ee uu lic ing gral mt kg km cm mm hr min seg tel "
    ).split()
)
END = re.compile(r"""[.!?…]+["'”’»)\]]*(?=\s)""")
WORD_BEFORE = re.compile(r"([\w.]+)\.$")
LONGEST_WORD = 40  # characters before a full stop that are looked at: the work grows with the text, not its square
SPACE = re.compile(r"\s*")
SOFT_BREAK = re.compile(r"[;:,—–]\s")
TAG = re.compile(r"(</?[a-zA-Z!][^<>]*>)")  # HTML somebody pasted: it stays where it is
EDGES = re.compile(r"(\s*(?:[-*•·–—]\s+|\(?\d{1,3}[.)]\s+|#{1,6}\s+|>\s+)?)(.*?)(\s*)", re.DOTALL)


@dataclass(frozen=True)
class Piece:
    """A sentence, and what stands before and after it and is kept as it is."""

    before: str
    sentence: str
    after: str


def split(text: str) -> list[Piece]:
    """The pieces of `text`; joined by `join` they give it back. List marks, tags and line breaks stay outside."""
    pieces: list[Piece] = []
    for line in _runs(text):
        if not line.strip() or TAG.fullmatch(line):
            pieces.append(Piece(line, "", ""))
            continue
        edges = EDGES.fullmatch(line)
        before, body, after = edges.groups() if edges else ("", line, "")
        sentences = [part for sentence in _sentences(body) for part in _shortened(sentence)]
        for number, (sentence, space) in enumerate(sentences):
            last = number == len(sentences) - 1
            pieces.append(Piece(before if number == 0 else "", sentence, space + (after if last else "")))
        if not sentences:
            pieces.append(Piece(line, "", ""))
    return pieces


def join(pieces: list[Piece]) -> str:
    """The text of `pieces`."""
    return "".join(piece.before + piece.sentence + piece.after for piece in pieces)


def _runs(text: str) -> Iterator[str]:
    """Lines, line breaks and tags, in order."""
    for line in re.split(r"(\r\n|\n|\r)", text):
        yield from TAG.split(line)


def _sentences(body: str) -> list[tuple[str, str]]:
    """(sentence, space after it) of one line."""
    found: list[tuple[str, str]] = []
    start = 0
    for match in END.finditer(body):
        if match.end() <= start or not _ends_sentence(body, match):
            continue
        space = SPACE.match(body, match.end())
        stop = space.end() if space else match.end()
        found.append((body[start : match.end()], body[match.end() : stop]))
        start = stop
    if start < len(body):
        found.append((body[start:], ""))
    return found


def _ends_sentence(body: str, match: re.Match[str]) -> bool:
    space = SPACE.match(body, match.end())
    next_one = space.end() if space else match.end()
    if body[next_one : next_one + 1].islower():
        return False
    if match.group() != ".":
        return True
    word = WORD_BEFORE.search(body, max(0, match.end() - LONGEST_WORD), match.end())
    if word is None:
        return True
    before = word.group(1).lower()
    is_initial = len(before) == 1 and before.isalpha()
    return not (is_initial or before in ABBREVIATIONS)


def _shortened(sentence: tuple[str, str]) -> list[tuple[str, str]]:
    """A sentence of more than LONGEST characters in parts, cut after a comma or the like, else at a space."""
    text, space = sentence
    parts: list[tuple[str, str]] = []
    while len(text) > LONGEST:
        breaks = [match.end() for match in SOFT_BREAK.finditer(text[:LONGEST])]
        cut = breaks[-1] if breaks and breaks[-1] > LONGEST // 3 else text.rfind(" ", 0, LONGEST) + 1
        cut = cut or LONGEST
        head = text[:cut]
        parts.append((head.rstrip(), head[len(head.rstrip()) :]))
        text = text[cut:]
    return [*parts, (text, space)]
