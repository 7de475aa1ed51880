"""axe-core finds nothing serious on any page, and a document prints."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.test_flows import fill_letter

pytestmark = pytest.mark.browser

PAGES = [
    "/",
    "/translate",
    "/ask",
    "/ask?q=holes+in+the+leaves+of+my+maize",
    "/ask?q=who+won+the+football+match+yesterday",
    "/articles/maize-fall-armyworm",
    "/articles/maize-fall-armyworm/sheet",
    "/checks",
    "/checks/pump-gives-no-water?so-far=2",
    "/checks/pump-gives-no-water?so-far=2.1",
    "/checks/pump-gives-no-water/sheet",
    "/articles/maize-fall-armyworm/note",
    "/village",
    "/village/write",
    "/draft",
    "/draft/minutes",
    "/about",
    "/packs",
    "/packs/starter-en-es",
    "/requests",
    "/no-such-page",
    "/jobs/00000000-lost",
]


def serious(page: Page) -> list[tuple[str, Any]]:
    found = Axe().run(page).response["violations"]
    return [
        (each["id"], [node["html"] for node in each["nodes"]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("locale", ["en", "es"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_serious_violation(open_page: OpenPage, path: str, locale: str) -> None:
    assert serious(open_page(path, locale=locale)) == []


def test_opened_details_have_no_serious_violation(open_page: OpenPage) -> None:
    page = open_page("/ask?q=holes+in+the+leaves+of+my+maize")
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert serious(page) == []


def test_a_translation_has_no_serious_violation(open_page: OpenPage) -> None:
    page = open_page("/translate")
    assert serious(page) == []
    page.get_by_role("button", name="Translate").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert serious(page) == []
    page.get_by_label("Your text").fill("I have 1,234,567 cows. The water is clean.")
    page.get_by_role("button", name="Translate").click()
    expect(page.locator("#translation")).to_be_visible()
    page.locator(".quality summary").click()
    assert serious(page) == []


def test_a_document_has_no_serious_violation_and_prints_on_paper(open_page: OpenPage) -> None:
    page = open_page("/")
    page.goto("/draft/letter")
    page.get_by_role("button", name="Write the document").click()
    assert serious(page) == []
    fill_letter(page)
    expect(page.get_by_label("Text in English")).to_be_visible()
    assert serious(page) == []
    page.get_by_role("button", name="Save, and also in Spanish").click()
    expect(page.get_by_label("Text in Spanish")).to_be_visible()
    assert serious(page) == []
    page.get_by_role("link", name="Delete").click()
    assert serious(page) == []
    page.go_back()
    page.get_by_role("button", name="Save and print").first.click()
    expect(page.locator(".sheet")).to_be_visible()
    assert serious(page) == []
    page.emulate_media(media="print")
    expect(page.locator(".sheet-bar")).to_be_hidden()
    paper = page.pdf(prefer_css_page_size=True)
    assert paper.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1
    assert re.search(rb"/MediaBox\s*\[\s*0 0 59[45](\.\d+)? 84[12](\.\d+)?\s*\]", paper)  # A4 in points
