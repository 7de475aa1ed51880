"""Articles by what they mean: a question finds one that shares no word with it, in whatever language.

Every article has two vectors, of its title with its other names and of its title with its signs, in English: the
embedding packs know several languages, and more vectors found nothing better (docs/decisions/0029-finding.md).
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from appliance.advice.articles import BODY_LANGUAGE, Article
from appliance.errors import BarazaError, StorageError
from appliance.storage.atomic import ensure_folder, write_atomically

Vectors = npt.NDArray[np.float32]

AT_ONCE = 16  # texts, between which others have the engine
FILE = "meanings.npy"  # vectors made before, for the same texts by the same model


class Model(Protocol):
    """What gives texts their vectors."""

    @property
    def name(self) -> str:
        """Changes with the model; "" if there is none now."""

    def embed(self, texts: Sequence[str], *, as_query: bool) -> Vectors:
        """L2-normalised vectors: float32 (texts, dimensions). Raises BarazaError: there is no model, or no memory."""


class Meanings:
    """The vectors of all articles; until `prepare` is done, and while the model cannot be had, they say nothing."""

    def __init__(self, articles: Mapping[str, Article], model: Model, folder: Path) -> None:
        """`folder` is where vectors are kept for the next start."""
        self._model, self._file = model, folder / FILE
        self._names = list(articles)
        self._places = {name: place for place, name in enumerate(self._names)}
        self._texts = [text for article in articles.values() for text in _texts(article)]
        self._preparing = threading.Lock()
        self._vectors: Vectors | None = None
        self._made_by = ""

    @property
    def is_ready(self) -> bool:
        """Whether the vectors are there, made by the model of now."""
        return self._vectors is not None and self._made_by == self._model.name

    def prepare(self, wanted: Callable[[], bool] = lambda: True) -> None:
        """Read or compute the vectors; broken off as soon as they are not `wanted`. Raises what the model does."""
        with self._preparing:
            name = self._model.name
            if self.is_ready or not name or not self._texts:
                return
            key = self._key(name)
            vectors = self._kept(key)
            if vectors is None:
                vectors = self._computed(wanted)
                if vectors is None:
                    return
                self._keep(key, vectors)
            self._vectors, self._made_by = vectors, name

    def likeness(self, question: str, most: int | None = None, also: Iterable[str] = ()) -> dict[str, float]:
        """How much `question` means what each article is about, -1..1; nothing if the model cannot say now.

        Of `most` articles only, those that it means most, and of those named in `also`.
        """
        vectors = self._vectors
        if vectors is None or not self.is_ready:
            return {}
        try:
            (asked,) = self._model.embed([question], as_query=True)
        except BarazaError:
            return {}  # the words still find something
        best = (vectors @ asked).reshape(len(self._names), -1).max(axis=1)
        least = 0 if most is None else max(0, len(best) - most)
        nearest = np.argpartition(best, least)[least:].tolist() if least < len(best) else []
        places = {*nearest, *(self._places[name] for name in also if name in self._places)}
        return {self._names[place]: float(best[place]) for place in sorted(places)}

    def _computed(self, wanted: Callable[[], bool]) -> Vectors | None:
        parts: list[Vectors] = []
        for begin in range(0, len(self._texts), AT_ONCE):
            if not wanted():
                return None
            parts.append(self._model.embed(self._texts[begin : begin + AT_ONCE], as_query=False))
        return np.concatenate(parts)

    def _key(self, name: str) -> bytes:
        """What the vectors were made of."""
        return hashlib.sha256("\0".join((name, *self._texts)).encode()).digest()

    def _kept(self, key: bytes) -> Vectors | None:
        """The vectors in the file, if they are of these texts and this model, and whole."""
        with suppress(OSError, ValueError, EOFError):
            raw = self._file.read_bytes()
            if raw.startswith(key + hashlib.sha256(raw[64:]).digest()):
                found: Vectors = np.load(io.BytesIO(raw[64:]), allow_pickle=False)
                return found if len(found) == len(self._texts) else None
        return None

    def _keep(self, key: bytes, vectors: Vectors) -> None:
        stream = io.BytesIO()
        np.save(stream, vectors, allow_pickle=False)
        content = stream.getvalue()
        with suppress(StorageError):  # they are computed again at the next start
            ensure_folder(self._file.parent)
            write_atomically(self._file, key + hashlib.sha256(content).digest() + content)


def _texts(article: Article) -> tuple[str, str]:
    face = article.faces[BODY_LANGUAGE]
    return f"{face.title}. {', '.join(face.aliases)}", f"{face.title}. {' '.join(face.signs)}"
