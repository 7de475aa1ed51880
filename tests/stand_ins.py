"""Packs without files, and engines that lend stand-ins for translators, for tests of what lies above them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from appliance.inference.engines import Engines, Openers
from appliance.limits import LIMITS, Limits
from appliance.packs.manifest import Figure, Manifest, PackFile, TranslationSettings, Way
from appliance.packs.store import InstalledPack

MIB = 1024 * 1024


def pack_of(
    name: str, *ways: tuple[str, str], figures: tuple[Figure, ...] = (), memory_bytes: int = MIB
) -> InstalledPack:
    """A translation pack that says what it is told to, and has no files."""
    directions = tuple(Way(source, target, "") for source, target in ways)
    manifest = Manifest(
        name=name,
        version="1.0.0",
        kind="translation",
        title=name.capitalize(),
        languages=tuple(sorted({language for way in ways for language in way})),
        licence="CC0-1.0",
        about="",
        recipe="",
        memory_bytes=memory_bytes,
        least_appliance="0.1.0",
        files=(PackFile("nothing", 0, "0" * 64),),
        figures=figures,
        translation=TranslationSettings("", "", "", directions),
    )
    return InstalledPack(Path("nowhere") / name, manifest)


class HasPack(Protocol):
    @property
    def pack(self) -> InstalledPack: ...


def engines_of(translators: Iterable[HasPack], budget: int = 1024 * MIB, limits: Limits = LIMITS) -> Engines:
    """Engines that open each pack as the one of `translators` that has it; all are open, as in a box that is warm."""
    by_path: dict[Path, Any] = {each.pack.path: each for each in translators}
    engines = Engines(budget, 1, limits, Openers(translation=lambda pack, *_: by_path[pack.path]))
    for each in by_path.values():
        engines.open_if_free(each.pack)
    return engines
