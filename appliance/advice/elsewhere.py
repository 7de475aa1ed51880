"""What people ask that no article is about: prices, love, law, … A question that fits one of these is not answered.

Without them a box knows what it has, and not what there is besides: “the price of maize” is about maize, after all.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from appliance.advice.articles import Article, Face
from appliance.errors import KnowledgeError
from appliance.limits import LIMITS, Limits

FILE = "elsewhere.toml"
PREFIX = "elsewhere/"  # of their ids, which no article has
LANGUAGE = 2  # letters of a key that is one


def read_elsewhere(folder: Path, limits: Limits = LIMITS) -> dict[str, Article]:
    """The topics in the file of `folder`, in the form of articles, by id; none if there is no such file.

    Raises KnowledgeError: it is not of its form.
    """
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        if path.stat().st_size > limits.article_bytes:
            raise KnowledgeError(article=FILE, reason=f"it is larger than {limits.article_bytes} bytes")
        rows = tomllib.loads(path.read_text(encoding="utf-8"))["topic"]
        return {PREFIX + row["id"]: _topic(row) for row in rows}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise KnowledgeError(article=FILE, reason=str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise KnowledgeError(article=FILE, reason=f"a field is missing or not of its form: {error}") from error


def _topic(row: dict[str, Any]) -> Article:
    faces = {key: _face(lines) for key, lines in row.items() if len(key) == LANGUAGE and key != "id"}
    if "en" not in faces:
        raise ValueError(f"{row['id']} has no English words")
    return Article(
        id=PREFIX + row["id"],
        subject="elsewhere",
        kind="elsewhere",
        crops=(),
        devices=(),
        season="",
        climate=(),
        look_alikes=(),
        prevention=(),
        cost="",
        effort="",
        reviewed="",
        faces=faces,
        body="",
        sources=(),
    )


def _face(lines: Any) -> Face:
    if not isinstance(lines, list) or not all(isinstance(line, str) and line for line in lines):
        raise TypeError(f"{lines!r} is not a list of texts")
    return Face(lines[0], tuple(lines[1:]), (), (), "", "")
