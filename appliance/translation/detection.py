"""What tells the languages of the packs in use apart: their names, and the words that packs list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from appliance.packs.store import InstalledPack
from appliance.translation.languages import LanguageDetector
from appliance.translation.routes import ways_of


def detector_of(packs: Sequence[InstalledPack]) -> LanguageDetector:
    """Tells the languages of `packs` apart."""
    return LanguageDetector({language for pack in packs for way in ways_of(pack) for language in way}, _words(packs))


def _words(packs: Sequence[InstalledPack]) -> dict[str, list[str]]:
    """The words of each language, frequent ones first; a word that several packs list has the best of its ranks."""
    best: dict[str, dict[str, int]] = {}
    for pack in packs:
        for language, file in pack.manifest.translation.words.items() if pack.manifest.translation else ():
            ranks = best.setdefault(language, {})
            for rank, word in enumerate(_listed(pack.path / file)):
                ranks[word] = min(rank, ranks.get(word, rank))
    return {language: sorted(ranks, key=ranks.__getitem__) for language, ranks in best.items()}


def _listed(path: Path) -> list[str]:
    """The words in a file of a pack; what is not UTF-8 in it must not keep the box from starting."""
    return path.read_text(encoding="utf-8", errors="replace").split()
