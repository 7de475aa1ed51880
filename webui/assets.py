"""The static files: read and compressed once, at an address that changes with their content."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flask import Response, request
from werkzeug.exceptions import NotFound

FOLDER = Path(__file__).parent / "static"
SERVED = (".css", ".js", ".svg")
HASH_LENGTH = 10
YEAR = 365 * 24 * 3600  # seconds


@dataclass(frozen=True)
class Asset:
    plain: bytes
    zipped: bytes
    mimetype: str
    digest: str


class Assets:
    """A few dozen kilobytes, held in memory: a worn card is not asked again for each phone."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._assets = {
            path.relative_to(folder).as_posix(): _read(path)
            for path in sorted(folder.rglob("*"))
            if path.suffix in SERVED
        }

    @property
    def all(self) -> Mapping[str, Asset]:
        """Every asset by its name."""
        return self._assets

    def url(self, name: str) -> str:
        """Where the asset `name` is; a name that does not exist is our own mistake: KeyError."""
        return f"/static/{self._assets[name].digest}/{name}"

    def respond(self, digest: str, name: str) -> Response:
        """The asset, to be kept for a year; a page from before an update gets the new one, not to be kept."""
        asset = self._assets.get(name)
        if asset is None:
            raise NotFound
        zipped = request.accept_encodings.quality("gzip") > 0
        response = Response(asset.zipped if zipped else asset.plain, mimetype=asset.mimetype)
        response.headers["Vary"] = "Accept-Encoding"
        if zipped:
            response.headers["Content-Encoding"] = "gzip"
        fresh = digest == asset.digest
        response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable" if fresh else "no-cache"
        return response


def _read(path: Path) -> Asset:
    plain = path.read_bytes()
    mimetype = mimetypes.types_map[path.suffix]
    return Asset(plain, gzip.compress(plain, 9, mtime=0), mimetype, hashlib.sha256(plain).hexdigest()[:HASH_LENGTH])
