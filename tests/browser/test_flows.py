"""A person with a phone translates, asks and drafts: with JavaScript, without it, and with the keyboard alone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.web.boxes import LETTER

pytestmark = pytest.mark.browser

BOTH = pytest.mark.parametrize("scripts", [True, False], ids=["javascript", "no javascript"])


@BOTH
def test_translating(open_page: OpenPage, scripts: bool) -> None:
    page = open_page("/", java_script_enabled=scripts)
    page.get_by_role("link", name="Translate").click()
    page.get_by_label("Your text").fill("The water is clean.\n\nThe house is big.")
    page.get_by_label("From").select_option("en")
    page.get_by_label("To", exact=True).select_option("es")
    page.get_by_role("button", name="Translate").click()
    result = page.locator("#translation")
    expect(result).to_contain_text(re.compile("agua.*casa", re.DOTALL | re.IGNORECASE))
    expect(result).to_have_attribute("lang", "es")
    expect(page.get_by_text("Machine translation")).to_be_visible()


@BOTH
def test_a_long_translation_is_followed_to_its_end(open_page: OpenPage, scripts: bool) -> None:
    text = "\n".join(f"I have {number} cows and the water is clean." for number in range(2, 42))
    page = open_page("/translate", java_script_enabled=scripts)
    page.get_by_label("Your text").fill(text)
    page.get_by_label("From").select_option("en")
    page.get_by_label("To", exact=True).select_option("es")
    page.get_by_role("button", name="Translate").click()
    result = page.locator("#translation")
    expect(result).to_contain_text("agua")
    expect(page).to_have_title("The translation – Baraza")
    assert result.inner_text().strip().count("\n") == 39


@BOTH
def test_asking(open_page: OpenPage, scripts: bool) -> None:
    page = open_page("/", java_script_enabled=scripts)
    page.get_by_role("link", name="Ask").click()
    page.get_by_label("Your question").fill("caterpillars eat the funnel of my young maize")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("heading", name="Fall armyworm in maize")).to_be_visible()
    expect(page.get_by_role("note", name="Danger").first).to_be_visible()
    expect(page.get_by_role("heading", name="Sources").first).to_be_visible()
    page.get_by_role("link", name="Read the whole article").first.click()
    expect(page.get_by_role("heading", name="How to prevent it")).to_be_visible()


def fill_letter(page: Page) -> None:
    page.get_by_role("link", name="Write").click()
    page.get_by_role("link", name="Letter to an authority").click()
    for key, answer in LETTER.items():
        page.locator(f"#answer-{key}").fill(answer)
    page.get_by_role("button", name="Write the document").click()


@BOTH
def test_drafting(open_page: OpenPage, scripts: bool) -> None:
    page = open_page("/", java_script_enabled=scripts)
    fill_letter(page)
    text = page.get_by_label("Text in English")
    expect(text).to_have_value(re.compile("Dear Sir or Madam,.*3 May 2026|3 May 2026.*Dear Sir or Madam,", re.DOTALL))
    text.fill(text.input_value() + "\nTelephone 0712 345 678")
    page.get_by_role("button", name="Save, and also in Spanish").click()
    expect(page.get_by_label("Text in Spanish")).to_have_value(re.compile("agua|bomba|0712 345 678"))
    page.get_by_role("button", name="Save and print").first.click()
    expect(page.locator(".sheet")).to_contain_text("Telephone 0712 345 678")
    page.get_by_role("link", name="Back").click()
    page.get_by_role("link", name="Write").click()
    page.get_by_role("link", name="Repair of the hand pump").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("The document was deleted.")).to_be_visible()


def press_until(page: Page, key: str, selector: str) -> None:
    """Press `key` until the element has the focus, as somebody without a mouse does."""
    for _ in range(40):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press(key)
    pytest.fail(f"{selector} was not reached with {key}")


def test_translating_with_the_keyboard_alone(open_page: OpenPage) -> None:
    page = open_page("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    press_until(page, "Tab", ".door-translate")
    page.keyboard.press("Enter")
    page.wait_for_url("**/translate")
    press_until(page, "Tab", "#text")
    page.keyboard.type("The water is clean.")
    press_until(page, "Tab", "#from")
    page.keyboard.type("English")
    press_until(page, "Tab", "#to")
    page.keyboard.type("Español")
    press_until(page, "Tab", "button.go")
    page.keyboard.press("Enter")
    expect(page.locator("#translation")).to_contain_text("agua")


def test_the_result_can_be_copied_on_plain_http(open_page: OpenPage) -> None:
    page = open_page("/translate")
    page.get_by_label("Your text").fill("I have 1,234,567 cows.\nThe water is clean.")
    page.get_by_label("From").select_option("en")
    page.get_by_label("To", exact=True).select_option("es")
    page.get_by_role("button", name="Translate").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    page.goto("/translate")
    page.get_by_label("Your text").focus()
    page.keyboard.press("Control+V")
    copied = page.get_by_label("Your text").input_value()
    assert "agua" in copied
    assert "number missing" not in copied


def test_the_counter_counts_what_the_box_counts_and_warns(open_page: OpenPage) -> None:
    page = open_page("/translate", locale="es")
    page.get_by_label("Su texto").fill("ñ🌽\n" * 1_000)
    expect(page.locator("[data-counter]")).to_have_text("3000 de 5.000 caracteres")
    page.get_by_label("Su texto").fill("a" * 5_001)
    expect(page.locator("[data-counter]")).to_have_class("over")


def test_a_language_is_chosen_by_hand(open_page: OpenPage) -> None:
    page = open_page("/ask?q=maize")
    page.get_by_role("button", name="Español").click()
    expect(page.get_by_label("Su pregunta")).to_have_value("maize")
    expect(page.locator("html")).to_have_attribute("lang", "es")
