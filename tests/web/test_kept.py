"""“My requests” after the power failed: what was left is there, can be done again, and deleted for good."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.inference.job import State
from appliance.storage.lock import lock_folder
from tests.web.boxes import Box, Phone, make_box


def switch_on(data: Path) -> Box:
    """A box as `start` leaves it, but for its workers: the tests do the turns."""
    box = make_box(data)
    box.appliance._lock = lock_folder(data)
    box.appliance.keeping.open(lambda: box.appliance.documents, box.appliance._forms)
    box.translator.open.set()
    return box


def cut(box: Box) -> None:
    """The power fails: nothing is written any more, and the kernel's lock is gone."""
    assert box.appliance.keeping.journal is not None
    box.appliance.keeping.journal.close()
    assert box.appliance._lock is not None
    box.appliance._lock.release()
    box.appliance._lock = None


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def box(data: Path) -> Iterator[Box]:
    made = switch_on(data)
    yield made
    made.appliance.close()


def back(data: Path, box: Box, phone: Phone) -> tuple[Box, Phone]:
    """The box after a cut, and the same phone."""
    cut(box)
    again = switch_on(data)
    same = again.phone()
    cookie = phone.client.get_cookie("device")
    assert cookie is not None
    same.client.set_cookie("device", cookie.value)
    return again, same


def leave(phone: Phone, text: str) -> None:
    assert phone.post("/translate", {"text": text, "from": "en", "to": "es", "leave": "yes"}).status_code == 303


def test_a_request_that_waited_is_done_after_the_power_came_back(box: Box, data: Path) -> None:
    phone = box.phone()
    leave(phone, "The water is clean.")
    assert "stays there when the power fails" in phone.get("/requests").text
    again, phone = back(data, box, phone)
    assert "It waits until the box has less to do." in phone.get("/requests").text
    while again.appliance.queue.run_next():
        pass
    (job,) = again.appliance.queue._jobs.values()
    assert "THE WATER IS CLEAN." in phone.get(f"/jobs/{job.id}").text
    third, phone = back(data, again, phone)
    page = phone.get(f"/jobs/{job.id}").text
    assert "THE WATER IS CLEAN." in page
    assert "Machine translation" in page
    third.appliance.close()


def test_what_was_interrupted_is_done_again_with_one_button(box: Box, data: Path) -> None:
    phone = box.phone()
    leave(phone, "The water is clean.")
    with box.appliance.queue._lock:
        box.appliance.queue._take()
    box.appliance.queue._tell()
    again, phone = back(data, box, phone)
    page = phone.get("/requests").text
    assert "The power failed while the box worked on it." in page
    (job,) = again.appliance.queue._jobs.values()
    assert job.state is State.INTERRUPTED
    shown = phone.get(f"/jobs/{job.id}")
    assert "Nothing that you wrote is lost" in shown.text
    assert f'action="/jobs/{job.id}/again"' in shown.text
    assert phone.post(f"/jobs/{job.id}/again").location == "/requests?left=yes"
    while again.appliance.queue.run_next():
        pass
    (new,) = again.appliance.queue._jobs.values()
    assert "THE WATER IS CLEAN." in phone.get(f"/jobs/{new.id}").text
    assert again.appliance.keeping.journal is not None
    assert [each.id for each in again.appliance.keeping.journal.jobs()] == [new.id]
    assert phone.post(f"/jobs/{new.id}/again").status_code == 303
    again.appliance.close()


def test_a_request_is_deleted_for_good(box: Box, data: Path) -> None:
    phone = box.phone()
    leave(phone, "A letter that nobody else should see.")
    while box.appliance.queue.run_next():
        pass
    (job,) = box.appliance.queue._jobs.values()
    assert f'action="/jobs/{job.id}/delete"' in phone.get("/requests").text
    gone = phone.post(f"/jobs/{job.id}/delete", follow=True)
    assert "The request was deleted." in gone.text
    assert "Nothing now." in gone.text
    assert phone.get(f"/jobs/{job.id}").status_code == 410
    assert not any(b"nobody else" in file.read_bytes() for file in data.iterdir() if file.is_file())


def test_a_document_that_was_to_be_translated_is_done_after_the_cut(box: Box, data: Path) -> None:
    phone = box.phone()
    where = phone.write_letter()
    phone.post(where, {"title": "Pump", "text": "The pump is broken.", "leave": "es"})
    again, phone = back(data, box, phone)
    while again.appliance.queue.run_next():
        pass
    assert "THE PUMP IS BROKEN." in phone.get(where).text
    (job,) = again.appliance.queue._jobs.values()
    third, phone = back(data, again, phone)
    assert phone.get(f"/jobs/{job.id}").location.startswith(where)
    third.appliance.close()


def test_without_a_journal_the_page_says_that_a_request_would_be_lost(data: Path) -> None:
    box = make_box(data)
    phone = box.phone()
    leave(phone, "Hello")
    assert "it is lost when the power fails" in phone.get("/requests").text
    box.appliance.close()


def test_the_copy_of_the_documents_is_offered_on_the_page_about_the_box(box: Box, data: Path) -> None:
    phone = box.phone()
    phone.write_letter()
    phone.write_letter()
    cut(box)
    (data / "documents.json").write_bytes(b"broken")
    again = switch_on(data)
    page = again.phone().get("/about").text
    assert "with 1 documents is there" in page
    assert 'action="/about/bring-back"' in page
    after = again.phone().post("/about/bring-back", follow=True).text
    assert 'action="/about/bring-back"' not in after
    assert "The documents saved before could not be read. They are not deleted" in after
    assert again.phone().post("/about/bring-back").status_code == 404
    again.appliance.close()
