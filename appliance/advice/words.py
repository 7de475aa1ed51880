"""Words of a question as the index knows them: folded, without the empty ones, cut to their stems.

The stems are rough on purpose (a suffix or two off): they only have to agree between a question and an
article. The same function serves both sides.
"""

from __future__ import annotations

import re
import unicodedata

WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")

STOP_WORDS = {
    "en": frozenset(
        (
            "a about after all also am an and any anything are as at be because been before being but by can "
            "can't cannot could did do does doesn't doing don't down for from get gets getting go goes going good "
            "got had has have having he her here him his how i i'm if in into is isn't it it's its just keep "
            "keeps know like make makes many me more most much must my need no not now of off on one only or "
            "other our out over own please put same she should since so some something still such tell than that "
            "the their them then there these they thing things this those to too up us use very want was way we "
            "well were what what's when where which while who why will with without won't would yet you your "
            "come comes let lets near today "
        ).split()
    ),
    "es": frozenset(
        (
            "a ademas ahi ahora al algo alguien algun alguna ante antes aqui asi aun aunque bien cada como con "
            "contra cosa cual cuando cuanto de debe debo del desde despues donde dos e el ella ellos en entre era "
            "eres es esa ese eso esta estaba estan estar este esto estos fue ha hace hacer hacerlo hago han hasta "
            "hay he la las le les lo los mas me mi mis muy nada ni no nos nosotros o otra otro para pero poco por "
            "porque pone puede puedo pues que queda quiero se sea ser si sin sobre solo son soy su sus tal "
            "tambien tan tanto te tengo tiene tienen todo todos tu tus u un una unas unos usted va van ver vez y "
            "ya yo hoy hora horas "
        ).split()
    ),
}

ENDINGS = {
    "en": ("ingly", "edly", "ings", "ing", "ed", "es", "ly", "s", "y", "e"),
    "es": (
        *("aciones", "acion", "amente", "mente", "ando", "iendo", "adas", "ados", "idas", "idos", "aron", "ieron"),
        *("ada", "ado", "ida", "ido", "aba", "ar", "er", "ir", "an", "en", "es", "as", "os", "a", "o", "e", "s"),
    ),
}
SHORTEST_STEM = 3
IRREGULAR = {
    "leaves": "leaf",
    "halves": "half",
    "knives": "knife",
    "mice": "mouse",
    "teeth": "tooth",
    "feet": "foot",
    "died": "die",
    "dying": "die",
    "broken": "break",
    "broke": "break",
    "eaten": "eat",
    "ate": "eat",
    "rotten": "rot",
    "grew": "grow",
    "grown": "grow",
    "fell": "fall",
    "fallen": "fall",
    "stuck": "stick",
    "burnt": "burn",
    "bitten": "bite",
}


def stems(text: str, language: str) -> list[str]:
    """The stems of the meaningful words of `text`, in order, repeats kept."""
    empty = STOP_WORDS.get(language, frozenset())
    return [_stem(word, language) for word in WORD.findall(_fold(text)) if word not in empty]


def _fold(text: str) -> str:
    """Lower case without accents: phones are written on without them."""
    decomposed = unicodedata.normalize("NFKD", text.replace("’", "'").lower())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _stem(word: str, language: str) -> str:
    if language == "en":
        word = IRREGULAR.get(word, word)
        if len(word) > 4 and word.endswith(("ies", "ied")):
            word = f"{word[:-3]}y"
    for ending in ENDINGS.get(language, ()):
        if word.endswith(ending) and len(word) - len(ending) >= SHORTEST_STEM:
            return _undouble(word[: -len(ending)])
    return word


def _undouble(stem: str) -> str:
    return stem[:-1] if len(stem) > SHORTEST_STEM and stem[-1] == stem[-2] else stem
