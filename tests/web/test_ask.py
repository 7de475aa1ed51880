"""Asking the knowledge base through the page."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from appliance.advice.articles import Article, Face, Source
from appliance.advice.finder import Finder, Found
from appliance.advice.service import AdviceService
from tests.web.boxes import Box, Phone, make_appliance
from webui.prose import html


def face(title: str, danger: str = "") -> Face:
    return Face(title, ("worm",), ("holes in the leaves",), ("Look into the funnel.",), danger, "Ask the officer.")


def article(name: str, danger: str = "", checked: str = "text") -> Article:
    english = face(f"Armyworm {name}", danger)
    return Article(
        id=f"armyworm-{name}",
        subject="crops",
        kind="pest",
        crops=("maize",),
        devices=(),
        season="rains",
        climate=("humid",),
        look_alikes=("Stem borers make holes in a row.",),
        prevention=("Sow early.",),
        cost="low",
        effort="hours",
        reviewed="",
        faces={"en": english},
        body="## What it is\nA *moth* <script>x</script> [link](http://evil.example).\n## What to do\nCrush them.",
        sources=(Source("FAO", "Handbook", 2019, checked),),
    )


class Everything(Finder):
    """Finds all there is: how sure one can be of an article is learned on hundreds of them."""

    def find(self, question: str, language: str) -> Found:
        return Found(tuple((name, 0.9) for name in self.evidence(question, language)), known=True)


def advice(*articles: Article) -> AdviceService:
    known = {each.id: each for each in articles}
    return AdviceService(known, Everything(known))


def test_a_question_leads_to_the_article_with_its_sources(shipped: Flask) -> None:
    page = Phone(shipped).get("/ask?q=holes+in+the+leaves+of+my+maize,+caterpillar").text
    assert "Fall armyworm in maize" in page
    assert re.search(r"<li>FAO[^<]*: <cite lang=\"en\">[^<]+</cite>, \d{4}</li>", page)
    assert 'href="/articles/maize-fall-armyworm"' in page


def test_a_question_in_spanish_is_answered_in_spanish(shipped: Flask) -> None:
    page = Phone(shipped, "es").get("/ask?q=gusano+cogollero+en+mi+milpa,+hojas+rotas").text
    assert '<h2 id="best" lang="es" dir="ltr">Gusano cogollero en el maíz</h2>' in page
    assert "Primeros pasos" in page


def test_danger_is_said_before_anything_else(box: Box) -> None:
    box.appliance.knowing.advice = advice(article("one", "Sprays are poison."), article("two"))
    page = box.phone().get("/ask?q=armyworm+holes+in+the+leaves").text
    passages = [part for part in page.split("Armyworm ") if 'class="steps"' in part]
    assert len(passages) == 2
    (dangerous,) = [passage for passage in passages if 'class="danger"' in passage]
    assert dangerous.index("Sprays are poison.") < dangerous.index("holes in the leaves</li>")


def test_the_best_section_is_shown_and_cleaned(box: Box) -> None:
    box.appliance.knowing.advice = advice(article("one"))
    page = box.phone().get("/ask?q=armyworm+worm+maize+moth").text
    assert "<h3>What it is</h3>" in page
    assert "A <em>moth</em>" in page
    assert "<script>x" not in page
    assert "evil.example" not in re.sub(r"<title>.*?</title>", "", page).replace("(http://evil.example)", "")
    assert '<a href="http' not in page


def test_an_article_that_nobody_checked_says_so(box: Box) -> None:
    box.appliance.knowing.advice = advice(article("one", checked="abstract"), article("two"))
    note = "Not checked against the full text of its sources."
    assert note in box.phone().get("/articles/armyworm-one").text
    assert note not in box.phone().get("/articles/armyworm-two").text


def test_what_it_does_not_know_it_says(shipped: Flask) -> None:
    page = Phone(shipped).get("/ask?q=who+won+the+football+match+yesterday").text
    assert "I do not know this" in page
    assert "Say it in other words" in page
    assert 'class="steps"' not in page
    assert 'id="topics"' in page


@pytest.mark.parametrize(("question", "status"), [("", 400), ("+++", 400), ("a" * 501, 413)])
def test_a_question_that_cannot_be_used_is_said(shipped: Flask, question: str, status: int) -> None:
    response = Phone(shipped).get(f"/ask?q={question}")
    assert response.status_code == status
    assert 'role="alert"' in response.text
    assert 'id="topics"' in response.text


@pytest.mark.parametrize("question", ['" OR *', "NEAR(", "a'; DROP TABLE pages;--", "\x00", "¿¡", "<img src=x>"])
def test_a_strange_question_is_only_a_question(shipped: Flask, question: str) -> None:
    response = Phone(shipped).client.get("/ask", query_string={"q": question})
    assert response.status_code in (200, 400)
    assert "<img" not in response.text


def test_every_topic_can_be_read_in_both_languages(shipped: Flask) -> None:
    links = set(re.findall(r'href="(/articles/[^"]+)"', Phone(shipped).get("/ask").text))
    assert len(links) >= 30
    for link in links:
        assert Phone(shipped).get(link).status_code == Phone(shipped, "es").get(link).status_code == 200


def test_an_article_in_spanish_says_that_its_text_is_english_and_offers_to_translate_it(shipped: Flask) -> None:
    phone = Phone(shipped, "es")
    page = phone.get("/articles/maize-fall-armyworm").text
    assert '<h1 lang="es" dir="ltr">Gusano cogollero en el maíz</h1>' in page
    assert "El artículo completo, en inglés" in page
    assert '<div class="body" lang="en" dir="ltr">' in page
    body = re.search(r'<textarea name="text" hidden>\n(.*?)</textarea>', page, re.DOTALL)
    assert body
    sent = phone.post("/translate", {"text": body.group(1), "from": "en", "to": "es"})
    assert sent.status_code == 303
    phone.post(f"{sent.location}/cancel")


def test_no_article_is_too_long_to_be_translated(shipped: Flask) -> None:
    box = shipped.extensions["baraza"].appliance
    articles = [each for found in box.knowing.advice.subjects().values() for each in found]
    assert max(len(each.body) for each in articles) <= box.limits.translation_characters


def test_a_box_without_knowledge_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    from webui.app import create_app

    folder = tmp_path_factory.mktemp("bare")
    bare = make_appliance(folder, knowledge=str(folder / "none"), packs=str(folder / "none"))
    page = Phone(create_app(bare)).get("/ask")
    assert page.status_code == 200
    assert "There is no knowledge on this box yet." in page.text
    bare.close()


def test_headings_go_down_and_nothing_dangerous_stays() -> None:
    assert html("## A", deeper=2) == "<h4>A</h4>\n"
    assert html("###### A", deeper=2) == "<h6>A</h6>\n"
    assert "<script" not in html("<script>x</script>")
    assert html("[a](javascript:x) ![b](http://x/y.png)") == "<p>[a](javascript:x) </p>\n"
