"""Writing, changing, translating, printing and deleting a document through the page."""

from __future__ import annotations

import re

import pytest

from appliance.errors import DiskFullError
from tests.web.boxes import LETTER, Box, Phone


@pytest.fixture
def phone(box: Box) -> Phone:
    return box.phone()


def run_all(box: Box) -> None:
    box.translator.open.set()
    while box.appliance.queue.run_next():
        pass


def test_a_letter_is_written_saved_and_found_again(box: Box, phone: Phone) -> None:
    where = phone.write_letter()
    page = phone.get(where).text
    assert "Dear Sir or Madam," in page
    assert "3 May 2026" in page
    assert "Repair of the hand pump" in phone.get("/draft").text
    assert where in phone.get("/draft").text


def test_another_device_does_not_list_it_but_may_open_it_by_its_address(box: Box, phone: Phone) -> None:
    where = phone.write_letter()
    other = box.phone()
    assert where not in other.get("/draft").text
    assert other.get(where).status_code == 200


def test_missing_answers_are_marked_and_the_others_kept(phone: Phone) -> None:
    answers = {f"answer-{key}": answer for key, answer in LETTER.items() if key not in ("place", "request")}
    response = phone.post("/draft/letter", {"language": "es", **answers})
    page = response.text
    assert response.status_code == 400
    assert re.findall(r'id="answer-(\w+)-wrong"', page) == ["place", "request"]
    assert page.count('aria-invalid="true"') == 2
    assert 'href="#answer-place"' in page
    assert "The hand pump near the school is broken.</textarea>" in page
    assert re.search(r'value="es" checked', page)


def test_one_of_two_answers_is_enough_and_none_is_said(phone: Phone) -> None:
    answers = {
        "place": "Kibaoni",
        "date": "2026-05-03",
        "received_from": "Asha",
        "reason": "Rent",
        "received_by": "Juma",
    }
    form = {"language": "en", **{f"answer-{key}": answer for key, answer in answers.items()}}
    refused = phone.post("/draft/receipt", form)
    assert refused.status_code == 400
    assert refused.text.count("Please answer at least one of these.") == 2
    assert phone.post("/draft/receipt", {**form, "answer-amount": "KES 2,500"}).status_code == 303


def test_a_form_in_spanish(box: Box) -> None:
    page = box.phone("es").get("/draft/letter").text
    assert "¿Desde dónde escribe?" in page
    assert "(necesario)" in page


def test_answers_survive_a_full_disk(box: Box, phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise DiskFullError(path="documents.json")

    monkeypatch.setattr(box.appliance.documents, "create", full)
    answers = {f"answer-{key}": answer for key, answer in LETTER.items()}
    response = phone.post("/draft/letter", {"language": "en", **answers})
    assert response.status_code == 507
    assert "The memory of the box is full." in response.text
    assert LETTER["matter"] in response.text


def test_a_change_is_saved(box: Box, phone: Phone) -> None:
    where = phone.write_letter()
    saved = phone.post(where, {"title": "Pump", "text": "Dear all,\r\nthe pump.", "save": "yes"})
    assert saved.location == f"{where}?saved=yes"
    page = phone.get(saved.location).text
    assert "Saved." in page
    assert "Dear all,\nthe pump.</textarea>" in page
    assert '<h1 lang="en" dir="ltr">Pump</h1>' in page


def test_a_change_that_cannot_be_saved_is_not_lost(box: Box, phone: Phone) -> None:
    where = phone.write_letter()
    response = phone.post(where, {"title": "Pump", "text": "long " * 10_001})
    assert response.status_code == 413
    assert "long long" in response.text
    assert "Dear Sir or Madam," in phone.get(where).text


def test_also_in_another_language_puts_the_translation_beside_it(box: Box, phone: Phone) -> None:
    where = phone.write_letter()
    text = re.search(r'name="text"[^>]*>\n(.*?)</textarea>', phone.get(where).text, re.DOTALL)
    assert text
    sent = phone.post(where, {"title": "Pump", "text": text.group(1).replace("&#39;", "'"), "also_in": "es"})
    assert sent.location.startswith("/jobs/")
    assert "Translating…" in phone.get(sent.location).text
    run_all(box)
    done = phone.get(sent.location)
    assert (done.status_code, done.location) == (303, f"{where}#in-es")
    assert phone.get(f"{sent.location}/result").headers["HX-Redirect"] == f"{where}#in-es"
    page = phone.get(where).text
    assert "Estimado/a señor/a:" in page
    assert "THE HAND PUMP NEAR THE SCHOOL IS BROKEN." in page
    assert "Translated by machine." in page
    assert 'class="beside beside-two"' in page


def test_a_translation_can_be_changed_and_taken_away(box: Box, phone: Phone) -> None:
    where = phone.write_letter()
    phone.post(where, {"title": "Pump", "text": "The pump.", "also_in": "es"})
    run_all(box)
    phone.post(where, {"title": "Pump", "text": "The pump.", "beside-es": "La bomba."})
    assert "La bomba.</textarea>" in phone.get(where).text
    phone.post(where, {"title": "Pump", "text": "The pump.", "beside-es": ""})
    assert 'id="in-es"' not in phone.get(where).text


def test_a_form_that_is_older_than_a_translation_leaves_it_alone(box: Box, phone: Phone) -> None:
    where = phone.write_letter()
    phone.post(where, {"title": "Pump", "text": "The pump.", "also_in": "es"})
    run_all(box)
    phone.post(where, {"title": "Pump", "text": "The old pump."})
    page = phone.get(where).text
    assert "The old pump.</textarea>" in page
    assert "THE PUMP.</textarea>" in page


def test_a_language_that_is_not_installed_is_said_beside_the_document(phone: Phone) -> None:
    where = phone.write_letter()
    response = phone.post(where, {"title": "Pump", "text": "The pump.", "also_in": "fr"})
    assert response.status_code == 400
    assert "This box cannot translate from English to French." in response.text
    assert "The pump.</textarea>" in response.text


def test_a_stopped_translation_leads_back_to_the_document(box: Box, phone: Phone) -> None:
    where = phone.write_letter()
    sent = phone.post(where, {"title": "Pump", "text": "The pump.", "also_in": "es"})
    phone.post(f"{sent.location}/cancel")
    page = phone.get(sent.location).text
    assert f'action="{where}/also-in"' in page
    assert f'href="{where}"' in page
    again = phone.post(f"{where}/also-in", {"language": "es"})
    assert again.location.startswith("/jobs/")


def test_a_document_prints_as_a_sheet(phone: Phone) -> None:
    where = phone.write_letter()
    printed = phone.post(
        where, {"title": "T", "text": "# Receipt\n\n## For\nRent\n\n__________\nAsha\nchair", "print": "en"}
    )
    assert printed.location == f"{where}/print?language=en"
    page = phone.get(printed.location).text
    assert "<h1>Receipt</h1>" in page
    assert "<h2>For</h2>" in page
    assert '<p class="signature">Asha\nchair</p>' in page
    assert 'class="top"' not in page
    assert phone.get(f"{where}/print?language=fr").status_code == 404


def test_a_document_is_deleted_only_when_asked_twice(phone: Phone) -> None:
    where = phone.write_letter()
    question = phone.get(f"{where}/delete").text
    assert "Delete this document?" in question
    assert phone.get(where).status_code == 200
    gone = phone.post(f"{where}/delete", follow=True)
    assert "The document was deleted." in gone.text
    assert phone.get(where).status_code == 404
