"""The drafting service: answers in, a document out, written purely from the wording of its form."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.dates import format_date

from appliance.drafting.form import fill
from appliance.drafting.kinds import FOLDER, Kind, Question, read_kinds
from appliance.errors import MissingAnswersError, TextTooLongError, UnknownKindError
from appliance.limits import LIMITS, Limits

TITLE_CHARACTERS = 120

_LINE_END = re.compile(r"\r\n|[\r\n\v\f\x85\u2028\u2029]")
_LINE_MARK = re.compile(r"^(?:[-*•–]|[0-9]{1,3}[.)])[ \t]+")
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# “3 May 2026”: what readers of English outside the United States write.
_DATE_LOCALES = {"en": "en-GB"}

Translate = Callable[[str], str]


@dataclass(frozen=True)
class Draft:
    """A document as it is first shown; a person reads and changes it before they save or print it."""

    title: str  # one line
    text: str  # of the form that form.py describes
    language: str


class DraftingService:
    """Knows the kinds of document and writes them. It keeps nothing, and threads may share it."""

    def __init__(self, folder: Path = FOLDER, limits: Limits = LIMITS) -> None:
        """Read the kinds in `folder`.

        Raises:
            KindError: one of the files is not of its form.
        """
        self._limits = limits
        self._kinds = {kind.id: kind for kind in read_kinds(folder, limits)}

    def kinds(self) -> tuple[Kind, ...]:
        """Every kind, in the order of their ids."""
        return tuple(self._kinds.values())

    def kind(self, kind: str) -> Kind:
        """The kind with this id. Raises UnknownKindError."""
        if kind not in self._kinds:
            raise UnknownKindError(kind=kind)
        return self._kinds[kind]

    def check(self, kind: str, answers: Mapping[str, str]) -> dict[str, str]:
        """Clean the answers: an answer to every question of the kind, and nothing else; "" is no answer.

        Raises:
            UnknownKindError: there is no such kind.
            TextTooLongError: an answer exceeds `limits.answer_characters`.
            MissingAnswersError: answers are missing; `fields['questions']` are their keys, with commas between.
        """
        found = self.kind(kind)
        cleaned = {question.key: _clean(answers.get(question.key, ""), question.form) for question in found.questions}
        longest = max(map(len, cleaned.values()))
        if longest > self._limits.answer_characters:
            raise TextTooLongError(length=longest, most=self._limits.answer_characters)
        missing = _missing(found, cleaned)
        if missing:
            raise MissingAnswersError(questions=",".join(missing))
        return cleaned

    def write(self, kind: str, answers: Mapping[str, str], language: str) -> Draft:
        """Write the document in `language`, the language of the answers.

        Raises:
            UnknownKindError: there is no such kind, or it has no form in `language`.
            TextTooLongError, MissingAnswersError: as `check` says; also if the text exceeds
                `limits.document_characters`, which could not be saved.
        """
        return self._write(kind, answers, language, _as_it_is)

    def also_in(self, kind: str, answers: Mapping[str, str], language: str, translate: Translate) -> Draft:
        """Write the same document in another `language`: its form in that language, with the free answers translated.

        `translate` is called for each free answer, and for each line of a list; names, places, dates and sums do not
        go through it. Where it gives nothing back, the answer stays as it is: a document loses no answer.

        Raises:
            UnknownKindError: there is no such kind, or it has no form in `language`.
            TextTooLongError, MissingAnswersError: as `check` says; also if the text exceeds
                `limits.document_characters`, which could not be saved.
            Whatever `translate` raises.
        """
        return self._write(kind, answers, language, translate)

    def _write(self, kind: str, answers: Mapping[str, str], language: str, translate: Translate) -> Draft:
        found, cleaned = self.kind(kind), self.check(kind, answers)
        words = found.words_in(language)
        values = {
            question.key: _written(question, cleaned[question.key], language, translate) for question in found.questions
        }
        title, text = fill(words.draft_title, values), fill(words.template, values)
        if len(text) > self._limits.document_characters:
            raise TextTooLongError(length=len(text), most=self._limits.document_characters)
        return Draft(_shorten(title), text, language)


def _clean(answer: str, form: str) -> str:
    """Only characters that can be read and printed; lines only where the form has lines, with one kind of line end."""
    lines = ["".join(filter(_is_writable, line)).strip() for line in _LINE_END.split(answer.replace("\t", " "))]
    if form == "longtext":
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return ("\n" if form == "list" else " ").join(filter(None, lines))


def _is_writable(character: str) -> bool:
    # Cc: control characters. Cs: half of a character, which UTF-8 cannot hold.
    return unicodedata.category(character) not in ("Cc", "Cs")


def _missing(kind: Kind, answers: Mapping[str, str]) -> list[str]:
    open_choice = kind.one_of if not any(answers[key] for key in kind.one_of) else ()
    return [
        question.key
        for question in kind.questions
        if not answers[question.key] and (question.required or question.key in open_choice)
    ]


def _written(question: Question, answer: str, language: str, translate: Translate) -> str:
    """The answer as it stands in the document."""
    if question.form == "list":
        items = [_LINE_MARK.sub("", line) or line for line in answer.split("\n") if line]
        translated = [_in_own_words(question, item, translate) for item in items]
        return "\n".join(f"{number}. {item}" for number, item in enumerate(translated, 1))
    if question.form == "date":
        return _written_date(answer, language)
    return _in_own_words(question, answer, translate) if answer else ""


def _in_own_words(question: Question, answer: str, translate: Translate) -> str:
    if not question.free:
        return answer
    return _clean(translate(answer), "longtext" if question.form == "longtext" else "text") or answer


def _as_it_is(answer: str) -> str:
    return answer


def _written_date(answer: str, language: str) -> str:
    """“2026-05-03”, as the date field of a browser gives it, in words; anything else as the person wrote it."""
    if not _ISO_DATE.fullmatch(answer):
        return answer
    try:
        day, locale = date.fromisoformat(answer), Locale.parse(_DATE_LOCALES.get(language, language), sep="-")
    except (ValueError, UnknownLocaleError):
        return answer
    return format_date(day, format="long", locale=locale)


def _shorten(title: str) -> str:
    return title if len(title) <= TITLE_CHARACTERS else title[: TITLE_CHARACTERS - 1].rstrip() + "…"
