"""A conversation in the form a model was taught: the marks around each message, and which text is not a mark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from appliance.packs.manifest import BLANK, ChatForm

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    role: Role
    text: str


@dataclass(frozen=True)
class Part:
    """A piece of a prompt. `is_form`: it comes from the pack, so marks of the model in it are meant as such."""

    text: str
    is_form: bool


def write_chat(form: ChatForm, messages: Sequence[Message]) -> list[Part]:
    """The prompt that asks for the assistant's answer to `messages`, white space around each text left out."""
    parts = [part for part in _parts(form, messages) if part.text]
    # Joined, so that the form is cut into the same tokens as in a prompt made in one piece.
    runs = groupby(parts, key=lambda part: part.is_form)
    return [Part("".join(part.text for part in run), is_form) for is_form, run in runs]


def _parts(form: ChatForm, messages: Sequence[Message]) -> Iterator[Part]:
    if not messages or messages[0].role != "system":
        yield Part(form.opening, True)
    for message in messages:
        before, _, after = form.of(message.role).partition(BLANK)
        yield Part(before, True)
        yield Part(message.text.strip(), False)
        yield Part(after, True)
    yield Part(form.begin, True)
