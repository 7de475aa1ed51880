"""A pack folder from the files the other steps made: `pack.toml` written last, from what is on the disk."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from appliance import __version__
from appliance.packs.manifest import MANIFEST, Figure
from appliance.translation.languages import WORD
from models.corpus import Pair
from models.recipe import Recipe

COMMON_WORDS = 3000  # of each language, for recognising the language of short texts
WORKING_MEMORY = 160 * 1024 * 1024  # bytes, beside three times the weights: measured by benchmarks/memory.py


def build_pack(recipe: Recipe, graphs: Path, spm_model: Path, pairs: dict[str, list[Pair]], folder: Path) -> None:
    """Put the files of a translation pack in `folder`, with a `pack.toml` that has no figures yet."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for name in ("encoder.onnx", "decoder.onnx"):
        shutil.copyfile(graphs / name, folder / name)
    shutil.copyfile(spm_model, folder / "spm.model")
    everyday = pairs[recipe.corpus.sources[0].name]
    for language, side in ((recipe.corpus.source, "source"), (recipe.corpus.target, "target")):
        words = common_words(getattr(pair, side) for pair in everyday)
        (folder / f"words.{language}.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    write_manifest(recipe, folder, [])


def common_words(sentences: Iterable[str]) -> list[str]:
    """The most frequent words, frequent ones first."""
    counts = Counter(word for sentence in sentences for word in WORD.findall(sentence.lower()))
    return [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:COMMON_WORDS]]


def write_manifest(recipe: Recipe, folder: Path, figures: list[Figure], selftest: dict[str, str] | None = None) -> None:
    """Write `pack.toml` for the files in `folder`."""
    files = sorted(path for path in folder.iterdir() if path.name != MANIFEST)
    size = sum(path.stat().st_size for path in files)
    lines = [
        f"name = {_text(recipe.name)}",
        f"version = {_text(recipe.version)}",
        f"kind = {_text(recipe.kind)}",
        f"title = {_text(recipe.title)}",
        f"languages = {_text(list(recipe.languages))}",
        f"licence = {_text(recipe.licence)}",
        f"about = {_text(recipe.about)}",
        f"recipe = {_text(recipe.path.name)}",
        f"memory_bytes = {3 * size + WORKING_MEMORY}",
        f"least_appliance = {_text(__version__)}",
        "",
        "[translation]",
        'encoder = "encoder.onnx"',
        'decoder = "decoder.onnx"',
        'tokenizer = "spm.model"',
        "",
        "[translation.words]",
        *(f'{language} = "words.{language}.txt"' for language in recipe.languages),
    ]
    for way in recipe.directions:
        lines += _table("translation.directions", {"source": way.source, "target": way.target, "tag": way.tag})
    if selftest:
        lines += ["", "[selftest]", *(f"{key} = {_text(value)}" for key, value in selftest.items())]
    for source in recipe.corpus.sources:
        lines += _table(
            "sources",
            {"title": source.title, "licence": source.licence, "url": source.url, "revision": source.revision},
        )
    for figure in figures:
        lines += _table("figures", vars(figure))
    for path in files:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lines += _table("files", {"path": path.name, "size": path.stat().st_size, "sha256": digest})
    partial = folder / f".{MANIFEST}.partial"
    partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    partial.replace(folder / MANIFEST)


def _table(name: str, values: dict[str, str | int | float]) -> list[str]:
    return ["", f"[[{name}]]", *(f"{key} = {_text(value)}" for key, value in values.items())]


def _text(value: object) -> str:
    """A TOML value; JSON's strings, numbers and lists of them are TOML's."""
    return json.dumps(value, ensure_ascii=False)
