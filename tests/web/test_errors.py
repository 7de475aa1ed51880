"""Errors become pages, in one place and in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask_babel import force_locale

import appliance.errors
import webui.errors
from appliance.errors import BarazaError, UnknownLanguagePairError
from tests.web.boxes import Box
from webui.messages import WORDS, words_for

BLANK = re.compile(r"%\((\w+)\)s")


def all_errors(kind: type[BarazaError] = BarazaError) -> Iterator[type[BarazaError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from all_errors(child)


@pytest.mark.parametrize("kind", sorted(set(all_errors()), key=lambda kind: kind.__name__))
@pytest.mark.parametrize("language", ["en", "es"])
def test_every_error_has_words_in_every_language(box: Box, kind: type[BarazaError], language: str) -> None:
    assert kind.__module__ in (appliance.errors.__name__, webui.errors.__name__)
    fields = re.findall(r"\{(\w+)\}", kind.template)
    error = kind(**{name: f"<{name}>" for name in fields})
    with box.app.test_request_context("/"), force_locale(language):
        words = words_for(error)
    assert words
    assert "%(" not in words


def test_the_words_ask_for_no_field_that_the_error_does_not_have() -> None:
    fields = {kind.key: set(re.findall(r"\{(\w+)\}", kind.template)) for kind in all_errors()}
    for key, words in WORDS.items():
        assert set(BLANK.findall(words._args[0])) <= fields[key], key


def test_languages_are_named_in_the_language_of_the_reader(box: Box) -> None:
    error = UnknownLanguagePairError(source="fr", target="sw", installed="en→es, es→en")
    with box.app.test_request_context("/"), force_locale("es"):
        assert words_for(error) == (
            "Esta caja no puede traducir de francés a suajili. Puede traducir: inglés→español, español→inglés."
        )


@pytest.mark.parametrize(
    ("page", "status", "words"),
    [
        ("/no-such-page", 404, "No hay ninguna página en esta dirección."),
        ("/draft/novel", 404, "La caja no tiene ese tipo de documento."),
        ("/documents/nothing", 404, "Este documento no está en la caja"),
        ("/articles/nothing", 404, "La caja no tiene ese artículo."),
        ("/jobs/00000000-gone", 410, "se perdió porque la caja se reinició"),
    ],
)
def test_an_unknown_page_says_so_and_offers_a_next_step(box: Box, page: str, status: int, words: str) -> None:
    response = box.phone("es").get(page)
    assert response.status_code == status
    assert words in response.text
    assert "Lo que puede hacer" in response.text
    assert '<a class="button"' in response.text


def test_a_page_that_breaks_is_an_error_page_too(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(box.appliance, "kinds", broken)
    response = box.phone().get("/draft")
    assert response.status_code == 500
    assert "Something went wrong inside the box." in response.text
    assert "secret" not in response.text


def test_a_form_cannot_be_opened_like_a_page(box: Box) -> None:
    response = box.phone().get("/language")
    assert response.status_code == 405
    assert "The box cannot use this request." in response.text
