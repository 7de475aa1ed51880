"""Every page, in both languages: it is there, it says its language, and it needs nothing from elsewhere."""

from __future__ import annotations

import gzip
import re

import pytest
from flask import Flask

from tests.web.boxes import Box, Phone

PAGES = [
    "/",
    "/translate",
    "/ask",
    "/ask?q=holes+in+the+leaves+of+my+maize",
    "/ask?q=agujeros+en+las+hojas+del+ma%C3%ADz",
    "/ask?q=how+to+fly+a+helicopter",
    "/articles/maize-fall-armyworm",
    "/articles/maize-fall-armyworm/sheet",
    "/checks",
    "/checks/pump-gives-no-water",
    "/checks/pump-gives-no-water?so-far=2.1",
    "/checks/pump-gives-no-water/sheet",
    "/articles/maize-fall-armyworm/note",
    "/village",
    "/village/write",
    "/calendar",
    "/calendar?crop=maize&planted=2026-11-01&climate=humid",
    "/draft",
    "/draft/letter",
    "/draft/minutes",
    "/draft/receipt",
    "/about",
    "/packs",
    "/packs/starter-en-es",
    "/requests",
    "/keeper/pin",
]
ADDRESS = re.compile(r"""(?:href|src|action|content|url)\s*[=(]\s*["']?\s*(?:https?:)?//""", re.IGNORECASE)
INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", re.IGNORECASE)


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_there_in_the_language_of_the_reader(shipped: Flask, page: str, language: str) -> None:
    response = Phone(shipped, language).get(page)
    assert response.status_code == 200
    assert f'<html lang="{language}" dir="ltr">' in response.text
    assert response.text.count("<h1") == 1
    assert 'id="main"' in response.text


@pytest.mark.parametrize("page", [*PAGES, "/no-such-page", "/jobs/1-2", "/healthz"])
def test_a_page_asks_for_nothing_from_elsewhere_and_has_nothing_inline(shipped: Flask, page: str) -> None:
    response = Phone(shipped).get(page)
    assert not ADDRESS.search(response.text)
    assert not INLINE.search(response.text)


@pytest.mark.parametrize("page", [*PAGES, "/no-such-page", "/healthz", "/favicon.ico"])
def test_every_response_forbids_what_is_not_of_the_box(shipped: Flask, page: str) -> None:
    headers = Phone(shipped).get(page).headers
    policy = headers["Content-Security-Policy"].split("; ")
    assert "default-src 'self'" in policy
    assert {"frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} <= set(policy)
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_a_page_travels_compressed_to_whoever_can_read_it(shipped: Flask) -> None:
    plain = Phone(shipped).get("/about")
    zipped = Phone(shipped).get("/about", **{"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert b"</html>" in gzip.decompress(zipped.data)
    assert len(zipped.data) < len(plain.data) / 2


def test_the_front_page_has_three_doors(shipped: Flask) -> None:
    text = Phone(shipped).get("/").text
    assert re.findall(r'class="door [^"]*" href="([^"]+)"', text) == ["/translate", "/ask", "/draft"]


def test_a_box_without_a_pack_says_so_and_the_rest_works(box: Box) -> None:
    box.appliance.translation._now.routes.clear()
    phone = box.phone()
    refused = phone.get("/translate")
    assert refused.status_code == 503
    assert "The box has no model for this yet: translation." in refused.text
    assert phone.get("/ask").status_code == phone.get("/draft").status_code == phone.get("/about").status_code == 200
