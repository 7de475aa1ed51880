"""The forms of members: cleaned, bounded, and never shown as if an expert had read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.advice.community import (
    ARTICLE,
    CORRECTION,
    NOTE,
    Community,
    article_of,
    articles_of,
    check,
    notes_of,
    title_of,
)
from appliance.errors import (
    ContributionChangedError,
    ContributionNotFoundError,
    EmptyTextError,
    MissingAnswersError,
    TextTooLongError,
)
from appliance.limits import LIMITS
from appliance.storage.contributions import Contributions, State
from tests.knowledge_packs import WRITTEN


class Told:
    """What a community told: how often readers have something else, and what goes into the journal."""

    def __init__(self) -> None:
        self.changed, self.events = 0, list[tuple[str, dict[str, Any]]]()

    def change(self) -> None:
        self.changed += 1

    def note(self, event: str, **about: str | int) -> None:
        self.events.append((event, about))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def community(tmp_path: Path, told: Told) -> Iterator[Community]:
    yield Community(Contributions(tmp_path / "community.json"), told.change, told.note)


def test_lists_lose_their_marks_and_empty_lines() -> None:
    texts = check(ARTICLE, {**WRITTEN, "signs": "1. holes \n\n- 3 leaves gone\n•\tdust", "title": " Moles\n under "})
    assert texts["signs"] == "holes\n3 leaves gone\ndust"
    assert texts["title"] == "Moles under"


def test_what_cannot_be_read_is_taken_out() -> None:
    texts = check(NOTE, {"text": "safe\u202eevil\u2066\x00\x1b[31m\ud800 text\u2028next"})
    assert texts["text"] == "safeevil[31m text\nnext"


def test_what_is_missing_is_named() -> None:
    with pytest.raises(MissingAnswersError) as error:
        check(ARTICLE, {"title": "\u200f \n", "signs": "- "})
    assert error.value.fields["questions"] == "title,signs,first_steps"


@pytest.mark.parametrize(
    ("kind", "answers"),
    [
        (NOTE, {"text": "x" * (LIMITS.contribution_characters + 1)}),
        (ARTICLE, {**WRITTEN, "title": "x" * (LIMITS.contribution_line + 1)}),
        (ARTICLE, {**WRITTEN, "signs": "x" * (LIMITS.contribution_line + 1)}),
        (ARTICLE, {**WRITTEN, "first_steps": "step\n" * (LIMITS.contribution_lines + 1)}),
        (ARTICLE, {**WRITTEN, "danger": "x" * 3_000, "get_help": "x" * 1_000}),
    ],
)
def test_what_is_too_long_is_refused(kind: str, answers: dict[str, str]) -> None:
    with pytest.raises(TextTooLongError):
        check(kind, answers)


def test_an_article_says_whose_it_is_and_has_no_review(community: Community) -> None:
    entry = community.write("phone", "address", ARTICLE, "sw", "Asha", WRITTEN)
    article = article_of(entry, "Kibaoni")
    assert (article.id, article.subject, article.reviewed) == (f"own-{entry.id}", "village", "")
    assert article.by is not None
    assert (article.by.village, article.by.name, article.by.known_from) == ("Kibaoni", "Asha", "my grandmother")
    assert article.by.here
    assert list(article.faces) == ["sw"]
    for reader in ("en", "es", "sw"):
        assert article.face(reader).first_steps[1].startswith("Put the stalks")
        assert article.language_of_face(reader) == "sw"


def test_only_what_is_accepted_is_read(community: Community, told: Told) -> None:
    entry = community.write("phone", "address", ARTICLE, "en", "", WRITTEN)
    note = community.write("phone", "address", CORRECTION, "en", "", {"text": "It is not so."}, "maize-rust")
    assert articles_of(community.village) == {}
    assert notes_of(community.village) == []
    community.accept(entry.id, 1)
    community.accept(note.id, 1)
    assert list(articles_of(community.village)) == [f"own-{entry.id}"]
    assert [(each.about, each.kind) for each in notes_of(community.village)] == [("maize-rust", CORRECTION)]
    community.refuse(entry.id, 2, "It hurt somebody.")
    community.withdraw(note.id, "phone")
    assert articles_of(community.village) == {}
    assert notes_of(community.village) == []
    assert [event for event, _ in told.events] == [
        "knowledge_accepted",
        "knowledge_accepted",
        "knowledge_taken_back",
        "knowledge_withdrawn",
    ]
    assert told.events[1][1] == {"title": "It is not so."}
    assert told.changed == 4


def test_the_keeper_mends_what_is_accepted(community: Community, told: Told) -> None:
    entry = community.write("phone", "address", ARTICLE, "en", "", WRITTEN)
    with pytest.raises(MissingAnswersError):
        community.accept(entry.id, 1, {**WRITTEN, "title": ""})
    assert community.kept.get(entry.id).state is State.WAITING
    community.accept(entry.id, 1, {**WRITTEN, "title": "Moles"})
    assert articles_of(community.village)[f"own-{entry.id}"].face("en").title == "Moles"
    assert told.events == [("knowledge_edited", {"title": "Moles"})]


def test_who_refuses_says_why(community: Community, told: Told) -> None:
    entry = community.write("phone", "address", ARTICLE, "en", "", WRITTEN)
    with pytest.raises(EmptyTextError):
        community.refuse(entry.id, 1, " \u202e ")
    with pytest.raises(TextTooLongError):
        community.refuse(entry.id, 1, "x" * (LIMITS.contribution_line + 1))
    community.refuse(entry.id, 1, "Say where it hurts.")
    assert community.own_one(entry.id, "phone").words == "Say where it hurts."
    assert [event for event, _ in told.events] == ["knowledge_refused"]


def test_what_waits_is_its_writers_only(community: Community, told: Told) -> None:
    first = community.write("phone", "one", ARTICLE, "en", "", WRITTEN)
    second = community.write("phone", "one", ARTICLE, "en", "", WRITTEN)
    assert [entry.id for entry in community.own("phone")] == [second.id, first.id]
    assert community.own("other") == []
    for entry_id, owner in ((first.id, "other"), ("none", "phone")):
        with pytest.raises(ContributionNotFoundError):
            community.own_one(entry_id, owner)
    community.withdraw(first.id, "phone")
    with pytest.raises(ContributionChangedError):
        community.accept(first.id, 2)
    assert told.events == []  # nobody had read it


def test_a_village_gets_a_name(community: Community, told: Told) -> None:
    community.name_village("  Kibaoni\u202e ")
    community.name_village("Kibaoni")
    assert (community.village.name, told.changed) == ("Kibaoni", 1)
    with pytest.raises(TextTooLongError):
        community.name_village("x" * (LIMITS.contributor_characters + 1))


def test_a_language_that_is_none_is_refused(community: Community) -> None:
    with pytest.raises(MissingAnswersError):
        community.write("phone", "address", ARTICLE, "<script>", "", WRITTEN)


def test_a_long_note_is_called_by_its_beginning(community: Community) -> None:
    entry = community.write("phone", "address", NOTE, "en", "", {"text": "put ash\n" * 30}, "maize-rust")
    assert len(title_of(entry)) <= 80
    assert title_of(entry).endswith("…")
