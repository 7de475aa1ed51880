"""Articles of the knowledge base: Markdown with TOML front matter (see docs/write-knowledge.md)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.errors import KnowledgeError
from appliance.limits import LIMITS, Limits

KINDS = ("pest", "disease", "deficiency", "practice", "repair", "safety")
CHECKED = ("text", "abstract", "known")
CLIMATES = ("any", "humid", "semi-arid", "highlands", "subtropics")
COSTS = ("free", "low", "medium", "high")  # of the first steps, for a small farm or a household
EFFORTS = ("minutes", "hours", "days", "season")
FRONT = re.compile(r"\+\+\+\n(.*?)\n\+\+\+\n(.*)", re.DOTALL)
BODY_LANGUAGE = "en"
BY_VILLAGE = "by_village"  # the table of an article that people wrote and no expert reviewed
LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")


@dataclass(frozen=True)
class Source:
    publisher: str
    title: str
    year: int
    checked: str  # how much of it the writer read, one of CHECKED


@dataclass(frozen=True)
class Face:
    """What an article says first, in one language."""

    title: str
    aliases: tuple[str, ...]
    signs: tuple[str, ...]
    first_steps: tuple[str, ...]
    danger: str
    get_help: str


@dataclass(frozen=True)
class ByVillage:
    """That people of a village wrote an article or a note, and no expert reviewed it."""

    village: str  # "" if it has no name
    name: str  # that whoever wrote it wants to be called by; may be ""
    day: str  # ISO 8601, by the clock of their box
    known_from: str  # where they know it from; may be ""
    here: bool = False  # the village of this box


@dataclass(frozen=True)
class Article:
    id: str
    subject: str  # the folder: crops, repair, …
    kind: str
    crops: tuple[str, ...]
    devices: tuple[str, ...]
    season: str
    climate: tuple[str, ...]  # of CLIMATES; () if it does not say
    look_alikes: tuple[str, ...]  # in English, as the body: what else looks like this, and how to tell
    prevention: tuple[str, ...]  # in English
    cost: str  # of COSTS; "" if it does not say
    effort: str  # of EFFORTS; "" if it does not say
    reviewed: str  # by whom, and when; "" if by nobody
    faces: Mapping[str, Face]  # by BCP 47 tag
    body: str  # Markdown, in English
    sources: tuple[Source, ...]
    by: ByVillage | None = None

    @property
    def text(self) -> str:
        """All that stands in English only, as Markdown: the body, what else looks like this, how to prevent it."""
        lists = (("What else looks like this", self.look_alikes), ("How to prevent it", self.prevention))
        parts = [f"## {heading}\n" + "\n".join(f"- {line}" for line in lines) for heading, lines in lists if lines]
        return "\n\n".join((self.body, *parts))

    def face(self, language: str) -> Face:
        """The face in `language`, else in English; of one that has no English, in its own language."""
        return self.faces[self.language_of_face(language)]

    @property
    def is_checked(self) -> bool:
        """Whether its writer read the passages it rests on in at least one of the sources."""
        return any(source.checked == "text" for source in self.sources)

    def language_of_face(self, language: str) -> str:
        return next(each for each in (language, BODY_LANGUAGE, *self.faces) if each in self.faces)


def read_articles(
    folder: Path, limits: Limits = LIMITS, on_error: Callable[[KnowledgeError], None] | None = None
) -> dict[str, Article]:
    """All articles under `folder`, by id. One that is wrong is left out and told to `on_error`, if that is given.

    Raises:
        KnowledgeError: an article is not of its form, or two have the same id, and there is no `on_error`.
    """
    articles: dict[str, Article] = {}
    for path in sorted(folder.glob("*/*.md")):
        try:
            if path.stem in articles:
                raise KnowledgeError(article=path.stem, reason="there are two articles of this name")
            articles[path.stem] = read_article(path, limits)
        except KnowledgeError as error:
            if on_error is None:
                raise
            on_error(error)
    return articles


def read_article(path: Path, limits: Limits = LIMITS) -> Article:
    """Read one article. Raises KnowledgeError."""
    name = path.stem
    try:
        if path.stat().st_size > limits.article_bytes:
            raise KnowledgeError(article=name, reason=f"it is larger than {limits.article_bytes} bytes")
        parts = FRONT.fullmatch(path.read_text(encoding="utf-8"))
        if parts is None:
            raise KnowledgeError(article=name, reason="it does not begin with front matter between two lines of +++")
        return _article(path, tomllib.loads(parts.group(1)), parts.group(2).strip())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise KnowledgeError(article=name, reason=str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise KnowledgeError(article=name, reason=f"a field is missing or not of its form: {error}") from error


def _article(path: Path, front: dict[str, Any], body: str) -> Article:
    kind = _one_of("kind", front["kind"], KINDS)
    sources = tuple(_source(row) for row in front["sources"])
    by = _by_village(front[BY_VILLAGE]) if BY_VILLAGE in front else None
    if by is None and not (sources and body):
        raise ValueError("it has no source or no text")
    languages = {key: value for key, value in front.items() if isinstance(value, dict) and key != BY_VILLAGE}
    main = str(front.get("language", BODY_LANGUAGE))
    if not LANGUAGE.fullmatch(main) or (by is None and main != BODY_LANGUAGE):
        raise ValueError(f"language “{main}” is not one that it can be written in")
    return Article(
        id=path.stem,
        subject=path.parent.name,
        kind=kind,
        crops=_texts(front["crops"]),
        devices=_texts(front["devices"]),
        season=str(front["season"]),
        climate=tuple(_one_of("climate", each, CLIMATES) for each in _texts(front.get("climate", []))),
        look_alikes=_texts(front.get("look_alikes", [])),
        prevention=_texts(front.get("prevention", [])),
        cost=_one_of("cost", front.get("cost", ""), (*COSTS, "")),
        effort=_one_of("effort", front.get("effort", ""), (*EFFORTS, "")),
        reviewed=str(front.get("reviewed", "")),
        faces={main: _face(front), **{language: _face(table) for language, table in languages.items()}},
        body=body,
        sources=sources,
        by=by,
    )


def _by_village(table: dict[str, Any]) -> ByVillage:
    return ByVillage("", str(table["name"]), str(table["day"]), str(table["known_from"]))


def _source(row: dict[str, Any]) -> Source:
    checked = _one_of("checked", row["checked"], CHECKED)
    return Source(str(row["publisher"]), str(row["title"]), int(row["year"]), checked)


def _one_of(field: str, value: object, known: Sequence[str]) -> str:
    if value not in known:
        raise ValueError(f"{field} “{value}” is not one of {', '.join(known)}")
    return str(value)


def _face(table: dict[str, Any]) -> Face:
    face = Face(
        title=str(table["title"]),
        aliases=_texts(table["aliases"]),
        signs=_texts(table["signs"]),
        first_steps=_texts(table["first_steps"]),
        danger=str(table["danger"]),
        get_help=str(table["get_help"]),
    )
    if not (face.title and face.signs and face.first_steps):
        raise ValueError("title, signs or first_steps is empty")
    return face


def _texts(values: list[Any]) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{values!r} is not a list of texts")
    return tuple(values)
