"""A repository whose metadata were verified: what it offers, and its archives, verified one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from io import FileIO
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

from tuf.api.exceptions import DownloadError
from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import TargetFile

from appliance.errors import (
    BarazaError,
    NeighbourBusyError,
    PackArchiveError,
    PackFileError,
    PackMissingError,
    RepositoryError,
    RepositoryRefusedError,
    SourceLostError,
)
from appliance.packs import archive
from appliance.packs.offer import Offer, offer_of, read_offer
from appliance.packs.roots import TrustedRoot
from appliance.packs.sources import TARGETS, Source, SourceBusyError, SourceReadError, quiet
from appliance.packs.store import version_key
from appliance.packs.trusted_time import Judgement
from appliance.storage.atomic import ensure_folder, storage_error

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Repository:
    """A repository that was verified. `offers`: the packs that its root may bring; `problems`: what was left out."""

    def __init__(
        self,
        *,
        root: TrustedRoot,
        release: int,
        expires: datetime,
        offers: tuple[Offer, ...],
        problems: tuple[str, ...],
        judged: Judgement,
        source: Source,
        paths: Mapping[str, str],
        targets: Mapping[str, TargetFile],
        room: Path,
    ) -> None:
        self.root, self.release, self.expires = root, release, expires
        self.offers, self.problems, self.judged = offers, problems, judged
        self._source, self._paths, self._targets, self._room = source, paths, targets, room

    @property
    def label(self) -> str:
        """The place that it was read from."""
        return self._source.label

    @property
    def unattended(self) -> bool:
        """Whether its packs may be installed while nobody looks: the keeper chose so, and the clock can be right."""
        return self.root.unattended and self.judged.believed

    def present(self, offer: Offer) -> bool:
        """Whether its archive is there, in its length. Raises SourceLostError."""
        with source_errors(self.label):
            try:
                return self._source.size(self._path(offer)) == self._targets[offer.path].length
            except SourceReadError:
                raise
            except DownloadError:
                return False

    @contextmanager
    def archive(self, offer: Offer, told: Callable[[int], None] = quiet) -> Iterator[Path]:
        """The archive of `offer`, its length, hash and `pack.toml` verified: where it lies, or a copy for now.

        Whoever made the stick might show other bytes at the second reading; so install with
        `expected=offer.manifest`, which holds every byte that is written against what was signed.

        Args:
            offer: one of `offers`.
            told: called with the bytes that were copied and those that were verified, as they are; what it raises
                ends the work.

        Raises:
            PackMissingError: it is listed, but not there.
            RepositoryRefusedError: it is not what was signed.
            SourceLostError: it could not be read to the end.
            StorageError: there is no room for a copy.
        """
        target = self._targets[offer.path]
        ensure_folder(self._room)
        with ExitStack() as held:
            with source_errors(self.label):
                if self._source.size(self._path(offer)) is None:
                    raise PackMissingError(pack=f"{offer.name} {offer.version}", path=self.label)
                try:
                    path = held.enter_context(self._source.local(self._path(offer), target.length, self._room, told))
                except SourceReadError:
                    raise
                except DownloadError as error:
                    raise self._refused(str(error)) from error
            try:
                self._verify(path, offer, target, told)
                yield path
            except (PackArchiveError, PackFileError) as error:
                if self._went_away(offer, error):
                    raise SourceLostError(path=self.label, reason=str(error)) from error
                raise

    def _went_away(self, offer: Offer, error: BarazaError) -> bool:
        """Whether what was whole a moment ago cannot be read again because the source is gone.

        Raises SourceLostError: all of it is.
        """
        return isinstance(error.__cause__, OSError) or not self.present(offer)

    def _verify(self, path: Path, offer: Offer, target: TargetFile, told: Callable[[int], None]) -> None:
        try:
            with _Watched(path, told) as stream:
                target.verify_length_and_hashes(stream)
            head = archive.head(path, self._source.limits, expected=offer.manifest)
        except TufError as error:
            raise self._refused(f"{offer.path}: {error}") from error
        except OSError as error:
            raise SourceLostError(path=self.label, reason=error.strerror or str(error)) from error
        # A root that may bring knowledge only could call a model knowledge in what it lists.
        if replace(offer_of(head.manifest, head.digest), title=offer.title, licence=offer.licence) != offer:
            raise self._refused(f"{offer.path} holds another pack than is listed")

    def _path(self, offer: Offer) -> str:
        return TARGETS + self._paths[offer.path]

    def _refused(self, reason: str) -> RepositoryRefusedError:
        return RepositoryRefusedError(path=self.label, reason=reason, root=self.root.name)


class _Watched(FileIO):
    """A file that tells of each piece that is read of it."""

    def __init__(self, path: Path, told: Callable[[int], None]) -> None:
        super().__init__(path, "rb")
        self._told = told

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        length = super().readinto(buffer)
        self._told(length or 0)
        return length


@contextmanager
def source_errors(label: str) -> Iterator[None]:
    """Turn what goes wrong while `label` is read into what a person can be told."""
    try:
        yield
    except SourceBusyError as error:
        raise NeighbourBusyError(path=label) from error
    except SourceReadError as error:
        raise SourceLostError(path=label, reason=str(error)) from error
    except DownloadError as error:
        raise RepositoryError(path=label, reason=str(error)) from error
    except OSError as error:
        raise storage_error(Path(error.filename or gettempdir()), error) from error


def offers_among(
    targets: Mapping[str, TargetFile], allowed: Callable[[Offer], bool]
) -> tuple[tuple[Offer, ...], tuple[str, ...]]:
    """The packs among `targets` that are allowed, by name and version, and what is to be said of the others."""
    offers, problems = [], []
    for path, target in targets.items():
        try:
            offer = read_offer(target, "")
        except RepositoryError:
            problems.append(f"{path[:80]} is not a pack that this version of the software knows")
            continue
        if allowed(offer):
            offers.append(offer)
        else:
            problems.append(f"{offer.name} {offer.version} is left out: this publisher may not bring packs of its kind")
    return tuple(sorted(offers, key=lambda each: (each.name, version_key(each.version)))), tuple(problems)
