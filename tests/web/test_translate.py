"""Translating through the page."""

from __future__ import annotations

import html
import re

import pytest
from flask import Flask

from appliance.inference.job import State
from tests.web.boxes import Box, Phone
from webui.pages import jobs

TEXT = "The water is clean.\n\n- I have 3 goats.\n- You have 12 hens."


def run_all(box: Box) -> None:
    box.translator.open.set()
    while box.appliance.queue.run_next():
        pass


def result_of(page: str) -> str:
    """The text of a translation, as it stands on the page."""
    found = re.search(r'<div class="text result" id="translation"[^>]*>(.*?)</div>', page, re.DOTALL)
    assert found
    return html.unescape(found.group(1))


def test_the_starter_model_translates_both_ways(shipped: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MOMENT", 60.0)
    phone = Phone(shipped)
    spanish = phone.post("/translate", {"text": "The water is clean.", "from": "en", "to": "es"}, follow=True).text
    english = phone.post("/translate", {"text": "El agua está limpia.", "from": "es", "to": "en"}, follow=True).text
    assert "agua" in result_of(spanish)
    assert "water" in result_of(english)
    assert "Machine translation, starter quality" in spanish
    assert "chrF2" in spanish
    assert '<p class="text" lang="en" dir="ltr">The water is clean.</p>' in spanish


def test_paragraphs_and_line_breaks_stay(box: Box) -> None:
    sent = box.phone().translate(TEXT.replace("\n", "\r\n"))
    run_all(box)
    assert result_of(box.phone().get(sent.location).text) == (
        "THE WATER IS CLEAN.\n\n- I HAVE 3 GOATS.\n- YOU HAVE 12 HENS."
    )


def test_what_needs_a_look_is_marked_in_words(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "appliance.translation.texts.differing_in",
        lambda one, *_: (("12",), ("40",)) if "goats" in one else ((), ()),
    )
    sent = box.phone().translate("The water is clean. I have 12 goats. This is an endless one.")
    run_all(box)
    page = box.phone().get(sent.location).text
    assert "<mark>I HAVE 12 GOATS.</mark>" in page
    assert "[number missing: 12; number added: 40]" in page
    assert "<mark>THIS IS AN ENDLESS ONE.</mark>" in page
    assert "[the end was left out]" in page
    assert "2 sentences need a look." in page
    assert "<mark>THE WATER" not in page


def test_what_is_said_again_and_again_and_what_is_left_as_it_is_is_marked(box: Box) -> None:
    sent = box.phone().translate("No no no no no no no no.\n日本語です")
    run_all(box)
    page = box.phone().get(sent.location).text
    assert "[the same again and again]" in page
    assert "<mark>日本語です</mark>" in page
    assert "[left as it is]" in page


def test_a_translation_in_two_steps_says_so_and_shows_the_figures_of_both(
    shipped: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MOMENT", 60.0)
    phone = Phone(shipped)
    assert "through English, and may be further off: Spanish ↔ French" in phone.get("/translate").text
    page = phone.post("/translate", {"text": "El agua está limpia.", "from": "es", "to": "fr"}, follow=True).text
    assert "From Spanish to French, through English" in page
    assert "Machine translation in two steps, through English: may be further off" in page
    assert "Spanish → English, everyday sentences" in page
    assert "English → French, everyday sentences" in page
    assert 'href="/packs/starter-en-es"' in page
    assert 'href="/packs/starter-en-fr"' in page


def test_markup_in_a_text_is_text(box: Box) -> None:
    sent = box.phone().translate("<script>alert(1)</script> <b>hello")
    run_all(box)
    page = box.phone().get(sent.location).text
    assert "<script>alert" not in page.lower()
    assert "&lt;script&gt;ALERT(1)&lt;/script&gt;" in page


def test_the_language_is_recognised_and_said(box: Box) -> None:
    sent = box.phone().translate("El agua es limpia.", source="", target="es")
    run_all(box)
    page = box.phone().get(sent.location).text
    assert "From Spanish (recognised) to English" in page
    assert 'lang="en"' in page


def test_an_empty_text_is_asked_for(box: Box) -> None:
    response = box.phone().translate(" \n ")
    assert response.status_code == 400
    assert "There is no text yet." in response.text
    assert 'aria-invalid="true"' in response.text


def test_a_text_that_is_too_long_stays_in_the_form(box: Box) -> None:
    text = "water " * 1_000
    response = box.phone("es").translate(text)
    assert response.status_code == 413
    assert "El texto tiene 6,000 caracteres" in response.text or "El texto tiene 6.000 caracteres" in response.text
    assert text in response.text


def test_line_breaks_count_as_one_character(box: Box) -> None:
    assert box.phone().translate("a\r\n" * 2_500).status_code == 303


@pytest.mark.parametrize(("source", "target"), [("fr", "es"), ("en", "de"), ("<b>", "es")])
def test_a_pair_that_is_not_installed_is_said_with_those_that_are(box: Box, source: str, target: str) -> None:
    response = box.phone().translate("Hello", source, target)
    assert response.status_code == 400
    assert "English→Spanish, Spanish→English" in response.text
    assert "<b>" not in response.text


def test_the_same_language_twice_means_the_other_one(box: Box) -> None:
    sent = box.phone().translate("Hello", "es", "es")
    assert box.job(sent).request["target"] == "en"


def test_a_full_queue_keeps_the_text_and_says_when_to_come_back(small_box: Box) -> None:
    phones = [small_box.phone() for _ in range(4)]
    assert [phone.translate("Hello").status_code for phone in phones[:3]] == [303] * 3
    response = phones[3].translate("The water is clean")
    assert response.status_code == 503
    assert "The water is clean</textarea>" in response.text
    assert re.search(r"send it again in about \d+ seconds", response.text)


def test_one_device_may_fill_only_its_share_of_the_queue(small_box: Box) -> None:
    greedy, other = small_box.phone(), small_box.phone()
    assert [greedy.translate("Hello").status_code for _ in range(3)] == [303, 303, 429]
    assert other.translate("Hello").status_code == 303


def test_fifty_requests_of_one_device_hold_up_another_by_one_at_most(box: Box) -> None:
    greedy, other = box.phone(), box.phone()
    for number in range(50):
        assert greedy.translate(f"Greedy {number}.").status_code == 303
    box.appliance.start()
    while not box.translator.seen:  # the first of the fifty is at work
        box.appliance.queue.wait_until_over(next(iter(box.appliance.queue._jobs.values())), 0.01)
    sent = other.translate("One question.")
    assert "1 request is before yours." in other.get(sent.location).text
    box.translator.open.set()
    assert box.appliance.queue.wait_until_over(box.job(sent), 10)
    assert box.translator.seen.index("One question.") <= 1
    assert "ONE QUESTION." in other.get(sent.location).text


def test_a_job_that_the_box_forgot_at_its_restart_is_said_to_be_lost(box: Box, small_box: Box) -> None:
    before = box.phone().translate("Hello").location
    after_restart = small_box.phone()
    response = after_restart.get(before)
    assert response.status_code == 410
    assert "was lost, because the box was restarted" in response.text
    assert 'href="/translate"' in response.text


def test_a_request_that_failed_can_be_sent_again_with_its_text(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = box.phone("es")
    sent = phone.translate("The water\nis clean", source="")
    box.translator.open.set()
    monkeypatch.setattr(box.translator, "translate", lambda *_, **__: 1 / 0)
    box.appliance.queue.run_next()
    assert box.job(sent).state is State.FAILED
    page = phone.get(sent.location).text
    assert "Algo falló dentro de la caja." in page
    assert '<textarea name="text" hidden>\nThe water\nis clean</textarea>' in page
    assert '<input type="hidden" name="from" value="">' in page
