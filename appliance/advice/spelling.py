"""Words that were meant, for words that nobody knows: most people write on a phone as they speak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from difflib import SequenceMatcher

SHORTEST = 4  # letters: shorter words resemble too many
ALIKE = 0.75  # of the letters of both words, in order, as difflib counts
LOOKED_AT = 12  # words with the most pieces in common


class Spelling:
    """The words that are known; finds the one that is most like another."""

    def __init__(self, words: Iterable[str]) -> None:
        self._with: dict[str, list[str]] = {}  # words by each of their pieces
        for word in words:
            for piece in _pieces(word):
                self._with.setdefault(piece, []).append(word)

    def nearest(self, word: str) -> str:
        """The known word that is most like `word`; "" if none is like it."""
        if len(word) < SHORTEST:
            return ""
        shared = Counter(known for piece in _pieces(word) for known in self._with.get(piece, ()))
        best = max(
            (
                (_likeness(word, known), known)
                for known, _ in shared.most_common(LOOKED_AT)
                if len(known) >= SHORTEST - 1
            ),
            default=(0.0, ""),
        )
        return best[1] if best[0] >= ALIKE else ""


def _pieces(word: str) -> set[str]:
    """Two letters each, the beginning and the end of the word counted."""
    framed = f"^{word}$"
    return {framed[at : at + 2] for at in range(len(framed) - 1)}


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, False).ratio()
