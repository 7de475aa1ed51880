"""One question back, where none of the articles answers: which plant, animal or device? what do you see?

Chosen by rules from what the question lacks, with answers picked from the nearest topics: each asks the question again
with a word more. What the things are called stands in `knowledge/things.toml`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from appliance.advice.confidence import THRESHOLD
from appliance.advice.service import Answer, Passage
from appliance.advice.words import stems
from appliance.errors import KnowledgeError
from appliance.limits import LIMITS, Limits

FILE = "things.toml"
WORD = re.compile(r"\w+")
LIKELY = 0.05  # how sure it is at least of the nearest topic, before its words are offered
CHOICES = 4


@dataclass(frozen=True)
class Thing:
    """`of`: how articles name it under crops and devices; `names`: what people call it, by language."""

    of: tuple[str, ...]
    names: dict[str, tuple[str, ...]]

    def name(self, language: str) -> str:
        """The name that is shown."""
        return self.names[language][0]

    def is_named(self, question: str, language: str) -> bool:
        """Whether one of its names is in a question: its stems, or as it is written (“maïs”, whose stem is “but”)."""
        asked, written = set(stems(question, language)), set(WORD.findall(question.lower()))
        told = ((set(stems(name, language)), name.lower()) for name in self.names[language])
        return any((words and words <= asked) or name in written for words, name in told)


@dataclass(frozen=True)
class Choice:
    """What somebody may say to it, and the question with that in it."""

    text: str
    question: str


@dataclass(frozen=True)
class Back:
    """A question back: about the `thing` (which?), or about what is to be seen, its `sign`."""

    about: Literal["thing", "sign"]
    choices: tuple[Choice, ...]


def read_things(folder: Path, limits: Limits = LIMITS) -> tuple[Thing, ...]:
    """The things in the file of `folder`; none if there is no such file. Raises KnowledgeError."""
    path = folder / FILE
    if not path.exists():
        return ()
    try:
        if path.stat().st_size > limits.article_bytes:
            raise KnowledgeError(article=FILE, reason=f"it is larger than {limits.article_bytes} bytes")
        return tuple(_thing(row) for row in tomllib.loads(path.read_text(encoding="utf-8"))["thing"])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise KnowledgeError(article=FILE, reason=str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise KnowledgeError(article=FILE, reason=f"a field is missing or not of its form: {error}") from error


def _thing(row: dict[str, Any]) -> Thing:
    names = {language: _texts(listed) for language, listed in row.items() if language != "of"}
    return Thing(_texts(row["of"]), names)


def _texts(listed: Any) -> tuple[str, ...]:
    if not isinstance(listed, list) or not listed or not all(isinstance(each, str) and each for each in listed):
        raise TypeError(f"{listed!r} is not a list of texts")
    return tuple(listed)


def ask_back(answer: Answer, things: Sequence[Thing], limits: Limits = LIMITS) -> Back | None:
    """What to ask whoever asked a question that nothing answers; None if nothing is near, or it is of something else.

    What is sure enough and is not told all the same is what the knowledge has nothing about: there is no word missing.
    """
    near = [each for each in answer.nearest if each.score >= LIKELY]
    if not answer.abstained or not near or near[0].score >= THRESHOLD:
        return None
    known = [each for each in things if answer.language in each.names]
    named = [each for each in known if each.is_named(answer.question, answer.language)]
    if named:
        about = [each for each in near if _things_of(each, named)]
        return _back("sign", [sign for each in about for sign in each.face.signs[:2]], answer, limits)
    found = [thing.name(answer.language) for each in near for thing in _things_of(each, known)]
    return _back("thing", found, answer, limits)


def _things_of(passage: Passage, things: Sequence[Thing]) -> list[Thing]:
    """Those that an article is about, in its order."""
    told = (*passage.article.crops, *passage.article.devices)
    return [thing for each in told for thing in things if each in thing.of]


def _back(about: Literal["thing", "sign"], texts: Sequence[str], answer: Answer, limits: Limits) -> Back | None:
    asked = ((text, f"{answer.question.strip()}, {text}") for text in dict.fromkeys(texts))
    choices = tuple(Choice(text, question) for text, question in asked if len(question) <= limits.question_characters)
    return Back(about, choices[:CHOICES]) if choices else None
