"""A document says what the person answered, in the wording of its form, and nothing else."""

from __future__ import annotations

import re
from functools import partial
from itertools import pairwise

import pytest

from appliance.drafting.form import blocks
from appliance.drafting.kinds import Kind, Question, read_kinds
from appliance.drafting.service import TITLE_CHARACTERS, DraftingService
from appliance.errors import MissingAnswersError, TextTooLongError, UnknownKindError
from appliance.limits import LIMITS

SERVICE = DraftingService()
KINDS = read_kinds()
EVERY_FORM = [(kind, language) for kind in KINDS for language in kind.words]
HOSTILE = [
    "$subject",
    "${subject} $$",
    "{{7*7}}",
    "{% for x in y %}",
    "{subject} {0.__class__}",
    "%(subject)s %s",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "\\1 \\g<0>",
    "' OR 1=1 --",
    "# Forged heading",
]

every_form = pytest.mark.parametrize(
    ("kind", "language"), EVERY_FORM, ids=[f"{kind.id}-{language}" for kind, language in EVERY_FORM]
)


def examples(kind: Kind | str, language: str = "en") -> dict[str, str]:
    found = SERVICE.kind(kind) if isinstance(kind, str) else kind
    return {question.key: question.words[language].example for question in found.questions}


def on_paper(question: Question, answer: str, language: str) -> list[str]:
    if question.form == "date":
        return [{"en": "3 May 2026", "es": "3 de mayo de 2026"}[language]]
    return answer.split("\n")


def optional_keys(kind: Kind) -> list[str]:
    return [question.key for question in kind.questions if not question.required]


def upper(text: str) -> str:
    return text.upper()


def assert_no_holes(text: str) -> None:
    assert text == text.strip()
    assert "\n\n\n" not in text
    assert not re.search(r"[ \t]$", text, re.MULTILINE)
    for block, after in pairwise(blocks(text)):
        assert block.part != "heading" or after.part == "paragraph"


def test_the_kinds_that_come_with_the_box_are_a_letter_minutes_and_a_receipt() -> None:
    assert [kind.id for kind in SERVICE.kinds()] == ["letter", "minutes", "receipt"]


def test_an_unknown_kind_is_refused() -> None:
    for operation in (SERVICE.kind, lambda kind: SERVICE.check(kind, {}), lambda kind: SERVICE.write(kind, {}, "en")):
        with pytest.raises(UnknownKindError) as told:
            operation("../letter")
        assert told.value.fields == {"kind": "../letter"}


def test_a_language_without_a_form_is_refused() -> None:
    with pytest.raises(UnknownKindError):
        SERVICE.write("letter", examples("letter"), "fr")


@every_form
def test_every_answer_stands_in_the_text_and_nothing_of_the_template_does(kind: Kind, language: str) -> None:
    answers = examples(kind, language)
    draft = SERVICE.write(kind.id, answers, language)
    for question in kind.questions:
        for line in on_paper(question, answers[question.key], language):
            assert line in draft.text
    assert "$" not in draft.text + draft.title
    assert_no_holes(draft.text)
    assert draft.language == language


@every_form
def test_an_optional_answer_that_is_empty_leaves_no_hole(kind: Kind, language: str) -> None:
    full = SERVICE.write(kind.id, examples(kind, language), language)
    for key in optional_keys(kind):
        answers = examples(kind, language) | {key: " \r\n"}
        draft = SERVICE.write(kind.id, answers, language)
        assert_no_holes(draft.text)
        left_out = set(full.text.split("\n")) - set(draft.text.split("\n"))
        assert set(draft.text.split("\n")) <= set(full.text.split("\n"))
        assert left_out


def test_an_empty_section_goes_with_its_heading() -> None:
    text = SERVICE.write("minutes", examples("minutes") | {"decisions": "", "next_meeting": ""}, "en").text
    headings = [block.lines[0] for block in blocks(text) if block.part == "heading"]
    assert headings == ["Present", "Matters discussed"]


def test_an_empty_list_goes_with_its_label() -> None:
    assert "goods" not in SERVICE.write("receipt", examples("receipt") | {"goods": ""}, "en").text


@every_form
def test_the_text_has_the_parts_its_form_promises(kind: Kind, language: str) -> None:
    parts = [block.part for block in blocks(SERVICE.write(kind.id, examples(kind, language), language).text)]
    assert parts[-1] == "signature"
    assert (parts[0] == "title") is (kind.id != "letter")


@every_form
@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda text: text[:12])
def test_hostile_answers_stay_as_they_are(kind: Kind, language: str, hostile: str) -> None:
    answers = {question.key: hostile for question in kind.questions}
    draft = SERVICE.write(kind.id, answers, language)
    shown = draft.text.count(hostile)
    keys = re.findall(r"\$[a-z_]+", kind.words[language].template)
    assert shown == len(keys)
    harmless = {question.key: "same" for question in kind.questions}
    assert draft.text.replace(hostile, "same") == SERVICE.write(kind.id, harmless, language).text
    assert "\n" not in draft.title
    assert len(draft.title) <= TITLE_CHARACTERS


def test_control_characters_and_halves_of_characters_are_taken_out() -> None:
    cleaned = SERVICE.check("letter", examples("letter") | {"subject": "\x00The\x1b[31m \ud800pump\x7f\u200d"})
    assert cleaned["subject"] == "The[31m pump\u200d"


def test_a_short_answer_cannot_bring_lines_into_the_document() -> None:
    cleaned = SERVICE.check("letter", examples("letter") | {"sender": "Asha\r\n# Forged\u2028heading\x85\tx"})
    assert cleaned["sender"] == "Asha # Forged heading x"


def test_line_ends_of_every_kind_become_one_and_holes_are_closed() -> None:
    cleaned = SERVICE.check("letter", examples("letter") | {"matter": " one\r\ntwo\rthree\n \n\n\nfour\t\n"})
    assert cleaned["matter"] == "one\ntwo\nthree\n\nfour"


def test_cleaning_what_is_clean_changes_nothing() -> None:
    for kind in KINDS:
        cleaned = SERVICE.check(kind.id, examples(kind))
        assert cleaned == examples(kind) == SERVICE.check(kind.id, cleaned)


def test_answers_nobody_asked_for_are_dropped() -> None:
    assert "csrf" not in SERVICE.check("letter", examples("letter") | {"csrf": "x"})


@every_form
def test_missing_answers_are_named_in_the_order_they_are_asked(kind: Kind, language: str) -> None:
    required = [question.key for question in kind.questions if question.required or question.key in kind.one_of]
    with pytest.raises(MissingAnswersError) as told:
        SERVICE.write(kind.id, dict.fromkeys(required, " \x00\n"), language)
    assert told.value.fields == {"questions": ",".join(required)}


@pytest.mark.parametrize("given", ["amount", "goods"])
def test_a_receipt_needs_money_or_goods_and_not_both(given: str) -> None:
    answers = examples("receipt") | {"amount": "", "goods": ""}
    with pytest.raises(MissingAnswersError) as told:
        SERVICE.check("receipt", answers)
    assert told.value.fields == {"questions": "amount,goods"}
    assert SERVICE.check("receipt", answers | {given: "5"})[given] == "5"


def test_an_answer_that_is_too_long_is_refused() -> None:
    long = "x" * (LIMITS.answer_characters + 1)
    with pytest.raises(TextTooLongError) as told:
        SERVICE.check("letter", {"subject": long})
    assert told.value.fields == {"length": LIMITS.answer_characters + 1, "most": LIMITS.answer_characters}


def test_line_ends_and_spaces_around_do_not_make_an_answer_too_long() -> None:
    full = "x\r\n" * (LIMITS.answer_characters // 2)
    assert len(SERVICE.check("letter", examples("letter") | {"matter": full})["matter"]) < LIMITS.answer_characters


def test_a_document_that_would_be_too_long_to_be_saved_is_refused() -> None:
    answers = dict.fromkeys(examples("minutes"), "x" * LIMITS.answer_characters)
    for write in (SERVICE.write, partial(SERVICE.also_in, translate=upper)):
        with pytest.raises(TextTooLongError) as told:
            write("minutes", answers, "en")
        assert told.value.fields["most"] == LIMITS.document_characters


@every_form
def test_an_answer_of_five_thousand_characters_stands_in_the_text(kind: Kind, language: str) -> None:
    long = "x" * LIMITS.answer_characters
    for question in kind.questions:
        draft = SERVICE.write(kind.id, examples(kind, language) | {question.key: long}, language)
        assert long in draft.text
        assert len(draft.title) <= TITLE_CHARACTERS


@pytest.mark.parametrize(
    ("given", "english", "spanish"),
    [
        ("2026-05-03", "3 May 2026", "3 de mayo de 2026"),
        ("2026-12-31", "31 December 2026", "31 de diciembre de 2026"),
        ("2026-02-30", "2026-02-30", "2026-02-30"),
        ("0000-01-01", "0000-01-01", "0000-01-01"),
        ("20260503", "20260503", "20260503"),
        ("2026-W18-7", "2026-W18-7", "2026-W18-7"),
        ("the 3rd of May", "the 3rd of May", "the 3rd of May"),
        ("٢٠٢٦-٠٥-٠٣", "٢٠٢٦-٠٥-٠٣", "٢٠٢٦-٠٥-٠٣"),
    ],
)
def test_a_date_is_written_in_the_language_of_the_document(given: str, english: str, spanish: str) -> None:
    for language, expected in (("en", english), ("es", spanish)):
        text = SERVICE.write("letter", examples("letter") | {"date": given}, language).text
        assert text.startswith(f"Kibaoni, {expected}\n")


def test_the_lines_of_a_list_are_numbered_once_however_they_were_marked() -> None:
    present = "- Asha\n\n2. Juma\r\n* Grace\n• 3) Rosa\n-5 degrees\n2026. A year\n—"
    text = SERVICE.write("minutes", examples("minutes") | {"present": present}, "en").text
    numbered = "1. Asha\n2. Juma\n3. Grace\n4. 3) Rosa\n5. -5 degrees\n6. 2026. A year\n7. —"
    assert f"## Present\n{numbered}\n\n" in text


def test_a_sum_is_written_as_it_was_given() -> None:
    for amount in ("1.500,50", "KSh 2 500/=", "１００"):
        assert (
            f"\n\nThe sum of: {amount}\n\n"
            in SERVICE.write("receipt", examples("receipt") | {"amount": amount}, "en").text
        )


@pytest.mark.parametrize(
    ("kind", "language", "title"),
    [
        ("letter", "en", "Repair of the hand pump in Kibaoni"),
        ("minutes", "en", "Minutes – Kibaoni Water Committee, 3 May 2026"),
        ("receipt", "es", "Recibo – Rosa Quispe, 3 de mayo de 2026"),
    ],
)
def test_a_draft_is_called_by_what_tells_it_from_others(kind: str, language: str, title: str) -> None:
    assert SERVICE.write(kind, examples(kind, language), language).title == title


@every_form
def test_in_another_language_only_free_answers_are_translated(kind: Kind, language: str) -> None:
    other = "es" if language == "en" else "en"
    answers = examples(kind, language)
    translated = {
        question.key: answers[question.key].upper() if question.free else answers[question.key]
        for question in kind.questions
    }
    draft = SERVICE.also_in(kind.id, answers, other, upper)
    assert draft == SERVICE.write(kind.id, translated, other)
    assert draft.text != SERVICE.write(kind.id, answers, other).text


def test_only_what_is_free_is_handed_to_the_translator_and_a_list_line_by_line() -> None:
    handed: list[str] = []

    def note(text: str) -> str:
        handed.append(text)
        return text

    answers = examples("minutes") | {
        "discussed": "1. The pump.\n2. The road.",
        "decisions": "",
        "next_meeting": "Soon.",
    }
    SERVICE.also_in("minutes", answers, "es", note)
    assert handed == ["The pump.", "The road.", "Soon."]


def test_a_translation_can_neither_lose_an_answer_nor_break_a_line() -> None:
    nothing = SERVICE.also_in("receipt", examples("receipt"), "es", lambda _text: " \n")
    assert nothing == SERVICE.write("receipt", examples("receipt"), "es")
    torn = SERVICE.also_in("receipt", examples("receipt"), "es", lambda text: f"\x00{text}\n# x")
    assert "Por concepto de: Contribution to the repair of the hand pump # x\n" in torn.text
    assert "1. 2 bags of maize seed, 10 kg each # x\n2. 1 hoe # x\n" in torn.text


def test_what_goes_wrong_in_a_translation_is_not_hidden() -> None:
    def fail(_text: str) -> str:
        raise TextTooLongError(length=2, most=1)

    with pytest.raises(TextTooLongError):
        SERVICE.also_in("letter", examples("letter"), "es", fail)
