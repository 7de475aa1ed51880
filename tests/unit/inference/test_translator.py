"""The engine says what the reference says, whatever the batch, and stops when asked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import CancelledError, EngineError, UnknownLanguagePairError
from appliance.inference.translator import Translator
from appliance.limits import Limits
from appliance.packs.store import InstalledPack, verify

MODELS = Path(__file__).resolve().parents[3] / "models"


def test_greedy_output_is_that_of_transformers_token_for_token(tiny: Translator, expected: dict[str, Any]) -> None:
    assert tiny.decode_ids(expected["sources"], expected["limit"]) == expected["greedy"]


def test_beam_search_finds_what_transformers_finds(tiny: Translator, expected: dict[str, Any]) -> None:
    assert tiny.decode_ids(expected["sources"], expected["limit"], beam=4) == expected["beam"]


@pytest.mark.parametrize("beam", [1, 2, 4])
def test_a_sentence_is_translated_alike_alone_and_in_a_batch(
    tiny: Translator, expected: dict[str, Any], beam: int
) -> None:
    together = tiny.decode_ids(expected["sources"], expected["limit"], beam)
    assert together == [tiny.decode_ids([source], expected["limit"], beam)[0] for source in expected["sources"]]


def test_blank_sentences_stay_and_keep_their_place(tiny: Translator) -> None:
    written = tiny.translate(["", "I see bread and 7 more near water.", "  "], "en", "es")
    assert [each.text for each in written][0::2] == ["", "  "]
    assert written[1].text.startswith("Veo")


def test_sentences_are_told_as_they_are_ready(tiny: Translator) -> None:
    told: dict[int, str] = {}
    written = tiny.translate(
        ["I see bread and 7 more near water.", "bread"],
        "en",
        "es",
        on_done=lambda n, each: told.__setitem__(n, each.text),
    )
    assert told == dict(enumerate(each.text for each in written))


def test_the_work_stops_between_two_steps(tiny: Translator) -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    with pytest.raises(CancelledError):
        tiny.translate(["I see bread and 7 more near water."] * 40, "en", "es", cancelled=cancelled)
    assert asked == 4


def test_a_source_too_long_for_the_model_is_cut_and_said(tiny: Translator) -> None:
    short = Translator(tiny.pack, 1, Limits(source_pieces=20))
    long, fine = short.translate(["I see bread and 7 more near water. " * 20, "bread"], "en", "es")
    assert long.cut
    assert not fine.cut


def test_output_is_bounded_by_the_length_of_the_source(tiny: Translator) -> None:
    bounded = Translator(tiny.pack, 1, Limits(target_growth=0.0, target_slack=3))
    (written,) = bounded.translate(["I see bread and 7 more near water."], "en", "es")
    assert len(bounded.encode(written.text, "en", "es")) <= 3 + 3


def test_an_unknown_direction_is_refused_with_those_there_are(tiny: Translator) -> None:
    with pytest.raises(UnknownLanguagePairError) as caught:
        tiny.translate(["bread"], "en", "sw")
    assert caught.value.fields["installed"] == "en→es, es→en"


def test_a_tag_typed_by_a_person_is_text(tiny: Translator) -> None:
    plain = tiny.encode("bread", "en", "es")
    assert tiny.encode(">>eng<< bread", "en", "es")[0] == plain[0]
    assert tiny.encode(">>eng<<", "en", "es").count(tiny.encode("x", "es", "en")[0]) == 0


@pytest.mark.parametrize("name", ["encoder.onnx", "decoder.onnx", "spm.model"])
def test_a_damaged_file_is_an_error_of_the_engine(tiny_pack: Path, name: str) -> None:
    sound = verify(tiny_pack)
    (tiny_pack / name).write_bytes(b"not a model")
    with pytest.raises(EngineError, match="tiny"):
        Translator(InstalledPack(tiny_pack, sound.manifest), 1)


def test_a_decoder_of_another_form_is_refused(tiny_pack: Path) -> None:
    sound = verify(tiny_pack)
    (tiny_pack / "decoder.onnx").write_bytes((tiny_pack / "encoder.onnx").read_bytes())
    with pytest.raises(EngineError, match="places"):
        Translator(InstalledPack(tiny_pack, sound.manifest), 1)


@pytest.mark.parametrize("beam", [1, 4])
def test_in_int8_too_a_sentence_does_not_depend_on_its_company(starter: InstalledPack, beam: int) -> None:
    translator = Translator(starter, 2)
    rows = (MODELS / "probes.tsv").read_text(encoding="utf-8").splitlines()[1:]
    sentences = [row.split("\t")[0] for row in rows]
    together = translator.translate(sentences, "en", "es", beam=beam)
    assert [translator.translate([each], "en", "es", beam=beam)[0] for each in sentences] == together
    assert len(sentences) >= 20


def test_the_starter_pack_translates_a_plain_sentence_both_ways(starter: InstalledPack) -> None:
    translator = Translator(starter, 1)
    assert "agua" in translator.translate(["The water is clean."], "en", "es")[0].text.lower()
    assert "water" in translator.translate(["El agua está limpia."], "es", "en")[0].text.lower()


@pytest.mark.parametrize("way", [("en", "es"), ("es", "en")], ids="-".join)
def test_the_guard_changes_nothing_in_ordinary_sentences(starter: InstalledPack, way: tuple[str, str]) -> None:
    translator = Translator(starter, 1)
    english = "The water is clean. We need 1000000 bags. No, no, no! He said that he had had it. Very, very, very good."
    spanish = "El agua está limpia. Hay 1000000 sacos. ¡No, no, no! Dijo que lo había tenido. Muy, muy, muy bueno."
    sentences = re.findall(r"[^.!]+[.!]", english if way[0] == "en" else spanish)
    sources = [translator.encode(sentence.strip(), *way) for sentence in sentences]
    limits = [translator._target_limit(len(source)) for source in sources]
    unguarded = [
        translator.decode_ids([source], limit, 4, way=way)[0] for source, limit in zip(sources, limits, strict=True)
    ]
    guarded = translator.translate([sentence.strip() for sentence in sentences], *way, beam=4)
    assert [each.text for each in guarded] == [translator._pieces.decode(tokens) for tokens in unguarded]
    assert not any(each.held for each in guarded)
