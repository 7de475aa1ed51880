"""Which language a page is shown in."""

from __future__ import annotations

import pytest

from tests.web.boxes import Box
from webui import languages


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("es", "es"),
        ("es-MX,es;q=0.9,en;q=0.5", "es"),
        ("en-GB,es;q=0.5", "en"),
        ("sw,fr", "en"),
        ("*", "en"),
        ("", "en"),
    ],
)
def test_the_page_speaks_what_the_phone_asks_for(box: Box, asked: str, shown: str) -> None:
    assert f'<html lang="{shown}"' in box.phone(asked).get("/").text


def test_a_language_chosen_by_hand_stays(box: Box) -> None:
    phone = box.phone("en")
    chosen = phone.post("/language", {"language": "es", "next": "/ask?q=hoja"})
    assert (chosen.status_code, chosen.location) == (303, "/ask?q=hoja")
    assert '<html lang="es"' in phone.get("/").text


def test_a_language_the_page_does_not_speak_changes_nothing(box: Box) -> None:
    phone = box.phone("en")
    phone.post("/language", {"language": "tlh", "next": "/"})
    assert '<html lang="en"' in phone.get("/").text


@pytest.mark.parametrize("elsewhere", ["//evil.example/", "/\\evil.example", "https://evil.example", "", "/a\r\nX: y"])
def test_choosing_a_language_never_leads_to_another_site(box: Box, elsewhere: str) -> None:
    assert box.phone().post("/language", {"language": "es", "next": elsewhere}).location == "/"


def test_names_of_languages() -> None:
    assert languages.endonym("es") == "Español"
    assert languages.endonym("xx-unknown") == "Xx-unknown"
    assert languages.direction("ar") == "rtl"
    assert languages.direction("sw") == languages.direction("xx-unknown") == "ltr"
