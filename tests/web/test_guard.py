"""What is refused before any page is asked: foreign forms, foreign names, bytes that are no text."""

from __future__ import annotations

import pytest

from tests.web.boxes import Box

MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8081"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://[broken"},
        {"Origin": "", "Referer": "http://evil.example/http://localhost/"},
        {"Origin": "", "Referer": ""},
    ],
)
def test_a_form_from_another_site_is_refused(box: Box, headers: dict[str, str]) -> None:
    response = box.phone().post("/translate", {"text": "Hello", "from": "en", "to": "es"}, **headers)
    assert response.status_code == 403
    assert "This form did not come from a page of the box" in response.text
    assert box.appliance.queue._jobs == {}


@pytest.mark.parametrize(
    ("host", "headers"),
    [
        ("localhost", {"Origin": "http://localhost"}),
        ("localhost:8080", {"Origin": "http://localhost:8080"}),
        ("192.168.4.1", {"Origin": "http://192.168.4.1:80"}),
        ("Baraza.Local", {"Origin": "http://baraza.local"}),
        ("[fd00::1]:8080", {"Origin": "http://[fd00::1]:8080"}),
        ("localhost", {"Origin": "", "Referer": "http://localhost/translate"}),
    ],
)
def test_a_form_of_the_box_is_taken(box: Box, host: str, headers: dict[str, str]) -> None:
    response = box.phone().post("/translate", {"text": "Hello", "from": "en", "to": "es"}, Host=host, **headers)
    assert response.status_code == 303


@pytest.mark.parametrize(
    "host", ["evil.example", "192.168.4.1.evil.example", "baraza.local.evil.example", "a b", "[::1", ""]
)
def test_a_name_rebound_to_the_box_is_refused(box: Box, host: str) -> None:
    response = box.phone("es").get("/", Host=host)
    assert response.status_code == 421
    assert "Esta caja no se llama" in response.text


@pytest.mark.parametrize(
    "host", ["localhost", "10.0.0.1:8080", "[fd00::1]", "baraza", "baraza.home.arpa", "BARAZA.local."]
)
def test_the_box_answers_to_its_names_and_addresses(box: Box, host: str) -> None:
    assert box.phone().get("/", Host=host).status_code == 200


@pytest.mark.parametrize("body", [b"text=%ff%fe&from=en&to=es", b"text=caf\xe9&from=en&to=es", b"text=%ED%A0%80&to=es"])
def test_bytes_that_are_not_utf8_are_refused(box: Box, body: bytes) -> None:
    response = box.phone().post("/translate", body)
    assert response.status_code == 400
    assert "not valid UTF-8" in response.text


def test_a_question_that_is_not_utf8_is_refused(box: Box) -> None:
    assert box.phone().get("/ask?q=%ff%fe").status_code == 400


def test_a_megabyte_of_text_is_refused_in_the_language_of_the_reader(box: Box) -> None:
    response = box.phone("es").post("/translate", {"text": "a" * MEGABYTE, "from": "en", "to": "es"})
    assert response.status_code == 413
    assert "El tamaño" in response.text or "demasiado grande para la caja" in response.text


def test_a_body_that_is_no_form_is_refused(box: Box) -> None:
    response = box.phone().client.post("/translate", json={"text": "Hello"}, headers={"Origin": "http://localhost"})
    assert response.status_code == 400


def test_a_device_keeps_one_name_that_scripts_cannot_read(box: Box) -> None:
    phone = box.phone()
    first = phone.get("/").headers["Set-Cookie"]
    assert "HttpOnly" in first
    assert "SameSite=Lax" in first
    assert "Max-Age=63072000" in first
    assert "Set-Cookie" not in phone.get("/").headers


def test_a_name_that_the_box_did_not_give_is_replaced(box: Box) -> None:
    phone = box.phone()
    phone.client.set_cookie("device", "admin' OR 1=1")
    assert "device=" in phone.get("/").headers["Set-Cookie"]


def test_static_files_and_health_give_no_cookie(box: Box) -> None:
    phone = box.phone()
    assert "Set-Cookie" not in phone.get("/healthz").headers
    assert "Set-Cookie" not in phone.get("/static/0/baraza.css").headers
