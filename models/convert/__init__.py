"""From a checkpoint in Hugging Face form to the files of a pack, one module a family of models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from appliance.packs.manifest import Way


@dataclass(frozen=True)
class ConvertOptions:
    """`bits` of a weight: 32 (as trained), 8 or 4. `directions` are for translation only, and so is `lists`: whether
    the graphs can make use of a shortlist (which needs training text: public models have none).

    `context` is for text generation only: the most tokens of a prompt and its answer, less if the model has less. So is
    `prompts`: whether a pack of 4 bits gets a second graph, of 8 bits, that reads prompts several times as fast.
    `query` and `passage` are for embedding only: what a model wants before a text that looks, or is looked through.
    """

    bits: int = 8
    languages: tuple[str, ...] = ()
    directions: tuple[Way, ...] = ()
    lists: bool = False
    context: int = 2048
    prompts: bool = True
    query: str = ""
    passage: str = ""


@dataclass(frozen=True)
class Converted:
    """What the manifest says of the files: `settings` is its table named after the kind of the pack."""

    settings: dict[str, Any]
    memory_bytes: int
