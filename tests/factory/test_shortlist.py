"""The factory learns from pairs alone which pieces are translations of which, and both ways through a graph agree."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.factory
torch = pytest.importorskip("torch", reason="the factory's libraries are not installed: make test-factory")

import sentencepiece as spm  # noqa: E402

from appliance.inference.seq2seq import Places, Seq2Seq  # noqa: E402
from appliance.inference.shortlist import Shortlist  # noqa: E402
from appliance.inference.translator import Translator  # noqa: E402
from appliance.packs.store import verify  # noqa: E402
from models import shortlist  # noqa: E402
from models.convert.seq2seq import open_model, ranges_of, write_graphs  # noqa: E402
from models.pack import build_pack  # noqa: E402
from tests.factory import tiny  # noqa: E402

WORDS, VOCABULARY = 40, 100
ARTICLE, PARTICLE = 90, 91  # a word of either language that has none in the other


def made_up(count: int) -> list[shortlist.Part]:
    """Pairs in which word n of one language is word 40 + n of the other, in another order."""
    rng = random.Random(5)
    pairs = []
    for _ in range(count):
        words = rng.sample(range(WORDS), rng.randint(2, 6))
        theirs = [WORDS + word for word in words]
        rng.shuffle(theirs)
        pairs.append(([ARTICLE, *words], [*theirs, PARTICLE]))
    return [shortlist.Part(pairs)]


def test_what_stands_opposite_again_and_again_is_found() -> None:
    links = shortlist.learn(made_up(400), VOCABULARY, rounds=5)
    for word in range(WORDS):
        own = links.sources == word
        assert links.targets[own][links.chances[own].argmax()] == WORDS + word
        assert links.chances[own].max() > 0.8
        assert links.chances[own].sum() == pytest.approx(1.0)


def test_what_stands_everywhere_comes_from_nothing_or_from_what_stands_everywhere_too() -> None:
    links = shortlist.learn(made_up(400), VOCABULARY, rounds=5)
    particle = links.targets == PARTICLE
    likeliest = set(links.sources[particle][np.argsort(-links.chances[particle])[:2]].tolist())
    assert likeliest == {ARTICLE, VOCABULARY}


def test_the_links_are_looked_at_in_parts_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = shortlist.learn(made_up(100), VOCABULARY, rounds=3)
    monkeypatch.setattr(shortlist, "CHUNK", 50)
    parts = shortlist.learn(made_up(100), VOCABULARY, rounds=3)
    np.testing.assert_array_equal(whole.targets, parts.targets)
    np.testing.assert_allclose(whole.chances, parts.chances)


def test_of_a_large_text_the_small_corpora_are_kept_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    large, small = made_up(400)[0], shortlist.Part(made_up(20)[0].pairs, 3.0)
    monkeypatch.setattr(shortlist, "MOST_LINKS", 3 * small.links)
    chosen = shortlist._sample([large, small])
    assert chosen[1] == small
    assert 0.5 * small.links < chosen[0].links <= 2 * small.links


def test_a_corpus_counts_as_much_as_its_weight() -> None:
    """Two corpora translate a word differently; the small one counts more."""
    first, second = shortlist.Part([([1], [5])] * 90, 1.0), shortlist.Part([([1], [6])] * 10, 4.0)
    links = shortlist.learn([first, second], VOCABULARY, rounds=5)
    own = links.sources == 1
    assert dict(zip(links.targets[own].tolist(), links.chances[own].round(6).tolist(), strict=True)) == {5: 0.2, 6: 0.8}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("tiny")
    tiny.make(folder)
    write_graphs(open_model(folder / "checkpoint"), folder / "lists", None, lists=True)
    return folder


def lists(work: Path, choice: shortlist.Choice) -> tuple[Shortlist, spm.SentencePieceProcessor]:
    pieces = spm.SentencePieceProcessor(model_file=str(work / "spm.model"))
    pairs = [tuple(pieces.encode([pair.source, pair.target])) for pair in tiny.tiny_pairs()["made"]]
    return Shortlist(shortlist.table_of([shortlist.Part(pairs)], pieces, choice)), pieces


def test_a_row_holds_the_likeliest_pieces_and_what_is_always_there(work: Path) -> None:
    found, pieces = lists(work, shortlist.Choice(most=3, least=0.05, frequent=5))
    allowed = set(found.of([*pieces.encode("I see bread."), pieces.eos_id()]).tolist())
    assert set(pieces.encode("Veo pan.")) <= allowed
    assert {pieces.piece_to_id(str(digit)) for digit in range(10)} <= allowed
    written = {piece for pair in tiny.tiny_pairs()["made"] for piece in pieces.encode(pair.target)}
    assert not written <= allowed
    assert pieces.unk_id() not in found.of([])


def write_int8(work: Path) -> None:
    model = open_model(work / "checkpoint")
    pairs = [(ids, [2, *ids[1:-1]]) for ids in tiny.sources(work / "spm.model")]
    write_graphs(model, work / "int8", ranges_of(model, pairs), lists=True)


@pytest.mark.parametrize("form", ["lists", "int8"])
def test_the_listed_part_of_the_output_layer_is_the_whole_where_all_is_listed(work: Path, form: str) -> None:
    if form == "int8":
        write_int8(work)
    folder = work / form
    graphs = Seq2Seq(folder / "encoder.onnx", folder / "decoder.onnx", "tiny", 1, [1], folder / "head.onnx")
    sources = tiny.sources(work / "spm.model")[:3]
    whole, listed = (Places(graphs, 2, 8) for _ in range(2))
    whole.add(sources)
    listed.add(sources, [graphs.every] * 3)
    for token in (2, 50, 60):
        tokens, parents = np.full((3, 2), token), np.tile([0, 1], (3, 1))
        ours, theirs = listed.step(tokens, parents), whole.step(tokens, parents)
        np.testing.assert_array_equal(ours[1], theirs[1])
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-5)


def test_a_pack_with_a_shortlist_writes_what_it_writes_without(work: Path, tmp_path: Path) -> None:
    recipe, pairs = tiny.tiny_recipe(), tiny.tiny_pairs()
    shortlist.write_shortlist(recipe, pairs, work / "spm.model", tmp_path / "shortlist.npz")
    build_pack(recipe, work / "lists", work / "spm.model", pairs, tmp_path / "pack", tmp_path / "shortlist.npz")
    pack = verify(tmp_path / "pack")
    listed, whole = (Translator(pack, 1, use_shortlist=use) for use in (True, False))
    sentences = [pair.source for pair in pairs["made"][::40]]
    assert listed.allowed(sentences[0], "en", "es") is not None
    for beam in (1, 4):
        texts = [each.translate(sentences, "en", "es", beam=beam) for each in (listed, whole)]
        assert texts[0] == texts[1]
