"""What a sentence claims, as far as rules can tell: its words, which of them it denies, its figures, names, conditions.

Both sides of a comparison go through `read`, so what it gets wrong it gets wrong on both.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from appliance.advice.figures import ReadNumbers, blanked, figures
from appliance.advice.words import fold, stems

SAID, DENIED, AFTER = "said", "denied", "after"  # AFTER: after a comma or “and” of what is denied, so nobody can tell
NEAR = 3  # words on each side by which a number without a unit is known again
SHORT = 3  # letters of a name that must be written alike, capitals and all
CLAUSE = re.compile(r"[.;:!?…](?=\s|$)|[()\n]")
MARKUP = re.compile(r"[*_`#]+")
TOKEN = re.compile(r"[^\W_]+")

NOT = {
    "en": r"\b(?:not|no|never|none|nothing|nobody|neither|nor|without|cannot|avoid\w*|stop|stops|stopped|stopping"
    r"|refuse\w*|refrain\w*|instead of|rather than)\b|\b\w+n't\b",
    "es": r"\b(?:no|nunca|jamas|ni|sin|nada|nadie|ningun\w*|tampoco|evit\w+|dej\w+ de|prohib\w+|en vez de"
    r"|en lugar de)\b",
    "fr": r"\b(?:ne|non|jamais|ni|sans|rien|aucune?|pas|evit\w+|arret\w+ de|cess\w+ de|interdi\w+|au lieu de"
    r"|plutot que)\b|\bn'",
    "sw": r"\b(?:si|siyo|sio|bila|kamwe|wala|pasipo|acha|acheni|epuk\w+|jiepush\w+|badala ya|hakuna|hapana|kuto\w+)\b",
}
# Swahili denies in the verb: “usitupe”, “haifanyi”, “isipokauka”. The verb itself is denied.
NOT_VERB = re.compile(
    r"\b(?:(?:u|m|a|wa|i|zi|ya|li|ki|vi|tu|ni|ku|pa)si(?:po)?[a-z]{3,}"
    r"|ha(?:i|u|tu|m|wa|zi|li|ya|ki|vi|pa|ku|na|ta|ja)[a-z]{2,}|ha(?:na|ina|una|zina|lina|yana|kina|vina|mna|wana))\b"
)
NO_VERB = frozenset(
    (
        "usiku asili msimu asilimia isiyo hakikisha hakika hatua hatari haraka hayawani halisi halijoto hamisha hamira "
        "hakimu halali msichana msingi wasiwasi wasiliana kusini usingizi usindikaji msitu asidi msimbo hatimaye "
        "hawali hatia hamu halmashauri haya hali haki hawa"
    ).split()
)
NOT_PREFIX = re.compile(r"^(?:ha|(?:u|m|a|wa|i|zi|ya|li|ki|vi|tu|ni|ku|pa)si(?:po)?)")
TURN = {"en": "and|then", "es": "y|e|luego", "fr": "et|puis", "sw": "na|kisha|halafu"}
BUT = {"en": "but", "es": "pero|sino", "fr": "mais", "sw": "lakini|bali|ila"}
WHEN = {
    "en": r"\b(?:if|when|unless|until|while)\b",
    "es": r"\b(?:si|cuando|hasta que|mientras)\b",
    "fr": r"\b(?:si|quand|lorsque?|jusqu'a ce que?|tant que?)\b|\b(?:s'il|lorsqu')",
    "sw": r"\b(?:ikiwa|iwapo|endapo|wakati|isipokuwa|mpaka|hadi|(?:u|m|tu|i|wa|a|zi|ya|li|vi)ki[a-z]{3,})\b|^kama\b",
}
ONLY = {
    "en": r"\bonly\b",
    "es": r"\b(?:solo|solamente|unicamente)\b",
    "fr": r"\b(?:seulement|uniquement|seule?s?)\b",
    "sw": r"\b(?:tu|pekee)\b",
}
# Small words that turn a sentence round. Each has to be in what supports it.
TELLING = {
    "en": "before after off on up down more less fewer most least only until unless over under above below inside "
    "outside out with again too enough both each every all",
    "es": "antes despues mas menos solo hasta sobre bajo debajo encima arriba abajo dentro fuera con cada todo todos "
    "demasiado",
    "fr": "avec avant apres plus moins seulement jusqu sur sous dessus dessous dedans dehors chaque tout tous trop",
    "sw": "kabla baada zaidi juu chini ndani nje tu hadi mpaka kila yote wote zote mno sana",
}


class Piece(Protocol):
    """A part of a text: a sentence, and what stands before and after it and is none of it."""

    @property
    def before(self) -> str: ...
    @property
    def sentence(self) -> str: ...
    @property
    def after(self) -> str: ...


@dataclass(frozen=True)
class Reading:
    """How texts are read: as for translation, whose functions these are."""

    plain: Callable[[str], str]
    numbers: ReadNumbers
    split: Callable[[str], Sequence[Piece]]

    def sentences(self, text: str) -> list[str]:
        """The sentences of `text` without list marks and markup; long ones stay whole."""
        found: list[str] = []
        open_ = False
        for piece in self.split(text):
            sentence = MARKUP.sub("", piece.sentence).strip()
            if not sentence:
                open_ = False
            elif open_:
                found[-1] = f"{found[-1]} {sentence}"
            else:
                found.append(sentence)
            open_ = bool(sentence) and "\n" not in piece.after and not ends(sentence)
        return found


@dataclass(frozen=True)
class Told:
    """A figure of a claim; `near`: the stems around it; `clause`: which part of the sentence it is in."""

    value: str
    unit: str
    near: frozenset[str]
    clause: int

    def same(self, other: Told) -> bool:
        """Whether it is the same number of the same: of the same unit, or of what is told around it."""
        if (self.value, self.unit) != (other.value, other.unit):
            return False
        return bool(self.unit) or bool(self.near & other.near) or not (self.near or other.near)


@dataclass(frozen=True)
class Part:
    """What stands between two marks of a sentence: its words, and how often it denies."""

    words: frozenset[str]
    denials: int

    def likeness(self, other: Part) -> float:
        """Of their words, how many are the same: 0..1 (Dice)."""
        both = len(self.words) + len(other.words)
        return 2 * len(self.words & other.words) / both if both else 1.0


@dataclass(frozen=True)
class Claim:
    """`words`: its stems, each as SAID, DENIED or AFTER; `conditions`: the stems of each “if …” in it."""

    text: str
    words: frozenset[tuple[str, str]]
    figures: tuple[Told, ...]
    telling: frozenset[str]
    names: frozenset[str]
    tokens: frozenset[str]
    strange: frozenset[str]
    conditions: tuple[frozenset[str], ...]
    parts: tuple[Part, ...]
    only: tuple[frozenset[str], ...]  # the stems of each part that says “only”

    @property
    def stems(self) -> frozenset[str]:
        return frozenset(stem for stem, _ in self.words)


def ends(text: str) -> bool:
    """Whether a sentence is over."""
    return text.rstrip("\"'”’»)]").endswith((".", "!", "?", "…", ":", ";"))


def read(text: str, language: str, reading: Reading) -> Claim:
    """What the sentence `text` claims."""
    plain = reading.plain(text)
    found = figures(plain, language, reading.numbers)
    bare = blanked(plain, found)
    folded = fold(bare)
    told = tuple(
        Told(each.value, each.unit, _near(bare, each.start, each.end, language), _clause(plain, each.start))
        for each in found
    )
    tokens = frozenset(TOKEN.findall(bare))
    small = frozenset(TOKEN.findall(folded))
    return Claim(
        text=text,
        words=frozenset(_polarities(folded, language)),
        figures=told,
        telling=small & frozenset(TELLING.get(language, "").split()),
        names=_names(bare),
        tokens=tokens | small,
        strange=frozenset(each for each in bare if _is_strange(each)),
        conditions=tuple(_conditions(folded, language)),
        parts=tuple(_parts(folded, language)),
        only=tuple(_limited(folded, language)),
    )


def _near(bare: str, start: int, end: int, language: str) -> frozenset[str]:
    before = stems(" ".join(bare[:start].split()[-2 * NEAR :]), language)[-NEAR:]
    return frozenset((*before, *stems(" ".join(bare[end:].split()[: 2 * NEAR]), language)[:NEAR]))


def _clause(plain: str, place: int) -> int:
    return sum(1 for match in CLAUSE.finditer(plain) if match.end() <= place)


def _names(bare: str) -> frozenset[str]:
    """Words with a capital that the beginning of a sentence does not explain, and those that are all capitals."""
    found = set()
    for match in TOKEN.finditer(bare):
        word, before = match.group(), bare[: match.start()].rstrip(" \"'“‘«¿¡([-")
        inside = bool(before) and before[-1] not in ".:!?…"
        if word[0].isupper() and (inside or (len(word) > 1 and word.isupper())):
            found.add(word)
    return frozenset(found)


def _is_strange(character: str) -> bool:
    """Whether it is a letter that the stems do not see, or a sign with a meaning."""
    if unicodedata.category(character) in ("So", "Sc", "Sm"):
        return True
    return character.isalpha() and not fold(character).isascii()


def _parts(folded: str, language: str) -> Iterable[Part]:
    for text in re.split(rf"[,;:.!?…()–—\n]|\b(?:{BUT.get(language, BUT['en'])})\b", folded):
        denials = [match for match in _scanner(language).finditer(text) if match["no"] or _denies(match["verb"])]
        places = [0, *(place for match in denials for place in match.span()), len(text)]
        bare = " ".join(text[start:end] for start, end in zip(places[::2], places[1::2], strict=True))
        verbs = (NOT_PREFIX.sub("", match["verb"]) for match in denials if match["verb"])
        words = frozenset((*TOKEN.findall(bare), *verbs))
        if words or denials:
            yield Part(words, len(denials))


def _denies(verb: str | None) -> bool:
    return bool(verb) and verb not in NO_VERB


def _polarities(folded: str, language: str) -> Iterable[tuple[str, str]]:
    state, last = SAID, 0
    for match in _scanner(language).finditer(folded):
        yield from ((stem, state) for stem in stems(folded[last : match.start()], language))
        last = match.end()
        if match["verb"]:
            state = DENIED if _denies(match["verb"]) else state
            yield from ((stem, state) for stem in stems(match["verb"], language))
        elif match["no"]:
            state = DENIED
        elif match["turn"]:
            state = SAID if state == SAID else AFTER
        else:
            state = SAID
    yield from ((stem, state) for stem in stems(folded[last:], language))


SCANNERS: dict[str, re.Pattern[str]] = {}


def _scanner(language: str) -> re.Pattern[str]:
    if language not in SCANNERS:
        known = language if language in NOT else "en"
        verb = NOT_VERB.pattern if language == "sw" else "(?!)"
        SCANNERS[language] = re.compile(
            rf"(?P<end>{CLAUSE.pattern}|\b(?:{BUT[known]})\b)|(?P<turn>,|\b(?:{TURN[known]})\b)"
            rf"|(?P<no>{NOT[known]})|(?P<verb>{verb})"
        )
    return SCANNERS[language]


def _conditions(folded: str, language: str) -> Iterable[frozenset[str]]:
    """The stems of each “if …”, up to the next mark."""
    for match in re.finditer(WHEN.get(language, WHEN["en"]), folded):
        rest = folded[match.start() :] if language == "sw" else folded[match.end() :]
        found = frozenset(stems(re.split(r"[,;:.!?…()–—]", rest, maxsplit=1)[0], language))
        if found:
            yield found


def _limited(folded: str, language: str) -> Iterable[frozenset[str]]:
    """The stems of each part, between marks, that says “only”."""
    for part in re.split(r"[,;:.!?…()–—]", folded):
        if re.search(ONLY.get(language, ONLY["en"]), part):
            yield frozenset(stems(part, language))
