"""What people type, in the form that a model learned from: no shouting, no invisible signs, no endless repetition.

Corpora are written by careful people. A sentence in capitals costs a model two thirds of its chrF2, and one without a
capital some of it (decision 13), so both are given to it as they would stand in a book, and its answer is put into
the form that was typed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import groupby

SHOUTED_LETTERS = 5  # so many capitals, or two words of them, are shouting; fewer may be an abbreviation
SHOUTED_SHARE = 0.8  # of the letters; “5 kg” may stand among them
LONGEST_WORD = 60  # letters; what is longer is no word of any language written with spaces
LONGEST_UNIT = 8  # words that are said again and again
LEAST_REPEATS = 6

FIRST_LETTER = re.compile(r"\W*([^\W\d_])")  # of a sentence that does not begin with a figure
WORD = re.compile(r"[^\W\d_]+")
ENGLISH_I = re.compile(r"\bi\b")
# Known by their capitals in more than one language, and no word in any: they keep them when a sentence loses its own.
ACRONYMS = frozenset("HIV VIH NGO ONG USA DNA ADN UNICEF NPK PVC USB SMS GPS PDF COVID".split())
# Scripts by the words their letters' names begin with. A language that is not here is written with LATIN ones.
SCRIPTS = {
    "am": "ETHIOPIC",
    "ti": "ETHIOPIC",
    "ar": "ARABIC",
    "fa": "ARABIC",
    "ps": "ARABIC",
    "ur": "ARABIC",
    "bn": "BENGALI",
    "hi": "DEVANAGARI",
    "mr": "DEVANAGARI",
    "ne": "DEVANAGARI",
    "el": "GREEK",
    "he": "HEBREW",
    "km": "KHMER",
    "my": "MYANMAR",
    "ru": "CYRILLIC",
    "uk": "CYRILLIC",
    "th": "THAI",
    "ta": "TAMIL",
    "te": "TELUGU",
    "ja": "",  # several: not told apart
    "ko": "",
    "zh": "",
}
WITHOUT_SPACES = frozenset("ja km lo my th zh".split())
JOINERS = "\u200c\u200d"  # invisible, and part of the spelling in Persian, Hindi and others


@dataclass(frozen=True)
class Typed:
    """A sentence as the model is given it, and what to do with its answer.

    `text` is "" where there is nothing to translate, and `kept` is what stands there instead. `circling`: it says the
    same again and again.
    """

    text: str
    kept: str = ""
    shouted: bool = False
    small: bool = False  # begins without a capital
    large: bool = False  # begins with one
    times: int = 1  # the answer is said so often
    circling: bool = False


def read(sentence: str, language: str) -> Typed:
    """`sentence`, in `language` (a BCP 47 tag), made ready for a model."""
    text = visible(sentence)
    if not is_translatable(text, language):
        return Typed("", kept=text)
    unit, times = repetition(text)
    circling = times > 1 or longest_run(text) >= LEAST_REPEATS
    if is_shouted(text):
        return Typed(_sentence_case(unit, language), shouted=True, times=times, circling=circling)
    first = FIRST_LETTER.match(unit)
    small = first is not None and first.group(1).islower()
    large = first is not None and first.group(1).isupper()
    return Typed(_capitalised(unit) if small else unit, small=small, large=large, times=times, circling=circling)


def answer(typed: Typed, translated: str, language: str) -> str:
    """`translated`, in `language`, in the form of what was typed."""
    if typed.kept:
        return typed.kept
    if typed.shouted:
        translated = translated.upper()
    elif typed.small:
        translated = _small(translated, language)
    elif typed.large:
        translated = _capitalised(translated)
    return " ".join([translated] * typed.times)


def visible(text: str) -> str:
    """`text` without control signs and those that only steer its display (zero width, direction, byte order)."""
    return "".join(
        each
        for each in text
        if each.isspace() or each in JOINERS or unicodedata.category(each) not in ("Cc", "Cf", "Cs")
    )


def is_translatable(text: str, language: str) -> bool:
    """Whether `text` may have a word of `language`: figures, signs, acronyms and other scripts are copied."""
    tag = language.split("-")[0]
    script = SCRIPTS.get(tag, "LATIN")
    longest = len(text) if tag in WITHOUT_SPACES else LONGEST_WORD
    words = (word for token in text.split() if len(token) <= longest for word in WORD.findall(token))
    return any(
        word not in ACRONYMS and any(unicodedata.name(each, "").startswith(script) for each in word) for word in words
    )


def is_shouted(text: str) -> bool:
    """Whether a sentence is written in capitals, as on a notice; an abbreviation alone is not."""
    cased = [each for each in text if each.isupper() or each.islower()]
    capitals = sum(each.isupper() for each in cased)
    words = [word for word in WORD.findall(text) if word not in ACRONYMS]
    return bool(words) and (len(cased) >= SHOUTED_LETTERS or len(words) > 1) and capitals >= SHOUTED_SHARE * len(cased)


def repetition(text: str) -> tuple[str, int]:
    """(what is said, how often): `text` itself and 1, unless it is a few words again and again and nothing else.

    A last time that breaks off counts as one.
    """
    words = text.split()
    bare = _bare(words)
    for size in range(1, min(LONGEST_UNIT, len(words) // LEAST_REPEATS) + 1):
        if bare[size:] == bare[:-size]:
            return " ".join(words[:size]), -(-len(words) // size)
    return text, 1


def longest_run(text: str) -> int:
    """How often one word stands in a row in `text`, where it does so most often."""
    return max((sum(1 for _ in same) for _, same in groupby(_bare(text.split()))), default=0)


def _bare(words: list[str]) -> list[str]:
    """`words` without marks and capitals."""
    return ["".join(WORD.findall(word)).casefold() or word for word in words]


def _sentence_case(text: str, language: str) -> str:
    lower = WORD.sub(lambda word: word.group() if word.group() in ACRONYMS else word.group().lower(), text)
    return _capitalised(ENGLISH_I.sub("I", lower) if language == "en" else lower)


def _capitalised(text: str) -> str:
    first = FIRST_LETTER.match(text)
    return first.group().upper() + text[first.end() :] if first else text


def _small(text: str, language: str) -> str:
    """`text` with a small first letter, unless its first word always has a capital."""
    first = WORD.search(text)
    if first is None or (language == "en" and first.group() == "I") or first.group()[1:2].isupper():
        return text
    return text[: first.start()] + first.group()[0].lower() + text[first.start() + 1 :]
