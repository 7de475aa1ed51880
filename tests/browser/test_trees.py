"""Step by step with the keyboard alone, and each tree on one sheet of paper."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from appliance.advice.tree_files import FOLDER
from tests.browser.conftest import OpenPage
from tests.conftest import ROOT

pytestmark = pytest.mark.browser

TREES = sorted((ROOT / "knowledge" / FOLDER).glob("*.toml"))
LONGEST = sorted((ROOT / "knowledge").glob("*/*.md"), key=lambda path: path.stat().st_size)[-12:]
LANGUAGES = ("en", "es")
A4 = re.compile(rb"/MediaBox\s*\[\s*0 0 59[45](\.\d+)? 84[12](\.\d+)?\s*\]")  # in points
PHONE_AND_KIOSK = pytest.mark.parametrize("size", [(360, 640), (1024, 600)], ids=["phone", "kiosk"])


TOGETHER = """async ([paths, languages]) => {
  const sheets = [];
  for (const language of languages) for (const path of paths) {
    const answer = await fetch(path + "/sheet", {headers: {"Accept-Language": language}});
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    sheets.push(document.adoptNode(page.querySelector("main.one-page")));
  }
  document.querySelector("main").remove();
  for (const sheet of sheets) document.body.append(sheet);
  for (const sheet of sheets.slice(1)) sheet.style.breakBefore = "page";
  return sheets.length;
}"""


def printed(page: Page) -> int:
    """On how many pages of A4 it is printed."""
    paper = page.pdf(prefer_css_page_size=True)
    assert A4.search(paper)
    return len(re.findall(rb"/Type\s*/Page\b", paper))


def longer_than_a_page(open_page: OpenPage, paths: list[str]) -> list[str]:
    """Those of the sheets that need more than one page. All are printed together, and each alone only if one does."""
    page = open_page(f"{paths[0]}/sheet")
    sheets = page.evaluate(TOGETHER, [paths, LANGUAGES])
    assert sheets == len(paths) * len(LANGUAGES)
    if printed(page) == sheets:
        return []
    each = [(path, open_page(f"{path}/sheet", locale=locale)) for locale in LANGUAGES for path in paths]
    return [path for path, alone in each if printed(alone) > 1]


@PHONE_AND_KIOSK
def test_from_the_question_to_a_leaf_with_the_keyboard_alone(open_page: OpenPage, size: tuple[int, int]) -> None:
    page = open_page("/ask", viewport={"width": size[0], "height": size[1]}, java_script_enabled=False)
    go_by_keys(page, "Find out step by step what is wrong")
    page.get_by_role("link", name="The hand pump gives no water").focus()
    page.keyboard.press("Enter")
    for answer in ("No, all looks whole", "Suddenly very light, or it drops by itself"):
        go_by_keys(page, answer)
    expect(page.get_by_role("heading", name="A rod below has probably broken")).to_be_visible()
    expect(page.get_by_role("note", name="Danger")).to_be_visible()
    page.get_by_role("link", name=re.compile("Change.*Is something broken")).press("Enter")
    expect(page.get_by_role("heading", name="Is something broken, loose or blocked")).to_be_visible()


def go_by_keys(page: Page, name: str) -> None:
    """Press Tab until the link has the focus, then Enter."""
    link = page.get_by_role("link", name=name)
    for _ in range(40):
        page.keyboard.press("Tab")
        if link.evaluate("each => each === document.activeElement"):
            page.keyboard.press("Enter")
            return
    pytest.fail(f"{name} was not reached")


def test_each_tree_is_printed_on_one_sheet(open_page: OpenPage) -> None:
    assert longer_than_a_page(open_page, [f"/checks/{path.stem}" for path in TREES]) == []


def test_articles_are_printed_on_one_sheet(open_page: OpenPage) -> None:
    assert longer_than_a_page(open_page, [f"/articles/{path.stem}" for path in LONGEST]) == []


def test_on_paper_only_the_sheet_is_left_and_the_square_is_large_enough(open_page: OpenPage) -> None:
    page = open_page("/checks/pump-gives-no-water/sheet")
    page.emulate_media(media="print")
    expect(page.locator(".sheet-bar")).to_be_hidden()
    box = page.locator(".qr svg").bounding_box()
    assert box
    modules = int(page.locator(".qr svg").get_attribute("viewBox").split()[2])  # type: ignore[union-attr]
    assert box["width"] / 96 * 25.4 / modules >= 0.5  # millimetres a module: read from an arm's length
