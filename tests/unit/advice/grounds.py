"""Passages of the starter knowledge for the tests of what they support."""

from __future__ import annotations

from functools import cache

from appliance.advice.claims import Reading
from appliance.advice.service import Passage
from appliance.advice.support import Grounds
from appliance.translation import numbers, sentences
from benchmarks.advice import knowledge

READING = Reading(numbers.plain, numbers.find, sentences.split)


def passage(article_id: str, language: str) -> Passage:
    """An article as it is found, with all its text where that is in `language`."""
    article = knowledge()[0][article_id]
    return Passage(article, article.face(language), 0.9, "", article.text if language == "en" else "")


@cache
def grounds(language: str, *articles: str) -> Grounds:
    return Grounds([passage(each, language) for each in articles], language, READING)
