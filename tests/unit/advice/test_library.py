"""What the box knows is one: its own articles, those of packs, and what the village wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from appliance.advice.articles import read_articles
from appliance.advice.library import Library, Volume
from appliance.advice.meanings import Vectors
from appliance.advice.village_pack import read_pack
from appliance.errors import ArticleNotFoundError
from appliance.limits import LIMITS
from appliance.storage.contributions import Contributions, State, Village
from tests.conftest import ROOT
from tests.knowledge_packs import ARTICLE, WRITTEN, accepted, knowledge_pack, opened

OURS = "maize-fall-armyworm"
ARTICLES = read_articles(ROOT / "knowledge")
FEW = {name: ARTICLES[name] for name in (OURS, "hand-pump-no-water", "bicycle-puncture")}


class Model:
    """Vectors of nothing but the length of a text, and every text that it was asked for."""

    name = "lengths"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str], *, as_query: bool) -> Vectors:
        self.asked += texts
        found = np.array([[1.0, len(text) / 1_000] for text in texts], dtype=np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def library(model: Model, tmp_path: Path) -> Library:
    return Library(FEW, {}, model, tmp_path / "vectors")


@pytest.fixture
def kept(tmp_path: Path) -> Contributions:
    return Contributions(tmp_path / "community.json")


def volume(folder: Path, village: str | None = None, name: str = "ministry-maize", vouched: bool = False) -> Volume:
    files = {
        f"articles/crops/{OURS}.md": ARTICLE.format(title="Another worm", signs="holes"),
        "articles/crops/new.md": ARTICLE.format(title="A new thing", signs="dust"),
    }
    return Volume(read_pack(opened(knowledge_pack(folder, files, name, village))), vouched)


def test_a_publisher_who_is_trusted_with_everything_replaces_and_adds(library: Library, tmp_path: Path) -> None:
    library.renew([volume(tmp_path, vouched=True)], Village())
    article = library.service.article(OURS)
    assert (article.face("en").title, article.by, article.reviewed) == ("Another worm", None, "Dr Mrema, 2026")
    assert library.service.article("ministry-maize.new").by is None


@pytest.mark.parametrize(("village", "vouched"), [("Kibaoni", True), ("", True), (None, False)])
def test_nobody_else_takes_the_place_of_an_article(
    library: Library, tmp_path: Path, village: str | None, vouched: bool
) -> None:
    library.renew([volume(tmp_path, village, vouched=vouched)], Village())
    assert library.service.article(OURS) == ARTICLES[OURS]
    other = library.service.article(f"ministry-maize.{OURS}")
    assert other.by is not None
    assert (other.by.village, other.reviewed) == ("Maize of the ministry" if village is None else village, "")
    assert not other.by.here


def test_the_articles_of_two_villages_stand_side_by_side_and_leave_with_their_packs(
    library: Library, tmp_path: Path
) -> None:
    one, two = volume(tmp_path, "A", "village-a"), volume(tmp_path, "B", "village-b")
    library.renew([one, two], Village())
    villages = [library.service.article(f"village-{name}.new").by for name in "ab"]
    assert [by.village for by in villages if by] == ["A", "B"]
    library.renew([two], Village())
    with pytest.raises(ArticleNotFoundError):
        library.service.article("village-a.new")
    assert library.service.article("village-b.new")


def test_more_articles_than_the_box_takes_are_left_out(model: Model, tmp_path: Path) -> None:
    library = Library(FEW, {}, model, tmp_path, replace(LIMITS, articles=len(FEW) + 1))
    library.renew([volume(tmp_path, "A")], Village())
    assert len([each for some in library.service.subjects().values() for each in some]) == len(FEW) + 1


def test_what_is_accepted_is_found_at_once_and_what_is_not_is_not(
    model: Model, tmp_path: Path, kept: Contributions
) -> None:
    library = Library(ARTICLES, {}, model, tmp_path / "vectors")
    entry = kept.add("phone", "a", "article", "", "en", "Asha", WRITTEN)
    library.renew([], kept.village)
    question = "moles gnaw my sweet potatoes and leave little hills of earth"
    assert f"own-{entry.id}" not in [each.article.id for each in library.service.ask(question, "en").passages]
    entry = kept.decide(entry.id, entry.changes, State.ACCEPTED)
    library.renew([], kept.village)
    answer = library.service.ask(question, "en")
    assert answer.passages[0].article.id == f"own-{entry.id}"
    assert answer.passages[0].face.danger == WRITTEN["danger"]
    kept.decide(entry.id, entry.changes, State.REFUSED, "No.")
    library.renew([], kept.village)
    with pytest.raises(ArticleNotFoundError):
        library.service.article(f"own-{entry.id}")


def test_the_words_of_a_note_lead_to_its_article(library: Library, kept: Contributions) -> None:
    question = "what of zimwinyumba"
    assert library.service.ask(question, "en").nearest == ()
    accepted(kept, {"text": "Here it is called zimwinyumba."}, about=OURS)
    accepted(kept, {"text": "Aquí se llama otra cosa."}, "pt", OURS)
    accepted(kept, {"text": "Of nothing."}, about="not-on-this-box")
    library.renew([], kept.village)
    assert [each.article.id for each in library.service.ask(question, "en").nearest] == [OURS]
    assert [note.text for note in library.notes(OURS)] == ["Here it is called zimwinyumba.", "Aquí se llama otra cosa."]
    assert library.notes("not-on-this-box") == ()
    assert library.service.article(OURS) == ARTICLES[OURS]  # the reviewed words stay as they are


def test_notes_of_a_pack_find_the_articles_of_the_same_pack(library: Library, tmp_path: Path) -> None:
    rows = [
        f'[[notes]]\nabout = "{about}"\ntext = "{about}"\nkind = "note"\nlanguage = "en"\n'
        'name = ""\nday = ""\nknown_from = ""\n'
        for about in ("new", OURS, "gone")
    ]
    files = {"articles/crops/new.md": ARTICLE.format(title="New", signs="dust"), "notes.toml": "".join(rows)}
    brought = read_pack(opened(knowledge_pack(tmp_path, files, "village-a", "A")))
    library.renew([Volume(brought)], Village())
    assert [note.text for note in library.notes("village-a.new")] == ["new"]
    assert [note.by.village for note in library.notes(OURS)] == ["A"]
    assert library.notes("new") == library.notes("gone") == ()


def test_what_is_known_already_is_not_learned_again(library: Library, model: Model, kept: Contributions) -> None:
    library.prepare()
    assert len(model.asked) == 2 * len(FEW)
    model.asked.clear()
    accepted(kept, language="sw")
    library.renew([], kept.village)
    library.prepare()
    assert len(model.asked) == 2
    assert all(text.startswith(WRITTEN["title"]) for text in model.asked)


def test_learning_that_is_broken_off_begins_where_it_was(library: Library, model: Model, kept: Contributions) -> None:
    library.prepare()
    model.asked.clear()
    accepted(kept)
    library.renew([], kept.village)
    library.prepare(lambda: False)
    assert model.asked == []
    library.prepare()
    assert len(model.asked) == 2
