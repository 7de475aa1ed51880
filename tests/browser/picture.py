"""Makes docs/screenshot.png: `python -m tests.browser.picture` (needs chromium and the starter pack)."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import CHROMIUM, PHONE, QUIET, serving
from tests.web.boxes import make_appliance

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "screenshot.png"
TEXT = "My brother works in the city.\nThe meeting is on 12 May at 14:30.\nWe need help."
QUESTION = "/ask?q=holes+in+the+leaves+of+my+maize"
FRAME = """<body style="margin:0;display:flex;gap:16px;padding:16px;background:#d8cbb5">{}</body>"""
SHOT = """<img style="display:block;border-radius:10px" src="data:image/png;base64,{}">"""


def main() -> None:
    """Three pages of a phone, side by side."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(make_appliance(Path(folder))) as where,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        shots = _shots(chromium, where)
        page = chromium.new_page(viewport={"width": 3 * (PHONE["width"] + 16) + 16, "height": PHONE["height"] + 32})
        page.set_content(FRAME.format("".join(SHOT.format(base64.b64encode(shot).decode()) for shot in shots)))
        page.screenshot(path=PICTURE)
        chromium.close()


def _shots(chromium: Browser, where: str) -> list[bytes]:
    page = chromium.new_page(viewport=PHONE, base_url=where, locale="en")
    page.goto("/")
    home = page.screenshot()
    page.goto("/translate")
    page.get_by_label("Your text").fill(TEXT)
    page.get_by_label("From").select_option("en")
    page.get_by_label("To").select_option("sw")
    page.get_by_role("button", name="Translate").click()
    page.locator("#translation").wait_for()
    translation = page.screenshot()
    page.goto(QUESTION)
    page.locator(".answer").first.evaluate("each => window.scrollTo(0, each.offsetTop - 12)")
    return [home, translation, page.screenshot()]


if __name__ == "__main__":
    main()
