"""Kinds of document: what is asked, and the form it is written in. They are data (`kinds/*.toml`), not code."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.drafting import form
from appliance.errors import KindError, UnknownKindError
from appliance.limits import LIMITS, Limits

FOLDER = Path(__file__).parent / "kinds"
LANGUAGES = ("en", "es")  # every kind speaks these; it may speak more
FORMS = ("text", "longtext", "date", "money", "list")

_ID = re.compile(r"[a-z][a-z0-9-]{0,30}")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,30}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})?")


@dataclass(frozen=True)
class QuestionWords:
    """A question in one language."""

    label: str
    help: str
    example: str


@dataclass(frozen=True)
class Question:
    """One question. `free` says that its answer is sentences of the person's own, which another language needs
    translated; names, places, dates and sums are the same in every language.
    """

    key: str
    form: str  # one of FORMS
    required: bool
    free: bool
    words: Mapping[str, QuestionWords]  # by language


@dataclass(frozen=True)
class KindWords:
    """A kind of document in one language: what the page says of it, and its form (see `form.py`)."""

    title: str
    about: str
    draft_title: str  # a template of one line
    template: str


@dataclass(frozen=True)
class Kind:
    id: str
    questions: tuple[Question, ...]  # in the order they are asked
    one_of: tuple[str, ...]  # keys of questions of which at least one must be answered; none: ()
    words: Mapping[str, KindWords]  # by language

    def words_in(self, language: str) -> KindWords:
        """The words in `language`. Raises UnknownKindError: the kind has no form in it."""
        if language not in self.words:
            raise UnknownKindError(kind=f"{self.id} ({language})")
        return self.words[language]


def read_kinds(folder: Path = FOLDER, limits: Limits = LIMITS) -> tuple[Kind, ...]:
    """Read every `*.toml` of `folder`, in the order of their names.

    Raises:
        KindError: there is none, or one is not of its form; `fields['kind']` is the file, the reason says the key.
    """
    kinds = tuple(_read(path, limits) for path in sorted(folder.glob("*.toml")))
    if not kinds:
        raise KindError(kind=str(folder), reason="there is no kind of document in it")
    return kinds


def _read(path: Path, limits: Limits) -> Kind:
    def wrong(reason: str) -> KindError:
        return KindError(kind=path.name, reason=reason)

    try:
        with path.open("rb") as file:
            content = file.read(limits.article_bytes + 1)
    except OSError as error:
        raise wrong(f"it cannot be read: {error.strerror}") from error
    if len(content) > limits.article_bytes:
        raise wrong(f"it is larger than {limits.article_bytes} bytes")
    try:
        values = tomllib.loads(content.decode("utf-8"))
        return _kind(_Table(values, ""), path.stem)
    except (ValueError, RecursionError) as error:
        raise wrong(str(error)) from error


def _kind(table: _Table, stem: str) -> Kind:
    """Read a kind. Raises ValueError, which says the key."""
    kind = Kind(
        id=table.text("id", _ID),
        questions=tuple(_question(row) for row in table.rows("questions")),
        one_of=table.texts("one_of"),
        words={language: _kind_words(words) for language, words in table.tables("words").items()},
    )
    table.expect_no_more()
    if kind.id != stem:
        raise ValueError(f"id is “{kind.id}”, but the file is called {stem}.toml")
    _check_questions(kind)
    for language, words in kind.words.items():
        _check_templates(kind, words, f"words.{language}")
    return kind


def _kind_words(table: _Table) -> KindWords:
    names = ("title", "about", "draft_title", "template")
    words = KindWords(**{name: table.text(name) for name in names})
    table.expect_no_more()
    return words


def _question(table: _Table) -> Question:
    question = Question(
        key=table.text("key", _KEY),
        form=table.text("form"),
        required=table.flag("required"),
        free=table.flag("free"),
        words={language: _question_words(words) for language, words in table.tables("words").items()},
    )
    table.expect_no_more()
    return question


def _question_words(table: _Table) -> QuestionWords:
    words = QuestionWords(**{name: table.text(name) for name in ("label", "help", "example")})
    table.expect_no_more()
    return words


def _check_questions(kind: Kind) -> None:
    languages, found = set(kind.words), [question.key for question in kind.questions]
    if not languages.issuperset(LANGUAGES):
        raise ValueError(f"words: it speaks {', '.join(sorted(languages))}, not all of {', '.join(LANGUAGES)}")
    for question in kind.questions:
        where = f"questions.{question.key}"
        if found.count(question.key) > 1:
            raise ValueError(f"{where} is asked twice")
        if set(question.words) != languages:
            raise ValueError(f"{where}.words: not the languages of the kind, {', '.join(sorted(languages))}")
        if question.form not in FORMS:
            raise ValueError(f"{where}.form is “{question.form}”, not one of {', '.join(FORMS)}")
        if question.free and question.form in ("date", "money"):
            raise ValueError(f"{where}.free: dates and sums are never translated")
    optional = {question.key for question in kind.questions if not question.required}
    if len(kind.one_of) == 1 or not optional.issuperset(kind.one_of):
        raise ValueError("one_of: not two or more keys of questions that are not required")


def _check_templates(kind: Kind, words: KindWords, where: str) -> None:
    asked = {question.key: question for question in kind.questions}
    for name, template in (("template", words.template), ("draft_title", words.draft_title)):
        if not form.is_valid(template):
            raise ValueError(f"{where}.{name}: a $ begins no key; $$ stands for itself")
        unknown = set(form.keys(template)) - set(asked)
        if unknown:
            raise ValueError(f"{where}.{name}: {', '.join(sorted(unknown))} is not asked")
    unused = set(asked) - set(form.keys(words.template))
    if unused:
        raise ValueError(f"{where}.template: {', '.join(sorted(unused))} is asked but not written")
    for line in words.template.split("\n"):
        _check_line(line, asked, f"{where}.template")
    if any(not asked[key].required or asked[key].form in ("longtext", "list") for key in form.keys(words.draft_title)):
        raise ValueError(f"{where}.draft_title: only short answers that are required can stand in it")


def _check_line(line: str, asked: Mapping[str, Question], where: str) -> None:
    for key in form.keys(line):
        # The line is left out with an empty answer, and would take the other answer with it.
        if not asked[key].required and len(form.keys(line)) > 1:
            raise ValueError(f"{where}: {key} may be empty and shares its line with another answer")
        if asked[key].form == "list" and line not in (f"${key}", f"${{{key}}}"):
            raise ValueError(f"{where}: {key} is a list and needs a line for itself")


class _Table:
    """A TOML table whose values are asked for by name; every wrong one is a ValueError that says where it stands."""

    def __init__(self, values: Any, where: str) -> None:
        if not isinstance(values, dict):
            raise ValueError(f"{where} is not a table")
        self._values, self._where = values, f"{where}." if where else ""
        self._asked: set[str] = set()

    def text(self, name: str, shape: re.Pattern[str] | None = None) -> str:
        value = self._value(name)
        if not isinstance(value, str) or not value.strip() or (shape and not shape.fullmatch(value)):
            raise ValueError(f"{self._where}{name} is missing, empty or not of its form")
        return value

    def flag(self, name: str) -> bool:
        value = self._value(name)
        if not isinstance(value, bool):
            raise ValueError(f"{self._where}{name} is not true or false")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """May be missing."""
        value = self._value(name, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise ValueError(f"{self._where}{name} is not a list of texts")
        return tuple(value)

    def rows(self, name: str) -> list[_Table]:
        value = self._value(name)
        if not isinstance(value, list) or not value:
            raise ValueError(f"{self._where}{name} is missing or not a list of tables")
        return [_Table(row, f"{self._where}{name}.{_label(row, number)}") for number, row in enumerate(value, 1)]

    def tables(self, name: str) -> dict[str, _Table]:
        """Tables by language."""
        value = self._value(name)
        if not isinstance(value, dict) or not all(_LANGUAGE.fullmatch(language) for language in value):
            raise ValueError(f"{self._where}{name} is missing or not a table for each language")
        return {language: _Table(row, f"{self._where}{name}.{language}") for language, row in value.items()}

    def expect_no_more(self) -> None:
        """A name nobody asked for is a slip of the pen (“requierd”), and would be lost without a word."""
        more = set(self._values) - self._asked
        if more:
            raise ValueError(f"{self._where}{min(more)} is not known")

    def _value(self, name: str, default: object = None) -> object:
        self._asked.add(name)
        return self._values.get(name, default)


def _label(row: object, number: int) -> str:
    """How an error names a question: by its key, or by its number if it has none."""
    key = row.get("key") if isinstance(row, dict) else None
    return key if isinstance(key, str) and _KEY.fullmatch(key) else str(number)
