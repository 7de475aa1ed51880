"""A text-generation pack, opened: messages in, an answer out, piece by piece."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np

from appliance.errors import CancelledError, EmptyTextError, EngineError, PromptTooLongError
from appliance.inference.causal import CausalGraph, Decoding, Floats
from appliance.inference.chat import Message, write_chat
from appliance.inference.endings import LoopGuard, StopStrings
from appliance.inference.grammar import (
    Answer,
    Grammar,
    UnwritableError,
    Vocabulary,
    choices_grammar,
    pattern_grammar,
)
from appliance.inference.prefix import Prefixes
from appliance.inference.sampling import GREEDY, Chooser, Sampling
from appliance.inference.tokenizer import TextStream, open_tokenizer
from appliance.limits import LIMITS, Limits
from appliance.packs.store import InstalledPack

Reason = Literal["end", "stop", "length", "loop"]
PATTERNS = 4  # whose grammars are kept for the next answer


@dataclass(frozen=True)
class Generated:
    """An answer. `reason` it ends: the model ended it, a stop string came, `most_tokens` were written, or it looped.

    `tokens` are those written, with the ones of a stop string, without the one that ends an answer.
    """

    text: str
    tokens: tuple[int, ...]
    reason: Reason


def never() -> bool:
    """The work is never cancelled."""
    return False


def ignore(_text: str) -> None:
    """Nobody reads along."""


class TextGenerator:
    """Writes answers with the model of one pack; safe to share between threads."""

    def __init__(
        self, pack: InstalledPack, threads: int, limits: Limits = LIMITS, *, prefix_bytes: int | None = None
    ) -> None:
        """Open `pack`. `prefix_bytes` of prompts are kept for those that begin alike (as `limits` say by default).

        Raises:
            EngineError: the graph or the tokenizer cannot be used, or they do not fit together.
        """
        settings = pack.manifest.generation
        if settings is None:
            raise EngineError(pack=pack.name, reason="it is not a text-generation pack")
        self.pack = pack
        self._settings = settings
        self._limits = limits
        self._tokenizer = open_tokenizer(pack.path / settings.tokenizer, pack.name)
        prompts = pack.path / settings.prompt_graph if settings.prompt_graph else None
        self._graph = CausalGraph(pack.path / settings.graph, pack.name, threads, prompts)
        kept = limits.prefix_bytes if prefix_bytes is None else prefix_bytes
        self._prefixes = Prefixes(self._graph, kept, limits.prefix_tokens)
        # A model may have rows for tokens that its tokenizer does not know, but not the other way round.
        if self._tokenizer.size > self._graph.vocabulary:
            sizes = f"{self._tokenizer.size} tokens, its graph {self._graph.vocabulary}"
            raise EngineError(pack=pack.name, reason=f"its tokenizer has {sizes}")
        self._ends = frozenset(self._end(token) for token in settings.ends)

    @property
    def context(self) -> int:
        """The most tokens of a prompt and its answer together."""
        return self._settings.context

    def generate(
        self,
        messages: Sequence[Message],
        *,
        most_tokens: int,
        sampling: Sampling = GREEDY,
        stops: Sequence[str] = (),
        choices: Sequence[str] = (),
        pattern: str = "",
        cancelled: Callable[[], bool] = never,
        on_text: Callable[[str], None] = ignore,
    ) -> Generated:
        """The assistant's answer to `messages`, of at most `most_tokens` tokens.

        `on_text` is told the text as it comes, whole characters only; the pieces make up the text of the answer. The
        first of `stops` ends it and is not part of it. With `choices` the answer is exactly one of them, and
        `most_tokens` and `stops` mean nothing. With `pattern` all of the answer matches it (`pattern.py` says what can
        be written): it is led to an end before `most_tokens`, or once it loops, and `stops` mean nothing. `cancelled`
        is asked before every token and between the chunks of a long prompt.

        Raises:
            EmptyTextError: there is no message.
            PromptTooLongError: the prompt leaves no room for `most_tokens` tokens.
            CancelledError: `cancelled()` was true.
            EngineError: the model's tokens cannot write one of `choices`, or nothing that matches `pattern`.
            ValueError: one of `choices` is empty, there twice, or longer than an answer may be; `pattern` is not
                written as patterns are, is too large, or may need more than `most_tokens` tokens; both are given.
        """
        prompt = self.encode(messages)
        if choices:
            most_tokens = max(len(choice.encode()) for choice in choices) + 1  # a byte a token, and a space
        answer = self._answer(choices, pattern, most_tokens)
        stream, guard = TextStream(self._tokenizer), LoopGuard(self._limits)
        stop = StopStrings(stops if answer is None else ())
        tokens: list[int] = []
        pieces: list[str] = []

        def tell(text: str) -> None:
            if text:
                pieces.append(text)
                on_text(text)

        reason: Reason = "length" if answer is None else "end"
        with closing(self._write(prompt, most_tokens, sampling, cancelled, answer)) as written:
            for token in written:
                if token in self._ends:
                    reason = "end"
                    break
                tokens.append(token)
                tell(stop.add(stream.add(token)))
                if stop.found:
                    reason = "stop"
                    break
                if guard.loops(token) and not choices:
                    reason = "loop"
                    if answer is None:
                        break
                    answer.hurry()
        tell(stop.add(stream.end()))
        tell(stop.end())
        return Generated("".join(pieces), tuple(tokens), "stop" if stop.found else reason)

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """The prompt that asks for the assistant's answer to `messages`, as the pack's form of a chat has it."""
        parts = write_chat(self._settings.chat, messages)
        return [
            token for part in parts for token in self._tokenizer.encode(part.text, special=False, marks=part.is_form)
        ]

    def encode_text(self, text: str) -> list[int]:
        """The ids of a text that is no conversation, with no mark of the model in it."""
        return self._tokenizer.encode(text, special=False)

    def decode_ids(self, prompt: Sequence[int], most_tokens: int, sampling: Sampling = GREEDY) -> list[int]:
        """The tokens written after `prompt`, with no guard and no end: what tests compare."""
        return list(self._write(prompt, most_tokens, sampling, never))

    def logits(self, ids: Sequence[int]) -> Floats:
        """Logits (tokens, vocabulary) after each of `ids`: what tests compare."""
        self._check(len(ids), 0)
        decoding = self._graph.start(len(ids))
        return np.concatenate([decoding.step(chunk, range(len(chunk))) for chunk in self._chunks(ids)])

    def _write(
        self,
        prompt: Sequence[int],
        most_tokens: int,
        sampling: Sampling,
        cancelled: Callable[[], bool],
        answer: Answer | None = None,
    ) -> Generator[int, None, None]:
        if most_tokens < 1:
            raise ValueError(f"most_tokens is {most_tokens}")
        most = min(most_tokens, self._limits.answer_tokens)
        self._check(len(prompt), most)
        chooser = Chooser(sampling, prompt, self._tokenizer.size)
        with self._prefixes.borrow(prompt, most) as decoding:
            logits = self._read(decoding, prompt, cancelled)
            for written in itertools.count(1):
                token = chooser.choose(logits, None if answer is None else answer.allowed())
                if answer is not None:
                    answer.add(token)
                yield token
                if written >= most or (answer is not None and answer.whole):
                    return
                if cancelled():
                    raise CancelledError
                logits = decoding.step([token], [0])[0]

    def _read(self, decoding: Decoding, prompt: Sequence[int], cancelled: Callable[[], bool]) -> Floats:
        """Logits (vocabulary,) after `prompt`, of which `decoding` may have read the beginning."""
        # What reads prompts gives no logits, so the last token is left to what writes.
        for chunk in self._chunks(prompt[decoding.length : -1]):
            if cancelled():
                raise CancelledError
            decoding.read(chunk)
        if cancelled():
            raise CancelledError
        logits: Floats = decoding.step(prompt[-1:], [0])[0]
        return logits

    def _chunks(self, ids: Sequence[int]) -> list[Sequence[int]]:
        most = self._limits.prompt_chunk
        return [ids[first : first + most] for first in range(0, len(ids), most)]

    def _check(self, prompt: int, answer: int) -> None:
        if not prompt:
            raise EmptyTextError
        most = self.context - answer
        if prompt > most:
            raise PromptTooLongError(length=prompt, most=max(most, 0), remove=prompt - max(most, 0))

    def _answer(self, choices: Sequence[str], pattern: str, most_tokens: int) -> Answer | None:
        """What an answer is held to, if it is."""
        if choices and pattern:
            raise ValueError("both choices and a pattern")
        if not choices and not pattern:
            return None
        if choices and most_tokens > self._limits.answer_tokens:
            raise ValueError(f"a choice is longer than {self._limits.answer_tokens} bytes")
        try:
            grammar = choices_grammar(choices, self._vocabulary) if choices else self._pattern(pattern)
        except UnwritableError as error:
            reason = f"its tokenizer cannot write “{error.text}”"
            raise EngineError(pack=self.pack.name, reason=reason) from error
        return Answer(grammar, self._ends, min(most_tokens, self._limits.answer_tokens))

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        """Made when it is first needed: few callers constrain an answer."""
        return Vocabulary(self._tokenizer)

    @cached_property
    def _pattern(self) -> Callable[[str], Grammar]:
        vocabulary, most_states = self._vocabulary, self._limits.pattern_states
        return lru_cache(PATTERNS)(lambda pattern: pattern_grammar(pattern, vocabulary, most_states))

    def _end(self, token: str) -> int:
        number = self._tokenizer.token_id(token)
        if number is None:
            raise EngineError(pack=self.pack.name, reason=f"its tokenizer has no token {token}, which ends an answer")
        return number
