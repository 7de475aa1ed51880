"""The keeper's pages in a browser: accessible, on a telephone and on the box's screen, by keyboard, without scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PHONE, serving
from tests.browser.test_access import serious
from tests.browser.test_flows import press_until
from tests.knowledge_packs import WRITTEN
from tests.web.keepers import PIN, KeepersBox, make_keepers_box

pytestmark = pytest.mark.browser

KIOSK = {"width": 1024, "height": 600}
SIZES = pytest.mark.parametrize("size", [PHONE, KIOSK], ids=["phone", "kiosk"])
PAGES = [
    "/keeper",
    "/keeper/packs",
    "/keeper/packs/tiny/back",
    "/keeper/sticks",
    "/keeper/sticks/look?place=ministry-2026",
    "/keeper/sticks/look?place=market",
    "/keeper/sticks/look?place=photos",
    "/keeper/publishers",
    "/keeper/publishers/ministry",
    "/keeper/publishers/ministry/remove",
    "/keeper/publishers/add",
    "/keeper/publishers/add?place=market",
    "/keeper/copy",
    "/keeper/knowledge",
    "/keeper/health",
    "/keeper/clock",
    "/keeper/history",
    "/keeper/change",
    "/keeper/jobs/00000000-gone",
]
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def keepers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KeepersBox, str]]:
    """A box at work with three sticks: of a publisher it trusts, of a stranger, and one with photographs."""
    box = make_keepers_box(tmp_path_factory.mktemp("keeper"))
    box.appliance.install(box.pack("0.2.0"))
    box.stick("ministry-2026", "ministry", box.pack("0.3.0"), box.pack("1.0.0", "animals"))
    box.stick("market", "village", box.pack("9.0.0", "wonder"))
    (box.folder / "sticks" / "photos").mkdir()
    box.trusts("ministry")
    with serving(box.appliance) as where:
        yield box, where


@pytest.fixture
def open_keeper(browser: Browser, keepers: tuple[KeepersBox, str]) -> Iterator[Open]:
    """Opens a page of that box."""
    contexts = []

    def open_one(path: str, **options: object) -> Page:
        context = browser.new_context(**{"viewport": PHONE, "locale": "en", "base_url": keepers[1], **options})  # type: ignore[arg-type]
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield open_one
    for context in contexts:
        context.close()


def enter(page: Page) -> None:
    page.get_by_label("PIN").fill(PIN)
    page.locator("button.go").click()
    expect(page.locator(".keeper-bar")).to_be_visible()


@pytest.mark.parametrize(("size", "locale"), [(PHONE, "en"), (KIOSK, "es")], ids=["phone", "kiosk"])
def test_no_keepers_page_has_a_serious_violation_or_is_wider_than_its_screen(
    open_keeper: Open, size: dict[str, int], locale: str
) -> None:
    page = open_keeper("/keeper", viewport=size, locale=locale)
    assert serious(page) == []
    enter(page)
    for path in PAGES:
        page.goto(path)
        assert page.url.endswith(path), path
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert serious(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path


def test_what_a_keeper_touches_is_large_enough(open_keeper: Open) -> None:
    page = open_keeper("/keeper")
    enter(page)
    for path in PAGES:
        page.goto(path)
        small = page.evaluate(
            """() => [...document.querySelectorAll('main button, main .button, main .kind, main label.choice, '
                + 'main label.tick, main summary, .keeper-bar a, .keeper-bar button')]
                .filter(each => each.offsetParent && each.getBoundingClientRect().height < 44)
                .map(each => each.textContent.trim())"""
        )
        assert small == [], path


def test_what_members_wrote_is_read_and_decided_without_a_violation(
    open_keeper: Open, keepers: tuple[KeepersBox, str]
) -> None:
    community = keepers[0].appliance.knowing.community
    article = community.write("phone", "one", "article", "en", "Asha", WRITTEN)
    correction = community.write("phone", "one", "correction", "sw", "", {"text": "Sivyo."}, "maize-fall-armyworm")
    community.accept(correction.id, correction.changes)
    page = open_keeper("/keeper")
    enter(page)
    for path in (f"/keeper/knowledge/{article.id}", f"/keeper/knowledge/{correction.id}", "/keeper/knowledge"):
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert serious(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
    page.goto("/articles/maize-fall-armyworm#notes")
    expect(page.get_by_text("Sivyo.")).to_be_visible()
    assert serious(page) == []
    page.goto(f"/keeper/knowledge/{article.id}")
    page.get_by_role("button", name="Accept it as it is").click()
    expect(page.get_by_role("status")).to_have_text("Everybody can read it now.")
    page.goto(f"/articles/own-{article.id}")
    assert serious(page) == []


@SIZES
def test_a_keeper_installs_from_a_stick_with_the_keyboard_alone_and_goes_back(
    open_keeper: Open, keepers: tuple[KeepersBox, str], size: dict[str, int]
) -> None:
    box, _ = keepers
    page = open_keeper("/about", viewport=size)
    press_until(page, "Tab", "a[href='/keeper']")
    page.keyboard.press("Enter")
    expect(page.locator("#pin")).to_be_focused()
    page.keyboard.type(PIN)
    page.keyboard.press("Enter")
    expect(page.locator(".keeper-bar")).to_be_visible()
    press_until(page, "Tab", "a[href='/keeper/sticks']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/keeper/sticks")
    press_until(page, "Tab", "a[href*='place=ministry-2026']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/keeper/sticks/look**")
    press_until(page, "Tab", "input[value='animals']")
    if page.locator("input[value='animals']").is_checked():
        page.keyboard.press("Space")
    press_until(page, "Tab", "button.go")
    page.keyboard.press("Enter")
    expect(page.locator("#job p.good")).to_contain_text("Done.")
    assert serious(page) == []
    assert box.appliance.pack("tiny").manifest.version == "0.3.0"
    page.goto("/keeper/packs/tiny/back")
    press_until(page, "Tab", "button.stop")
    page.keyboard.press("Enter")
    expect(page.locator(".good")).to_contain_text("tiny 0.2.0")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("You are logged out.")).to_be_visible()
    page.goto("/keeper/packs")
    expect(page.locator("#pin")).to_be_visible()


def test_a_keeper_needs_no_javascript(open_keeper: Open, keepers: tuple[KeepersBox, str]) -> None:
    box, _ = keepers
    page = open_keeper("/keeper/sticks", java_script_enabled=False)
    page.get_by_label("PIN").fill("111222")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_contain_text("This is not the PIN.")
    page.get_by_label("PIN").fill(PIN)
    page.get_by_role("button", name="Open").click()
    page.locator("a[href*='place=market']").click()
    expect(page.get_by_role("heading", name="From somebody this box does not know")).to_be_visible()
    page.get_by_role("link", name="I know this publisher").click()
    page.get_by_label("A name for this publisher").fill("village")
    page.get_by_label("Their 8 words").fill("acorn " * 8)
    page.get_by_role("button", name="Compare, and add").click()
    expect(page.get_by_role("alert")).to_contain_text("These are not the words")
    page.get_by_label("Their 8 words").fill(box.words("village"))
    page.get_by_role("button", name="Compare, and add").click()
    expect(page.get_by_text("The words are right")).to_be_visible()
    page.get_by_role("button", name="Install what is ticked").click()
    expect(page.locator("#job p.good")).to_contain_text("Done.")  # the page reloads by itself until then
    assert box.appliance.pack("wonder").manifest.version == "9.0.0"
    page.goto("/keeper/publishers/village/remove")
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("not trusted any more")).to_be_visible()


def test_the_progress_of_a_copy_is_followed_live(open_keeper: Open, keepers: tuple[KeepersBox, str]) -> None:
    page = open_keeper("/keeper/health")
    enter(page)
    page.get_by_role("button", name="Look at every pack").click()
    expect(page.locator("#job p.good")).to_contain_text("Done.")
    expect(page.locator("#job .finding").first).to_be_visible()
    assert serious(page) == []


def test_the_first_pin_is_set_on_the_screen_of_the_box(browser: Browser, tmp_path: Path) -> None:
    box = make_keepers_box(tmp_path)
    box.appliance.keeper.forget()
    with serving(box.appliance) as where:
        page = browser.new_context(viewport=KIOSK, locale="en", base_url=where).new_page()
        page.goto("/keeper")
        assert serious(page) == []
        page.get_by_label("New PIN", exact=True).fill("123456")
        page.get_by_label("The new PIN once more").fill("123456")
        page.get_by_role("button", name="Set the PIN").click()
        expect(page.get_by_role("alert")).to_contain_text("Anybody would try this PIN first.")
        page.get_by_label("New PIN", exact=True).fill(PIN)
        page.get_by_label("The new PIN once more").fill(PIN)
        page.get_by_role("button", name="Set the PIN").click()
        expect(page.get_by_role("heading", name="Keeper of this box")).to_be_visible()
        page.context.close()
