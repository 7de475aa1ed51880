"""Articles of the knowledge base: Markdown with TOML front matter (see docs/write-knowledge.md)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.errors import KnowledgeError
from appliance.limits import LIMITS, Limits

KINDS = ("pest", "disease", "deficiency", "practice", "repair", "safety")
CHECKED = ("text", "abstract", "known")
FRONT = re.compile(r"\+\+\+\n(.*?)\n\+\+\+\n(.*)", re.DOTALL)
BODY_LANGUAGE = "en"


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
class Article:
    id: str
    subject: str  # the folder: crops, repair, …
    kind: str
    crops: tuple[str, ...]
    devices: tuple[str, ...]
    season: str
    faces: Mapping[str, Face]  # by BCP 47 tag
    body: str  # Markdown, in English
    sources: tuple[Source, ...]

    def face(self, language: str) -> Face:
        """The face in `language`, else in English."""
        return self.faces.get(language, self.faces[BODY_LANGUAGE])

    @property
    def is_checked(self) -> bool:
        """Whether its writer read the passages it rests on in at least one of the sources."""
        return any(source.checked == "text" for source in self.sources)

    def language_of_face(self, language: str) -> str:
        return language if language in self.faces else BODY_LANGUAGE


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
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise KnowledgeError(article=name, reason=str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise KnowledgeError(article=name, reason=f"a field is missing or not of its form: {error}") from error


def _article(path: Path, front: dict[str, Any], body: str) -> Article:
    kind = str(front["kind"])
    if kind not in KINDS:
        raise ValueError(f"kind “{kind}” is not one of {', '.join(KINDS)}")
    sources = tuple(_source(row) for row in front["sources"])
    if not sources or not body:
        raise ValueError("it has no source or no text")
    languages = {key: value for key, value in front.items() if isinstance(value, dict)}
    return Article(
        id=path.stem,
        subject=path.parent.name,
        kind=kind,
        crops=_texts(front["crops"]),
        devices=_texts(front["devices"]),
        season=str(front["season"]),
        faces={BODY_LANGUAGE: _face(front), **{language: _face(table) for language, table in languages.items()}},
        body=body,
        sources=sources,
    )


def _source(row: dict[str, Any]) -> Source:
    checked = str(row["checked"])
    if checked not in CHECKED:
        raise ValueError(f"checked “{checked}” is not one of {', '.join(CHECKED)}")
    return Source(str(row["publisher"]), str(row["title"]), int(row["year"]), checked)


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
