"""Knowledge in packs: what a village made of its own for others, and how a pack of a stranger is read.

articles/SUBJECT/ID.md   articles in the form of docs/write-knowledge.md
notes.toml               notes to articles; [[notes]] about, kind, text, language, name, day, known_from

`pack.toml` says in `[knowledge]` which `village` wrote it; without that it is a publisher's.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from appliance import __version__
from appliance.advice.articles import BY_VILLAGE, LANGUAGE, Article, ByVillage, read_article
from appliance.advice.community import CORRECTION, NOTE, Note, articles_of, is_readable, notes_of
from appliance.errors import KnowledgeError, PackSelftestError
from appliance.limits import LIMITS, Limits
from appliance.packs.archive import Head, head
from appliance.packs.manifest import MANIFEST, NAME, parse_manifest
from appliance.packs.offer import offer_of
from appliance.packs.onward import Exportable, Why
from appliance.packs.store import InstalledPack, PackStore, version_key
from appliance.packs.stored import length_of
from appliance.storage.contributions import State, Village

KIND = "knowledge"
ARTICLES, NOTES = "articles", "notes.toml"
LICENCE = "CC-BY-4.0"
LONGEST = 200  # characters of a field in a note


@dataclass(frozen=True)
class Brought:
    """What is in a knowledge pack. `village`: whose it is, "" if it does not say; None: a publisher's.

    The articles have the ids that they have in the pack.
    """

    pack: str
    title: str
    village: str | None
    articles: Mapping[str, Article]
    notes: Sequence[Note]


# Reading


def read_pack(
    pack: InstalledPack, limits: Limits = LIMITS, on_error: Callable[[KnowledgeError], None] | None = None
) -> Brought:
    """What `pack` brings; an article that is not of its form is left out and told to `on_error`, if that is given.

    Raises:
        KnowledgeError: something is not of its form, and there is no `on_error`.
    """
    manifest = pack.manifest
    village = manifest.knowledge.village if manifest.knowledge else None
    told = on_error or _raise
    articles: dict[str, Article] = {}
    size = 0
    for file in manifest.files:
        path = PurePosixPath(file.path)
        if path.suffix != ".md" or path.parts[0] != ARTICLES or len(path.parts) != 3:
            continue
        try:
            size += file.size
            _check_place(path, articles, size, limits)
            article = _checked(read_article(pack.path / file.path, limits), manifest.languages, limits)
            articles[article.id] = article if village is None else _of_village(article, village)
        except KnowledgeError as error:
            told(error)
    try:
        notes = _read_notes(pack, village or "", limits)
    except KnowledgeError as error:
        told(error)
        notes = []
    return Brought(manifest.name, manifest.title, village, articles, tuple(notes))


def try_out(pack: InstalledPack, limits: Limits = LIMITS) -> None:
    """The self-test of a knowledge pack: all of it can be read. Raises PackSelftestError."""
    try:
        read_pack(pack, limits)
    except KnowledgeError as error:
        raise PackSelftestError(pack=pack.name, reason=str(error)) from error


def _raise(error: KnowledgeError) -> None:
    raise error


def _check_place(path: PurePosixPath, articles: Mapping[str, Article], size: int, limits: Limits) -> None:
    if not NAME.fullmatch(path.stem) or not NAME.fullmatch(path.parent.name):
        raise KnowledgeError(article=path.stem, reason="its name is not made of small letters, digits and hyphens")
    if path.stem in articles:
        raise KnowledgeError(article=path.stem, reason="there are two articles of this name")
    if size > limits.knowledge_bytes or len(articles) >= limits.pack_files:
        raise KnowledgeError(article=path.stem, reason=f"the pack has more than {limits.knowledge_bytes} bytes of text")


def _checked(article: Article, languages: Sequence[str], limits: Limits) -> Article:
    """`article`, if it is in languages that the pack names, and nothing in it hides what it says."""
    if len(languages) > limits.knowledge_languages or not set(article.faces) <= set(languages):
        raise KnowledgeError(
            article=article.id, reason="it is in languages that the pack does not name, or in too many"
        )
    lists = (article.crops, article.devices, article.look_alikes, article.prevention)
    texts = [article.season, article.reviewed, *(line for lines in lists for line in lines)]
    for face in article.faces.values():
        texts += [face.title, face.danger, face.get_help, *face.aliases, *face.signs, *face.first_steps]
    texts += [text for source in article.sources for text in (source.publisher, source.title)]
    texts += [article.by.name, article.by.day, article.by.known_from] if article.by else []
    if not _is_readable("".join((*texts, article.body.replace("\t", " ")))):
        raise KnowledgeError(article=article.id, reason="it has characters that cannot be read")
    if any(not 0 < source.year < 10_000 for source in article.sources):
        raise KnowledgeError(article=article.id, reason="the year of a source is none")
    return article


def _is_readable(text: str) -> bool:
    return all(character == "\n" or is_readable(character) for character in text)


def _of_village(article: Article, village: str) -> Article:
    by = article.by or ByVillage("", "", "", "")
    return replace(article, by=replace(by, village=village), reviewed="")


def _read_notes(pack: InstalledPack, village: str, limits: Limits) -> list[Note]:
    listed = next((file for file in pack.manifest.files if file.path == NOTES), None)
    if listed is None:
        return []
    if listed.size > limits.knowledge_bytes // 4:
        raise KnowledgeError(article=NOTES, reason="it is too large")
    try:
        rows = tomllib.loads((pack.path / NOTES).read_text(encoding="utf-8")).get("notes", [])
        if not isinstance(rows, list) or len(rows) > limits.pack_files:
            raise ValueError("its notes are no list, or too many")
        return [_note(row, village, limits) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise KnowledgeError(article=NOTES, reason=str(error)) from error


def _note(row: Mapping[str, Any], village: str, limits: Limits) -> Note:
    """Raises KeyError, TypeError, ValueError."""
    fields = {key: row[key] for key in ("about", "kind", "text", "language", "name", "day", "known_from")}
    if not all(isinstance(value, str) for value in fields.values()):
        raise TypeError("a field of a note is no text")
    text = fields.pop("text")
    if (
        not text
        or len(text) > limits.contribution_characters
        or any(len(each) > LONGEST * 3 for each in fields.values())
    ):
        raise ValueError("a note is empty, or too long")
    if not _is_readable(text) or not _is_readable("".join(fields.values())):
        raise ValueError("a note has characters that cannot be read")
    if fields["kind"] not in (NOTE, CORRECTION) or not LANGUAGE.fullmatch(fields["language"]):
        raise ValueError("a note is of an unknown kind, or in an unknown language")
    by = ByVillage(village, fields["name"], fields["day"], fields["known_from"])
    return Note(fields["about"], fields["kind"], text, fields["language"], by)


# Making


class VillagePack:
    """The accepted articles and notes of this box, as a pack among its packs; nobody installs it here but the box."""

    def __init__(self, store: PackStore, village: Callable[[], Village], limits: Limits = LIMITS) -> None:
        """`village` gives what there is now."""
        self._store, self._village, self._limits = store, village, limits

    @property
    def name(self) -> str:
        """The name of the pack; "" while nothing was ever written here."""
        return name_of(self._village())

    def offer(self) -> Exportable | None:
        """What would be handed on now; None if nothing was accepted, and nothing was ever handed on."""
        village = self._village()
        made = self._made_before(village)
        if not village.code or (not made and not village.those(State.ACCEPTED)):
            return None
        raw, _ = _made(village, _next_version(village, made))
        found = Head(parse_manifest(raw, name_of(village), self._limits), raw)
        return Exportable(offer_of(found.manifest, found.digest), length_of(found), "", Why.UNLISTED)

    def among(self, others: Sequence[Exportable]) -> tuple[Exportable, ...]:
        """What can be handed on: this pack as it would be made now, first of all, and `others`."""
        own = self.offer()
        if own is None:
            return tuple(others)
        return (own, *(each for each in others if each.offer.name != own.offer.name))

    def renew(self) -> InstalledPack | None:
        """Make the pack of what there is now, unless that is the one that is there. Raises as `PackStore.install`."""
        village = self._village()
        if self.offer() is None:
            return None
        raw, files = _made(village, _next_version(village, self._made_before(village)))
        with tempfile.TemporaryDirectory(prefix="baraza-village-") as temporary:
            folder = Path(temporary) / "pack"
            for path, content in {**files, MANIFEST: raw}.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(content)
            return self._store.install(folder, selftest=try_out)

    def _made_before(self, village: Village) -> list[InstalledPack]:
        return list(self._store.versions(name_of(village)).values()) if village.code else []


def name_of(village: Village) -> str:
    """What the pack of a village is called, here and on every other box."""
    return f"village-{village.code}" if village.code else ""


def _next_version(village: Village, made: Sequence[InstalledPack]) -> str:
    """It grows with every change; what did not change keeps its version. After an old backup it goes on from `made`."""
    newest = max(made, key=lambda pack: version_key(pack.manifest.version), default=None)
    if newest is None:
        return f"1.0.{village.changes}"
    version = newest.manifest.version
    if _made(village, version)[0] == head(newest.path).raw:
        return version
    return f"1.0.{max(village.changes, version_key(version)[-1] + 1)}"


def _made(village: Village, version: str) -> tuple[bytes, dict[str, bytes]]:
    """`pack.toml` and the other files: the same bytes for the same village and version."""
    articles, notes = articles_of(village), notes_of(village)
    files = {f"{ARTICLES}/{each.subject}/{each.id}.md": _article_file(each) for each in articles.values()}
    files[NOTES] = "".join(map(_note_row, notes))
    raw = {path: text.encode() for path, text in files.items()}
    languages = sorted(
        {language for each in articles.values() for language in each.faces} | {n.language for n in notes}
    )
    called = f"Knowledge of {village.name}" if village.name else "Knowledge of a village"
    about = "Written by people of a village and read by the keeper of their box; not reviewed by an expert."
    lines = [
        *_pairs(name=name_of(village), version=version, kind=KIND, title=called, languages=languages),
        *_pairs(licence=LICENCE, about=about),
        "memory_bytes = 0",
        *_pairs(least_appliance=__version__),
        "[knowledge]",
        *_pairs(village=village.name),
    ]
    for path, content in sorted(raw.items()):
        lines += ["[[files]]", *_pairs(path=path), f"size = {len(content)}"]
        lines += _pairs(sha256=hashlib.sha256(content).hexdigest())
    return ("\n".join(lines) + "\n").encode(), raw


def _article_file(article: Article) -> str:
    ((language, face),) = article.faces.items()
    by = article.by or ByVillage("", "", "", "")
    lines = [
        *_pairs(language=language, title=face.title, kind=article.kind, crops=[], devices=[], aliases=[]),
        *_pairs(signs=face.signs, first_steps=face.first_steps, danger=face.danger, get_help=face.get_help),
        *_pairs(season="", sources=[]),
        f"[{BY_VILLAGE}]",
        *_pairs(name=by.name, day=by.day, known_from=by.known_from),
    ]
    return "\n".join(["+++", *lines, "+++", ""])


def _note_row(note: Note) -> str:
    by = note.by
    fields = _pairs(about=note.about, kind=note.kind, text=note.text, language=note.language)
    return "\n".join(["[[notes]]", *fields, *_pairs(name=by.name, day=by.day, known_from=by.known_from), ""])


def _pairs(**values: str | Iterable[str]) -> list[str]:
    """Lines of TOML: texts, and lists of texts."""
    plain = {key: value if isinstance(value, str) else list(value) for key, value in values.items()}
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in plain.items()]
