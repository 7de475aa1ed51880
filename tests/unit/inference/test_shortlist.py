"""The pieces that a translation may be made of: read with suspicion, and the same for a sentence in any company."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import EngineError, PackManifestError
from appliance.inference.seq2seq import Ints, Places, Seq2Seq
from appliance.inference.shortlist import PARTS, Shortlist, Table, open_shortlists, save
from appliance.inference.translator import Translator
from appliance.packs.manifest import MANIFEST, parse_manifest
from appliance.packs.store import InstalledPack

MODELS = Path(__file__).resolve().parents[3] / "models"
WAY = ("en", "es")
VOCABULARY = 8
TABLE = Table(np.array([0, 2, 0, 1, 0, 0, 0, 0]), np.array([4, 5, 6]), np.array([0, 7]))


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    save({WAY: TABLE}, tmp_path / "shortlist.npz")
    return tmp_path / "shortlist.npz"


@pytest.fixture(scope="module")
def translator(starter: InstalledPack) -> Translator:
    return Translator(starter, 1)


def phrases(column: str) -> list[str]:
    """One column of our phrasebook."""
    rows = [line.split("\t") for line in (MODELS / "phrasebook" / "phrasebook.tsv").read_text("utf-8").splitlines()]
    return [row[rows[0].index(column)] for row in rows[1:]]


# The file


def test_a_sentence_may_use_what_its_pieces_make_likely_and_those_pieces_themselves(stored: Path) -> None:
    found = open_shortlists(stored, [WAY], VOCABULARY, "made")[WAY]
    assert found.of([1, 2, 1]).tolist() == [0, 1, 2, 4, 5, 7]
    assert found.of([3]).tolist() == [0, 3, 6, 7]


def change(name: str, array: object) -> Callable[[Path], None]:
    """Puts `array` in the place of a part of the file."""

    def changed(path: Path) -> None:
        with np.load(path) as stored:
            arrays = {key: stored[key] for key in stored}
        arrays[f"en.es.{name}"] = np.asarray(array)
        np.savez(path, **arrays)  # type: ignore[arg-type]

    return changed


def compress(path: Path) -> None:
    with np.load(path) as stored:
        np.savez_compressed(path, **{key: stored[key] for key in stored})  # type: ignore[arg-type]


def leave_out(path: Path) -> None:
    np.savez(path, **{"en.es.counts": np.zeros(VOCABULARY, np.uint16)})  # type: ignore[arg-type]


def claim_more_than_there_is(path: Path) -> None:
    """A header that asks for memory that no machine has."""
    with zipfile.ZipFile(path, "w") as file, file.open("en.es.counts.npy", "w") as part:
        np.lib.format.write_array_header_1_0(part, {"descr": "<u2", "fortran_order": False, "shape": (2**60,)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(b"PK no archive"), "zip"),
        (lambda path: path.unlink(), "No such file"),
        (compress, "compressed"),
        (leave_out, r"en\.es\.targets is missing"),
        (claim_more_than_there_is, "shortlist"),
        (change("counts", np.zeros(5, np.uint16)), "5 rows, the model 8 pieces"),
        (change("counts", np.full(8, 9, np.uint16)), "its counts say 72"),
        (change("targets", np.array([4, 5, 8], np.uint16)), "above 7"),
        (change("always", np.array([65_535], np.uint16)), "above 7"),
        (change("targets", np.zeros((3, 1), np.uint16)), "not a row"),
        (change("targets", np.array([-1, 2, 3])), "not a row"),
        (change("always", np.array(["a"])), "not a row"),
        (change("always", np.array([{"evil": 1}], object)), "allow_pickle"),
    ],
)
def test_a_broken_file_is_an_error_of_the_engine(stored: Path, spoil: Callable[[Path], None], said: str) -> None:
    spoil(stored)
    with pytest.raises(EngineError, match=said):
        open_shortlists(stored, [WAY], VOCABULARY, "made")


def test_a_direction_that_the_file_lacks_is_said(stored: Path) -> None:
    with pytest.raises(EngineError, match=r"es\.en\.counts is missing"):
        open_shortlists(stored, [WAY, ("es", "en")], VOCABULARY, "made")


def test_a_shortlist_needs_the_graph_that_makes_use_of_it(starter: InstalledPack) -> None:
    told = (starter.path / MANIFEST).read_bytes()
    with pytest.raises(PackManifestError, match="no head"):
        parse_manifest(told.replace(b'head = "head.onnx"\n', b""), "starter")


# The graphs


@pytest.fixture(scope="module")
def graphs(starter: InstalledPack) -> Seq2Seq:
    files = [starter.path / name for name in ("encoder.onnx", "decoder.onnx")]
    return Seq2Seq(*files, "starter", 1, [1, 2, 3, 4], starter.path / "head.onnx")


SOURCES = [[3, 40, 60, 80, 0], [3, 700, 7000, 0], [3, *range(300, 320), 0]]
BEAM, CANDIDATES = 2, 6


def steps(graphs: Seq2Seq, chosen: list[int], lists: list[Ints | None]) -> list[tuple[np.ndarray, np.ndarray]]:
    """(scores, ids) of three steps of some SOURCES together, a copy of each."""
    places = Places(graphs, BEAM, CANDIDATES)
    places.add([SOURCES[each] for each in chosen], lists)
    parents = np.tile(np.arange(BEAM), (len(chosen), 1))
    told = []
    for token in (2, 500, 900):
        scores, ids = places.step(np.full((len(chosen), BEAM), token), parents)
        told.append((scores.copy(), ids.copy()))
    return told


def test_a_list_of_all_pieces_changes_nothing(graphs: Seq2Seq) -> None:
    for whole, listed in zip(
        steps(graphs, [0, 1, 2], [None] * 3), steps(graphs, [0, 1, 2], [graphs.every] * 3), strict=True
    ):
        np.testing.assert_array_equal(whole[1], listed[1])
        np.testing.assert_allclose(whole[0], listed[0], atol=1e-5)


def test_each_sentence_is_kept_to_its_own_list_whatever_the_others_may_write(graphs: Seq2Seq) -> None:
    draw = np.random.default_rng(3)
    lists: list[Ints | None] = [np.sort(draw.choice(8000, size, replace=False)) for size in (40, 900)] + [None]
    together = steps(graphs, [0, 1, 2], lists)
    for sentence, own in enumerate(lists):
        for (scores, ids), (alone, their_ids) in zip(together, steps(graphs, [sentence], [own]), strict=True):
            np.testing.assert_array_equal(ids[sentence], their_ids[0])
            np.testing.assert_allclose(scores[sentence], alone[0], atol=1e-5)
            assert own is None or np.isin(ids[sentence], own).all()
    np.testing.assert_array_equal(together[2][1][2], steps(graphs, [2], [None])[2][1][0])


def test_who_leaves_takes_the_own_list_along(graphs: Seq2Seq) -> None:
    lists: list[Ints | None] = [np.arange(5 + 100 * n, 90 + 100 * n) for n in range(3)]
    places = Places(graphs, BEAM, CANDIDATES)
    places.add(SOURCES, lists)
    places.take_out(0)  # the third moves there
    parents = np.tile(np.arange(BEAM), (2, 1))
    _, ids = places.step(np.full((2, BEAM), 2), parents)
    assert np.isin(ids[0], lists[2]).all()
    assert np.isin(ids[1], lists[1]).all()


def test_a_list_shorter_than_the_candidates_leaves_impossible_ones(graphs: Seq2Seq) -> None:
    ((scores, ids), *_) = steps(graphs, [0], [np.array([0, 500])])
    assert set(ids[0, 0, :2].tolist()) == {0, 500}
    assert np.isneginf(scores[0, :, 2:]).all()


def test_a_head_of_another_model_is_refused(starter: InstalledPack, tiny_pack: Path) -> None:
    with pytest.raises(EngineError, match="head"):
        Seq2Seq(
            starter.path / "encoder.onnx", starter.path / "decoder.onnx", "x", 1, head=starter.path / "encoder.onnx"
        )
    with pytest.raises(EngineError, match="head"):  # a decoder of the form without lists
        Seq2Seq(tiny_pack / "encoder.onnx", tiny_pack / "decoder.onnx", "x", 1, head=starter.path / "head.onnx")


# The starter packs


def test_words_of_the_phrasebook_are_within_reach(translator: Translator) -> None:
    """Of our phrases, nearly all of the pieces of the translation that a person gave can be written."""
    for source, target in (("en", "es"), ("es", "en")):
        missed = total = 0
        for sentence, meant in zip(phrases(source), phrases(target), strict=True):
            allowed = translator.allowed(sentence, source, target)
            assert allowed is not None
            pieces = translator.encode(meant, target, source)[1:]
            missed, total = missed + int((~np.isin(pieces, allowed)).sum()), total + len(pieces)
        assert missed < 0.02 * total


def test_the_list_is_a_small_part_of_the_vocabulary(translator: Translator) -> None:
    allowed = translator.allowed("My goat has not eaten for two days, and its belly is hard.", "en", "es")
    assert allowed is not None
    assert len(allowed) < 0.3 * 8000


@pytest.mark.parametrize("sentence", ["Call Kwabena Xolani at 0782 664 913.", "Ngũgĩ → ☃ 漢字 7³"])
def test_names_numbers_and_signs_of_the_source_can_be_copied(translator: Translator, sentence: str) -> None:
    allowed = translator.allowed(sentence, "en", "es")
    assert allowed is not None
    assert np.isin(translator.encode(sentence, "en", "es"), allowed).all()


def test_without_its_shortlist_a_pack_has_the_whole_vocabulary(starter: InstalledPack) -> None:
    whole = Translator(starter, 1, use_shortlist=False)
    assert whole.allowed("The water is clean.", "en", "es") is None
    assert "agua" in whole.translate(["The water is clean."], "en", "es")[0].text


@pytest.mark.parametrize("beam", [1, 4])
def test_plain_sentences_are_translated_as_without_the_shortlist(starter: InstalledPack, beam: int) -> None:
    sentences = [each for each in phrases("en") if " " in each][::12]
    listed, whole = (
        Translator(starter, 2, use_shortlist=use).translate(sentences, "en", "es", beam=beam) for use in (True, False)
    )
    same = sum(one == other for one, other in zip(listed, whole, strict=True))
    assert len(sentences) > 40
    assert same >= 0.9 * len(sentences)


def test_every_part_of_the_file_is_asked_for(stored: Path) -> None:
    with np.load(stored) as arrays:
        assert set(arrays) == {f"en.es.{part}" for part in PARTS}


def test_a_list_is_asked_for_pieces_that_have_none() -> None:
    assert Shortlist(TABLE).of([5]).tolist() == [0, 5, 7]
