"""A text goes in and a text of the same form comes out, with what needs a look marked."""

from __future__ import annotations

import pytest

from appliance.app import Appliance
from appliance.errors import (
    CancelledError,
    EmptyTextError,
    NoModelError,
    TextTooLongError,
    UnknownLanguagePairError,
)
from appliance.inference.queue import JobQueue, State
from appliance.inference.translator import Translated
from appliance.translation.languages import LanguageDetector
from appliance.translation.service import Translation, TranslationService

LETTER = "The water is clean.\n\n  - The house is big. I have 12 goats.\r\nThank you!\n"


def test_paragraphs_line_breaks_and_list_marks_are_kept(appliance: Appliance) -> None:
    done = appliance.translation.translate(LETTER, "en", "es")
    assert [line[:4] for line in done.text.splitlines()][1:3] == ["", "  - "]
    assert done.text.count("\n") == LETTER.count("\n")
    assert "\r\n" in done.text
    assert done.source_text == LETTER


def test_a_number_that_the_model_changed_is_marked(appliance: Appliance, monkeypatch: pytest.MonkeyPatch) -> None:
    translator = appliance.translation._translator("en", "es")
    monkeypatch.setattr(
        translator, "translate", lambda texts, *_, **__: [Translated("Tengo 21 cabras.") for _ in texts]
    )
    (segment,) = appliance.translation.translate("I have 12 goats.", "en", "es").segments
    assert segment.needs_a_look
    assert (segment.missing, segment.added) == (("12",), ("21",))


def test_the_language_is_recognised_and_said(appliance: Appliance) -> None:
    job = appliance.submit_translation("a", "¿Dónde está la casa?", "", "en")
    appliance.queue.run_next()
    assert isinstance(job.result, Translation)
    assert (job.result.source, job.result.target, job.result.detected) == ("es", "en", True)


def test_a_text_already_in_the_language_asked_for_goes_the_other_way(appliance: Appliance) -> None:
    assert appliance.translation.check("¿Dónde está la casa?", "", "es") == ("es", "en")


def test_figures_alone_are_let_through(appliance: Appliance) -> None:
    assert appliance.translation.check("12345", "", "es") == ("en", "es")


def test_text_comes_in_order_while_it_is_made(appliance: Appliance) -> None:
    text = "\n".join(["The water is clean.", "I am here.", "The house is big.", "Thank you."] * 3)
    job = appliance.submit_translation("a", text, "en", "es")
    appliance.queue.run_next()
    said = "".join(event.data["text"] for event in job.events if event.kind == "text")
    assert said == job.result.text
    assert [event.data["done"] for event in job.events if event.kind == "progress"][-1] == len(text)
    assert len([event for event in job.events if event.kind == "text"]) > 1


def test_a_cancelled_translation_stops(appliance: Appliance) -> None:
    with pytest.raises(CancelledError):
        appliance.translation.translate("The water is clean.", "en", "es", cancelled=lambda: True)
    job = appliance.submit_translation("a", "The water is clean.", "en", "es")
    appliance.queue.cancel(job.id)
    assert job.state is State.CANCELLED


@pytest.mark.parametrize(
    ("text", "source", "target", "error"),
    [
        ("", "en", "es", EmptyTextError),
        (" \n\t", "en", "es", EmptyTextError),
        ("x" * 5001, "en", "es", TextTooLongError),
        ("x" * 1_000_000, "", "es", TextTooLongError),
        ("hello", "en", "sw", UnknownLanguagePairError),
        ("hello", "en", "en", UnknownLanguagePairError),
        ("hello", "xx", "es", UnknownLanguagePairError),
        ("hello", "", "sw", UnknownLanguagePairError),
    ],
)
def test_bad_input_is_refused_before_it_is_queued(
    appliance: Appliance, text: str, source: str, target: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        appliance.submit_translation("a", text, source, target)
    assert not appliance.queue.run_next()


@pytest.mark.parametrize(
    "text",
    [
        "😀",
        "no no no no " * 100,
        "THE WATER IS CLEAN AND THE HOUSE IS BIG",
        "<b>bold</b> & <script>alert(1)</script>",
        "La casa is big y el agua is clean.",
        "\u0000\u0007\u200b\ufeff",
        "a" * 3000,
        "日本語の文章です。 हिन्दी वाक्य। አማርኛ",
    ],
)
def test_odd_input_ends_in_bounded_output(appliance: Appliance, text: str) -> None:
    assert len(appliance.translation.translate(text, "en", "es").text) < 8 * len(text) + 200


def test_lines_are_translated_together_as_they_are_alone(appliance: Appliance) -> None:
    lines = ["The water is clean.", "", "I am here. Thank you.", "  - The house is big."]
    together = appliance.translation.translate_lines(lines, "en", "es")
    assert together[1] == ""
    assert together[3].startswith("  - ")
    assert together == [appliance.translation.translate_lines([line], "en", "es")[0] for line in lines]


def test_the_label_comes_from_the_figures_of_the_pack(appliance: Appliance) -> None:
    quality = appliance.translation.quality("en", "es")
    assert {figure.metric for figure in quality.figures} == {"BLEU", "chrF2"}
    assert all(figure.direction == "en-es" for figure in quality.figures)
    assert quality.starter == (min(f.value for f in quality.figures if f.metric == "chrF2") < 60)


def test_a_box_without_packs_says_that_it_has_none() -> None:
    service = TranslationService([], LanguageDetector([], {}), JobQueue(), beam=1)
    with pytest.raises(NoModelError):
        service.check("hello", "en", "es")
    assert service.directions == []
