"""What a page costs, and where it asks for it."""

from __future__ import annotations

import logging

import pytest

from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.browser

HOME_BYTES = 60_000
TOUCHED = (
    "main a, main button, header a, header button, main summary, main select, main input:not([type=radio]), .choice"
)

log = logging.getLogger(__name__)  # seen with: pytest -m browser -o log_cli=true -o log_cli_level=INFO


def test_the_first_load_of_the_front_page_is_light(open_page: OpenPage) -> None:
    page = open_page("about:blank")
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    sizes: list[float] = []
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto("/", wait_until="networkidle")
    log.info("first load of the front page: %d bytes in %d answers", sum(sizes), len(sizes))
    assert len(sizes) >= 4  # the page, its style, its script, its pictures
    assert sum(sizes) <= HOME_BYTES


@pytest.mark.parametrize("size", [(360, 640), (1024, 600)], ids=["phone", "kiosk"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/translate",
        "/ask?q=holes+in+maize+leaves",
        "/checks",
        "/checks/pump-gives-no-water?so-far=2",
        "/checks/pump-gives-no-water?so-far=2.1",
        "/checks/pump-gives-no-water/sheet",
        "/draft",
        "/draft/receipt",
        "/about",
        "/packs",
        "/packs/starter-en-es",
        "/requests",
    ],
)
def test_no_page_is_wider_than_its_screen(open_page: OpenPage, path: str, size: tuple[int, int]) -> None:
    page = open_page(path, viewport={"width": size[0], "height": size[1]})
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize(
    "path",
    ["/", "/translate", "/ask", "/checks", "/checks/pump-gives-no-water?so-far=2.1", "/draft", "/draft/letter"],
)
def test_what_is_touched_is_large_enough(open_page: OpenPage, path: str) -> None:
    page = open_page(path)
    small = page.evaluate(
        """touched => [...document.querySelectorAll(touched)]
        .filter(each => each.getClientRects().length && each.getBoundingClientRect().height < 47.5)
        .map(each => each.outerHTML.slice(0, 80))""",
        TOUCHED,
    )
    assert small == []
