"""A box with much to do says so before it takes a request, and offers to hold it until it is quieter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.inference.job import State
from appliance.limits import LIMITS
from tests.web.boxes import Box, make_box

OFFER = '<button class="button" name="leave" value="{}">'


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Box]:
    """A box with work for about eight seconds, where nobody is to wait for more than five."""
    box = make_box(tmp_path, replace(LIMITS, wait_seconds=5, jobs_held_per_owner=2))
    assert box.phone().translate("x" * 4_000).status_code == 303
    yield box
    box.appliance.close()


def run_all(box: Box) -> None:
    box.translator.open.set()
    while box.appliance.queue.run_next():
        pass


def leave(text: str) -> dict[str, str]:
    return {"text": text, "from": "en", "to": "es", "leave": "yes"}


def test_a_long_wait_is_said_with_the_text_kept_and_the_offer(busy: Box) -> None:
    refused = busy.phone().translate("The water is clean.")
    assert refused.status_code == 503
    assert "your request would only begin in about 8 seconds" in refused.text
    assert "The water is clean.</textarea>" in refused.text
    assert OFFER.format("yes") in refused.text
    assert len(busy.appliance.queue._jobs) == 1


def test_the_offer_is_made_in_the_language_of_the_reader(busy: Box) -> None:
    refused = busy.phone("es").translate("The water is clean.")
    assert "su solicitud empezaría solo dentro de 8 segundos" in refused.text
    assert "Dejarla en la caja" in refused.text


def test_a_request_that_was_left_is_found_again_by_its_device_only(busy: Box) -> None:
    phone = busy.phone()
    left = phone.post("/translate", leave("The water is clean."))
    assert (left.status_code, left.location) == (303, "/requests?left=yes")
    page = phone.get(left.location).text
    assert "The box has your request." in page
    assert "The water is clean." in page
    assert "Spanish · It waits until the box has less to do." in page
    other = busy.phone().get("/requests").text
    assert "The water is clean." not in other
    assert "Nothing now." in other


def test_a_request_that_was_left_is_done_while_the_phone_is_away(busy: Box) -> None:
    phone = busy.phone()
    phone.post("/translate", leave("The water is clean."))
    held = next(job for job in busy.appliance.queue._jobs.values() if job.held_for)
    now = held.seen + 10 * LIMITS.job_abandoned_seconds
    busy.appliance.queue._clock = lambda: now
    page = phone.get(f"/jobs/{held.id}").text
    assert "You left this request with the box, and may close this page." in page
    assert '<p class="waiting" role="status" sse-swap="waiting">It waits until the box has less to do.</p>' in page
    now += LIMITS.job_kept_seconds
    run_all(busy)
    assert held.state is State.DONE
    now += LIMITS.job_kept_seconds + 1
    assert busy.phone().translate("Good morning.").status_code == 303
    assert "Spanish · Ready" in phone.get("/requests").text
    assert "THE WATER IS CLEAN." in phone.get(f"/jobs/{held.id}").text


def test_a_full_queue_offers_to_hold_a_request_too(small_box: Box) -> None:
    for _ in range(3):
        assert small_box.phone().translate("Hello").status_code == 303
    phone = small_box.phone()
    assert OFFER.format("yes") in phone.translate("The water is clean.").text
    assert phone.post("/translate", leave("The water is clean.")).location == "/requests?left=yes"


def test_one_device_may_leave_only_so_much_and_is_not_offered_more(busy: Box) -> None:
    phone = busy.phone()
    for text in ("One.", "Two."):
        assert phone.post("/translate", leave(text)).status_code == 303
    refused = phone.post("/translate", leave("Three."))
    assert refused.status_code == 429
    assert "already has 2 requests waiting" in refused.text
    assert "Three.</textarea>" in refused.text
    assert 'name="leave"' not in refused.text
    assert busy.phone().post("/translate", leave("One.")).status_code == 303


def test_another_error_makes_no_offer(busy: Box) -> None:
    assert 'name="leave"' not in busy.phone().translate(" ").text


def test_the_translation_of_a_document_can_be_left_with_the_box(busy: Box) -> None:
    phone = busy.phone()
    where = phone.write_letter()
    refused = phone.post(where, {"title": "Pump", "text": "The pump is broken.", "also_in": "es"})
    assert refused.status_code == 503
    assert OFFER.format("es") in refused.text
    assert "The pump is broken.</textarea>" in phone.get(where).text  # what was changed is saved before
    left = phone.post(where, {"title": "Pump", "text": "The pump is broken.", "leave": "es"})
    assert left.location == "/requests?left=yes"
    page = phone.get(left.location).text
    assert "<strong>Pump</strong>" in page
    run_all(busy)
    assert "Spanish · Ready" in phone.get("/requests").text
    assert "THE PUMP IS BROKEN.</textarea>" in phone.get(where).text


def test_a_document_that_is_tried_again_gets_the_offer_too(busy: Box) -> None:
    phone = busy.phone()
    where = phone.write_letter()
    refused = phone.post(f"{where}/also-in", {"language": "es"})
    assert refused.status_code == 503
    assert OFFER.format("es") in refused.text
    assert "Dear Sir or Madam," in refused.text


def test_a_failed_request_that_was_left_says_so(busy: Box) -> None:
    phone = busy.phone()
    phone.post("/translate", leave("The water is clean."))
    held = next(job for job in busy.appliance.queue._jobs.values() if job.held_for)
    phone.post(f"/jobs/{held.id}/cancel")
    assert "Spanish · Stopped" in phone.get("/requests").text


def test_a_held_text_that_is_markup_is_text(busy: Box) -> None:
    phone = busy.phone()
    phone.post("/translate", leave("<b>hello</b>" + " x" * 100))
    page = phone.get("/requests").text
    assert "&lt;b&gt;hello" in page
    assert "<b>hello" not in page
