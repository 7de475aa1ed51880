"""What data files of the knowledge have in common: words in four languages, sources. What is wrong is a ValueError."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from appliance.advice.articles import CHECKED, Source
from appliance.errors import KnowledgeError
from appliance.limits import LIMITS, Limits

LANGUAGES = ("en", "es", "fr", "sw")
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
FIRST_YEAR = 1900

Words = Mapping[str, str]  # by BCP 47 tag, with each of LANGUAGES


def read_table(path: Path, name: str, limits: Limits = LIMITS) -> dict[str, Any]:
    """The TOML of a file that is called `name` where it is wrong. Raises KnowledgeError."""
    try:
        if path.stat().st_size > limits.article_bytes:
            raise KnowledgeError(article=name, reason=f"it is larger than {limits.article_bytes} bytes")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise KnowledgeError(article=name, reason=str(error)) from error


def only(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """That `table` has no key but `known`: a misspelt one would be overlooked."""
    strange = sorted(set(table) - set(known))
    if strange:
        raise ValueError(f"{where} has {', '.join(strange)}, which is not known")


def words(value: object, where: str) -> Words:
    """`value` as words in every language."""
    if not isinstance(value, dict) or set(value) != set(LANGUAGES):
        raise ValueError(f"{where} is not in {', '.join(LANGUAGES)} and nothing else")
    if not all(isinstance(text, str) and text.strip() == text and text for text in value.values()):
        raise ValueError(f"{where} has an empty text, or spaces around one")
    return dict(value)


def one_of(value: object, known: Sequence[str], where: str) -> str:
    """`value`, which must be one of `known`."""
    if value not in known:
        raise ValueError(f"{where} “{value}” is not one of {', '.join(known)}")
    return str(value)


def days(value: object, where: str) -> tuple[int, int]:
    """(from, to) in days, not before 0 and in order."""
    if not isinstance(value, list) or len(value) != 2 or not all(type(day) is int for day in value):
        raise ValueError(f"{where} is not [from, to]")
    first, last = value
    if not 0 <= first <= last:
        raise ValueError(f"{where} is out of order")
    return first, last


def sources(rows: object) -> tuple[Source, ...]:
    """At least one source, each with a year."""
    if not isinstance(rows, list) or not rows:
        raise ValueError("it has no source")
    found = []
    for row in rows:
        only(row, ("publisher", "title", "year", "checked"), "a source")
        checked = one_of(row["checked"], CHECKED, "checked")
        found.append(Source(str(row["publisher"]), str(row["title"]), int(row["year"]), checked))
    if not all(source.publisher and source.title and source.year > FIRST_YEAR for source in found):
        raise ValueError("a source has no publisher, no title or no year")
    return tuple(found)
