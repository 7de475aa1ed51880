"""A sheet of sentence pairs, as a spreadsheet writes it: two columns of text, separated by a tab."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.errors import CorpusError

HELD_SHARE, HELD_LEAST, HELD_MOST = 0.05, 50, 1_000
FEWEST_WORDS = 3  # of a sentence that is kept apart: single words measure a dictionary, not a translation
SHOWN = 10  # of the lines that cannot be used
NEWLINE = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class Sheet:
    """What a sheet holds: (source, target) pairs in their order, each once; `repeated` counts the others."""

    pairs: list[tuple[str, str]]
    header: str
    repeated: int


def read_sheet(path: Path, source: str, target: str) -> Sheet:
    """Read a sheet of two columns, separated by tabs, in UTF-8; a first line with the languages' codes is a header.

    Raises:
        CorpusError: the file is missing, is not UTF-8, or has lines that are not a pair; it says which.
    """
    seen: set[tuple[str, str]] = set()
    pairs: list[tuple[str, str]] = []
    wrong: list[str] = []
    header, repeated, swapped = "", 0, False
    for number, line in _lines(path):
        cells = [_unquoted(cell) for cell in line.split("\t")]
        if number == 1 and _is_header(cells, source, target):
            header = " | ".join(cells)
            swapped = [cell.casefold() for cell in cells] == [target.casefold(), source.casefold()]
            continue
        problem = _problem(cells)
        if problem:
            wrong.append(f"line {number}: {problem}")
            continue
        pair = (cells[1], cells[0]) if swapped else (cells[0], cells[1])
        repeated += pair in seen
        if pair not in seen:
            seen.add(pair)
            pairs.append(pair)
    if wrong:
        more = f"\n  … and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        listed = "\n  ".join(wrong[:SHOWN])
        raise CorpusError(f"{path.name}: {len(wrong)} lines are not a pair. Mend or delete them:\n  {listed}{more}")
    return Sheet(pairs, header, repeated)


def split(pairs: list[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(pairs to train on, pairs kept apart to measure on).

    Chosen by a hash of the source, so that a sheet that grows keeps what was apart apart. No pair to train on has a
    side in common with one that is apart, whatever its capitals and punctuation.
    """
    whole = [pair for pair in pairs if min(len(side.split()) for side in pair) >= FEWEST_WORDS]
    count = min(HELD_MOST, max(HELD_LEAST, round(len(pairs) * HELD_SHARE)))
    held: list[tuple[str, str]] = []
    apart: tuple[set[str], set[str]] = (set(), set())
    for pair in sorted(whole if len(whole) >= 2 * count else pairs, key=_rank):
        bare = [_bare(side) for side in pair]
        if len(held) < count and bare[0] not in apart[0] and bare[1] not in apart[1]:
            held.append(pair)
            apart[0].add(bare[0])
            apart[1].add(bare[1])
    training = [pair for pair in pairs if _bare(pair[0]) not in apart[0] and _bare(pair[1]) not in apart[1]]
    return training, held


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number, text) of each line that is not blank."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}.") from error
    how = "Save it again as text with tabs between the columns, in the encoding UTF-8."
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in raw[:1000]:
        raise CorpusError(f"{path.name} is no UTF-8 text: it looks like UTF-16 or a spreadsheet file. {how}")
    if raw[:4] == b"PK\x03\x04":
        raise CorpusError(f"{path.name} is a spreadsheet file, no text. {how}")
    for number, line in enumerate(NEWLINE.split(raw.removeprefix(b"\xef\xbb\xbf")), 1):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            where = f"line {number}, after “{line[max(0, error.start - 20) : error.start].decode('utf-8', 'replace')}”"
            raise CorpusError(f"{path.name} is not in UTF-8 ({where}). {how}") from None
        if text.strip():
            yield number, text


def _unquoted(cell: str) -> str:
    """A cell without the quotation marks that spreadsheets put around some, in NFC, its spaces single."""
    cell = cell.strip()
    if len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in cell[1:-1].replace('""', ""):
        cell = cell[1:-1].replace('""', '"')
    return " ".join(unicodedata.normalize("NFC", cell).split())


def _is_header(cells: list[str], source: str, target: str) -> bool:
    said = [cell.casefold() for cell in cells]
    return said in ([source.casefold(), target.casefold()], [target.casefold(), source.casefold()]) or said == [
        "source",
        "target",
    ]


def _problem(cells: list[str]) -> str:
    """Why the cells are no pair; "" if they are."""
    if len(cells) == 1:
        return "one column only; the two languages are separated by a tab"
    if len(cells) > 2:
        return f"{len(cells)} columns; two are expected"
    empty = [name for name, cell in zip(("first", "second"), cells, strict=True) if not cell]
    return f"the {empty[0]} column is empty" if empty else ""


def _bare(side: str) -> str:
    """The words of a side without capitals and punctuation; the side itself if it has no words."""
    return " ".join(re.findall(r"\w+", side.casefold())) or side


def _rank(pair: tuple[str, str]) -> tuple[bytes, tuple[str, str]]:
    return hashlib.sha256(_bare(pair[0]).encode()).digest(), pair
