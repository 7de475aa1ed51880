"""How hard a text is to read: the Flesch–Kincaid grade of English, words a sentence of other languages.

The grade is the years at school after which a text is read with ease (Kincaid et al. 1975): 0.39 times the words of a
sentence and 11.8 times the syllables of a word, less 15.59. Syllables are counted by rule, as good as other counters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from appliance.translation import sentences

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
VOWELS = re.compile(r"[aeiouy]+")
SILENT = re.compile(r"[^aeiouy]e$|[^aeiouytd]ed$|[^aeiouysxzcg]es$")
MARKUP = re.compile(r"[*_`#>]+")


def parts(texts: Sequence[str]) -> list[list[str]]:
    """The words of each sentence, and of each line of a list."""
    pieces = (piece for text in texts for piece in sentences.split(MARKUP.sub("", text)))
    return [words for piece in pieces if (words := WORD.findall(piece.sentence))]


def syllables(word: str) -> int:
    """Of an English word: groups of vowels, without an e that is not heard."""
    folded = word.lower().replace("’", "'").partition("'")[0]
    count = len(VOWELS.findall(folded))
    silent = SILENT.search(folded) and not folded.endswith(("le", "les"))
    return max(1, count - bool(silent))


def words_a_sentence(texts: Sequence[str]) -> float:
    """On the average."""
    found = parts(texts)
    return sum(map(len, found)) / max(1, len(found))


def grade(texts: Sequence[str]) -> float:
    """Flesch–Kincaid grade of English texts."""
    found = [word for words in parts(texts) for word in words]
    a_word = sum(map(syllables, found)) / max(1, len(found))
    return 0.39 * words_a_sentence(texts) + 11.8 * a_word - 15.59
