"""A text goes in and a text of the same form comes out, with what needs a look marked."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from appliance.app import Appliance
from appliance.errors import (
    CancelledError,
    EmptyTextError,
    NoModelError,
    TextTooLongError,
    UnknownLanguagePairError,
)
from appliance.inference.job import State
from appliance.inference.queue import JobQueue
from appliance.inference.search import LEAST_REPEATS, repeats_of
from appliance.inference.translator import Translated, Translator
from appliance.packs.manifest import Figure
from appliance.translation.languages import LanguageDetector
from appliance.translation.numbers import agree
from appliance.translation.service import Translation, TranslationService
from tests.stand_ins import engines_of, pack_of

LETTER = "The water is clean.\n\n  - The house is big. I have 12 goats.\r\nThank you!\n"


def test_paragraphs_line_breaks_and_list_marks_are_kept(appliance: Appliance) -> None:
    done = appliance.translation.translate(LETTER, "en", "es")
    assert [line[:4] for line in done.text.splitlines()][1:3] == ["", "  - "]
    assert done.text.count("\n") == LETTER.count("\n")
    assert "\r\n" in done.text
    assert done.source_text == LETTER


def test_a_number_that_the_model_changed_is_marked(appliance: Appliance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Translator, "translate", lambda _, texts, *__, **___: [Translated("Tengo 21 cabras.") for _ in texts]
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
        ("hello", "en", "qu", UnknownLanguagePairError),
        ("hello", "en", "en", UnknownLanguagePairError),
        ("hello", "xx", "es", UnknownLanguagePairError),
        ("hello", "", "qu", UnknownLanguagePairError),
    ],
)
def test_bad_input_is_refused_before_it_is_queued(
    appliance: Appliance, text: str, source: str, target: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        appliance.submit_translation("a", text, source, target)
    assert not appliance.queue.run_next()


ODD = {
    "one emoji": "😀",
    "300 emoji": "😀" * 300,
    "a word 400 times": "water " * 400,
    "few words 100 times": "no no no no " * 100,
    "words again and again in a sentence": "I said " + "no " * 60 + "to him.",
    "two words, 60 times each": "water, " * 60 + "fire, " * 60,
    "capitals": "THE WATER IS CLEAN AND THE HOUSE IS BIG",
    "HTML": "<b>bold</b> & <script>alert(1)</script>",
    "two languages": "La casa is big y el agua is clean.",
    "control signs": "\u0000\u0007\u200b\ufeff",
    "signs of direction": "\u202ethe water\u202c is \u2066clean\u2069",
    "marks without letters": "\u0301\u0302" * 20,
    "punctuation": "...!?!?;;;---",
    "a word of 5,000 letters": "a" * 5000,
    "5,000 letters with a hyphen": "ab-" * 1666,
    "other scripts": "日本語の文章です。 हिन्दी वाक्य። አማርኛ",
}


@pytest.mark.parametrize("way", [("en", "es"), ("es", "fr")], ids="-".join)
@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_input_ends_in_bounded_output_without_a_circle(
    appliance: Appliance, text: str, way: tuple[str, str]
) -> None:
    done = appliance.translation.translate(text, *way)
    assert len(done.text) <= 3 * len(text) + 60
    for segment in done.segments:
        said, asked = (repeats_of(each.lower().split()) for each in (segment.target, segment.source))
        assert said <= max(asked, 2 * LEAST_REPEATS)


@pytest.mark.parametrize(
    "name",
    ["a word 400 times", "few words 100 times", "words again and again in a sentence", "a word of 5,000 letters"],
)
def test_what_no_model_can_translate_well_is_marked(appliance: Appliance, name: str) -> None:
    done = appliance.translation.translate(ODD[name], "en", "es")
    assert all(each.needs_a_look for each in done.segments if each.source)


def test_a_word_said_400_times_is_translated_once_and_said_as_often(appliance: Appliance) -> None:
    done = appliance.translation.translate("water " * 400, "en", "es")
    assert done.text.lower().count("agua") == 400


def test_what_is_no_text_is_copied_and_not_marked(appliance: Appliance) -> None:
    done = appliance.translation.translate("😀😀\n12345\n<br>", "en", "es")
    assert done.text == "😀😀\n12345\n<br>"
    assert not [each for each in done.segments if each.needs_a_look]


def test_a_model_that_goes_round_in_circles_is_marked(appliance: Appliance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Translator, "translate", lambda *_, **__: [Translated("x", held=True)])
    (segment,) = appliance.translation.translate("The water is clean.", "en", "es").segments
    assert segment.circling
    assert segment.needs_a_look


def test_capitals_are_translated_as_if_they_were_none_and_stay_capitals(appliance: Appliance) -> None:
    service = appliance.translation
    plain, shouted = (
        service.translate(text, "en", "es").text for text in ("The water is clean.", "THE WATER IS CLEAN.")
    )
    assert shouted == plain.upper()


SUMS = "It costs 98,765.43 shillings.\nCall 0712 345 678 at 14:35.\nThe letter of 3/5/2024 has 7 pages."


@pytest.mark.parametrize("way", [("en", "es"), ("en", "fr")], ids="-".join)
def test_every_number_is_right_or_marked(appliance: Appliance, way: tuple[str, str]) -> None:
    done = appliance.translation.translate(SUMS, *way)
    for segment in done.segments:
        assert agree(segment.source, segment.target) != bool(segment.missing or segment.added)
        assert "5/3/2024" not in segment.target


NUMBERS = itertools.count(1)


class Scribe:
    """A translator that writes what `says` makes of a sentence, and keeps what it was asked."""

    def __init__(
        self, *ways: tuple[str, str], says: Callable[[str], str] = str, name: str = "scribe", chrf: float = 70.0
    ) -> None:
        self.ways, self.says = ways, says
        self.asked: list[list[str]] = []
        figures = tuple(Figure("made-up", "chrF2", chrf, "", "-".join(way)) for way in ways)
        self.pack = pack_of(f"{name}-{next(NUMBERS)}" if name == "scribe" else name, *ways, figures=figures)

    def translate(self, sentences: list[str], source: str, target: str, **_: object) -> list[Translated]:
        self.asked.append(list(sentences))
        return [Translated(f"{self.says(each)}" if each else "") for each in sentences]


def service_of(*translators: Scribe) -> TranslationService:
    languages = {language for each in translators for way in each.ways for language in way}
    packs, engines = [each.pack for each in translators], engines_of(translators)
    return TranslationService(packs, engines, LanguageDetector(languages, {}), JobQueue(), beam=1)


def test_a_number_the_model_cannot_copy_is_given_another_and_put_back() -> None:
    scribe = Scribe(("en", "es"), says=lambda text: text.replace("4731", "473"))
    (segment,) = service_of(scribe).translate("We need 4731 kg.", "en", "es").segments
    assert segment.target == "We need 4731 kg."
    assert (segment.restored, segment.needs_a_look) == (True, False)
    assert len(scribe.asked) == 2


def test_a_sentence_whose_numbers_are_right_is_translated_once() -> None:
    scribe = Scribe(("en", "es"))
    service_of(scribe).translate("We need 4731 kg.", "en", "es")
    assert scribe.asked == [["We need 4731 kg."]]


def test_a_number_that_cannot_be_put_back_is_marked() -> None:
    scribe = Scribe(("en", "es"), says=lambda text: text.replace("kg", "1 kg"))
    (segment,) = service_of(scribe).translate("We need 4731 kg.", "en", "es").segments
    assert (segment.added, segment.restored) == (("1",), False)


def test_what_no_pack_translates_directly_goes_through_english() -> None:
    first, second = (
        Scribe(("es", "en"), ("en", "es"), says=str.upper),
        Scribe(("en", "fr"), says=lambda text: f"«{text}»"),
    )
    service = service_of(first, second)
    assert service.directions == [("en", "es"), ("en", "fr"), ("es", "en"), ("es", "fr")]
    assert (service.through("es", "fr"), service.through("es", "en")) == ("en", "")
    done = service.translate("- Hay 3 casas.\n\nHola.", "es", "fr")
    assert done.text == "- «HAY 3 CASAS.»\n\n«HOLA.»"
    assert done.through == "en"
    assert service.translate_lines(["Hola."], "es", "fr") == ["«HOLA.»"]


def test_the_way_in_the_middle_is_english_if_it_can_be_and_else_the_first_there_is() -> None:
    de = Scribe(("es", "de"), ("de", "fr"))
    pt = Scribe(("es", "pt"), ("pt", "fr"))
    en = Scribe(("es", "en"), ("en", "fr"))
    for order in itertools.permutations([pt, de, en]):
        assert service_of(*order).through("es", "fr") == "en"
    assert service_of(pt, de).through("es", "fr") == service_of(de, pt).through("es", "fr") == "de"
    assert service_of(pt, de, en, Scribe(("es", "fr"))).through("es", "fr") == ""


def test_of_two_packs_for_a_direction_the_better_is_used_but_an_installed_one_before_a_starter() -> None:
    starter = Scribe(("en", "es"), name="starter-en-es", chrf=90.0)
    good, better = Scribe(("en", "es"), name="b", chrf=50.0), Scribe(("en", "es"), name="a", chrf=55.0)
    for order in itertools.permutations([starter, good, better]):
        assert service_of(*order).quality("en", "es").steps[0].pack.name == "a"
    assert service_of(good, starter).quality("en", "es").steps[0].pack.name == "b"


def test_numbers_are_compared_between_the_first_text_and_the_last() -> None:
    first = Scribe(("es", "en"), says=lambda _: "A lot.")
    (segment,) = service_of(first, Scribe(("en", "fr"))).translate("Hay 12 casas.", "es", "fr").segments
    assert segment.missing == ("12",)


def test_what_was_noted_in_the_first_step_is_noted_of_the_whole() -> None:
    first, second = Scribe(("es", "en")), Scribe(("en", "fr"))
    first.translate = lambda texts, *_, **__: [Translated("x", cut=True)]  # type: ignore[method-assign]
    (segment,) = service_of(first, second).translate("Hola.", "es", "fr").segments
    assert segment.cut


def test_two_steps_cost_twice_as_much_and_their_progress_never_goes_back() -> None:
    first, second = Scribe(("es", "en")), Scribe(("en", "fr"))
    service = service_of(first, second)
    text = " ".join(["Hola a todos."] * 40)
    assert service.cost(text, "es", "fr") == 2 * service.cost(text, "es", "en") == 2 * len(text)
    done: list[int] = []
    service.translate(text, "es", "fr", on_progress=lambda now, _: done.append(now))
    assert done == sorted(done)
    assert done[-1] == len(text)
    assert len(done) == 2 * 4  # parts of 2, 16, 16 and 6 sentences


def test_a_translation_in_two_steps_stops_when_it_is_cancelled(appliance: Appliance) -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 10

    with pytest.raises(CancelledError):
        appliance.translation.translate("El agua está limpia. Hola.", "es", "fr", cancelled=cancelled)


def test_the_label_of_two_steps_has_the_figures_of_both() -> None:
    quality = service_of(Scribe(("es", "en")), Scribe(("en", "fr"))).quality("es", "fr")
    assert [(step.source, step.target, step.figures[0].direction) for step in quality.steps] == [
        ("es", "en", "es-en"),
        ("en", "fr", "en-fr"),
    ]
    assert (quality.through, quality.starter) == ("en", False)


def test_the_starter_packs_translate_from_spanish_to_french(appliance: Appliance) -> None:
    done = appliance.translation.translate("El agua está limpia.", "es", "fr")
    assert "eau" in done.text.lower()
    assert done.through == "en"


def test_lines_are_translated_together_as_they_are_alone(appliance: Appliance) -> None:
    # In int8 a batch shares its scales, so a sentence on the edge may change with its company; these are not.
    lines = ["Good morning.", "", "I am here. Thank you.", "  - The house is big."]
    together = appliance.translation.translate_lines(lines, "en", "es")
    assert together[1] == ""
    assert together[3].startswith("  - ")
    assert together == [appliance.translation.translate_lines([line], "en", "es")[0] for line in lines]


def test_the_label_comes_from_the_figures_of_the_pack(appliance: Appliance) -> None:
    quality = appliance.translation.quality("en", "es")
    (step,) = quality.steps
    assert {figure.metric for figure in step.figures} == {"BLEU", "chrF2"}
    assert all(figure.direction == "en-es" for figure in step.figures)
    assert quality.starter == (min(f.value for f in step.figures if f.metric == "chrF2") < 60)
    assert quality.through == ""


def test_a_box_without_packs_says_that_it_has_none() -> None:
    service = TranslationService([], engines_of([]), LanguageDetector([], {}), JobQueue(), beam=1)
    with pytest.raises(NoModelError):
        service.check("hello", "en", "es")
    assert service.directions == []


def test_a_long_text_lets_others_have_their_turns_between_its_parts(appliance: Appliance) -> None:
    text = " ".join(f"I have {number} goats." for number in range(2, 60))
    long = appliance.submit_translation("a", text, "en", "es")
    short = appliance.submit_translation("b", "The water is clean.", "en", "es")
    again = appliance.submit_translation("b", "The house is big.", "en", "es")
    assert (long.background, short.background) == (True, False)
    for job in (short, long):
        appliance.queue.run_next()
        assert job.state is not State.WAITING
    assert short.state is State.DONE
    assert (long.state, again.state) == (State.RUNNING, State.WAITING)
    assert long.events[0].data["text"].startswith("Tengo")
    while appliance.queue.run_next():
        pass
    assert (long.state, again.state) == (State.DONE, State.DONE)
    assert [event.data["done"] for event in long.events if event.kind == "progress"][-1] == len(text)


def test_short_texts_of_one_direction_are_translated_together_as_each_alone(appliance: Appliance) -> None:
    texts = [
        "The water is clean.",
        "I have 12 goats. The rain came late. We planted.\n\nWhere is the market?",
        " 12 ",
        "Asha",
    ]
    alone = [appliance.translation.translate(text, "en", "fr") for text in texts]
    jobs = [appliance.submit_translation(text, text, "en", "fr") for text in texts]
    assert appliance.queue.run_next()
    assert not appliance.queue.run_next()
    assert [job.result for job in jobs] == alone
    for job in jobs:
        assert "".join(event.data["text"] for event in job.events if event.kind == "text") == job.result.text
        assert [event.data["done"] for event in job.events if event.kind == "progress"][-1] == len(job.request["text"])


def test_texts_that_go_through_a_third_language_may_be_in_company(appliance: Appliance) -> None:
    texts = ["El agua está limpia.", "Tengo doce cabras y dos vacas."]
    alone = [appliance.translation.translate(text, "es", "fr") for text in texts]
    jobs = [
        appliance.submit_translation(text, text, source, "fr") for text, source in zip(texts, ("es", ""), strict=True)
    ]
    assert appliance.queue.run_next()
    assert not appliance.queue.run_next()
    assert [job.result for job in jobs] == [alone[0], replace(alone[1], detected=True)]


def test_the_parts_of_a_long_text_are_short_while_others_wait(appliance: Appliance) -> None:
    text = " ".join(f"I have {number} goats." for number in range(2, 40))  # 38 sentences
    answers = iter([True, False, True, True, True, True])  # asked after each part
    sizes: list[int] = []
    appliance.translation.translate(
        text, "en", "es", on_part=lambda part: sizes.append(len(part)), others_wait=lambda: next(answers)
    )
    assert sizes == [2, 6, 16, 6, 6, 2]


def test_a_long_text_learns_from_the_queue_whether_others_wait(appliance: Appliance) -> None:
    text = " ".join(f"I have {number} goats." for number in range(2, 40))
    alone = appliance.submit_translation("a", text, "en", "es")
    while appliance.queue.run_next():
        pass
    crowded = appliance.submit_translation("a", text, "en", "es")
    short = [appliance.submit_translation("b", "The water is clean.", "en", "es") for _ in range(9)]
    while appliance.queue.run_next():
        pass
    assert {job.state for job in (alone, crowded, *short)} == {State.DONE}
    parts = [sum(event.kind == "text" for event in job.events) for job in (alone, crowded)]
    assert parts == [4, 7]  # 2 + 16 + 16 + 4; 2 + 6 × 6
    assert alone.result.text == crowded.result.text


@pytest.mark.parametrize(("sentences", "long"), [(1, False), (20, False), (21, True)])
def test_a_text_of_many_sentences_is_long(appliance: Appliance, sentences: int, long: bool) -> None:
    assert appliance.translation.is_long("\n\n".join(["The water is clean."] * sentences)) is long
