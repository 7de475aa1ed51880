"""The embedding pack in use, whichever it is now."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from appliance.errors import NoModelError
from appliance.inference.embedder import Vectors
from appliance.inference.engines import Engines
from appliance.packs.store import InstalledPack


class ActiveEmbedder:
    """Gives texts their vectors with the pack that `find` finds at that moment; safe to share between threads."""

    def __init__(self, engines: Engines, find: Callable[[], InstalledPack | None]) -> None:
        self._engines, self._find = engines, find

    @property
    def name(self) -> str:
        """The pack, and where it lies: a version that came again has another place. "" if there is none."""
        pack = self._find()
        return f"{pack.name} in {pack.path.name}" if pack else ""

    def embed(self, texts: Sequence[str], *, as_query: bool = False) -> Vectors:
        """As `Embedder.embed`.

        Raises:
            NoModelError: no embedding pack is in use.
            EngineError, EngineTooLargeError, EngineBusyError: it cannot be opened.
        """
        pack = self._find()
        if pack is None:
            raise NoModelError(kind="embedding")
        with self._engines.embedder(pack) as embedder:
            return embedder.embed(texts, as_query=as_query)
