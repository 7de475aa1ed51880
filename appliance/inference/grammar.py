"""Answers that can only be what is allowed: one of a list of strings, by the tokens that can still lead to one.

A string can be cut into tokens in many ways, and a model does not always take the one that its tokenizer would. So
what is followed is not tokens but bytes: after each token, every token may come whose bytes go on with one of the
strings, unless no tokens lead on from there to its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from appliance.inference.tokenizer import Tokenizer

Ids = npt.NDArray[np.intp]


class Vocabulary:
    """The tokens of a model by their bytes; marks of the model are not among them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._ids: dict[bytes, list[int]] = {}
        for number in range(tokenizer.size):
            spelled = tokenizer.spell(number)
            if spelled:
                self._ids.setdefault(spelled, []).append(number)
        self._longest = max(map(len, self._ids), default=0)
        self.leading_space = tokenizer.leading_space

    def steps(self, text: bytes) -> list[list[tuple[int, list[int]]]]:
        """For each place in `text`, where tokens lead from it, and which; only ways that reach the end."""
        found: list[list[tuple[int, list[int]]]] = [[] for _ in text]
        reaches = [False] * len(text) + [True]
        for place in range(len(text) - 1, -1, -1):
            for end in range(place + 1, min(len(text), place + self._longest) + 1):
                if reaches[end] and (ids := self._ids.get(text[place:end])):
                    found[place].append((end, ids))
            reaches[place] = bool(found[place])
        return found


class Choices:
    """Follows an answer that becomes exactly one of `choices`.

    `ends` are the tokens that end an answer: they decide between “yes” and “yes, please”.
    """

    def __init__(self, choices: Sequence[str], vocabulary: Vocabulary, ends: Iterable[int]) -> None:
        """Begin an answer.

        Raises:
            ValueError: there is no choice, an empty one, or one twice.
            UnwritableError: the tokens cannot write one of the choices.
        """
        if not choices or not all(choices) or len(set(choices)) != len(choices):
            raise ValueError(f"no list of different choices: {list(choices)}")
        self._ends = sorted(ends)
        self._live: dict[bytes, list[list[tuple[int, list[int]]]]] = {}
        for choice in choices:
            ways = {text: vocabulary.steps(text) for text in _spellings(choice, vocabulary.leading_space)}
            possible = {text: steps for text, steps in ways.items() if steps[0]}
            if not possible:
                raise UnwritableError(choice)
            self._live.update(possible)
        self._place = 0

    def allowed(self) -> Ids:
        """The ids of the tokens that may come now: those that end it too, where it may end."""
        found = {number for steps in self._next().values() for _, ids in steps for number in ids}
        if any(len(text) == self._place for text in self._live):
            found.update(self._ends)
        return np.array(sorted(found), np.intp)

    @property
    def whole(self) -> bool:
        """Whether the answer is one of the choices and nothing can come any more."""
        return not self._next()

    def add(self, token: int) -> None:
        """Go on with a token that was allowed.

        Raises:
            ValueError: it was not.
        """
        for text, steps in self._next().items():
            for end, ids in steps:
                if token in ids:
                    written = text[:end]
                    self._live = {text: steps for text, steps in self._live.items() if text.startswith(written)}
                    self._place = end
                    return
        if token not in self._ends or not any(len(text) == self._place for text in self._live):
            raise ValueError(f"token {token} is not allowed here")
        self._live = {}

    def _next(self) -> dict[bytes, list[tuple[int, list[int]]]]:
        return {text: steps[self._place] for text, steps in self._live.items() if self._place < len(text)}


def _spellings(choice: str, leading_space: bool) -> list[bytes]:
    """The bytes that become `choice`: a tokenizer that puts a space before a text takes the first one away again."""
    plain = choice.encode()
    if not leading_space:
        return [plain]
    return [b" " + plain] if plain.startswith(b" ") else [plain, b" " + plain]


class UnwritableError(ValueError):
    """No tokens make up the text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
