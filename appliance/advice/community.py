"""What members write for the knowledge, and what of it is read: accepted articles and notes, each under its village."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from appliance.advice.articles import LANGUAGE, Article, ByVillage, Face
from appliance.errors import ContributionNotFoundError, EmptyTextError, MissingAnswersError, TextTooLongError
from appliance.limits import LIMITS, Limits
from appliance.storage.contributions import Contributions, Entry, State, Village

ARTICLE, NOTE, CORRECTION = "article", "note", "correction"  # kinds of what members write
KINDS = (ARTICLE, NOTE, CORRECTION)
PREFIX = "own-"  # of the ids of articles that were written on this box
SUBJECT = "village"
FORMS = ("text", "list", "longtext")

_LINE_MARK = re.compile(r"^(?:[-*•–]|[0-9]{1,2}[.)])(?:[ \t]+|$)")
# Marks that turn the direction of what follows them: with them a text can look like another.
_TURNING = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)}


@dataclass(frozen=True)
class Blank:
    """A field of a form: `form` is one of FORMS."""

    key: str
    form: str
    required: bool = False


BLANKS = {
    ARTICLE: (
        Blank("title", "text", required=True),
        Blank("signs", "list", required=True),
        Blank("first_steps", "list", required=True),
        Blank("danger", "longtext"),
        Blank("get_help", "longtext"),
        Blank("known_from", "text"),
    ),
    NOTE: (Blank("text", "longtext", required=True), Blank("known_from", "text")),
    CORRECTION: (Blank("text", "longtext", required=True), Blank("known_from", "text")),
}


@dataclass(frozen=True)
class Note:
    """What somebody adds to the article with the id `about`, or says is wrong with it (`kind`)."""

    about: str
    kind: str
    text: str
    language: str
    by: ByVillage


class Community:
    """The forms of members and the decisions of the keeper; what is accepted is told to whoever searches it."""

    def __init__(
        self,
        kept: Contributions,
        changed: Callable[[], None],
        note: Callable[..., None],
        limits: Limits = LIMITS,
    ) -> None:
        """`changed` is called when readers have other articles or notes; `note(event, **about)` writes history."""
        self.kept, self._changed, self._note, self._limits = kept, changed, note, limits

    @property
    def village(self) -> Village:
        """All there is now."""
        return self.kept.village

    def own(self, owner: str) -> list[Entry]:
        """What a device wrote, the newest first."""
        return [entry for entry in reversed(self.village.entries) if entry.owner == owner]

    def own_one(self, entry_id: str, owner: str) -> Entry:
        """Raises ContributionNotFoundError: it is not there, or another device wrote it."""
        entry = self.kept.get(entry_id)
        if entry.owner != owner:
            raise ContributionNotFoundError
        return entry

    def write(
        self, owner: str, sender: str, kind: str, language: str, name: str, answers: Mapping[str, str], about: str = ""
    ) -> Entry:
        """Keep what the device `owner` wrote until the keeper has read it; `sender`: whose share of the room it takes.

        Raises:
            MissingAnswersError, TextTooLongError: the form is not as it should be.
            ContributionsFullError, StorageError: as `Contributions.add`.
        """
        texts = check(kind, answers, self._limits)
        called = check_name(name, self._limits)
        if not LANGUAGE.fullmatch(language):
            raise MissingAnswersError(questions="language")
        return self.kept.add(owner, sender, kind, about if kind != ARTICLE else "", language, called, texts)

    def withdraw(self, entry_id: str, owner: str) -> Entry:
        """Take back what this device wrote. Raises ContributionNotFoundError, StorageError."""
        before = self.kept.get(entry_id)
        entry = self.kept.withdraw(entry_id, owner)
        if before.state is State.ACCEPTED:
            self._told("knowledge_withdrawn", entry)
        return entry

    def accept(self, entry_id: str, seen: int, answers: Mapping[str, str] | None = None) -> Entry:
        """Let everybody read it; with `answers`, as the keeper put it. Raises as `write` and `Contributions.decide`."""
        old = self.kept.get(entry_id)
        texts = None if answers is None else check(old.kind, answers, self._limits)
        entry = self.kept.decide(entry_id, seen, State.ACCEPTED, texts=texts)
        self._told("knowledge_edited" if entry.steps[-1].edited else "knowledge_accepted", entry)
        return entry

    def refuse(self, entry_id: str, seen: int, words: str) -> Entry:
        """Let nobody read it (any more); its writer is told `words`.

        Raises:
            EmptyTextError, TextTooLongError: there are no words, or too many.
            ContributionNotFoundError, ContributionChangedError, StorageError: as `Contributions.decide`.
        """
        said = cleaned(words, "longtext")
        if not said:
            raise EmptyTextError
        _check_length(said, self._limits.contribution_line)
        was_read = self.kept.get(entry_id).state is State.ACCEPTED
        entry = self.kept.decide(entry_id, seen, State.REFUSED, said)
        self._told("knowledge_taken_back" if was_read else "knowledge_refused", entry)
        return entry

    def name_village(self, name: str) -> None:
        """Call the village so; "" for no name. Raises TextTooLongError, StorageError."""
        called = check_name(name, self._limits)
        if called != self.village.name:
            self.kept.name_village(called)
            self._note("village_named", village=called)
            self._changed()

    def restore_last(self) -> int:
        """Bring back what was there before the file broke. Raises as `Contributions.restore_last`."""
        back = self.kept.restore_last()
        self._changed()
        return back

    def _told(self, event: str, entry: Entry) -> None:
        self._note(event, title=title_of(entry))
        self._changed()


def check(kind: str, answers: Mapping[str, str], limits: Limits = LIMITS) -> dict[str, str]:
    """Clean the answers to the form of `kind`; a list has one entry a line, "" is no answer.

    Raises:
        MissingAnswersError: answers are missing; `fields['questions']` are their keys, with commas between.
        TextTooLongError: one, or all together, are longer than the limits say.
    """
    texts = {blank.key: cleaned(answers.get(blank.key, ""), blank.form) for blank in BLANKS[kind]}
    missing = [blank.key for blank in BLANKS[kind] if blank.required and not texts[blank.key]]
    if missing:
        raise MissingAnswersError(questions=",".join(missing))
    for blank in BLANKS[kind]:
        lines = texts[blank.key].split("\n") if blank.form != "longtext" else []
        for line in lines[: limits.contribution_lines]:
            _check_length(line, limits.contribution_line)
        if len(lines) > limits.contribution_lines:
            _check_length(texts[blank.key], len("\n".join(lines[: limits.contribution_lines])))
    _check_length("".join(texts.values()), limits.contribution_characters)
    return texts


def check_name(name: str, limits: Limits = LIMITS) -> str:
    """The name as it is shown. Raises TextTooLongError."""
    called = cleaned(name, "text")
    _check_length(called, limits.contributor_characters)
    return called


def cleaned(text: str, form: str) -> str:
    """Only characters that can be read; lines only where the form has lines, without what people number them with."""
    lines = ["".join(filter(is_readable, line.replace("\t", " "))).strip() for line in text.splitlines()]
    if form == "longtext":
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    if form == "list":
        return "\n".join(filter(None, (_LINE_MARK.sub("", line) for line in lines)))
    return " ".join(filter(None, lines))


def is_readable(character: str) -> bool:
    """No control character, no half of one, and none that turns what follows it around."""
    return unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp") and character not in _TURNING


def title_of(entry: Entry) -> str:
    """The title of an article, or how a note begins."""
    title = entry.texts.get("title") or " ".join(entry.texts.get("text", "").split())
    return title if len(title) <= 80 else title[:79].rstrip() + "…"


def article_of(entry: Entry, village: str = "") -> Article:
    """An article that was written on this box, as it is shown."""
    texts = entry.texts
    face = Face(
        texts.get("title", ""),
        (),
        _lines(texts.get("signs", "")),
        _lines(texts.get("first_steps", "")),
        texts.get("danger", ""),
        texts.get("get_help", ""),
    )
    return Article(
        id=PREFIX + entry.id,
        subject=SUBJECT,
        kind="practice",
        crops=(),
        devices=(),
        season="",
        climate=(),
        look_alikes=(),
        prevention=(),
        cost="",
        effort="",
        reviewed="",
        faces={entry.language: face},
        body="",
        sources=(),
        by=_by(entry, village),
    )


def note_of(entry: Entry, village: str = "") -> Note:
    """A note that was written on this box, as it is shown."""
    return Note(entry.about, entry.kind, entry.texts.get("text", ""), entry.language, _by(entry, village))


def articles_of(village: Village) -> dict[str, Article]:
    """The accepted articles of this box, by id."""
    accepted = [each for each in village.those(State.ACCEPTED) if each.kind == ARTICLE]
    return {article.id: article for article in (article_of(each, village.name) for each in accepted)}


def notes_of(village: Village) -> list[Note]:
    """The accepted notes of this box, the oldest first."""
    return [note_of(each, village.name) for each in village.those(State.ACCEPTED) if each.kind in (NOTE, CORRECTION)]


def _by(entry: Entry, village: str) -> ByVillage:
    return ByVillage(village, entry.name, entry.at, entry.texts.get("known_from", ""), here=True)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line for line in text.split("\n") if line)


def _check_length(text: str, most: int) -> None:
    if len(text) > most:
        raise TextTooLongError(length=len(text), most=most)
