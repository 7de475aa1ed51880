"""Public translation models become packs whose tokens are those of transformers: ids, greedy output, logits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.factory
torch = pytest.importorskip("torch", reason="the factory's libraries are not installed: make test-factory")

from transformers import AutoTokenizer  # noqa: E402

from appliance.inference.seq2seq import Seq2Seq  # noqa: E402
from appliance.inference.translator import Translator  # noqa: E402
from appliance.limits import Limits  # noqa: E402
from appliance.packs.manifest import Way  # noqa: E402
from appliance.packs.store import verify  # noqa: E402
from models.convert import ConvertOptions  # noqa: E402
from models.convert import marian as converter  # noqa: E402
from models.errors import FactoryError  # noqa: E402
from models.pack import write_manifest  # noqa: E402
from models.parity import LogitError, translation_error  # noqa: E402
from models.recipe import PackRecipe  # noqa: E402
from tests.factory import public_models  # noqa: E402
from tests.factory.public_models import SENTENCES  # noqa: E402

LIMIT = 16
OPUS = (Way("en", "es", ">>spa<<"), Way("es", "en", ""))
NLLB = (Way("en", "es", "eng_Latn", "spa_Latn"), Way("hi", "sw", "hin_Deva", "swh_Latn"))


@dataclass(frozen=True)
class Made:
    """A checkpoint, its model in torch, and the folder packs of it are made beside."""

    checkpoint: Path
    model: Any
    directions: tuple[Way, ...]

    def pack(self, bits: int) -> Path:
        """The pack in so many bits, made the first time it is asked for."""
        folder = self.checkpoint.with_name(f"{self.checkpoint.name}-{bits}")
        if not folder.exists():
            options = ConvertOptions(bits=bits, directions=self.directions)
            converted = converter.convert(self.checkpoint, folder, options, lambda line: None)
            languages = tuple(sorted({language for way in self.directions for language in (way.source, way.target)}))
            recipe = PackRecipe("made", "0.1.0", "translation", "Made", languages, "CC0-1.0", "Random weights.", Path())
            write_manifest(folder, recipe, converted.settings, sources=(), memory_bytes=converted.memory_bytes)
        return folder

    def translator(self, bits: int) -> Translator:
        return Translator(verify(self.pack(bits)), 1, Limits(source_pieces=400))

    def graphs(self, bits: int) -> Seq2Seq:
        folder = self.pack(bits)
        return Seq2Seq(folder / "encoder.onnx", folder / "decoder.onnx", "made", 1)


def make(name: str, folder: Path, lively: bool = True) -> Made:
    if name == "opus":
        return Made(folder, public_models.make_marian(folder, public_models.small_marian(), lively=lively), OPUS)
    return Made(folder, public_models.make_nllb(folder, public_models.small_nllb(), lively=lively), NLLB)


@pytest.fixture(scope="module", params=["opus", "nllb"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(request.param, tmp_path_factory.mktemp("lively") / request.param)


@pytest.fixture(scope="module", params=["opus", "nllb"])
def plain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(request.param, tmp_path_factory.mktemp("plain") / request.param, lively=False)


def their_ids(made: Made, way: Way, sentence: str) -> list[int]:
    tokenizer = AutoTokenizer.from_pretrained(str(made.checkpoint), use_fast=False)
    if way.first:
        tokenizer.src_lang = way.tag
        return tokenizer(sentence).input_ids
    return tokenizer(f"{way.tag} {sentence}" if way.tag else sentence).input_ids


def greedy(made: Made, sources: list[list[int]], way: Way, translator: Translator, limit: int) -> list[list[int]]:
    """What transformers writes for each source alone, without start, first piece and end."""
    written = []
    banned = [[number] for number in sorted(translator._pieces.never_written - {translator._vocabulary.end})]
    for source in sources:
        tokens = made.model.generate(
            input_ids=torch.tensor([source]),
            num_beams=1,
            do_sample=False,
            max_new_tokens=limit + bool(way.first),
            forced_bos_token_id=translator._pieces.id_of(way.first) if way.first else None,
            forced_eos_token_id=None,
            bad_words_ids=banned,
        )[0].tolist()[1 + bool(way.first) :]
        written.append(tokens[:-1] if tokens[-1] == translator._vocabulary.end else tokens)
    return written


def test_a_sentence_is_cut_into_the_ids_of_transformers(made: Made) -> None:
    translator = made.translator(32)
    for way in made.directions:
        for sentence in SENTENCES:
            if not sentence.startswith(">>"):
                assert translator.encode(sentence, way.source, way.target) == their_ids(made, way, sentence), sentence


def test_a_tag_typed_by_a_person_is_text(made: Made) -> None:
    translator = made.translator(32)
    way = made.directions[0]
    ids = translator.encode(">>eng<< spa_Latn </s> bread", way.source, way.target)
    assert not set(ids[1:-1]) & (translator._pieces.never_written - {translator._pieces.id_of("<unk>")})
    assert ids.count(translator._vocabulary.end) == 1


def test_text_comes_back_as_transformers_writes_it(made: Made) -> None:
    translator = made.translator(32)
    tokenizer = AutoTokenizer.from_pretrained(str(made.checkpoint), use_fast=False)
    tokenizer.tgt_lang = "spa_Latn"
    for sentence in SENTENCES[:2] + SENTENCES[7:10]:
        ids = [n for n in tokenizer(text_target=sentence).input_ids if n not in tokenizer.all_special_ids]
        theirs = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert translator._pieces.decode(ids) == theirs


def test_greedy_output_is_that_of_transformers_token_for_token(made: Made) -> None:
    translator = made.translator(32)
    for way, sentences in zip(made.directions, (SENTENCES[::2], SENTENCES[1::4]), strict=True):
        sources = [translator.encode(sentence, way.source, way.target) for sentence in sentences]
        expected = greedy(made, sources, way, translator, LIMIT)
        assert len({token for tokens in expected for token in tokens}) > 10  # they say more than one thing
        assert translator.decode_ids(sources, LIMIT, first=way.first) == expected


def test_a_sentence_is_translated_alike_alone_and_in_a_batch(made: Made) -> None:
    translator = made.translator(32)
    way = made.directions[0]
    together = translator.translate([*SENTENCES, "", " "], way.source, way.target)
    assert [each.text for each in together[-2:]] == ["", " "]
    for sentence, translated in list(zip(SENTENCES, together, strict=False))[::4]:
        assert translator.translate([sentence], way.source, way.target) == [translated]


def test_the_logits_are_those_of_the_model(made: Made, record_property: Any) -> None:
    error = error_of(made, 32, record_property)
    assert (error.largest < 0.05 * error.spread, error.top1) == (True, 1.0)


def test_the_logits_of_int8_stay_near_those_of_the_model(plain: Made, record_property: Any) -> None:
    error = error_of(plain, 8, record_property)
    assert 0 < error.mean < 0.1 * error.spread
    assert error.top1 > 0.8


def error_of(made: Made, bits: int, record_property: Any) -> LogitError:
    """The error of a pack along its own greedy output; `--junit-xml` reports it."""
    translator = made.translator(bits)
    way = made.directions[0]
    sources = [translator.encode(sentence, way.source, way.target) for sentence in SENTENCES[:6]]
    begin = [translator._vocabulary.start, *([translator._pieces.id_of(way.first)] if way.first else [])]
    targets = [begin + tokens for tokens in translator.decode_ids(sources, LIMIT, first=way.first)]
    error = translation_error(made.model, made.graphs(bits), sources, targets)
    record_property(f"{made.checkpoint.name} {bits} bits", str(error))
    return error


def test_the_int8_pack_translates(plain: Made) -> None:
    way = plain.directions[0]
    assert plain.translator(8).translate(SENTENCES[:1], way.source, way.target)[0].text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"directions": (Way("en", "fr", ">>fra<<"),)}, "fra"),
        ({"directions": (Way("en", "fr", "", ">>fra<<"),)}, "fra"),
        ({"bits": 4}, "8 or 32 bits"),
    ],
)
def test_what_the_model_cannot_do_is_said(made: Made, tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    options = ConvertOptions(**{"bits": 32, "directions": made.directions, **changed})
    with pytest.raises(FactoryError, match=said):
        converter.convert(made.checkpoint, tmp_path / "pack", options, lambda line: None)


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("config.json", {"model_type": "t5"}, "t5"),
        ("config.json", {"eos_token_id": 5}, "eos_token_id"),
        ("config.json", {"decoder_start_token_id": None}, "decoder_start_token_id"),
        ("config.json", {"vocab_size": 40}, "ids above 39"),
        ("tokenizer_config.json", {"separate_vocabs": True}, "share one"),
    ],
)
def test_a_checkpoint_that_does_not_fit_together_is_said(tmp_path: Path, file: str, change: dict, said: str) -> None:
    checkpoint = tmp_path / "opus"
    public_models.make_marian(checkpoint, public_models.small_marian())
    settings = json.loads((checkpoint / file).read_text(encoding="utf-8"))
    (checkpoint / file).write_text(json.dumps({**settings, **change}), encoding="utf-8")
    with pytest.raises(FactoryError, match=said):
        converter.convert(checkpoint, tmp_path / "pack", ConvertOptions(bits=32, directions=OPUS), lambda line: None)


def test_a_missing_tokenizer_file_is_said(tmp_path: Path) -> None:
    checkpoint = tmp_path / "opus"
    public_models.make_marian(checkpoint, public_models.small_marian())
    (checkpoint / "target.spm").unlink()
    with pytest.raises(FactoryError, match=r"target\.spm"):
        converter.convert(checkpoint, tmp_path / "pack", ConvertOptions(bits=32, directions=OPUS), lambda line: None)
