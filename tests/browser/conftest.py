"""Debian's chromium, looking at a box as it is shipped, over a real socket on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from appliance.app import Appliance
from tests.web.boxes import make_appliance
from webui.server import PageServer

CHROMIUM = Path("/usr/bin/chromium")
QUIET = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE = {"width": 360, "height": 640}

OpenPage = Callable[..., Page]


@contextmanager
def serving(appliance: Appliance) -> Iterator[str]:
    """Serves `appliance`; gives its address, without the slash at the end."""
    server = PageServer(appliance)
    appliance.start()
    server.listen()
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.url.rstrip("/")
    finally:
        server.stop()
        thread.join(10)
        appliance.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a box with the starter packs is."""
    appliance = make_appliance(tmp_path_factory.mktemp("box"))
    if not appliance.translation.directions:
        pytest.skip("no starter pack under models/starter")
    with serving(appliance) as where:
        yield where


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("no /usr/bin/chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def asked_elsewhere(address: str) -> Iterator[list[str]]:
    """What pages asked of other hosts: nothing, a test's end holds."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def open_page(browser: Browser, address: str, asked_elsewhere: list[str]) -> Iterator[OpenPage]:
    """Opens a page of the box: `open_page("/ask", locale="es", java_script_enabled=False)`."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            asked_elsewhere.append(request.url)

    def open_one(path: str = "/", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": PHONE, "locale": "en", "base_url": address, **options})
        context.set_default_timeout(20_000)
        contexts.append(context)
        context.on("request", note)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: _note_policy(message.text, complaints))
        page.goto(path)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def _note_policy(text: str, complaints: list[str]) -> None:
    if "Content Security Policy" in text or "Refused to" in text:
        complaints.append(text)
