"""From one language to another by one pack: the sentences as they were typed in, their translations out.

The model is helped where help is certain (see `typed` and `numbers`), and what it did wrong is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from appliance.inference.translator import Translated, Translates, never
from appliance.packs.store import InstalledPack
from appliance.translation import numbers, typed
from appliance.translation.typed import Typed

Translate = Callable[[Sequence[str]], list[Translated]]


@dataclass(frozen=True)
class Step:
    """One direction of one pack, with the width of its search."""

    pack: InstalledPack
    source: str
    target: str
    beam: int

    @property
    def languages(self) -> tuple[str, str]:
        return self.source, self.target


@dataclass(frozen=True)
class Asker:
    """Whom a translation is for, which decides its share of the engine, and whether it is still wanted."""

    owner: str = ""
    background: bool = False
    cancelled: Callable[[], bool] = never


@dataclass(frozen=True)
class Rendered:
    """One sentence, translated.

    `cut`: the end of the source was left out. `circling`: the source says the same again and again, or the model did
    and was stopped. `foreign`: it has letters, but no word of the source language, and is left as it is.
    `restored`: true numbers were put where the model wrote their stand-ins.
    """

    text: str
    cut: bool = False
    circling: bool = False
    foreign: bool = False
    restored: bool = False

    def after(self, before: Rendered) -> Rendered:
        """The same, made from the text of `before`: what was noted of either holds."""
        return Rendered(
            self.text,
            self.cut or before.cut,
            self.circling or before.circling,
            self.foreign or before.foreign,
            self.restored or before.restored,
        )


def render(translator: Translates, step: Step, sentences: Sequence[str], asker: Asker) -> list[Rendered]:
    """Translate `sentences` with the engine of the step; blank ones stay as they are. Raises CancelledError."""
    read = [typed.read(sentence, step.source) for sentence in sentences]
    texts = [each.text for each in read]

    def translate(asked: Sequence[str]) -> list[Translated]:
        return translator.translate(
            asked,
            step.source,
            step.target,
            beam=step.beam,
            cancelled=asker.cancelled,
            accept=numbers.agree,
            owner=asker.owner,
            background=asker.background,
        )

    done = translate(texts)
    restored = _with_true_numbers(step, texts, done, translate)
    return [
        _rendered(sentence, each, restored.get(number, result), number in restored, step.target)
        for number, (sentence, each, result) in enumerate(zip(sentences, read, done, strict=True))
    ]


def _with_true_numbers(
    step: Step, texts: Sequence[str], done: Sequence[Translated], translate: Translate
) -> dict[int, Translated]:
    """Those of `done` whose numbers are wrong, made anew with stand-ins, by their place; not those that fail again."""
    tries = [
        (place, easy, true)
        for place, (text, result) in enumerate(zip(texts, done, strict=True))
        if not numbers.agree(text, result.text)
        for easy, true in numbers.stand_ins(text)
    ]
    if not tries:
        return {}
    made = translate([easy for _, easy, _ in tries])
    found: dict[int, Translated] = {}
    for (place, easy, true), result in zip(tries, made, strict=True):
        if place in found or not numbers.agree(easy, result.text):
            continue
        text = numbers.put_back(result.text, true, easy, step.languages)
        if numbers.agree(texts[place], text):
            found[place] = replace(result, text=text)
    return found


def _rendered(sentence: str, read: Typed, result: Translated, restored: bool, target: str) -> Rendered:
    return Rendered(
        typed.answer(read, result.text, target) if sentence.strip() else sentence,
        cut=result.cut,
        circling=result.held or read.circling,
        foreign=any(map(str.isalpha, read.kept)),
        restored=restored,
    )
