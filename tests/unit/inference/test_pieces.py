"""A model whose ids are not SentencePiece's own is steered by its vocabulary, read as a stranger's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sentencepiece as spm

from appliance.errors import EngineError
from appliance.inference.pieces import ListedPieces, open_pieces
from appliance.inference.translator import Translator
from appliance.packs.manifest import Way
from appliance.packs.store import InstalledPack, verify


def vocabulary_of(pack: Path) -> dict[str, int]:
    """The ids that the tiny pack has anyway, as a vocabulary."""
    processor = spm.SentencePieceProcessor(model_file=str(pack / "spm.model"))
    return {processor.id_to_piece(number): number for number in range(processor.get_piece_size())}


def with_vocabulary(pack: Path, vocabulary: Any, **settings: Any) -> InstalledPack:
    installed = verify(pack)
    (pack / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    assert installed.manifest.translation is not None
    translation = replace(installed.manifest.translation, vocabulary="vocab.json", **settings)
    return InstalledPack(pack, replace(installed.manifest, translation=translation))


def test_a_vocabulary_of_the_same_ids_changes_nothing(tiny_pack: Path, tiny: Translator) -> None:
    listed = Translator(with_vocabulary(tiny_pack, vocabulary_of(tiny_pack), target_tokenizer="spm.model"), 1)
    sentences = ["I see bread and 7 more near water.", "", "🐐 maíz ቃል"]
    for sentence in sentences:
        assert listed.encode(sentence, "en", "es") == tiny.encode(sentence, "en", "es")
    assert listed.translate(sentences, "en", "es") == tiny.translate(sentences, "en", "es")
    assert listed._vocabulary == tiny._vocabulary


def test_a_direction_needs_no_tag(tiny_pack: Path, tiny: Translator) -> None:
    bare = (Way("en", "es", ""),)
    translator = Translator(with_vocabulary(tiny_pack, vocabulary_of(tiny_pack), directions=bare), 1)
    assert translator.encode("bread", "en", "es") == tiny.encode("bread", "en", "es")[1:]
    blank, word = translator.translate(["  ", "bread"], "en", "es")
    assert (blank.text, bool(word.text)) == ("  ", True)


def test_the_first_piece_of_the_target_is_told(tiny_pack: Path, tiny: Translator) -> None:
    ids = vocabulary_of(tiny_pack)
    source = tiny.encode("I see bread and 7 more near water.", "en", "es")
    (written,) = tiny.decode_ids([source], 40)
    piece = next(piece for piece, number in ids.items() if number == written[0])
    # Told to begin as it would have begun by itself, the model goes on as it would have gone on.
    assert tiny.decode_ids([source], 40, first=piece) == [written[1:]]


def test_the_places_of_a_model_bound_its_sentences(tiny_pack: Path) -> None:
    translator = Translator(with_vocabulary(tiny_pack, vocabulary_of(tiny_pack), positions=20), 1)
    (long,) = translator.translate(["I see bread and 7 more near water. " * 4], "en", "es")
    assert long.cut


def test_a_piece_that_sentencepiece_does_not_know_is_written_as_it_is(tiny_pack: Path) -> None:
    vocabulary = vocabulary_of(tiny_pack)
    vocabulary |= {"▁漢": 400, "spa_Latn": 401, ">>fra<<": 402}
    pack = with_vocabulary(tiny_pack, vocabulary)
    assert pack.manifest.translation is not None
    pieces = open_pieces(pack, pack.manifest.translation)
    assert isinstance(pieces, ListedPieces)
    assert pieces.decode([400, 400, 999_999]) == "漢 漢"
    assert {401, 402} <= pieces.never_written
    assert 400 not in pieces.never_written


@pytest.mark.parametrize(
    "vocabulary",
    [
        [],
        {"a": "1"},
        {"a": -1},
        {"a": True},
        {"a": 2**40},
        {"</s>": 0, "<unk>": 1},
    ],
)
def test_what_is_no_vocabulary_is_refused(tiny_pack: Path, vocabulary: Any) -> None:
    with pytest.raises(EngineError, match=r"vocab\.json"):
        Translator(with_vocabulary(tiny_pack, vocabulary), 1)


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "\udcff"])
def test_a_damaged_vocabulary_is_refused(tiny_pack: Path, content: str) -> None:
    pack = with_vocabulary(tiny_pack, {})
    (tiny_pack / "vocab.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(EngineError, match=r"vocab\.json"):
        Translator(pack, 1)


def test_a_tag_that_the_vocabulary_lacks_is_refused(tiny_pack: Path) -> None:
    vocabulary = {piece: number for piece, number in vocabulary_of(tiny_pack).items() if piece != ">>spa<<"}
    with pytest.raises(EngineError, match=">>spa<<"):
        Translator(with_vocabulary(tiny_pack, vocabulary), 1)
