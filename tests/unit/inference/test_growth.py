"""Work leaves nothing behind: after hundreds of requests a box takes what it took after some."""

from __future__ import annotations

import random

import psutil
import pytest

from appliance.app import Appliance
from appliance.inference.memory import give_back

WORDS = "the water is clean and the goat has eaten maize since Monday 1 12 300 ¿qué? Maji NEW house".split()
MORE = 1.05  # the memory after all requests, as a multiple of that after the first part of them
FIRST, REST = 150, 300


def request(box: Appliance, number: int) -> None:
    chance = random.Random(number)
    texts = [" ".join(chance.choices(WORDS, k=chance.randint(1, 9))) for _ in range(chance.choice((1, 1, 4)))]
    if number % 3:
        pack = next(pack for pack in box.packs.active() if pack.manifest.kind == "embedding")
        with box.engines.embedder(pack) as embedder:
            embedder.embed(texts)
    else:
        box.translation.translate(texts[0], *chance.choice([("en", "es"), ("es", "en"), ("es", "fr")]))


def resident() -> int:
    give_back()
    return int(psutil.Process().memory_info().rss)


def test_a_box_that_has_worked_for_long_takes_no_more_than_before(appliance: Appliance) -> None:
    if not any(pack.manifest.kind == "embedding" for pack in appliance.packs.active()):
        pytest.skip("no embedding pack under models/starter")
    for number in range(FIRST):
        request(appliance, number)
    before = resident()
    for number in range(FIRST, FIRST + REST):
        request(appliance, number)
    assert resident() <= MORE * before


def test_closing_the_engines_gives_their_memory_back(appliance: Appliance) -> None:
    for number in range(12):
        request(appliance, number)
    working = resident()
    taken = appliance.engines.use().taken
    appliance.engines.close()
    assert taken > 0
    assert working - resident() > 30e6  # the weights of the embedding pack alone are 19 MB
