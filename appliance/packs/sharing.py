"""What this box gives to others in its network: the packs in use and who signed them, and nothing else of what it has.

It is put together once, in a thread of its own, since every pack must be read to know its archive; whoever asks before
that is told to come back. What is given out afterwards is made as it is sent.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from appliance import __version__
from appliance.errors import BarazaError, SharedBusyError, SharedLaterError, SharedNotFoundError, SharingOffError
from appliance.limits import LIMITS, Limits
from appliance.packs.manifest import NAME
from appliance.packs.onward import Bundle, Onward, Parcel
from appliance.packs.store import PackStore

FORMAT = 1
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Shared:
    """What was put together when the packs had this `stamp`."""

    stamp: object
    bundles: Mapping[str, Bundle]


class Sharing:
    """Gives out what `onward` can hand on; nothing unless it is `on`."""

    def __init__(self, onward: Onward, store: PackStore, on: bool, limits: Limits = LIMITS) -> None:
        self.on = on
        self._onward, self._store, self._limits = onward, store, limits
        self._downloads = threading.BoundedSemaphore(limits.shared_downloads)
        self._guard = threading.Lock()
        self._shared: _Shared | None = None
        self._preparing: threading.Thread | None = None
        self._closed = threading.Event()

    def prepare(self) -> None:
        """Put together what can be given out; what fails is left out and told in the log."""
        stamp, bundles = self._stamp(), dict[str, Bundle]()
        try:
            names = [name for name in (pack.manifest.name for pack in self._store.active()) if self._is_whole(name)]
            for bundle in self._onward.pack(names, cancelled=self._closed.is_set) if names else ():
                name = bundle.release.name
                bundles[name if NAME.fullmatch(name) and name not in bundles else f"{name}-{len(bundles)}"] = bundle
        except BarazaError as error:
            if not self._closed.is_set():
                log.warning("what this box gives to others could not be put together: %s", error)
        with self._guard:
            self._shared = _Shared(stamp, bundles)

    def start(self) -> None:
        """Begin to put it together, unless that is under way or done."""
        with self._guard:
            under_way = self._preparing is not None and self._preparing.is_alive()
            done = self._shared is not None and self._shared.stamp == self._stamp()
            if self.on and not (under_way or done or self._closed.is_set()):
                self._preparing = threading.Thread(target=self.prepare, name="baraza-sharing", daemon=True)
                self._preparing.start()

    def close(self) -> None:
        """Stop reading packs, if that is under way."""
        self._closed.set()
        preparing = self._preparing
        if preparing is not None:
            preparing.join()

    def index(self) -> dict[str, Any]:
        """The publishers whose packs are here, as JSON values; for people, and to find the repositories by.

        Raises:
            SharingOffError: the keeper wants none of it.
            SharedLaterError: it is being put together.
        """
        rows = [_row(folder, bundle) for folder, bundle in sorted(self._bundles().items())]
        return {"format": FORMAT, "software": __version__, "roots": rows}

    def metadata(self, root: str, file: str) -> bytes:
        """A file of `metadata/` of a publisher. Raises SharedNotFoundError, and as `index`."""
        try:
            return self._bundles()[root].release.metadata[f"metadata/{file}"]
        except KeyError:
            raise SharedNotFoundError from None

    def parcel(self, root: str, place: str) -> Parcel:
        """The archive at `targets/PLACE` of a publisher. Raises SharedNotFoundError, and as `index`."""
        bundle = self._bundles().get(root)
        for parcel in bundle.parcels if bundle else ():
            if parcel.listed.place == f"targets/{place}":
                return parcel
        raise SharedNotFoundError

    @contextmanager
    def download(self) -> Iterator[None]:
        """One of the few downloads that may be under way. Raises SharedBusyError."""
        if not self._downloads.acquire(blocking=False):
            raise SharedBusyError(seconds=self._limits.shared_wait_seconds)
        try:
            yield
        finally:
            self._downloads.release()

    def _bundles(self) -> Mapping[str, Bundle]:
        if not self.on:
            raise SharingOffError
        self.start()
        shared = self._shared
        if shared is None:
            raise SharedLaterError(seconds=self._limits.shared_wait_seconds)
        return shared.bundles

    def _is_whole(self, name: str) -> bool:
        try:
            self._onward.measure(name, cancelled=self._closed.is_set)
        except BarazaError as error:
            log.warning("not given to others: %s", error)
            return False
        return True

    def _stamp(self) -> object:
        """Differs once other packs are in use, or another release of a publisher was seen."""
        return (self._store.stamp(), self._onward.stamp())


def _row(folder: str, bundle: Bundle) -> dict[str, Any]:
    release = bundle.release
    return {
        "path": folder,
        "own": bundle.own,
        "words": release.words,
        "release": release.number,
        "expires": f"{release.expires:%Y-%m-%dT%H:%M:%SZ}",
        "packs": [f"{each.listed.offer.name} {each.listed.offer.version}" for each in bundle.parcels],
    }
