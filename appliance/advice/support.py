"""Is a sentence supported by passages? What a model writes is shown only as far as it is (decision 31).

A sentence is supported by one passage, and there by one of its lines, or two neighbouring ones. Every word with a
meaning is in the passage, but for a few everyday ones; most of them are in the line; its figures are in the line with
their units, and none of that part of the line is missing; it denies what the line denies and nothing else; what the
line says under a condition it says under the same. It is a sieve of rules: it drops much that would be right, and
does not know what words mean. A sentence that says something false with the words of one line can pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

from appliance.advice.claims import SHORT, Claim, Part, Reading, read
from appliance.advice.service import Passage
from appliance.advice.words import fold, stems

MOST = 300  # characters of a sentence
LEAST = 2  # words with a meaning that a sentence shares with its line
ALIKE = 0.5  # of the words of a part of a sentence and a part of a line, from which on they are about the same
SHARE = 0.7  # of its words that are in the line; the rest is elsewhere in the passage
USED = 2  # words of a part of a line, from which on a sentence is about that part

# Words that a sentence may bring along: they say how sure something is, or in which order, and name nothing.
EVERYDAY = {
    "en": "probably likely maybe perhaps usually sign signs mean means cause causes caused problem article passage "
    "text according first next finally important remember sure certain help question simple simply step steps "
    "following start begin therefore because",
    "es": "probablemente quizas tal vez señal señales signo signos significa causa causan problema articulo texto "
    "segun primero luego finalmente importante recuerde seguro ayuda pregunta paso pasos siguiente siguientes "
    "empiece comience porque",
    "fr": "probablement peut-etre signe signes signifie cause causent probleme article texte selon d'abord premier "
    "ensuite puis enfin important rappelez aide question etape etapes suivant suivantes commencez parce",
    "sw": "labda huenda pengine dalili maana sababu husababisha tatizo makala andishi kulingana kwanza kisha halafu "
    "mwisho muhimu kumbuka hakika msaada swali hatua zifuatazo anza",
}


@dataclass(frozen=True)
class Line:
    """A sentence of a passage; `part`: title, sign, step, danger, help or text."""

    part: str
    claim: Claim


@dataclass(frozen=True)
class Support:
    """What a sentence is tied to: a passage, and the lines of it that carry it."""

    passage: Passage
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """The lines, as they stand in the passage."""
        return " ".join(line.claim.text for line in self.lines)


class Window:
    """Lines that may carry a sentence together."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = tuple(lines)
        claims = [line.claim for line in lines]
        self.words = frozenset[tuple[str, str]]().union(*(each.words for each in claims))
        self.stems = frozenset(stem for stem, _ in self.words)
        self.telling = frozenset[str]().union(*(each.telling for each in claims))
        self.claims = claims

    def carries(self, claim: Claim) -> bool:
        """Whether the figures, conditions and limits of `claim` are those of these lines."""
        return claim.telling <= self.telling and self._counts_alike(claim) and self._holds_alike(claim)

    def _counts_alike(self, claim: Claim) -> bool:
        """Every figure of `claim` is here; and of a part of a line it tells all figures or none."""
        here = [(rank, each) for rank, line in enumerate(self.claims) for each in line.figures]
        used = set()
        for told in claim.figures:
            places = [(rank, each.clause) for rank, each in here if told.same(each)]
            if not places:
                return False
            used.add(places[0])
        needed = [each for rank, each in here if (rank, each.clause) in used]
        return all(any(told.same(each) for told in claim.figures) for each in needed)

    def _holds_alike(self, claim: Claim) -> bool:
        mine = claim.stems
        for line in self.claims:
            for condition in line.conditions:
                if len(mine & (line.stems - condition)) >= USED and 2 * len(mine & condition) < len(condition):
                    return False
            for part in line.only:
                if len(mine & part) >= USED and not claim.only:
                    return False
        return True


class Grounds:
    """The passages that sentences are compared with, in one language; safe to share between threads."""

    def __init__(self, passages: Sequence[Passage], language: str, reading: Reading) -> None:
        """Passages whose face is in another language support nothing."""
        self._language, self._reading = language, reading
        fitting = (each for each in passages if each.article.language_of_face(language) == language)
        self._grounds = [Ground(each, language, reading) for each in fitting]

    def support(self, sentence: str) -> Support | None:
        """What carries `sentence`; None if nothing does."""
        if len(sentence) > MOST or "?" in sentence:
            return None
        claim = read(sentence, self._language, self._reading)
        found = (ground.support(claim) for ground in self._grounds)
        return next((each for each in found if each is not None), None)


class Ground:
    """One passage, made ready for comparison."""

    def __init__(self, passage: Passage, language: str, reading: Reading) -> None:
        self.passage = passage
        self._everyday = everyday(language)
        self._parts = _parts(passage, language, reading)
        claims = [line.claim for lines in self._parts.values() for line in lines]
        self._words = frozenset[tuple[str, str]]().union(*(each.words for each in claims))
        self._stems = frozenset(stem for stem, _ in self._words)
        self._denied = [part for each in claims for part in each.parts]
        self._tokens = frozenset[str]().union(*(each.tokens for each in claims))
        self._signs = frozenset("".join(each.text for each in claims))

    def support(self, claim: Claim) -> Support | None:
        """The lines that carry `claim`, the best of them; None if none do."""
        content = claim.stems - self._everyday
        if not content <= self._stems or not self._knows_names(claim) or not claim.strange <= self._signs:
            return None
        if not all(self._denies_alike(part) for part in claim.parts):
            return None
        fitting = [
            (share, window) for window in self._windows if (share := self._share(claim, content, window)) >= SHARE
        ]
        fitting.sort(key=lambda each: (-each[0], len(each[1].lines)))
        best = next((window for _, window in fitting if window.carries(claim) and self._agree(claim, window)), None)
        return Support(self.passage, best.lines) if best else None

    def _knows_names(self, claim: Claim) -> bool:
        """Whether all names are in the passage: short ones letter by letter, others in any letters."""
        return all(
            name in self._tokens or (len(name) > SHORT and not name.isupper() and fold(name) in self._tokens)
            for name in claim.names
        )

    def _denies_alike(self, part: Part) -> bool:
        """Whether `part` denies as often as the part of the passage that is most like it."""
        likeness = [part.likeness(each) for each in self._denied]
        best = max(likeness, default=0.0)
        if best < ALIKE:
            return part.denials == 0
        there = zip(likeness, self._denied, strict=True)
        return any(like == best and each.denials == part.denials for like, each in there)

    def _share(self, claim: Claim, content: frozenset[str], window: Window) -> float:
        """How much of `claim` is in `window`; what the title names may be said with every line."""
        common = claim.stems & window.stems
        if len(content & common) < LEAST and not (content and content == window.stems - self._everyday):
            return 0.0
        asked = content - self._title if len(content - self._title) >= LEAST else content
        return len(asked & common) / len(asked)

    def _agree(self, claim: Claim, window: Window) -> bool:
        """Whether every word is denied, or not, as in the lines, or in the passage where the lines lack it."""
        return all(
            (stem, way) in (window.words if stem in window.stems else self._words)
            for stem, way in claim.words
            if stem in self._stems
        )

    @cached_property
    def _title(self) -> frozenset[str]:
        return frozenset[str]().union(*(line.claim.stems for line in self._parts["title"]))

    @cached_property
    def _windows(self) -> tuple[Window, ...]:
        """Each line; two neighbours; and all the signs with what they are signs of."""
        found = [Window([line]) for lines in self._parts.values() for line in lines]
        for part, lines in self._parts.items():
            if part != "sign":
                found += [Window(pair) for pair in pairwise(lines)]
        found.append(Window([*self._parts["title"], *self._parts["sign"]]))
        return tuple(found)


@lru_cache(maxsize=16)
def everyday(language: str) -> frozenset[str]:
    """The stems of the words that a sentence may bring along."""
    return frozenset(stems(EVERYDAY.get(language, ""), language))


def _parts(passage: Passage, language: str, reading: Reading) -> dict[str, list[Line]]:
    face = passage.face
    texts = {
        "title": [face.title],
        "sign": list(face.signs),
        "step": list(face.first_steps),
        "danger": [face.danger],
        "help": [face.get_help],
        "text": [passage.text],
    }
    return {
        part: [Line(part, read(sentence, language, reading)) for text in many for sentence in reading.sentences(text)]
        for part, many in texts.items()
    }
