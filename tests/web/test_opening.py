"""A model that has to be opened first is told on the page; one that has no room is refused with what it needs."""

from __future__ import annotations

from pathlib import Path

from tests.web.boxes import Box, Phone, make_appliance
from webui.app import create_app

WORDS = "The model is being made ready. This takes a moment."


def test_the_page_says_that_the_model_is_being_made_ready_until_there_is_text(box: Box) -> None:
    box.appliance.engines.close()  # what was open ahead of need
    queue, phone = box.appliance.queue, box.phone()
    queue.start()
    sent = phone.translate("Hello")
    job = box.job(sent)
    assert [event.kind for event in queue.events(job, 0, 20)] == ["opening"]
    assert WORDS in phone.get(sent.location).text
    assert "Se está preparando el modelo." in box.phone("es").get(sent.location).text
    box.translator.open.set()
    assert queue.wait_until_over(job, 20)
    page = phone.get(sent.location).text
    assert WORDS not in page
    assert "HELLO" in page


def test_a_model_without_room_is_refused_in_the_words_of_the_page(tmp_path: Path) -> None:
    appliance = make_appliance(tmp_path, memory="50M")
    phone = Phone(create_app(appliance))
    sent = phone.translate("The water is clean.")
    appliance.queue.run_next()
    page = phone.get(sent.location).text
    assert "and this box has 50 MiB for models" in page
    assert phone.get("/healthz").json["memory"]["budget_bytes"] == 50 * 2**20  # type: ignore[index]
    appliance.close()
