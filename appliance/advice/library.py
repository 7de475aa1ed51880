"""All that the box knows: its own articles, those of packs, and what the village wrote; searched as one.

Whatever changes, the index is made anew beside the one at work, which answers meanwhile: how rare a word is depends on
all articles, so that a second, small index would not know how sure it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from appliance.advice.articles import BODY_LANGUAGE, Article, ByVillage
from appliance.advice.community import Note, articles_of, notes_of
from appliance.advice.finder import Finder
from appliance.advice.meanings import AT_ONCE, Meanings, Model, Vectors
from appliance.advice.service import AdviceService
from appliance.advice.village_pack import Brought
from appliance.errors import EngineBusyError, EngineError, EngineTooLargeError
from appliance.limits import LIMITS, Limits
from appliance.storage.contributions import Village

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Volume:
    """A knowledge pack in use; `vouched`: a publisher whom the keeper trusts with everything signed it."""

    brought: Brought
    vouched: bool = False


class Library:
    """Puts what is known together; `service` finds it and `notes` stand beside it. Safe to share between threads."""

    def __init__(
        self,
        articles: Mapping[str, Article],
        elsewhere: Mapping[str, Article],
        model: Model,
        folder: Path,
        limits: Limits = LIMITS,
    ) -> None:
        """`articles` came with the software; `elsewhere` is what none is about; `folder`: where vectors are kept."""
        self._articles, self._elsewhere = articles, elsewhere
        self._model, self._folder, self._limits = model, folder, limits
        self._meanings: Meanings = Meanings({**articles, **elsewhere}, model, folder)
        self._finder = Finder(articles, elsewhere, self._meanings, limits)
        self._notes: Mapping[str, tuple[Note, ...]] = {}
        self.service = AdviceService(articles, self._finder, limits)

    def notes(self, article_id: str) -> tuple[Note, ...]:
        """What people added to an article, those of this village first."""
        return self._notes.get(article_id, ())

    def renew(self, volumes: Iterable[Volume], village: Village, *, prepared: bool = True) -> None:
        """Know what came with the software, what is on `volumes` and what `village` accepted; nothing else.

        With `prepared` it is indexed before it takes the place of what is at work.
        """
        articles, notes = dict(self._articles), notes_of(village)
        for volume in volumes:
            brought = _placed(volume, self._articles)
            room = self._limits.articles - len(articles)
            if len(brought) > room:
                log.warning("%s: %d articles are too many for the box", volume.brought.pack, len(brought) - room)
            articles |= dict(list(brought.items())[: max(0, room)])
            notes += [_about(note, volume.brought) for note in volume.brought.notes]
        articles |= articles_of(village)
        beside: dict[str, tuple[Note, ...]] = {}
        for note in notes:
            if note.about in articles:
                beside[note.about] = (*beside.get(note.about, ()), note)
        searched = {name: _with_notes(each, beside.get(name, ())) for name, each in articles.items()}
        texts = {name: _in_some_english(each) for name, each in {**articles, **self._elsewhere}.items()}
        meanings = _Grown(texts, self._model, self._folder, self._meanings)
        finder = Finder(searched, self._elsewhere, meanings, self._limits)
        if prepared:
            finder.prepare()
        self._meanings, self._finder, self._notes = meanings, finder, beside
        self.service.replace(articles, finder)

    def prepare(self, wanted: Callable[[], bool] = lambda: True) -> None:
        """Index all there is, and learn what it means if there is a model for that; broken off if not `wanted`."""
        finder, meanings = self._finder, self._meanings
        finder.prepare()
        with suppress(EngineError, EngineTooLargeError, EngineBusyError):
            meanings.prepare(lambda: wanted() and meanings is self._meanings)


class _Grown(Meanings):
    """The same with some other articles: texts whose vectors are known already are not computed again."""

    def __init__(self, articles: Mapping[str, Article], model: Model, folder: Path, before: Meanings) -> None:
        super().__init__(articles, model, folder)
        self._before: Meanings | None = before

    def _computed(self, wanted: Callable[[], bool]) -> Vectors | None:
        known: dict[str, Vectors] = {}
        before = self._before
        if before is not None and before.is_ready and before._vectors is not None:
            known = dict(zip(before._texts, before._vectors, strict=True))
        new = [text for text in dict.fromkeys(self._texts) if text not in known]
        for begin in range(0, len(new), AT_ONCE):
            if not wanted():
                return None
            some = new[begin : begin + AT_ONCE]
            known |= dict(zip(some, self._model.embed(some, as_query=False), strict=True))
        self._before = None
        found: Vectors = np.stack([known[text] for text in self._texts])
        return found


def _placed(volume: Volume, own: Mapping[str, Article]) -> dict[str, Article]:
    """The articles of a pack by the ids that they have on this box, which those of no other pack can have.

    Only a publisher's take the place of one of the box's own; all others stand beside it, under a name of theirs.
    """
    found, placed = volume.brought, {}
    for name, article in found.articles.items():
        reviewed = found.village is None and volume.vouched
        place = name if reviewed and name in own else f"{found.pack}.{name}"
        by = None if reviewed else article.by or ByVillage(found.village or found.title, "", "", "")
        placed[place] = replace(article, id=place, by=by, reviewed=article.reviewed if reviewed else "")
    return placed


def _about(note: Note, brought: Brought) -> Note:
    """A note of a pack; `about` is an article of the same pack, if it has such a one."""
    return replace(note, about=f"{brought.pack}.{note.about}") if note.about in brought.articles else note


def _with_notes(article: Article, notes: Sequence[Note]) -> Article:
    """`article` as it is searched: by the words of its notes, too, as far as they are in one of its languages."""
    faces = dict(article.faces)
    for note in notes:
        face = faces.get(note.language)
        if face is not None:
            faces[note.language] = replace(face, get_help=f"{face.get_help} {note.text}")
    return replace(article, faces=faces) if notes else article


def _in_some_english(article: Article) -> Article:
    """`article` with a face under English: if it has none, the one that it has, which the model reads as well."""
    if BODY_LANGUAGE in article.faces:
        return article
    return replace(article, faces={**article.faces, BODY_LANGUAGE: article.face(BODY_LANGUAGE)})
