"""A manifest is read as something a stranger may have written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from appliance.errors import PackManifestError
from appliance.limits import Limits
from appliance.packs.manifest import parse_manifest, read_manifest


def text_of(pack: Path) -> str:
    """The manifest without the setting that the tests of settings give themselves."""
    return re.sub(r"^positions = .*\n", "", (pack / "pack.toml").read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_a_sound_manifest_is_read(tiny_pack: Path) -> None:
    manifest = read_manifest(tiny_pack)
    assert (manifest.name, manifest.kind, manifest.languages) == ("tiny", "translation", ("en", "es"))
    assert manifest.translation is not None
    assert [(way.source, way.target) for way in manifest.translation.directions] == [("en", "es"), ("es", "en")]
    assert manifest.size == sum(path.stat().st_size for path in tiny_pack.iterdir() if path.name != "pack.toml")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('name = "tiny"', 'name = "../tiny"', "name"),
        ('name = "tiny"', 'name = "TINY"', "name"),
        ('version = "0.1.0"', 'version = "1"', "version"),
        ('kind = "translation"', 'kind = "virus"', "virus"),
        ('path = "encoder.onnx"', 'path = "/etc/passwd"', "path"),
        ('path = "encoder.onnx"', 'path = "../encoder.onnx"', "path"),
        ('path = "encoder.onnx"', 'path = "a//encoder.onnx"', "path"),
        ('path = "encoder.onnx"', 'path = "c:\\\\encoder.onnx"', "path"),
        ('path = "encoder.onnx"', 'path = ".hidden"', "path"),
        ('path = "encoder.onnx"', 'path = "DECODER.onnx"', "same name"),
        ('path = "encoder.onnx"', 'path = "pack.toml"', "manifest"),
        ('path = "encoder.onnx"', 'path = "other.onnx"', "encoder.onnx"),
        ('languages = ["en", "es"]', 'languages = "en"', "languages"),
        ('languages = ["en", "es"]', 'languages = ["english"]', "languages"),
        ('about = "', 'about = 7 # "', "about"),
        ("[translation]", "[[translation]]", "TOML|table|translation"),
    ],
)
def test_a_wrong_field_is_said_by_name(tiny_pack: Path, old: str, new: str, reason: str) -> None:
    changed = text_of(tiny_pack).replace(old, new, 1)
    assert changed != text_of(tiny_pack)
    with pytest.raises(PackManifestError, match=reason):
        parse_manifest(changed.encode(), "tiny")


DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.mark.parametrize(
    ("pack", "old", "new", "reason"),
    [
        ("tiny-llm/pack", 'graph = "model.onnx"', 'graph = "other.onnx"', r"uses other\.onnx, which it does not list"),
        ("tiny-llm/pack", "context = ", "context = 0 # ", "no room for a token"),
        ("tiny-llm/pack", "ends = ", "ends = [] # ", "no token that ends an answer"),
        ("tiny-embedding", 'graph = "model.onnx"', 'graph = "other.onnx"', r"uses other\.onnx, which it does not list"),
        ("tiny-embedding", "dimensions = ", "dimensions = 0 # ", "no dimension"),
        ("tiny-embedding", "most_tokens = ", "most_tokens = 2 # ", "no room for a token"),
        ("tiny/pack", "[[translation.directions]]", "[[translation.ways]]", "no direction of translation"),
        ("tiny/pack", "[[sources]]", "[[figures]]\nset = 'a'\nmetric = 'b'\nvalue = '7'\n[[sources]]", "not a number"),
        (
            "tiny/pack",
            "[[sources]]",
            f"[[figures]]\nset = 'a'\nmetric = 'b'\nvalue = {10**400}\n[[sources]]",
            "too large",
        ),
        ("tiny/pack", "[[sources]]", "[sources]", "sources is not a list of tables"),
        ("tiny/pack", "[translation]", "[translation]\nshortlist = 'words.en.txt'", "a shortlist but no head"),
        ("tiny/pack", "[translation]", "[selftest]\nen-es = 7\n[translation]", "en-es is missing or not of its form"),
    ],
)
def test_settings_that_make_no_sense_are_said(pack: str, old: str, new: str, reason: str) -> None:
    text = (DATA / pack / "pack.toml").read_text(encoding="utf-8")
    changed = text.replace(old, new)
    assert changed != text
    with pytest.raises(PackManifestError, match=reason):
        parse_manifest(changed.encode(), "it")


def test_a_language_model_and_an_embedding_say_how_they_are_used() -> None:
    model = read_manifest(DATA / "tiny-llm" / "pack").generation
    assert model is not None
    assert (model.graph, model.data, model.prompt_graph) == ("model.onnx", "model.onnx.data", "")
    assert {role: model.chat.of(role) for role in ("system", "user", "assistant")} == {
        "system": model.chat.system,
        "user": model.chat.user,
        "assistant": model.chat.assistant,
    }
    embedding = read_manifest(DATA / "tiny-embedding").embedding
    assert embedding is not None
    assert (embedding.graph, embedding.pooling) == ("model.onnx", "mean")


@pytest.mark.parametrize("size", ["-1", "1.5", '"12"', "true", str(10**18)])
def test_a_size_that_cannot_be_is_refused(tiny_pack: Path, size: str) -> None:
    lines = [f"size = {size}" if line.startswith("size = ") else line for line in text_of(tiny_pack).splitlines()]
    with pytest.raises(PackManifestError, match="size"):
        parse_manifest("\n".join(lines).encode(), "tiny")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b"name = ",
        b"[[[[",
        b"a = " + b"[" * 5000,
        b"a = " + b"1" * 5000,
        b"a = 2026-02-30",
        b"name = 1979-05-27",
    ],
)
def test_what_is_no_manifest_is_refused(raw: bytes) -> None:
    with pytest.raises(PackManifestError):
        parse_manifest(raw, "odd")


def test_a_huge_manifest_is_not_read(tiny_pack: Path) -> None:
    (tiny_pack / "pack.toml").write_bytes(b"#" * 5000)
    with pytest.raises(PackManifestError, match="larger"):
        read_manifest(tiny_pack, Limits(manifest_bytes=4096))


def test_a_missing_manifest_is_said(tmp_path: Path) -> None:
    with pytest.raises(PackManifestError, match="cannot be read"):
        read_manifest(tmp_path)


def test_too_many_files_or_bytes_are_refused(tiny_pack: Path) -> None:
    for limits in (Limits(pack_files=2), Limits(pack_bytes=1000)):
        with pytest.raises(PackManifestError):
            read_manifest(tiny_pack, limits)


CARD = '\n[[files]]\npath = "card.md"\nsize = 1\nsha256 = "' + "0" * 64 + '"\n'


def test_a_card_is_named_and_listed(tiny_pack: Path) -> None:
    named = text_of(tiny_pack).replace("\n[translation]", 'card = "card.md"\n[translation]', 1)
    assert parse_manifest((named + CARD).encode(), "tiny").card == "card.md"
    with pytest.raises(PackManifestError, match=r"card\.md"):
        parse_manifest(named.encode(), "tiny")
    with pytest.raises(PackManifestError, match="card"):
        parse_manifest(named.replace("card.md", "../card.md").encode(), "tiny")


def test_a_model_with_a_vocabulary_of_its_own_says_how_it_is_steered(tiny_pack: Path) -> None:
    own = 'vocabulary = "words.en.txt"\ntarget_tokenizer = "spm.model"\nstart = "</s>"\npositions = 512\n'
    text = text_of(tiny_pack).replace('tokenizer = "spm.model"\n', 'tokenizer = "spm.model"\n' + own, 1)
    text = text.replace('tag = ">>spa<<"\n', 'tag = "eng_Latn"\nfirst = "spa_Latn"\n', 1)
    settings = parse_manifest(text.encode(), "tiny").translation
    assert settings is not None
    assert (settings.vocabulary, settings.target_tokenizer) == ("words.en.txt", "spm.model")
    assert (settings.start, settings.positions) == ("</s>", 512)
    assert [way.first for way in settings.directions] == ["spa_Latn", ""]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('vocabulary = "vocab.json"', r"vocab\.json"),
        ('vocabulary = "../vocab.json"', "vocabulary"),
        ('target_tokenizer = "spm.model"', "no vocabulary"),
        ("positions = -1", "positions"),
        ("start = 7", "start"),
    ],
)
def test_a_wrong_setting_of_a_vocabulary_is_said(tiny_pack: Path, line: str, reason: str) -> None:
    text = text_of(tiny_pack).replace('tokenizer = "spm.model"\n', f'tokenizer = "spm.model"\n{line}\n', 1)
    with pytest.raises(PackManifestError, match=reason):
        parse_manifest(text.encode(), "tiny")
