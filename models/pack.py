"""A pack folder from the files the other steps made: `pack.toml` written last, from what is on the disk."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from appliance import __version__
from appliance.packs.manifest import MANIFEST, Figure, Origin
from appliance.translation.languages import WORD
from models.convert.memory import translation_memory
from models.corpus import Pair
from models.recipe import HEADING, PackRecipe, Recipe

CARD = "card.md"
SHORTLIST = "shortlist.npz"
COMMON_WORDS = 3000  # of each language, for recognising the language of short texts
BLOCK = 1024 * 1024


def build_pack(
    recipe: Recipe,
    graphs: Path,
    spm_model: Path,
    pairs: dict[str, list[Pair]],
    folder: Path,
    shortlist: Path | None = None,
) -> None:
    """Put the files of a trained translation pack in `folder`, with a `pack.toml` that has no figures yet."""
    begin_pack(folder)
    if shortlist is not None:
        shutil.copyfile(shortlist, folder / SHORTLIST)
    for path in graphs.iterdir():
        shutil.copyfile(path, folder / path.name)
    shutil.copyfile(spm_model, folder / "spm.model")
    everyday = pairs[recipe.corpus.sources[0].name]
    for language, side in ((recipe.corpus.source, "source"), (recipe.corpus.target, "target")):
        words = common_words(getattr(pair, side) for pair in everyday)
        (folder / f"words.{language}.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    describe_translation(recipe, folder)


def begin_pack(folder: Path) -> None:
    """Make an empty `folder`, in place of what may be there."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)


def common_words(sentences: Iterable[str]) -> list[str]:
    """The most frequent words, frequent ones first."""
    counts = Counter(word for sentence in sentences for word in WORD.findall(sentence.lower()))
    return [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:COMMON_WORDS]]


def describe_translation(
    recipe: Recipe, folder: Path, figures: Sequence[Figure] = (), selftest: dict[str, str] | None = None
) -> None:
    """Write `pack.toml` for the files of a trained translation pack in `folder`."""
    settings: dict[str, Any] = {
        "encoder": "encoder.onnx",
        "decoder": "decoder.onnx",
        **({"head": "head.onnx", "shortlist": SHORTLIST} if (folder / SHORTLIST).is_file() else {}),
        "tokenizer": "spm.model",
        "positions": recipe.model.max_positions,
        "words": {language: f"words.{language}.txt" for language in recipe.languages},
        "directions": [{"source": way.source, "target": way.target, "tag": way.tag} for way in recipe.directions],
    }
    sources = [Origin(each.title, each.licence, each.url, each.revision) for each in recipe.corpus.sources]
    write_manifest(
        folder,
        recipe,
        settings,
        sources=sources,
        memory_bytes=translation_memory(size_of(folder), recipe.model.decoder_layers, recipe.model.d_model),
        figures=figures,
        selftest=selftest,
    )


def write_manifest(
    folder: Path,
    recipe: PackRecipe,
    settings: dict[str, Any],
    *,
    sources: Sequence[Origin],
    memory_bytes: int,
    figures: Sequence[Figure] = (),
    selftest: dict[str, str] | None = None,
) -> None:
    """Write `pack.toml` of any kind for the files in `folder`, the same bytes for the same files and words.

    From the recipe come its heading and the name of its file. `settings` is the table named after the kind: plain
    values, lists of them, tables and lists of tables. A file `card.md` in the folder becomes the pack's card.
    """
    files = _files(folder)
    lines = [f"{name} = {toml_value(getattr(recipe, name))}" for name in HEADING]
    lines += [f"recipe = {toml_value(recipe.path.name)}"]
    lines += [f"memory_bytes = {memory_bytes}", f"least_appliance = {toml_value(__version__)}"]
    if (folder / CARD).is_file():
        lines.append(f"card = {toml_value(CARD)}")
    lines += _settings(recipe.kind, settings)
    if selftest:
        lines += ["", "[selftest]", *(f"{_key(key)} = {toml_value(value)}" for key, value in selftest.items())]
    for source in sources:
        lines += _row("sources", vars(source))
    for figure in figures:
        lines += _row("figures", vars(figure))
    for path in files:
        row = {"path": path.relative_to(folder).as_posix(), "size": path.stat().st_size, "sha256": _sha256(path)}
        lines += _row("files", row)
    partial = folder / f".{MANIFEST}.partial"
    partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    partial.replace(folder / MANIFEST)


def size_of(folder: Path) -> int:
    """Bytes of all files of a pack but its manifest."""
    return sum(path.stat().st_size for path in _files(folder))


def toml_value(value: object) -> str:
    """A TOML value; JSON's strings, numbers and lists of them are TOML's but for one control character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _files(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return sorted(path for path in found if path != folder / MANIFEST)


def _settings(kind: str, settings: dict[str, Any]) -> list[str]:
    plain = {key: value for key, value in settings.items() if not isinstance(value, dict) and not _is_rows(value)}
    lines = ["", f"[{kind}]", *(f"{key} = {toml_value(value)}" for key, value in plain.items())]
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            inner = (f"{_key(name)} = {toml_value(each)}" for name, each in value.items())
            lines += ["", f"[{kind}.{key}]", *inner]
    for key, value in settings.items():
        if _is_rows(value):
            for row in value:
                lines += _row(f"{kind}.{key}", row)
    return lines


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _row(name: str, values: dict[str, Any]) -> list[str]:
    return ["", f"[[{name}]]", *(f"{_key(key)} = {toml_value(value)}" for key, value in values.items())]


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_value(name)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
