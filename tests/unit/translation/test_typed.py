"""What people type is put into the form a model learned from, and its answer into the form that was typed."""

from __future__ import annotations

import pytest

from appliance.translation import typed


@pytest.mark.parametrize(
    ("sentence", "language", "given"),
    [
        ("WHERE IS THE DOCTOR? I AM SICK", "en", "Where is the doctor? I am sick"),
        ("¿DÓNDE ESTÁ EL MÉDICO?", "es", "¿Dónde está el médico?"),
        ("HELP", "en", "HELP"),  # may be an abbreviation
        ("HELP ME", "en", "Help me"),
        ("AYUDA", "es", "Ayuda"),
        ("THE BAG HAS 5 kg", "en", "The bag has 5 kg"),
        ("TAKE THE HIV TEST", "en", "Take the HIV test"),
        ("The WHO and the UN say so.", "en", "The WHO and the UN say so."),
        ("I am here.", "en", "I am here."),
        ("where is the doctor", "en", "Where is the doctor"),
        ("¿dónde está?", "es", "¿Dónde está?"),
        ("12 goats", "en", "12 goats"),
        ("a\u200bb\u202ec\u0000", "en", "Abc"),
        ("no no no no no no no", "en", "No"),
        ("NO NO! NO NO, NO NO", "en", "No"),
    ],
)
def test_a_model_is_given_a_sentence_as_in_a_book(sentence: str, language: str, given: str) -> None:
    assert typed.read(sentence, language).text == given


@pytest.mark.parametrize(
    ("sentence", "translated", "said"),
    [
        ("WHERE IS THE DOCTOR?", "¿Dónde está el médico?", "¿DÓNDE ESTÁ EL MÉDICO?"),
        ("where is the doctor", "¿Dónde está el médico", "¿dónde está el médico"),
        ("Where is the doctor", "¿dónde está el médico", "¿Dónde está el médico"),
        ("12 goats", "cabras", "cabras"),
        ("no no no no no no no", "No", "no no no no no no no"),
        ("the NGO", "ONG", "ONG"),
    ],
)
def test_the_answer_has_the_form_of_what_was_typed(sentence: str, translated: str, said: str) -> None:
    assert typed.answer(typed.read(sentence, "en"), translated, "es") == said


def test_i_keeps_its_capital_in_english() -> None:
    read = typed.read("tengo hambre", "es")
    assert typed.answer(read, "I am hungry", "en") == "I am hungry"
    assert typed.answer(read, "Hungry", "en") == "hungry"
    assert typed.answer(read, "Ich", "de") == "ich"


@pytest.mark.parametrize(
    ("sentence", "language", "kept"),
    [
        ("😀", "en", "😀"),
        ("...!?", "en", "...!?"),
        ("12345", "en", "12345"),
        ("\u0301\u0301", "en", "\u0301\u0301"),
        ("\u200b\u202e\ufeff", "en", ""),
        ("x" * 300, "en", "x" * 300),
        ("ab-" * 100, "en", "ab-" * 100),
        ("日本語の文章です", "en", "日本語の文章です"),
        ("water", "am", "water"),
        ("HIV", "en", "HIV"),
    ],
)
def test_what_has_no_word_of_the_language_is_copied(sentence: str, language: str, kept: str) -> None:
    read = typed.read(sentence, language)
    assert (read.text, read.kept) == ("", kept)
    assert typed.answer(read, "", "es") == kept


@pytest.mark.parametrize(
    ("text", "language"), [("ውሃ", "am"), ("पानी", "hi"), ("ماء", "ar"), ("水" * 100, "zh"), ("maji", "sw")]
)
def test_a_word_in_the_letters_of_its_language_is_translated(text: str, language: str) -> None:
    assert typed.is_translatable(text, language)


@pytest.mark.parametrize(
    ("text", "unit", "times"),
    [
        ("water " * 50, "water", 50),
        ("go home " * 6, "go home", 6),
        ("go home " * 6 + "go", "go home", 7),
        ("Water, water, WATER! water water water", "Water,", 6),
        ("no no no no", "no no no no", 1),
        ("no no no no no no he said", "no no no no no no he said", 1),
        ("", "", 1),
    ],
)
def test_a_few_words_said_again_and_again_are_found(text: str, unit: str, times: int) -> None:
    assert typed.repetition(text) == (unit, times)


def test_a_sentence_with_a_word_said_again_and_again_in_it_is_told() -> None:
    assert typed.read("He said no no no no no no no to me.", "en").circling
    assert not typed.read("He said no, no, no to me.", "en").circling
