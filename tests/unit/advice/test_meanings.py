"""Articles are found by what they mean, with the embedding pack that comes with the software."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from appliance.advice.articles import read_articles
from appliance.advice.finder import Finder
from appliance.advice.meanings import FILE, Meanings, Vectors
from appliance.errors import EngineBusyError, NoModelError
from appliance.inference.active import ActiveEmbedder
from appliance.inference.engines import Engines
from appliance.inference.memory import MIB
from benchmarks.advice import embedder
from tests.conftest import ROOT

FEW = ("maize-fall-armyworm", "hand-pump-no-water", "bicycle-puncture", "newcastle-disease")
ARTICLES = {name: each for name, each in read_articles(ROOT / "knowledge").items() if name in FEW}


class Model:
    """The real one, counted; `name` and `gone` are set by hand."""

    def __init__(self, real: ActiveEmbedder) -> None:
        self.real, self.name, self.gone = real, "model 1", False
        self.asked: list[int] = []

    def embed(self, texts: Sequence[str], *, as_query: bool) -> Vectors:
        if self.gone:
            raise EngineBusyError(pack=self.name)
        self.asked.append(len(texts))
        return self.real.embed(texts, as_query=as_query)


@pytest.fixture(scope="module")
def real() -> Iterator[ActiveEmbedder]:
    if not list((ROOT / "models" / "starter").glob("starter-embedding/*/pack.toml")):
        pytest.skip("no embedding pack under models/starter")
    yield embedder()


@pytest.fixture
def model(real: ActiveEmbedder) -> Model:
    return Model(real)


def best(meanings: Meanings, question: str) -> str:
    like = meanings.likeness(question)
    return max(like, key=lambda each: like[each])


@pytest.mark.parametrize(
    ("question", "article"),
    [
        ("insects chew on my corn", "maize-fall-armyworm"),
        ("el pozo ya no saca nada cuando bombeo", "hand-pump-no-water"),
        ("mon vélo est à plat", "bicycle-puncture"),
        ("kuku wangu wanakufa ghafla", "newcastle-disease"),
    ],
)
def test_a_question_finds_an_article_of_other_words_and_languages(
    model: Model, tmp_path: Path, question: str, article: str
) -> None:
    meanings = Meanings(ARTICLES, model, tmp_path)
    meanings.prepare()
    assert best(meanings, question) == article


def test_before_it_is_prepared_it_says_nothing(model: Model, tmp_path: Path) -> None:
    meanings = Meanings(ARTICLES, model, tmp_path)
    assert meanings.likeness("a flat tyre") == {}
    assert not meanings.is_ready
    assert model.asked == []


def test_vectors_are_kept_for_the_next_start(model: Model, tmp_path: Path) -> None:
    first, second = Meanings(ARTICLES, model, tmp_path / "new"), Meanings(ARTICLES, model, tmp_path / "new")
    first.prepare()
    assert sum(model.asked) == 2 * len(ARTICLES)
    second.prepare()
    assert sum(model.asked) == 2 * len(ARTICLES)
    assert second.likeness("a flat tyre") == first.likeness("a flat tyre")


def test_other_articles_or_another_model_are_learned_anew(model: Model, tmp_path: Path) -> None:
    Meanings(ARTICLES, model, tmp_path).prepare()
    fewer = Meanings({name: ARTICLES[name] for name in FEW[:2]}, model, tmp_path)
    fewer.prepare()
    assert sum(model.asked) == 8 + 4
    assert set(fewer.likeness("water")) == set(FEW[:2])
    model.name = "model 2"
    assert not fewer.is_ready
    assert fewer.likeness("water") == {}  # vectors of two models cannot be compared
    fewer.prepare()
    assert sum(model.asked) == 8 + 4 + 4 + 1
    assert fewer.is_ready


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_a_damaged_file_is_made_anew(model: Model, tmp_path: Path, damage: bytes | None) -> None:
    Meanings(ARTICLES, model, tmp_path).prepare()
    file = tmp_path / FILE
    whole = file.read_bytes()
    file.write_bytes(damage if damage is not None else whole[:-1] + bytes([whole[-1] ^ 1]))
    meanings = Meanings(ARTICLES, model, tmp_path)
    meanings.prepare()
    assert meanings.is_ready
    assert file.read_bytes() == whole
    assert best(meanings, "my bicycle tyre is flat") == "bicycle-puncture"


def test_a_folder_that_takes_no_file_does_not_matter(model: Model, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    meanings = Meanings(ARTICLES, model, tmp_path / "file")
    meanings.prepare()
    assert meanings.is_ready


def test_learning_is_broken_off_when_the_box_stops(model: Model, tmp_path: Path) -> None:
    answers = iter([True, False])
    many = {f"{name}-{number}": each for number in range(5) for name, each in ARTICLES.items()}
    meanings = Meanings(many, model, tmp_path)
    meanings.prepare(lambda: next(answers))
    assert not meanings.is_ready
    assert not (tmp_path / FILE).exists()
    meanings.prepare()
    assert meanings.is_ready


def test_while_the_model_has_no_memory_words_still_find(model: Model, tmp_path: Path) -> None:
    meanings = Meanings(ARTICLES, model, tmp_path)
    meanings.prepare()
    finder, question = Finder(ARTICLES, meanings=meanings), "holes in the leaves of my maize, a caterpillar"
    assert all(each.meaning for each in finder.evidence(question, "en").values())
    model.gone = True
    assert meanings.likeness("water") == {}
    assert not any(each.meaning for each in finder.evidence(question, "en").values())
    assert finder.find(question, "en").articles[0][0] == "maize-fall-armyworm"


def test_without_an_embedding_pack_there_is_no_model(tmp_path: Path) -> None:
    none = ActiveEmbedder(Engines(100 * MIB, 1), lambda: None)
    meanings = Meanings(ARTICLES, none, tmp_path)
    meanings.prepare()
    assert (none.name, meanings.is_ready, meanings.likeness("water")) == ("", False, {})
    with pytest.raises(NoModelError):
        none.embed(["water"])
