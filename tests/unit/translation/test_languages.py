"""The language of a text among those installed."""

from __future__ import annotations

import pytest

from appliance.errors import LanguageNotRecognisedError
from appliance.packs.store import InstalledPack
from appliance.translation.languages import LanguageDetector


@pytest.fixture(scope="module")
def detector(starter: InstalledPack) -> LanguageDetector:
    assert starter.manifest.translation
    words = {
        language: (starter.path / file).read_text(encoding="utf-8").split()
        for language, file in starter.manifest.translation.words.items()
    }
    return LanguageDetector(["en", "es"], words)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hello", "en"),
        ("hola", "es"),
        ("thank you", "en"),
        ("gracias", "es"),
        ("HELP ME", "en"),
        ("¿dónde?", "es"),
        ("My maize is yellow and I do not know what to do about it.", "en"),
        ("Mi maíz está amarillo y no sé qué puedo hacer.", "es"),
        ("la bomba no da agua", "es"),
        ("the pump gives no water", "en"),
    ],
)
def test_short_and_long_texts_are_recognised(detector: LanguageDetector, text: str, language: str) -> None:
    assert detector.detect(text) == language


@pytest.mark.parametrize("text", ["", "12345", "?!", "😀", "   "])
def test_a_text_without_words_is_not_guessed_at(detector: LanguageDetector, text: str) -> None:
    with pytest.raises(LanguageNotRecognisedError):
        detector.detect(text)


def test_only_installed_languages_are_answered(detector: LanguageDetector) -> None:
    assert detector.detect("Das ist ein deutscher Satz über das Wetter und die Felder") in ("en", "es")


def test_a_language_that_somebody_brought_is_told_by_its_words() -> None:
    words = {"en": ["the", "goat", "road"], "es": ["la", "cabra"], "qtv": ["buzo", "nasulila"]}
    detector = LanguageDetector(["en", "es", "qtv"], words)
    assert detector.detect("tuzimeku buzo nasulila") == "qtv"
    assert detector.detect("The goat is on the road, and the goat is on the road, and it is there.") == "en"
    assert detector.detect("La cabra") == "es"
    with pytest.raises(LanguageNotRecognisedError):
        detector.detect("zzz")
    with pytest.raises(LanguageNotRecognisedError):
        LanguageDetector(["en", "qtv"], {"en": ["the"]}).detect("The goat")


def test_a_box_without_languages_says_so() -> None:
    with pytest.raises(LanguageNotRecognisedError):
        LanguageDetector([], {}).detect("hello")
