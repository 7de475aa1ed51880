"""The newest release of a publisher, as this box remembers it, put together again as a repository for others.

It is read back by the client of The Update Framework before it is handed on: what another box would not take is not
given to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import Metadata, Root

from appliance.limits import LIMITS, Limits
from appliance.packs.client import Client
from appliance.packs.fingerprint import fingerprint, public_keys
from appliance.packs.keys import EARLIEST
from appliance.packs.offer import Offer
from appliance.packs.release import TIMESTAMP
from appliance.packs.repository import offers_among
from appliance.packs.roots import State
from appliance.packs.sources import METADATA, NO_SUCH_FILE, TARGETS, Source, quiet
from appliance.storage.atomic import storage_errors


@dataclass(frozen=True)
class Listed:
    """A pack that a release lists, whose archive has `length` bytes and lies at `place` in the repository."""

    offer: Offer
    length: int
    sha256: str
    place: str


@dataclass(frozen=True)
class Release:
    """`name`: of the publisher, here; `number`: of the release; `identity`: the public keys of the first root, by which
    a folder is recognised as this publisher's; `metadata`: every file of it by its place in the repository.
    """

    name: str
    words: str
    number: int
    expires: datetime
    identity: str
    metadata: Mapping[str, bytes]
    listed: tuple[Listed, ...]

    def find(self, name: str, manifest: str) -> Listed | None:
        """The pack `name` whose `pack.toml` has the sha256 `manifest`."""
        found = (each for each in self.listed if (each.offer.name, each.offer.manifest) == (name, manifest))
        return next(found, None)


def release_of(name: str, state: State, limits: Limits = LIMITS) -> Release | None:
    """What is remembered of root `name` as a whole release, expired or not; None if there is none that others can read.

    There is none before a repository of that publisher was read, and none without the first version of the root.
    """
    roots = {_version(raw): raw for raw in (*state.earlier, *state.roots)}
    files = {f"{METADATA}{version}.root.json": raw for version, raw in roots.items()}
    files |= _named(state.metadata)
    if 1 not in roots or not state.root.consistent_snapshot:
        return None
    return read_release(name, files, limits)


def read_release(name: str, files: Mapping[str, bytes], limits: Limits = LIMITS) -> Release | None:
    """The repository whose metadata are `files`, by place, as a box that knows its first root reads it.

    None if such a box could not. Raises StorageError: there is no room to read it.
    """
    first = files[f"{METADATA}1.root.json"]
    source = _Memory(name, files, limits)
    try:
        with storage_errors(Path(gettempdir())), TemporaryDirectory(prefix="baraza-onward-") as work:
            client = Client(Path(work), source, first, EARLIEST)  # whether it has expired, who hands it on decides
            client.refresh()
            targets = client.all_targets()  # what a faulty cooperative signed is left out, there as here
    except (TufError, DownloadError, ValueError):
        return None
    offers, _ = offers_among(targets, lambda offer: True)
    listed = []
    for offer in offers:
        target = targets[offer.path]
        listed.append(Listed(offer, target.length, target.hashes["sha256"], TARGETS + client.path_of(target)))
    read = {place: raw for place, raw in files.items() if place in source.read or place.endswith(".root.json")}
    root = Metadata[Root].from_bytes(first).signed
    number = max(role.version for role in client.top()[1:])
    return Release(name, fingerprint(client.root), number, client.expires(), public_keys(root), read, tuple(listed))


def _named(metadata: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that the client keeps, under the names that they have in a repository."""
    found = {}
    for name, raw in metadata.items():
        if name == TIMESTAMP:
            found[METADATA + name] = raw
        else:
            found[f"{METADATA}{_version(raw)}.{name}"] = raw
    return found


def _version(raw: bytes) -> int:
    metadata: Metadata[Any] = Metadata.from_bytes(raw)
    return int(metadata.signed.version)


class _Memory(Source):
    """A repository in memory; `read`: what the client asked for and got."""

    def __init__(self, label: str, files: Mapping[str, bytes], limits: Limits) -> None:
        super().__init__(label, limits)
        self._files, self.read = files, set[str]()

    def _fetch(self, url: str) -> Iterator[bytes]:
        if url not in self._files:
            raise DownloadHTTPError(f"{url} is missing", NO_SUCH_FILE)
        self.read.add(url)
        yield self._files[url]

    def size(self, path: str) -> int | None:
        return len(self._files[path]) if path in self._files else None

    def local(
        self, path: str, length: int, room: Path, told: Callable[[int], None] = quiet
    ) -> AbstractContextManager[Path]:
        raise DownloadHTTPError(f"{path} is missing", NO_SUCH_FILE)
