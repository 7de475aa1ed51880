"""A kind of document that is wrong is refused, with the file and the place of the slip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.drafting.kinds import Kind, read_kinds
from appliance.errors import KindError, UnknownKindError
from appliance.limits import LIMITS

NOTE = """
id = "note"
one_of = ["body", "sums"]

[words.en]
title = "Note"
about = "A note."
draft_title = "Note of $who"
template = '''
$who
$body

$sums
'''

[words.es]
title = "Nota"
about = "Una nota."
draft_title = "Nota de $who"
template = '''
$who
$body

$sums
'''

[[questions]]
key = "who"
form = "text"
required = true
free = false
words.en = { label = "Who?", help = "Your name.", example = "Asha" }
words.es = { label = "¿Quién?", help = "Su nombre.", example = "Rosa" }

[[questions]]
key = "body"
form = "longtext"
required = false
free = true
words.en = { label = "What?", help = "In your words.", example = "It rains." }
words.es = { label = "¿Qué?", help = "En sus palabras.", example = "Llueve." }

[[questions]]
key = "sums"
form = "list"
required = false
free = false
words.en = { label = "Sums?", help = "One a line.", example = "5" }
words.es = { label = "¿Sumas?", help = "Una por línea.", example = "5" }
"""
SLIPS = {
    "another id than the file": ('id = "note"', 'id = "letter"', "the file is called note.toml"),
    "an id not of its form": ('id = "note"', 'id = "No te"', "id is missing, empty or not of its form"),
    "an unknown name": ("required = true", "requierd = true\nrequired = true", "questions.who.requierd is not known"),
    "an unknown name at the top": ('id = "note"', 'id = "note"\norder = 1', "order is not known"),
    "an unknown name in the words": ('about = "A note."', 'about = "A"\nx = 1', "words.en.x is not known"),
    "a missing flag": ("free = false\nwords.en", "words.en", "questions.who.free is not true or false"),
    "a missing label": ('label = "¿Quién?", ', "", "questions.who.words.es.label is missing"),
    "an empty help": ('help = "Your name."', 'help = " "', "questions.who.words.en.help is missing, empty"),
    "a question without a language": (
        'words.es = { label = "¿Quién?", help = "Su nombre.", example = "Rosa" }\n',
        "",
        "questions.who.words: not the languages of the kind, en, es",
    ),
    "a key not of its form": ('key = "who"', 'key = "Who?"', "questions.1.key is missing, empty or not of its form"),
    "a question asked twice": ('key = "sums"', 'key = "body"', "questions.body is asked twice"),
    "an unknown form": ('form = "list"', 'form = "table"', "questions.sums.form is “table”"),
    "a sum that is translated": ('form = "longtext"', 'form = "money"', "questions.body.free"),
    "no Spanish": ("[words.es]", "[words.fr]", "words: it speaks en, fr, not all of en, es"),
    "a language not of its form": ("[words.es]", "[words.Español]", ""),
    "a key nobody asks for": ("$who\n$body", "$whom\n$who\n$body", "words.en.template: whom is not asked"),
    "a title nobody asks for": ("Nota de $who", "Nota de $whom", "words.es.draft_title: whom is not asked"),
    "a title that may be empty": ("Nota de $who", "Nota de $sums", "words.es.draft_title: only short answers"),
    "an answer that is not written": ("$who\n$body\n", "$who\n", "words.en.template: body is asked but not written"),
    "a stray dollar": ("$who\n$body", "$who: $5\n$body", "words.en.template: a $ begins no key"),
    "two answers on the line of an empty one": ("$who\n$body", "$who $body", "words.en.template: body may be empty"),
    "a list among other words": ("\n$sums", "\nSums: $sums", "words.en.template: sums is a list"),
    "a choice of one": ('one_of = ["body", "sums"]', 'one_of = ["body"]', "one_of"),
    "a choice of what must be answered": ('one_of = ["body", "sums"]', 'one_of = ["who", "sums"]', "one_of"),
    "a choice that is no list": ('one_of = ["body", "sums"]', "one_of = 5", "one_of is not a list of texts"),
    "no TOML": ("[words.en]", "[words.en", ""),
    "words that are no table": ('id = "note"', 'id = "note"\nwords = 5', ""),
}


def write_note(folder: Path, text: str) -> Path:
    (folder / "note.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_kind_is_read_as_it_is_written(tmp_path: Path) -> None:
    (kind,) = read_kinds(write_note(tmp_path, NOTE))
    assert (kind.id, kind.one_of, set(kind.words)) == ("note", ("body", "sums"), {"en", "es"})
    assert [question.key for question in kind.questions] == ["who", "body", "sums"]
    assert kind.words_in("es").title == "Nota"
    assert kind.questions[1].words["en"].example == "It rains."


def test_a_form_in_a_language_the_kind_does_not_speak_is_refused(tmp_path: Path) -> None:
    (kind,) = read_kinds(write_note(tmp_path, NOTE))
    with pytest.raises(UnknownKindError) as told:
        kind.words_in("fr")
    assert told.value.fields == {"kind": "note (fr)"}


@pytest.mark.parametrize(("old", "new", "reason"), SLIPS.values(), ids=SLIPS)
def test_a_slip_is_said_with_its_file_and_key(tmp_path: Path, old: str, new: str, reason: str) -> None:
    assert old in NOTE
    with pytest.raises(KindError) as told:
        read_kinds(write_note(tmp_path, NOTE.replace(old, new, 1)))
    assert told.value.fields["kind"] == "note.toml"
    assert reason in str(told.value.fields["reason"])


@pytest.mark.parametrize(
    ("questions", "reason"),
    [
        ("", "questions is missing"),
        ("questions = []", "questions is missing"),
        ('questions = ["x"]', "questions.1 is not"),
    ],
)
def test_a_kind_without_questions_is_refused(tmp_path: Path, questions: str, reason: str) -> None:
    head, _, _ = NOTE.partition("[[questions]]")
    with pytest.raises(KindError, match=reason):
        read_kinds(write_note(tmp_path, questions + head))


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KindError, match="larger than 100 bytes"):
        read_kinds(write_note(tmp_path, NOTE), replace(LIMITS, article_bytes=100))


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.toml").write_bytes(b'id = "\xff"')
    with pytest.raises(KindError, match=r"note\.toml"):
        read_kinds(tmp_path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.toml").mkdir()
    with pytest.raises(KindError, match="cannot be read"):
        read_kinds(tmp_path)


def test_a_folder_without_kinds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KindError, match="no kind of document"):
        read_kinds(tmp_path / "missing")


@pytest.mark.parametrize("kind", read_kinds(), ids=lambda kind: kind.id)
def test_a_kind_that_comes_with_the_box_asks_little(kind: Kind) -> None:
    assert 5 <= len(kind.questions) <= 9
    for question in kind.questions:
        assert len(question.words["en"].label) <= 60
