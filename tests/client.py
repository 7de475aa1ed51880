"""A client of The Update Framework as its authors wrote it, that reads a folder instead of a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import Updater
from tuf.ngclient.fetcher import FetcherInterface

BLOCK = 64 * 1024


class FolderFetcher(FetcherInterface):
    """Takes an absolute path for an address."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = Path(url)
        if not path.is_file():
            raise DownloadHTTPError(f"no {url}", 404)
        return self._blocks(path)

    @staticmethod
    def _blocks(path: Path) -> Iterator[bytes]:
        with path.open("rb") as stream:
            while block := stream.read(BLOCK):
                yield block


def client(repository: Path, home: Path, root: bytes | None = None) -> Updater:
    """A client whose state is in `home`; it trusts `root`, else the root it trusted before."""
    for folder in (home / "metadata", home / "packs"):
        folder.mkdir(parents=True, exist_ok=True)
    return Updater(
        metadata_dir=str(home / "metadata"),
        metadata_base_url=str(repository / "metadata"),
        target_dir=str(home / "packs"),
        target_base_url=str(repository / "targets"),
        fetcher=FolderFetcher(),
        bootstrap=root,
    )


def fetch(updater: Updater, name: str, version: str) -> Path:
    """The archive of a pack, checked by the client."""
    target = updater.get_targetinfo(f"{name}/{name}-{version}.pack")
    assert target is not None
    return Path(updater.download_target(target))
