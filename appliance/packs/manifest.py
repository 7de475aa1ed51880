"""`pack.toml`: what a pack says of itself, read as something a stranger may have written."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from appliance.errors import PackManifestError
from appliance.limits import LIMITS, Limits

KINDS = ("translation", "text-generation", "embedding", "knowledge", "speech", "interface")
POOLINGS = ("mean", "cls")  # how the vectors of a text's tokens become one
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
VERSION = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})")
LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
SHA256 = re.compile(r"[0-9a-f]{64}")
TOKEN = re.compile(r".{1,200}", re.DOTALL)
MESSAGE = re.compile(r"(?:(?!\{text\}).){0,1000}\{text\}(?:(?!\{text\}).){0,1000}", re.DOTALL)  # with one blank
MANIFEST = "pack.toml"
PLAIN_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")  # of a path: it begins with no dot and has ASCII only
VILLAGE = re.compile(r"[^\x00-\x1f\x7f-\x9f]{0,60}")
LONGEST_PATH = 200
LONGEST_MODEL = 1_000_000  # tokens: a bound for what a manifest may say, far above every model
BLANK = "{text}"  # where a message goes in the form of a chat
SELFTEST_ARROW = " ⇒ "  # between a sentence and what the pack made of it, in a line of [selftest]


@dataclass(frozen=True)
class PackFile:
    path: str  # POSIX, inside the pack
    size: int  # bytes
    sha256: str  # lower-case hexadecimal


@dataclass(frozen=True)
class Figure:
    """One quality figure measured on the pack: `metric` of `set`, with the tool that gave it."""

    set: str
    metric: str
    value: float
    tool: str
    direction: str = ""


@dataclass(frozen=True)
class Origin:
    """A source the pack was made from."""

    title: str
    licence: str
    url: str = ""
    revision: str = ""


@dataclass(frozen=True)
class Way:
    """A direction: `tag` is the piece before the source, `first` the one a target is made to begin with; "": none."""

    source: str
    target: str
    tag: str
    first: str = ""


@dataclass(frozen=True)
class TranslationSettings:
    """The files of a translation model and what steers it.

    `vocabulary` is a JSON file, piece → id, of a model whose ids are not SentencePiece's own; `target_tokenizer` a
    second SentencePiece model that only writes. `start` is the piece a decoder begins with (the padding if empty),
    `positions` the most tokens of a sentence that the model has places for (0: not said). `shortlist` is a file of the
    pieces that a translation can have by those of its source, `head` the graph that makes use of it; there may be none.
    """

    encoder: str
    decoder: str
    tokenizer: str
    directions: tuple[Way, ...]
    words: dict[str, str] = field(default_factory=dict)  # language → file of its words, frequent ones first
    target_tokenizer: str = ""
    vocabulary: str = ""
    start: str = ""
    positions: int = 0
    head: str = ""
    shortlist: str = ""


@dataclass(frozen=True)
class ChatForm:
    """How a conversation is written down for a model: each kind of message with BLANK where its text goes.

    `begin` is what the assistant's answer follows; `opening` stands first where no system message does.
    """

    system: str
    user: str
    assistant: str
    begin: str
    opening: str = ""

    def of(self, role: str) -> str:
        """The form of a message by `role`: system, user or assistant."""
        return {"system": self.system, "user": self.user, "assistant": self.assistant}[role]


@dataclass(frozen=True)
class GenerationSettings:
    """`context`: tokens, prompt and answer together; `ends`: tokens that end an answer; `data`: the graph's weights.

    `prompt_graph` and `prompt_data`: a second graph that only reads prompts, and does so faster; there may be none.
    """

    graph: str
    tokenizer: str
    context: int
    ends: tuple[str, ...]
    chat: ChatForm
    data: str = ""
    prompt_graph: str = ""
    prompt_data: str = ""


@dataclass(frozen=True)
class EmbeddingSettings:
    """`most_tokens` of one text, its frame included; `query` and `passage` are put before texts of either use."""

    graph: str
    tokenizer: str
    pooling: str  # one of POOLINGS
    dimensions: int
    most_tokens: int
    query: str = ""
    passage: str = ""


@dataclass(frozen=True)
class KnowledgeSettings:
    """`village`: who wrote it, reviewed by no expert; "" if it has no name. None: a publisher's articles."""

    village: str | None = None


@dataclass(frozen=True)
class Manifest:
    name: str
    version: str
    kind: str
    title: str
    languages: tuple[str, ...]
    licence: str
    about: str
    recipe: str
    memory_bytes: int
    least_appliance: str
    files: tuple[PackFile, ...]
    origins: tuple[Origin, ...] = ()
    figures: tuple[Figure, ...] = ()
    translation: TranslationSettings | None = None
    generation: GenerationSettings | None = None
    embedding: EmbeddingSettings | None = None
    knowledge: KnowledgeSettings | None = None
    selftest: dict[str, str] = field(default_factory=dict)
    card: str = ""  # a file in Markdown: what the model is for, what it gets wrong, where it comes from

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.size for file in self.files)


def read_manifest(folder: Path, limits: Limits = LIMITS) -> Manifest:
    """Read `folder/pack.toml`.

    Raises:
        PackManifestError: it is missing, too large, not TOML, or a field is missing or not of its form.
    """
    path = folder / MANIFEST
    try:
        with path.open("rb") as file:
            raw = file.read(limits.manifest_bytes + 1)
    except OSError as error:
        raise PackManifestError(pack=folder.name, reason=f"it cannot be read: {error.strerror}") from error
    return parse_manifest(raw, folder.name, limits)


def parse_manifest(raw: bytes, label: str, limits: Limits = LIMITS) -> Manifest:
    """Check the bytes of a `pack.toml`; `label` names the pack in errors. Raises PackManifestError."""

    def wrong(reason: str) -> PackManifestError:
        return PackManifestError(pack=label, reason=reason)

    if len(raw) > limits.manifest_bytes:
        raise wrong(f"it is larger than {limits.manifest_bytes} bytes")
    try:
        values = tomllib.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # a number of too many digits is no TOMLDecodeError
        raise wrong(f"it is not valid TOML ({error})") from error
    return _manifest(_Fields(values, wrong), limits)


def _manifest(fields: _Fields, limits: Limits) -> Manifest:
    kind = fields.choice("kind", KINDS)
    files = tuple(
        PackFile(row.path("path"), row.number("size", limits.pack_bytes), row.text("sha256", SHA256))
        for row in fields.rows("files")
    )
    if not files or len(files) > limits.pack_files:
        raise fields.wrong(f"it lists {len(files)} files; 1 to {limits.pack_files} are allowed")
    folded = {file.path.casefold() for file in files}
    if len(folded) != len(files) or MANIFEST in folded:
        raise fields.wrong("two of its files have the same name, or one is named like the manifest")
    if any(str(above) in folded | {MANIFEST} for path in folded for above in PurePosixPath(path).parents):
        raise fields.wrong("one of its files has the name of a folder of another")
    if sum(file.size for file in files) > limits.pack_bytes:
        raise fields.wrong(f"its files are larger than {limits.pack_bytes} bytes together")
    names = {file.path for file in files}
    return Manifest(
        name=fields.text("name", NAME),
        version=fields.text("version", VERSION),
        kind=kind,
        title=fields.text("title"),
        languages=fields.texts("languages", LANGUAGE),
        licence=fields.text("licence"),
        about=fields.text("about"),
        recipe=fields.text("recipe", default=""),
        memory_bytes=fields.number("memory_bytes", limits.pack_bytes * 4),
        least_appliance=fields.text("least_appliance", VERSION),
        files=files,
        origins=tuple(
            Origin(
                row.text("title"), row.text("licence"), row.text("url", default=""), row.text("revision", default="")
            )
            for row in fields.rows("sources")
        ),
        figures=tuple(_figure(row) for row in fields.rows("figures")),
        translation=_translation(fields.table("translation"), names) if kind == "translation" else None,
        generation=_generation(fields.table("text-generation"), names) if kind == "text-generation" else None,
        embedding=_embedding(fields.table("embedding"), names, limits) if kind == "embedding" else None,
        knowledge=_knowledge(fields) if kind == "knowledge" else None,
        selftest=fields.table("selftest").text_items() if fields.has("selftest") else {},
        card=_card(fields, names),
    )


def is_plain_path(path: str) -> bool:
    """Whether `path` is a relative POSIX path that stays in its folder and exists on every file system we meet."""
    parts = path.split("/")
    return len(path) <= LONGEST_PATH and all(PLAIN_PART.fullmatch(part) for part in parts)


def _card(fields: _Fields, names: set[str]) -> str:
    card = fields.path("card") if fields.has("card") else ""
    if card and card not in names:
        raise fields.wrong(f"its card is {card}, which it does not list under files")
    return card


def _figure(row: _Fields) -> Figure:
    return Figure(
        set=row.text("set"),
        metric=row.text("metric"),
        value=row.decimal("value"),
        tool=row.text("tool"),
        direction=row.text("direction", default=""),
    )


def _translation(fields: _Fields, names: set[str]) -> TranslationSettings:
    settings = TranslationSettings(
        encoder=fields.path("encoder"),
        decoder=fields.path("decoder"),
        tokenizer=fields.path("tokenizer"),
        directions=tuple(
            Way(
                row.text("source", LANGUAGE),
                row.text("target", LANGUAGE),
                row.text("tag"),
                row.text("first", default=""),
            )
            for row in fields.rows("directions")
        ),
        words=fields.table("words").path_items() if fields.has("words") else {},
        target_tokenizer=fields.path("target_tokenizer") if fields.has("target_tokenizer") else "",
        vocabulary=fields.path("vocabulary") if fields.has("vocabulary") else "",
        start=fields.text("start", default=""),
        positions=fields.number("positions", LONGEST_MODEL) if fields.has("positions") else 0,
        head=fields.path("head") if fields.has("head") else "",
        shortlist=fields.path("shortlist") if fields.has("shortlist") else "",
    )
    used = {settings.encoder, settings.decoder, settings.tokenizer, *settings.words.values()}
    used |= {settings.target_tokenizer, settings.vocabulary, settings.head, settings.shortlist} - {""}
    unlisted = used - names
    if unlisted:
        raise fields.wrong(f"it uses {', '.join(sorted(unlisted))}, which it does not list under files")
    if settings.target_tokenizer and not settings.vocabulary:
        raise fields.wrong("it has a target_tokenizer but no vocabulary, so its ids mean nothing")
    if settings.shortlist and not settings.head:
        raise fields.wrong("it has a shortlist but no head, which makes use of it")
    if not settings.directions:
        raise fields.wrong("it has no direction of translation")
    return settings


def _generation(fields: _Fields, names: set[str]) -> GenerationSettings:
    settings = GenerationSettings(
        graph=fields.path("graph"),
        tokenizer=fields.path("tokenizer"),
        context=fields.number("context", LONGEST_MODEL),
        ends=fields.texts("ends", TOKEN),
        chat=_chat(fields.table("chat")),
        data=fields.path("data") if fields.has("data") else "",
        prompt_graph=fields.path("prompt_graph") if fields.has("prompt_graph") else "",
        prompt_data=fields.path("prompt_data") if fields.has("prompt_data") else "",
    )
    graphs = {settings.graph, settings.data, settings.prompt_graph, settings.prompt_data}
    unlisted = ({settings.tokenizer, *graphs} - {""}) - names
    if unlisted:
        raise fields.wrong(f"it uses {', '.join(sorted(unlisted))}, which it does not list under files")
    if settings.context < 1 or not settings.ends:
        raise fields.wrong("it has no room for a token, or no token that ends an answer")
    return settings


def _chat(fields: _Fields) -> ChatForm:
    return ChatForm(
        system=fields.text("system", MESSAGE),
        user=fields.text("user", MESSAGE),
        assistant=fields.text("assistant", MESSAGE),
        begin=fields.text("begin", default=""),
        opening=fields.text("opening", default=""),
    )


def _embedding(fields: _Fields, names: set[str], limits: Limits) -> EmbeddingSettings:
    settings = EmbeddingSettings(
        graph=fields.path("graph"),
        tokenizer=fields.path("tokenizer"),
        pooling=fields.choice("pooling", POOLINGS),
        dimensions=fields.number("dimensions", limits.embedding_dimensions),
        most_tokens=fields.number("most_tokens", limits.embedding_tokens),
        query=fields.text("query", default=""),
        passage=fields.text("passage", default=""),
    )
    unlisted = {settings.graph, settings.tokenizer} - names
    if unlisted:
        raise fields.wrong(f"it uses {', '.join(sorted(unlisted))}, which it does not list under files")
    if settings.dimensions < 1 or settings.most_tokens < 3:
        raise fields.wrong("its vectors have no dimension, or it has no room for a token between begin and end")
    return settings


def _knowledge(fields: _Fields) -> KnowledgeSettings:
    """The table may be missing."""
    table = fields.table("knowledge") if fields.has("knowledge") else None
    village = table.text("village", VILLAGE) if table is not None and table.has("village") else None
    return KnowledgeSettings(village)


class _Fields:
    """A TOML table whose values are asked for by name and form; every wrong one is said by name."""

    def __init__(self, values: Any, wrong: Callable[[str], PackManifestError], where: str = "") -> None:
        if not isinstance(values, dict):
            raise wrong(f"{where.rstrip('.')} is not a table")
        self._values, self.wrong, self._where = values, wrong, where

    def has(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, form: re.Pattern[str] | None = None, default: str | None = None) -> str:
        value = self._values.get(name, default)
        if not isinstance(value, str) or (form and not form.fullmatch(value)):
            raise self.wrong(f"{self._where}{name} is missing or not of its form")
        return value

    def texts(self, name: str, form: re.Pattern[str]) -> tuple[str, ...]:
        value = self._values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(each, str) and form.fullmatch(each) for each in value):
            raise self.wrong(f"{self._where}{name} is not a list of the expected form")
        return tuple(value)

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name)
        if value not in allowed:
            raise self.wrong(f"{self._where}{name} is “{value}”, not one of {', '.join(allowed)}")
        return value

    def number(self, name: str, most: int) -> int:
        value = self._values.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise self.wrong(f"{self._where}{name} is not a whole number from 0 to {most}")
        return value

    def decimal(self, name: str) -> float:
        value = self._values.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.wrong(f"{self._where}{name} is not a number")
        try:
            return float(value)
        except OverflowError as error:
            raise self.wrong(f"{self._where}{name} is too large a number") from error

    def path(self, name: str) -> str:
        """A relative POSIX path that stays inside the pack and exists on every file system we meet."""
        value = self.text(name)
        if not is_plain_path(value):
            raise self.wrong(f"{self._where}{name} “{value[:80]}” is not a plain relative path")
        return value

    def rows(self, name: str) -> list[_Fields]:
        value = self._values.get(name, [])
        if not isinstance(value, list):
            raise self.wrong(f"{self._where}{name} is not a list of tables")
        return [_Fields(row, self.wrong, f"{name}.") for row in value]

    def table(self, name: str) -> _Fields:
        return _Fields(self._values.get(name), self.wrong, f"{name}.")

    def text_items(self) -> dict[str, str]:
        return {str(name): self.text(name) for name in self._values}

    def path_items(self) -> dict[str, str]:
        return {str(name): self.path(name) for name in self._values}
