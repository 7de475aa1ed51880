"""What is at a place (a stick, a folder, a neighbour's box): each repository there, who signed it, and what it would
change on this box. The command line prints it, the page of the keeper shows it, and both choose from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from appliance.errors import (
    BarazaError,
    PackNotInstalledError,
    RepositoryError,
    SourceLostError,
    UnknownPublisherError,
)
from appliance.limits import LIMITS, Limits
from appliance.packs.look import Box, Seen, look
from appliance.packs.neighbour import repositories_at
from appliance.packs.offer import Offer
from appliance.packs.repository import Repository
from appliance.packs.roots import TrustedRoot
from appliance.packs.sources import FolderSource, Source, SourceReadError, find_repositories
from appliance.packs.store import PackStore, version_key
from appliance.packs.trust import Trust

HTTP = ("http://", "https://")


@dataclass(frozen=True)
class Shelf:
    """One repository at a place. Either it was verified (`root`, `repository`), or somebody signed it whom the box does
    not know (`signer`: the root as `Trust.add` takes it), or it was `refused`.

    Args:
        place: where it is.
        words: of whoever signed it.
        version: of the root that signed it.
        release: its number; `expires`: until when it is good.
        seen: its packs beside those of the box.
        strangers: its packs, as somebody says whom the box does not know.
        problems: what was left out of it.
        believed: the clock of the box can be right.
    """

    place: str
    root: TrustedRoot | None = None
    words: str = ""
    version: int = 0
    release: int = 0
    expires: datetime | None = None
    seen: tuple[Seen, ...] = ()
    strangers: tuple[Offer, ...] = ()
    signer: bytes = b""
    problems: tuple[str, ...] = ()
    refused: BarazaError | None = None
    believed: bool = True
    repository: Repository | None = None


Choice = tuple[Repository, Seen]  # a pack to be installed, and where it is


def sources_at(place: str, limits: Limits = LIMITS) -> tuple[Source, ...]:
    """The repositories at `place`: an address of a neighbour's box, a stick, or a folder.

    Raises:
        AddressError, RepositoryError: there is none.
        SourceLostError: the stick does not let itself be read.
    """
    if place.startswith(HTTP):
        return repositories_at(place, limits)
    try:
        found = find_repositories(Path(place), limits)
    except SourceReadError as error:
        missing = isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError))
        raise (RepositoryError if missing else SourceLostError)(path=place, reason=str(error)) from error
    if not found:
        reason = "no signed packs lie in it, in its subfolders or in its folder “baraza”"
        raise RepositoryError(path=place, reason=reason)
    return tuple(FolderSource(folder, limits) for folder in found)


def shelves(trust: Trust, store: PackStore, box: Box, sources: Iterable[Source]) -> tuple[Shelf, ...]:
    """What is in each of `sources`. Nothing is raised: one that fails is there with its error, as `refused`."""
    return tuple(_shelf(trust, store, box, source) for source in sources)


def choose(found: Sequence[Shelf], names: Sequence[str] = ()) -> tuple[Choice, ...]:
    """What to install of `found`: the newest version of each of `names`; without names all that is new or newer.

    Raises:
        PackNotInstalledError: a name is not offered by a publisher whom the box trusts.
        BarazaError: what was refused, where that is why there is nothing (or not all of it).
    """
    opened = [shelf for shelf in found if shelf.repository is not None]
    offered: dict[str, Choice] = {}
    for repository, each in sorted(_offered(opened), key=lambda pair: version_key(pair[1].offer.version)):
        if names or each.brings:
            offered[each.offer.name] = (repository, each)  # the newest comes last
    missing = [name for name in names if name not in offered]
    if missing or not opened:
        for shelf in found:
            if shelf.repository is None:
                raise shelf.refused or _unknown(shelf)
    if missing:
        raise PackNotInstalledError(pack=missing[0])
    return tuple(offered[name] for name in names or sorted(offered))


def _offered(opened: Iterable[Shelf]) -> list[Choice]:
    return [(shelf.repository, each) for shelf in opened if shelf.repository for each in shelf.seen]


def _shelf(trust: Trust, store: PackStore, box: Box, source: Source) -> Shelf:
    try:
        return _known(trust.open(source), store, box)
    except UnknownPublisherError:
        return _strange(trust, source)
    except BarazaError as error:
        return Shelf(source.label, refused=error)


def _known(repository: Repository, store: PackStore, box: Box) -> Shelf:
    """Raises SourceLostError."""
    root = repository.root
    return Shelf(
        place=repository.label,
        root=root,
        words=root.words,
        version=root.version,
        release=repository.release,
        expires=repository.expires,
        seen=look(repository.offers, map(repository.present, repository.offers), store, box),
        problems=repository.problems,
        believed=repository.judged.believed,
        repository=repository,
    )


def _strange(trust: Trust, source: Source) -> Shelf:
    try:
        stranger = trust.stranger(source)
    except BarazaError as error:
        return Shelf(source.label, refused=error)
    return Shelf(
        place=source.label,
        words=stranger.words,
        version=stranger.version,
        expires=stranger.expires,
        strangers=stranger.offers,
        signer=stranger.root,
    )


def _unknown(shelf: Shelf) -> UnknownPublisherError:
    return UnknownPublisherError(path=shelf.place, words=shelf.words, version=shelf.version)
