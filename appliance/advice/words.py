"""Words of a question as the index knows them: folded, without the empty ones, cut to their stems.

The stems are rough on purpose (a suffix or two off): they only have to agree between a question and an
article. The same function serves both sides.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

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
            "contra cosa cual cuando de debe debo del desde despues donde dos e el ella ellos en entre era "
            "eres es esa ese eso esta estaba estan estar este esto estos fue ha hace hacer hacerlo hago han hasta "
            "hay he la las le les lo los mas me mi mis muy nada ni no nos nosotros o otra otro para pero poco por "
            "porque pone puede puedo pues que queda quiero se sea ser si sin sobre solo son soy su sus tal "
            "tambien tan tanto te tengo tiene tienen todo todos tu tus u un una unas unos usted va van ver vez y "
            "ya yo hoy hora horas "
        ).split()
    ),
    "fr": frozenset(
        (
            "a ai ainsi alors apres as au aucun aussi autre autres aux avant avec avez avoir avons beaucoup "
            "bien c ca car ce ceci cela ces cet cette ceux chaque chez comme comment contre d dans de deja "
            "depuis des deux devant dois doit donc du elle elles en encore entre es est et etaient etait ete "
            "etes etre eu eux fait faire fais faut il ils j je jusqu jusque l la le les leur leurs lorsque lui "
            "m ma mais me meme mes moi moins mon n ne ni non nos notre nous on ont ou par parce pas pendant peu "
            "peut peux plus pour pourquoi presque puis qu quand que quel quelle quelles quelque quels qui quoi "
            "rien s sa sans se sera ses si soit son sont sous suis sur t ta tant te tes toi ton tous tout toute "
            "toutes tres trop tu un une va vers veut veux vois voit vos votre vous y "
        ).split()
    ),
    "sw": frozenset(
        (
            "a au bado bila cha changu chako chake chao chini hadi haya hapa hata hawa hii hili hilo hivi hivyo "
            "hiyo hizi hizo hu huo huu huyo huyu je juu kabla kabisa kama karibu katika kati kila kisha kitu "
            "kuhusu kuna kutoka kwa kwamba kwangu kwenye la labda lakini lake langu lao lini mbona mimi moja "
            "mpaka mwangu mwenye na nami nao namna nani ndani ndio nifanye nifanyeje nifanyaje nina ni nini "
            "ninafanya ninaweza niweze ndiyo sana sasa si sisi tena tu ule vipi vya vyake vyangu vyao wa wake "
            "wakati wangu wao wapi watu wengi wetu wewe wote ya yake yangu yao yetu yote yule za zaidi zake "
            "zangu zao zetu zote gani kuwa iko ipo yupo hakuna fanya kufanya "
        ).split()
    ),
}

ENDINGS = {
    "en": ("ingly", "edly", "ings", "ing", "ed", "es", "ly", "s", "y", "e"),
    "es": (
        *("aciones", "acion", "amente", "mente", "ando", "iendo", "adas", "ados", "idas", "idos", "aron", "ieron"),
        *("ada", "ado", "ida", "ido", "aba", "ar", "er", "ir", "an", "en", "es", "as", "os", "a", "o", "e", "s"),
    ),
    "fr": (
        *("issements", "issement", "ements", "ement", "ations", "ation", "aient", "issent", "eraient", "eurs", "euses"),
        *("antes", "ants", "ante", "ant", "ees", "ent", "ait", "eur", "euse", "ez", "er", "ir", "ee", "es", "is", "it"),
        *("aux", "al", "e", "s", "x", "i", "u"),
    ),
    "sw": ("ika", "eka", "iwa", "ewa", "isha", "esha", "ini", "eni", "wa", "a", "e", "i"),
}
# Swahili puts at the beginning what other languages put at the end: who does it and when, or how many there are.
WHO = "(?:ni|u|a|tu|m|wa|i|ya|ki|vi|li|zi|ku|pa)"
VERB = re.compile(rf"(?:ha|si)?{WHO}(?:na|li|me|ta|ki|ka|si|ja)(?=[a-z]{{4}})|ha{WHO}(?=[a-z]{{3}})")
NOUN = re.compile(r"(?:ma|mi|mu|vi|wa|ki|ku|m|u)(?=[^aeiou][a-z]{3})")
SOUNDS = [
    (re.compile(written), spoken)
    for written, spoken in (
        ("ch", "1"),
        ("ll", "y"),
        ("qu", "k"),
        ("c(?=[ei])", "s"),
        ("z", "s"),
        ("c", "k"),
        ("v", "b"),
        ("h", ""),
    )
]
SHORTEST_STEM = 3
WORDS_REMEMBERED = 32_768  # the articles have some twenty thousand, most of them again and again
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
    folded = fold(text)
    if language == "fr":
        folded = folded.replace("'", " ")  # l'eau, d'eau
    if language == "en":
        folded = folded.replace("how much", "howmuch")  # a question of its own, of two words that say nothing alone
    found = [_stem(word, language) for word in WORD.findall(folded) if word not in empty]
    return [_as_it_sounds(stem) for stem in found] if language == "es" else found


def _as_it_sounds(stem: str) -> str:
    """A Spanish stem as people write who write as they speak: gayina, huebo, bateria and vateria."""
    for written, spoken in SOUNDS:
        stem = written.sub(spoken, stem)
    return stem


def fold(text: str) -> str:
    """Lower case without accents: phones are written on without them."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.replace("’", "'").lower())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


@lru_cache(maxsize=WORDS_REMEMBERED)
def _stem(word: str, language: str) -> str:
    if language == "sw":
        shorter = VERB.sub("", word, count=1) if VERB.match(word) else word
        word = NOUN.sub("", shorter, count=1) if shorter == word and NOUN.match(word) else shorter
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
