"""Which of the installed languages a text is in."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from py3langid.langid import LanguageIdentifier
from py3langid.langid import __file__ as langid_file

from appliance.errors import LanguageNotRecognisedError

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
FEW_WORDS = 6  # a text of so many words or less is judged by its words, a longer one by its letters
ZIPF_SHIFT = 2.7  # rank → probability ∝ 1 / (rank + 2.7), Mandelbrot's form of Zipf's law
UNKNOWN_RANK = 100_000
MODEL = Path(langid_file).parent / "data" / "model.npz.xz"


class LanguageDetector:
    """Tells the language of a text among `languages`.

    `words` gives, of each language, its words from frequent to rare (they come with the translation
    packs): letter statistics alone take “hola” for English and “hello” for Spanish.
    """

    def __init__(self, languages: Iterable[str], words: Mapping[str, Iterable[str]]) -> None:
        self._languages = sorted(set(languages))
        self._ranks = {
            language: {word: rank for rank, word in enumerate(listed)}
            for language, listed in words.items()
            if language in self._languages
        }

    def detect(self, text: str) -> str:
        """The BCP 47 tag of the language of `text`.

        Raises:
            LanguageNotRecognisedError: there is no word in it, or no language is installed.
        """
        found = WORD.findall(text.lower())
        if not found or not self._languages:
            raise LanguageNotRecognisedError
        if len(found) <= FEW_WORDS and len(self._ranks) == len(self._languages):
            scores = {language: self._score(found, language) for language in self._languages}
            best, second, *_ = [*sorted(scores.values(), reverse=True), -math.inf]
            if best > second:
                return max(scores, key=lambda language: scores[language])
        language: str = self._by_letters.classify(text)[0]
        return language

    def _score(self, words: list[str], language: str) -> float:
        ranks = self._ranks[language]
        return sum(-math.log(ranks.get(word, UNKNOWN_RANK) + ZIPF_SHIFT) for word in words)

    @cached_property
    def _by_letters(self) -> LanguageIdentifier:
        identifier = LanguageIdentifier.from_model_file(str(MODEL))
        identifier.set_languages(self._languages)
        return identifier
