"""Following a request live: its text as it comes, a stream that breaks, and a box with no stream left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from appliance.limits import LIMITS, Limits
from tests.browser.conftest import OpenPage, serving
from tests.browser.test_flows import fill_letter
from tests.web.boxes import Box, make_box

pytestmark = pytest.mark.browser

TEXT = " ".join(f"Sentence number {number}." for number in range(1, 21))  # two, sixteen and two sentences a part
FIRST_PART = "SENTENCE NUMBER 1. SENTENCE NUMBER 2. "


@dataclass
class Live:
    """Serves boxes whose translator waits to be let go, and opens their pages."""

    stack: ExitStack
    folder: Path
    open_page: OpenPage

    def box(self, limits: Limits = LIMITS) -> tuple[Box, str]:
        box = make_box(self.folder, limits)
        where = self.stack.enter_context(serving(box.appliance))
        self.stack.callback(box.translator.open.set)
        return box, where

    def send(self, where: str, **options: Any) -> Page:
        """A page that shows a request that is at work."""
        page = self.open_page("/translate", base_url=where, **options)
        page.get_by_label("Your text").fill(TEXT)
        page.get_by_label("From").select_option("en")
        page.get_by_role("button", name="Translate").click()
        expect(page.get_by_role("heading", name="Translating…")).to_be_visible()
        return page


@pytest.fixture
def live(tmp_path: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    monkeypatch.setattr("webui.pages.jobs.MOMENT", 0.0)
    with ExitStack() as stack:
        yield Live(stack, tmp_path, open_page)


def streamed(page: Page) -> str:
    text: str = page.locator("#job .result").evaluate("each => each.textContent")
    return text


def test_the_text_comes_as_it_is_ready_and_the_page_is_never_reloaded(live: Live) -> None:
    box, where = live.box()
    page = live.send(where)
    page.evaluate("window.same = true")
    box.translator.tickets.release()
    expect(page.locator("#job .result")).to_contain_text("SENTENCE NUMBER 2.")
    assert streamed(page) == FIRST_PART
    assert 0 < int(page.locator("progress").get_attribute("value") or 0) < 100
    box.translator.open.set()
    expect(page.locator("#translation")).to_have_text(TEXT.upper())
    expect(page.get_by_role("heading", name="The translation")).to_be_focused()
    expect(page).to_have_title("The translation – Baraza")
    assert page.evaluate("window.same")


def test_a_stream_that_breaks_goes_on_where_it_was(live: Live) -> None:
    box, where = live.box(replace(LIMITS, stream_seconds=1))
    page = live.send(where)
    box.translator.tickets.release()
    expect(page.locator("#job .result")).to_contain_text("SENTENCE NUMBER 2.")
    with page.expect_request("**/events*", timeout=15_000) as again:  # the browser comes back by itself
        pass
    box.translator.tickets.release()
    expect(page.locator("#job .result")).to_contain_text("SENTENCE NUMBER 18.", timeout=15_000)
    assert again.value.all_headers()["last-event-id"] == "2"
    assert streamed(page).count("SENTENCE NUMBER 1.") == 1
    assert streamed(page).count("SENTENCE NUMBER 3.") == 1


def test_a_page_without_a_stream_reloads_by_itself(live: Live) -> None:
    box, where = live.box(replace(LIMITS, streams=0))
    page = live.send(where)
    box.translator.open.set()
    expect(page.locator("#translation")).to_have_text(TEXT.upper(), timeout=15_000)


def test_without_javascript_the_page_of_a_request_reloads_by_itself(live: Live) -> None:
    box, where = live.box()
    page = live.send(where, java_script_enabled=False)
    box.translator.tickets.release()
    expect(page.locator("#job .result")).to_have_text(FIRST_PART, timeout=15_000)
    box.translator.open.set()
    expect(page.locator("#translation")).to_have_text(TEXT.upper(), timeout=15_000)


def test_a_request_is_stopped_and_sent_again(live: Live) -> None:
    box, where = live.box()
    page = live.send(where)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("alert")).to_contain_text("This request was stopped.")
    box.translator.open.set()
    page.get_by_role("button", name="Send it again").click()
    expect(page.locator("#translation")).to_have_text(TEXT.upper())


def test_a_request_that_fails_says_so_in_place(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    box, where = live.box()
    monkeypatch.setattr("appliance.translation.texts.differing_in", lambda *_: 1 / 0)
    page = live.send(where)
    box.translator.open.set()
    expect(page.get_by_role("alert")).to_contain_text("Something went wrong inside the box.")
    expect(page.get_by_role("button", name="Send it again")).to_be_visible()


def test_a_document_that_is_translated_opens_when_it_is_ready(live: Live) -> None:
    box, where = live.box()
    page = live.open_page("/", base_url=where)
    fill_letter(page)
    page.get_by_role("button", name="Save, and also in Spanish").click()
    expect(page.get_by_role("heading", name="Translating…")).to_be_visible()
    box.translator.open.set()
    page.wait_for_url("**/documents/*#in-es")
    expect(page.get_by_label("Text in Spanish")).to_be_visible()
