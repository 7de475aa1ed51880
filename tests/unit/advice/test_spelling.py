"""Words that nobody knows are read as the known ones that they resemble."""

from __future__ import annotations

import pytest

from appliance.advice.spelling import Spelling

KNOWN = ("maize", "leaf", "caterpillar", "battery", "yellow", "motorcycle", "armyworm", "mahindi", "goat", "pump")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("caterpilar", "caterpillar"),
        ("catterpiler", "caterpillar"),
        ("batery", "battery"),
        ("yelow", "yellow"),
        ("motocycle", "motorcycle"),
        ("mahnidi", "mahindi"),
        ("caterpillar", "caterpillar"),
        ("football", ""),
        ("president", ""),
        ("gat", ""),  # too short to tell
        ("", ""),
    ],
)
def test_the_nearest_word_is_found_if_it_is_near(written: str, meant: str) -> None:
    assert Spelling(KNOWN).nearest(written) == meant


def test_nothing_is_near_where_nothing_is_known() -> None:
    assert Spelling(()).nearest("maize") == ""
