"""An invented language, Tavo, with a grammar of its own: pairs of sentences to try the factory on, the same every time.

Its verb comes first and its adjectives follow their noun; nouns take an ending for more than one and a beginning when
something is done to them; verbs take their tense as a beginning. Its words come from a cipher of small syllables.
"""

from __future__ import annotations

import hashlib
import random

NOUNS = ("goat farmer child woman house field road tree bird well boat basket knife pot").split()
VERBS = {
    "see": "saw", "carry": "carried", "buy": "bought", "sell": "sold", "find": "found", "wash": "washed",
    "mend": "mended", "leave": "left",
}  # fmt: skip
ADJECTIVES = "big small old new white".split()
PLACES = {"near": "ke", "behind": "mo", "under": "si"}
SYLLABLES = [consonant + vowel for consonant in "ptkbdgmnlrsvz" for vowel in "aeiou"]
PLURALS = {"child": "children", "woman": "women", "man": "men", "knife": "knives"}


def word(english: str) -> str:
    """The word of Tavo for an English one: two or three syllables, from a hash of it."""
    digest = hashlib.sha256(english.encode()).digest()
    return "".join(SYLLABLES[byte % len(SYLLABLES)] for byte in digest[: 2 + digest[5] % 2])


def _noun(rng: random.Random, *, done_to: bool) -> tuple[str, str]:
    noun, many = rng.choice(NOUNS), rng.random() < 0.4
    adjective = rng.choice(ADJECTIVES) if rng.random() < 0.4 else ""
    number = rng.randint(2, 90) if many and rng.random() < 0.4 else 0
    english = PLURALS.get(noun, f"{noun}s") if many else noun
    english = " ".join(filter(None, ("the" if not number else str(number), adjective, english)))
    theirs = ("na" if done_to else "") + word(noun) + ("mi" if many else "")
    return english, " ".join(filter(None, (theirs, word(adjective) if adjective else "", str(number or ""))))


def _sentence(rng: random.Random) -> tuple[str, str]:
    present, past = rng.choice(list(VERBS.items()))
    tense = rng.choice(["past", "future"])
    subject, object_ = _noun(rng, done_to=False), _noun(rng, done_to=True)
    english = f"{subject[0]} {past if tense == 'past' else f'will {present}'} {object_[0]}"
    theirs = f"{'tu' if tense == 'past' else 'le'}{word(present)} {subject[1]} {object_[1]}"
    if rng.random() < 0.3:
        place = rng.choice(list(PLACES))
        where = _noun(rng, done_to=False)
        english, theirs = f"{english} {place} {where[0]}", f"{theirs} {PLACES[place]} {where[1]}"
    return f"{english[0].upper()}{english[1:]}.", f"{theirs[0].upper()}{theirs[1:]}."


def pairs(count: int = 2900) -> list[tuple[str, str]]:
    """(English, Tavo) pairs, each once."""
    rng = random.Random(1)
    found: dict[tuple[str, str], None] = {}
    while len(found) < count:
        found[_sentence(rng)] = None
    return list(found)
