"""Finding out step by step through the page, as a phone without JavaScript does; and what goes onto paper."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
import segno
from flask import Flask

from appliance.advice.pictures import Picture
from appliance.advice.trees import Checks, Choice, Leaf, Step, Tree, labels
from appliance.app import Appliance
from tests.web.boxes import Box, Phone, make_appliance

ANSWER = re.compile(r'<li><a href="([^"]+)" accesskey="\d"')
INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", re.IGNORECASE)
PUMP = "/checks/pump-gives-no-water"
FROM_A_PHONE = {"Host": "192.168.4.1:8080"}


def box_of(app: Flask) -> Appliance:
    appliance: Appliance = app.extensions["baraza"].appliance
    return appliance


def trees_of(app: Flask) -> tuple[Tree, ...]:
    return box_of(app).knowing.checks.all()


def linked(page: str) -> list[str]:
    """Where the answers of a step lead."""
    return [unescape(url).removesuffix("#main") for url in ANSWER.findall(page)]


def plain(page: str) -> str:
    """The words of a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_every_tree_is_on_the_list_under_its_subject(shipped: Flask) -> None:
    page = Phone(shipped).get("/checks").text
    assert set(re.findall(r'href="/checks/([^"/]+)"', page)) == {tree.id for tree in trees_of(shipped)}
    assert page.index("Crops and soil") < page.index("The hand pump gives no water") < page.index("Repairs")
    assert "La bomba de mano no saca agua" in Phone(shipped, "es").get("/checks").text


def test_every_leaf_of_every_tree_is_reached_through_links(shipped: Flask) -> None:
    phone = Phone(shipped)
    for tree in trees_of(shipped):
        titles, todo, seen = set(), [f"/checks/{tree.id}"], 0
        steps: set[str] = set()
        while todo:
            page = phone.get(todo.pop()).text
            (heading,) = re.findall(r'<h2 id="(?:ask|leaf)"[^>]*>(.*?)</h2>', page)
            assert not INLINE.search(page)
            if 'id="leaf"' in page:
                titles.add(unescape(heading))
                assert 'href="/articles/' in page
            elif heading not in steps:  # two ways may lead to one step, and go on alike
                steps.add(heading)
                todo += linked(page)
            seen += 1
        assert titles == {leaf.title["en"] for leaf in tree.leaves.values()}, tree.id
        assert seen <= 80


def test_a_step_asks_one_thing_and_shows_it(shipped: Flask) -> None:
    page = Phone(shipped).get(f"{PUMP}?so-far=2").text
    assert "How does the handle feel?" in page
    assert '<div class="drawing" aria-hidden="true"><svg viewBox="0 0 200 150"' in page
    assert page.index("the air below can kill") < page.index('id="ask"')
    assert linked(page) == [f"{PUMP}?so-far=2.{number}" for number in (1, 2, 3)]
    said = page[page.index('id="said"') :]
    assert "Is something broken, loose or blocked above the ground?" in said
    assert "No, all looks whole" in said
    assert f'<a class="more" href="{PUMP}#main">Change' in said
    assert f'<a class="button plain" href="{PUMP}#main">' in page


def test_at_the_start_nothing_was_said_and_there_is_no_way_back(shipped: Flask) -> None:
    page = Phone(shipped).get(PUMP).text
    assert "What you said so far" not in page
    assert "Start again" not in page


def test_a_leaf_says_what_it_probably_is_and_what_to_do_with_the_danger_first(shipped: Flask) -> None:
    page = Phone(shipped, "es").get(f"{PUMP}?so-far=2.1").text
    assert "el aire de adentro puede matar" in page[: page.index('id="leaf"')]
    assert 'href="/articles/hand-pump-no-water"' in page
    for words in ('<ol class="steps" lang="es"', f'href="{PUMP}?so-far=2#main"', f'href="{PUMP}#main"', 'href="/ask"'):
        assert words in page


@pytest.mark.parametrize("url", ["/checks/nothing", f"{PUMP}?so-far=9", f"{PUMP}?so-far=2.1.1", f"{PUMP}?so-far=%00"])
def test_what_is_not_there_is_said_with_a_way_to_the_list(shipped: Flask, url: str) -> None:
    response = Phone(shipped).get(url)
    assert response.status_code == 404
    assert 'href="/checks"' in response.text


def test_articles_and_answers_lead_to_the_trees_that_lead_to_them(shipped: Flask) -> None:
    phone = Phone(shipped)
    article = phone.get("/articles/hand-pump-no-water").text
    assert f'href="{PUMP}"' in article
    assert 'href="/articles/hand-pump-no-water/sheet"' in article
    answer = phone.get("/ask?q=the+hand+pump+gives+no+water").text
    assert f'href="{PUMP}"' in answer
    assert 'href="/checks"' in answer
    without = next(
        name for name in box_of(shipped).knowing.library._articles if not box_of(shipped).knowing.checks.of(name)
    )
    assert "Not sure whether this is it?" not in phone.get(f"/articles/{without}").text


WORDS = {"en": "Look <b>here</b>"}


def lamp(danger: bool) -> Tree:
    told = {"en": "Hot!"} if danger else {}
    yes, no = Choice({"en": "Yes"}, "off"), Choice({"en": "No"}, "off")
    step = Step("look", WORDS, {}, Picture("A lamp", '<svg viewBox="0 0 200 150"></svg>'), (yes, no))
    leaf = Leaf("off", {"en": "Off"}, {"en": ("Switch it on.",)}, told, "carbon-monoxide-generator-charcoal")
    return Tree("lamp", "repair", {"en": "Lamp"}, {}, "look", {"look": step}, {"off": leaf})


@pytest.mark.parametrize("page", ["/checks/lamp?so-far=1", "/checks/lamp/sheet"])
def test_where_a_tree_says_no_danger_that_of_the_article_is_said(box: Box, page: str) -> None:
    face = box.appliance.knowing.article("carbon-monoxide-generator-charcoal").face("en")
    for told, danger in ((True, "Hot!"), (False, face.danger)):
        box.appliance.knowing.checks = Checks({"lamp": lamp(told)})
        shown = plain(box.phone().get(page).text)
        assert danger in shown
        assert (face.danger in shown) is not told
        assert shown.index(danger) < shown.index("Switch it on.")


def test_words_of_a_tree_are_only_words(box: Box) -> None:
    box.appliance.knowing.checks = Checks({"lamp": lamp(True)})
    for page in ("/checks/lamp", "/checks/lamp/sheet", "/checks/lamp?so-far=1"):
        assert "<b>here" not in box.phone().get(page).text


def test_a_leaf_whose_article_is_gone_still_says_what_to_do(box: Box) -> None:
    box.appliance.knowing.checks = Checks({"lamp": lamp(False)})
    box.appliance.knowing.advice.replace({}, box.appliance.knowing.library._finder)
    for page in ("/checks/lamp?so-far=1", "/checks/lamp/sheet"):
        response = box.phone().get(page)
        assert response.status_code == 200
        assert "Switch it on." in response.text
        assert 'href="/articles/' not in response.text


def test_a_box_without_trees_says_so(tmp_path: Path) -> None:
    from webui.app import create_app

    bare = make_appliance(tmp_path, knowledge=str(tmp_path / "none"), packs=str(tmp_path / "none"))
    assert "There are no checks on this box yet." in Phone(create_app(bare)).get("/checks").text
    bare.close()


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_sheet_has_the_whole_tree(shipped: Flask, language: str) -> None:
    phone = Phone(shipped, language)
    for tree in trees_of(shipped):
        page = plain(phone.get(f"/checks/{tree.id}/sheet").text)
        called = labels(tree)
        for step in tree.steps.values():
            assert f"{called[step.name]} {step.ask[language]}" in page
            for choice in step.choices:
                assert f"{choice.say[language]} → {called[choice.next]}" in page
        for leaf in tree.leaves.values():
            assert f"{called[leaf.name]} {leaf.title[language]}" in page
            assert all(action in page for action in leaf.do[language])


def test_the_sheet_of_an_article_says_what_to_do_first_and_from_where(shipped: Flask) -> None:
    article = box_of(shipped).knowing.article("hand-pump-no-water")
    face = article.face("es")
    page = plain(Phone(shipped, "es").get("/articles/hand-pump-no-water/sheet").text.split("</nav>")[1])
    sources = [each.title for each in article.sources]
    order = [face.title, face.danger, *face.signs, *face.first_steps, face.get_help, *sources]
    places = [page.index(words) for words in order]
    assert places == sorted(places)


def modules(page: str) -> list[tuple[int, int]]:
    """The dark modules of the QR code on a page, (row, column) from the corner of the code: its path read back."""
    code = re.search(r'class="qr" aria-hidden="true"><svg viewBox="0 0 \d+ \d+"><path stroke="#000" d="([^"]+)"', page)
    assert code
    dark, x, y = [], 0, 0
    for command, numbers in re.findall(r"([Mmh])([^Mmh]*)", code.group(1)):
        steps = [float(each) for each in re.findall(r"-?[\d.]+", numbers)]
        if command == "h":
            dark += [(y - 4, column - 4) for column in range(x, x + int(steps[0]))]
            x += int(steps[0])
        else:
            x, y = (int(steps[0]) + (x if command == "m" else 0), int(steps[1]) + (y if command == "m" else 0))
    return sorted(dark)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.168.4.1:8080", "http://192.168.4.1:8080"),
        ("baraza", "http://baraza"),
        ("[fd00::1]", "http://[fd00::1]"),
        ("localhost:8080", "http://baraza.local:8080"),
        ("127.0.0.1", "http://baraza.local"),
        ("[::1]:8080", "http://baraza.local:8080"),
    ],
)
@pytest.mark.parametrize("path", [PUMP, "/articles/hand-pump-no-water"])
def test_a_sheet_leads_back_to_its_page_by_the_address_the_phone_used(
    shipped: Flask, path: str, host: str, address: str
) -> None:
    page = Phone(shipped).get(f"{path}/sheet", Host=host).text
    assert f'<strong class="address">{address}{path}</strong>' in page
    matrix = segno.make(address + path, micro=False, error="m").matrix
    assert modules(page) == [(y, x) for y, row in enumerate(matrix) for x, dark in enumerate(row) if dark]


@pytest.mark.parametrize("page", [f"{PUMP}/sheet", "/articles/hand-pump-no-water/sheet"])
def test_a_sheet_has_nothing_inline_and_nothing_from_elsewhere(shipped: Flask, page: str) -> None:
    response = Phone(shipped).get(page, **FROM_A_PHONE)
    assert not INLINE.search(response.text)
    assert not re.search(r'(?:href|src)="(?:https?:)?//', response.text)
    assert response.text.count("<h1") == 1


@pytest.mark.parametrize("page", ["/checks/nothing/sheet", "/articles/nothing/sheet"])
def test_there_is_no_sheet_of_what_is_not_there(shipped: Flask, page: str) -> None:
    assert Phone(shipped).get(page).status_code == 404
