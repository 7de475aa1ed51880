"""Publishers on the keeper's page: added by typing their words, limited, removed; and the words of the box."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.packs.fingerprint import WORDS
from tests.web.keepers import KeepersBox, done, make_keepers_box, ticked, words_of

pytestmark = pytest.mark.usefixtures("quick_pin")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[KeepersBox]:
    """At work: what is put in a queue is done."""
    made = make_keepers_box(tmp_path)
    made.appliance.start()
    yield made
    made.appliance.close()


def add_form(box: KeepersBox, **changed: str) -> dict[str, str]:
    return {"place": "stick", "name": "village", "words": box.words("village"), "brings": "everything", **changed}


def test_nothing_of_a_stranger_can_be_ticked_and_their_words_are_in_no_form(box: KeepersBox) -> None:
    box.stick("stick", "village", box.pack("0.3.0"))
    keeper = box.keeper()
    page = keeper.get("/keeper/sticks/look?place=stick").text
    assert "From somebody this box does not know" in page
    assert ticked(page) == {}
    assert all(word in words_of(page) for word in box.words("village").split())  # to be compared, not to be copied
    form = keeper.get("/keeper/publishers/add?place=stick").text.split("<main")[1]
    box.stick("other", "neighbour", box.pack("0.3.0"))
    another = keeper.get("/keeper/publishers/add?place=other").text.split("<main")[1]
    assert box.words("village") != box.words("neighbour")
    assert form.replace("village", "neighbour") == another.replace("other", "stick")  # neither holds their words
    failed = done(box, keeper, "/keeper/sticks/bring", {"place": "stick", "pack": ["tiny"]})
    assert 'role="alert"' in failed
    assert box.appliance.pack("tiny").manifest.version == "0.1.0"


def test_a_publisher_is_added_by_typing_their_words(box: KeepersBox) -> None:
    box.stick("stick", "village", box.pack("0.3.0"))
    keeper = box.keeper()
    typed = box.words("village").upper().replace(" ", "\r\n ")
    response = keeper.post("/keeper/publishers/add", add_form(box, words=typed, name=" Village "))
    assert response.location == "/keeper/sticks/look?place=stick&added=village"
    page = keeper.get(response.location).text
    assert "The words are right: village is trusted now." in words_of(page)
    assert ticked(page) == {"tiny": True}
    (root,) = [root for root in box.appliance.trust.roots() if root.name == "village"]
    assert (root.kinds, root.unattended) == (None, False)
    assert "The publisher village was added." in words_of(keeper.get("/keeper/history").text)


def test_another_word_adds_nobody_and_what_was_typed_stays(box: KeepersBox) -> None:
    box.stick("stick", "village", box.pack("0.3.0"))
    right = box.words("village").split()
    wrong = [next(word for word in WORDS if word not in right), *right[1:]]
    keeper = box.keeper()
    for words in (" ".join(wrong), " ".join(right[:-1]), "", " ".join(reversed(right))):
        response = keeper.post("/keeper/publishers/add", add_form(box, words=words, kind="knowledge", brings="some"))
        assert response.status_code == 422
        assert "These are not the words of that publisher" in response.text
        assert f"\n{words}</textarea>" in response.text
        assert 'value="knowledge" checked' in response.text
    assert [root.name for root in box.appliance.trust.roots() if root.name != "box"] == []


def test_a_publisher_needs_a_name_of_its_form(box: KeepersBox) -> None:
    box.stick("stick", "village", box.pack("0.3.0"))
    keeper = box.keeper()
    for name in ("", "Två", "a b", "development", "../x", "x" * 100):
        assert keeper.post("/keeper/publishers/add", add_form(box, name=name)).status_code == 422, name
    assert [root.name for root in box.appliance.trust.roots() if root.name != "box"] == []


def test_a_publisher_is_limited_and_let_loose_again(box: KeepersBox) -> None:
    box.trusts("ministry")
    keeper = box.keeper()
    path = "/keeper/publishers/ministry"
    assert keeper.post(path, {"brings": "some"}).status_code == 400
    form = {"brings": "some", "kind": ["knowledge", "speech", "nonsense"], "unattended": "yes"}
    assert keeper.post(path, form).status_code == 303
    root = box.appliance.trust.root("ministry")
    assert (root.kinds, root.unattended) == ({"knowledge", "speech"}, True)
    said = words_of(keeper.get("/keeper/publishers").text)
    assert "May bring: Knowledge, Speech." in said
    assert "installed without asking" in said
    assert 'value="speech" checked' in keeper.get(path).text
    keeper.post(path, {"brings": "everything", "kind": "knowledge"})
    root = box.appliance.trust.root("ministry")
    assert (root.kinds, root.unattended) == (None, False)


def test_a_publisher_is_removed_after_asking_once(box: KeepersBox) -> None:
    box.trusts("ministry")
    keeper = box.keeper()
    assert "Remove this publisher?" in keeper.get("/keeper/publishers/ministry/remove").text
    assert box.appliance.trust.root("ministry")
    page = keeper.post("/keeper/publishers/ministry/remove", follow=True).text
    assert "not trusted any more" in page
    assert "ministry" not in [root.name for root in box.appliance.trust.roots()]
    for path in ("/keeper/publishers/ministry", "/keeper/publishers/ministry/remove"):
        assert keeper.get(path).status_code == 404
        assert keeper.post(path, {"brings": "everything"}).status_code == 404


def test_a_damaged_publisher_is_told_and_can_be_removed(box: KeepersBox) -> None:
    box.trusts("ministry")
    for path in (box.folder / "data" / "trust" / "ministry").glob("*.json"):
        path.write_bytes(b"nonsense")
    keeper = box.keeper()
    assert "What the box knows of the publisher ministry is damaged" in keeper.get("/keeper/publishers").text
    assert "is damaged" in keeper.get("/keeper").text
    assert keeper.post("/keeper/publishers/ministry/remove").status_code == 303
    assert box.appliance.trust.problems() == ()


def test_the_words_of_the_box_are_told_and_nobody_removes_it(box: KeepersBox) -> None:
    keeper = box.keeper()
    said = words_of(keeper.get("/keeper/publishers").text)
    own = box.appliance.own_root().words.split()
    assert " ".join(own) in re.sub(r"\s+", " ", said)
    for name in ("box", "development"):
        assert keeper.post(f"/keeper/publishers/{name}/remove").status_code == 404
        assert keeper.post(f"/keeper/publishers/{name}", {"brings": "everything"}).status_code == 404
        assert keeper.get(f"/keeper/publishers/{name}").status_code == 404
