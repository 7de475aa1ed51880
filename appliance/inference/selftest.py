"""Does a pack work on this box? Its engine is opened, asked what `[selftest]` of its `pack.toml` says, and compared.

translation      en-es = "The water is clean. ⇒ El agua está limpia."
text-generation  anything = "What somebody says ⇒ how the answer begins"
embedding        anything = "A text ⇒ one that says the same ⇒ one that does not"

A pack without lines is opened and put to work once all the same. Kinds without an engine have nothing to try.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from appliance.errors import EngineError, PackSelftestError
from appliance.inference.chat import Message
from appliance.inference.embedder import Embedder
from appliance.inference.engines import Engines, never
from appliance.inference.generator import TextGenerator
from appliance.inference.translator import Translates
from appliance.packs.manifest import SELFTEST_ARROW
from appliance.packs.store import InstalledPack

# A word of several may differ: sums of small numbers are not the same to the last digit on every processor.
ALIKE = 0.6  # of the characters, in order, as difflib counts
TOKENS = 32  # of an answer, at most
ANYTHING = "1 2 3"  # asked where the pack says nothing to ask


@dataclass(frozen=True)
class Said:
    """A line of the self-test: what was asked, what the pack says here, and where it was made ("": not told).

    `exactly`: what it says is one of several texts, so that nearly the same is another.
    """

    asked: str
    said: str
    expected: str
    exactly: bool = False

    @property
    def alike(self) -> bool:
        """Whether both say the same, or nearly."""
        if self.exactly or not self.expected:
            return self.said == self.expected or not self.expected
        return SequenceMatcher(None, self.said, self.expected, False).ratio() >= ALIKE


def check(pack: InstalledPack, engines: Engines, cancelled: Callable[[], bool] = never) -> None:
    """Put `pack` to its self-test, with an engine borrowed from `engines`.

    Raises:
        PackSelftestError: it cannot be opened, or says something else than it said where it was made.
        EngineTooLargeError, EngineBusyError: there is no memory for it, ever or now.
        CancelledError: `cancelled()` was true.
    """
    for each in run(pack, engines, cancelled):
        if not each.alike:
            reason = f"asked “{each.asked}” it says “{each.said}”, and “{each.expected}” where it was made"
            raise PackSelftestError(pack=pack.name, reason=reason)


def run(pack: InstalledPack, engines: Engines, cancelled: Callable[[], bool] = never) -> tuple[Said, ...]:
    """What `pack` says to its self-test, compared by nobody yet. Raises as `check`."""
    try:
        return _run(pack, engines, cancelled)
    except EngineError as error:
        raise PackSelftestError(pack=pack.name, reason=str(error.fields.get("reason", error))) from error
    except (ValueError, IndexError) as error:
        raise PackSelftestError(pack=pack.name, reason=f"its self-test is not of its form ({error})") from error


def _run(pack: InstalledPack, engines: Engines, cancelled: Callable[[], bool]) -> tuple[Said, ...]:
    lines = {key: line.split(SELFTEST_ARROW) for key, line in pack.manifest.selftest.items()}
    if pack.manifest.kind == "translation":
        with engines.translator(pack, cancelled=cancelled) as translator:
            return _translate(translator, lines, cancelled)
    if pack.manifest.kind == "text-generation":
        with engines.generator(pack, cancelled=cancelled) as generator:
            return _generate(generator, lines, cancelled)
    if pack.manifest.kind == "embedding":
        with engines.embedder(pack, cancelled=cancelled) as embedder:
            return _embed(embedder, lines)
    return ()


def _translate(translator: Translates, lines: dict[str, list[str]], cancelled: Callable[[], bool]) -> tuple[Said, ...]:
    ways = {f"{source}-{target}": (source, target) for source, target in sorted(translator.directions)}
    unknown = set(lines) - set(ways)
    if unknown:
        raise ValueError(f"it does not translate {min(unknown)}")
    asked = lines or {way: [ANYTHING, ""] for way in ways}
    told = []
    for way, (sentence, expected) in asked.items():
        (found,) = translator.translate([sentence], *ways[way], cancelled=cancelled)
        told.append(Said(sentence, found.text, expected))
    return tuple(told)


def _generate(generator: TextGenerator, lines: dict[str, list[str]], cancelled: Callable[[], bool]) -> tuple[Said, ...]:
    told = []
    for message, expected in lines.values() if lines else [(ANYTHING, "")]:
        messages = [Message("user", message)]
        most = min(TOKENS, max(1, generator.context - len(generator.encode(messages))))
        answer = generator.generate(messages, most_tokens=most, cancelled=cancelled)
        told.append(Said(message, answer.text[: len(expected)] if expected else answer.text, expected))
    return tuple(told)


def _embed(embedder: Embedder, lines: dict[str, list[str]]) -> tuple[Said, ...]:
    told = []
    for text, same, other in lines.values() if lines else [(ANYTHING, ANYTHING, "")]:
        vectors = embedder.embed([text, same, other])
        if not np.isfinite(vectors).all():
            raise EngineError(pack=embedder.pack.name, reason="its vectors are not numbers")
        near = vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
        told.append(Said(text, same if near else other, same, exactly=True))
    return tuple(told)
