"""A repository read over HTTP from another box in the same network: the one place where the box calls out.

Only addresses of private networks are called, each looked up once and then called by number, so that a name cannot
point elsewhere the second time. No redirects, no proxies, no compression; an answer that stays away, drips or does
not end is cut off. Nothing here needs to be secret or unaltered on its way: signatures are checked in `trust.py`.
"""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import urllib3
from tuf.api.exceptions import DownloadError, DownloadHTTPError
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from appliance import __version__
from appliance.errors import AddressError, DiskFullError, RepositoryError
from appliance.limits import LIMITS, Limits
from appliance.packs.manifest import NAME
from appliance.packs.repository import source_errors
from appliance.packs.sources import BLOCK, NO_SUCH_FILE, Source, SourceBusyError, SourceReadError, quiet

NETWORKS = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)
HEADERS = {"User-Agent": f"Baraza/{__version__}", "Accept-Encoding": "identity", "Connection": "close"}
MISSING = (403, NO_SUCH_FILE)
BUSY = 503
INDEX = "packs/shared"  # where a box gives its packs to others


class NeighbourSource(Source):
    """The repository at `url`, e.g. http://192.168.1.20:8080/packs.

    Raises:
        AddressError: it is no address of a box in this network.
    """

    def __init__(self, url: str, limits: Limits = LIMITS) -> None:
        super().__init__(url, limits)
        self._host, self._port, self._base = _parse(url)
        self._address = _look_up(url, self._host, self._port)

    def _fetch(self, url: str) -> Iterator[bytes]:
        with self._answer("GET", url) as answer:
            began, come = time.monotonic(), 0
            while block := _reading(url, answer):
                come += len(block)
                yield block
                taken = time.monotonic() - began
                if taken > self.limits.silence_seconds + come / self.limits.slowest_bytes_per_second:
                    raise SourceReadError(f"{url}: only {come} bytes came in {taken:.0f} s")

    def size(self, path: str) -> int | None:
        try:
            with self._answer("HEAD", path) as answer:
                length = answer.headers.get("Content-Length", "")
                return int(length) if length.isdecimal() else None
        except DownloadHTTPError:
            return None

    @contextmanager
    def local(self, path: str, length: int, room: Path, told: Callable[[int], None] = quiet) -> Iterator[Path]:
        if shutil.disk_usage(room).free < length + self.limits.disk_reserve_bytes:
            raise DiskFullError(path=str(room))
        with TemporaryDirectory(prefix=".downloading-", dir=room) as folder:
            copy = Path(folder) / path.rpartition("/")[2]
            with copy.open("wb") as out:
                left = length
                for block in self.fetch(path):
                    left -= len(block)
                    if left < 0:
                        raise DownloadError(f"{path} is longer than {length} bytes")
                    out.write(block)
                    told(len(block))
            yield copy

    @contextmanager
    def _answer(self, method: str, path: str) -> Iterator[urllib3.BaseHTTPResponse]:
        """The answer to one request, its head read, its body not."""
        limits = self.limits
        patience = min(limits.silence_seconds, limits.connect_seconds)
        connection = HTTPConnection(str(self._address), self._port, timeout=patience)
        host = f"[{self._host}]" if ":" in self._host else self._host
        headers = {**HEADERS, "Host": f"{host}:{self._port}"}
        try:
            try:
                with _cut_off(connection, limits.connect_seconds) as late:
                    connection.request(method, f"{self._base}/{path}", headers=headers, preload_content=False)
                    answer = connection.getresponse()
            except (HTTPError, HTTPException, OSError, ValueError) as error:
                raise SourceReadError(f"{self.label}: no answer ({error})") from error
            if late.is_set():  # a head that was cut off in the middle would pass for a whole one
                raise SourceReadError(f"{self.label}: no answer in {limits.connect_seconds:.0f} s")
            if answer.status in MISSING:
                raise DownloadHTTPError(f"{path} is missing", answer.status)
            if answer.status == BUSY:
                raise SourceBusyError(f"{self.label}: it is busy")
            if answer.status != 200:
                raise DownloadError(f"{path}: the box answered {answer.status}")
            yield answer
        finally:
            connection.close()


def repositories_at(url: str, limits: Limits = LIMITS) -> tuple[Source, ...]:
    """The repositories of the box at `url`: those of its index if `url` has no path, else the one at that very path.

    What the index says is a hint for where to look, and no more; it is bounded, and what is odd in it is left out.

    Raises:
        AddressError: it is no address of a box in this network.
        NeighbourBusyError, SourceLostError, RepositoryError: it did not answer, gives no packs, or talks nonsense.
    """
    asked = NeighbourSource(url, limits)
    if urlsplit(url).path.strip("/"):
        return (asked,)
    with source_errors(url):
        try:
            raw = asked.download_bytes(f"{INDEX}/index.json", limits.index_bytes)
        except DownloadHTTPError as error:
            if error.status_code == NO_SUCH_FILE:
                return (asked,)  # a web server that hands out one repository
            raise
        names = _listed(raw, limits)
    if not names:
        raise RepositoryError(path=url, reason="the box there has no packs to give")
    base = url.rstrip("/")
    return tuple(NeighbourSource(f"{base}/{INDEX}/{name}", limits) for name in names)


def _listed(raw: bytes, limits: Limits) -> list[str]:
    """The folders that an index names. Raises DownloadError: it is no index."""
    try:
        rows = json.loads(raw)["roots"]
        names = [row["path"] for row in rows if isinstance(row, dict)][: limits.index_roots]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DownloadError("what it says it has is not of the right form") from error
    return list(dict.fromkeys(name for name in names if isinstance(name, str) and NAME.fullmatch(name)))


def _parse(url: str) -> tuple[str, int, str]:
    """Host, port and the path before `metadata/` of an address."""

    def wrong(reason: str) -> AddressError:
        return AddressError(address=url[:200], reason=reason)

    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        raise wrong("it is not of that form") from None
    if parts.scheme != "http" or not host or parts.username or parts.query or parts.fragment:
        raise wrong("it is not of that form")
    base = parts.path.rstrip("/")
    if not url.isascii() or not url.isprintable() or " " in url or "/../" in f"{base}/":
        raise wrong("it is not of that form")
    return host, port, base


def _look_up(url: str, host: str, port: int) -> IPv4Address | IPv6Address:
    """The address to call: one of a private network, whatever else the name stands for. Raises AddressError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise AddressError(address=url[:200], reason=f"nobody is found there ({error.strerror or error})") from error
    for *_, where in found:
        address = ip_address(where[0])
        address = getattr(address, "ipv4_mapped", None) or address
        if any(address in network for network in NETWORKS):
            return address
    raise AddressError(address=url[:200], reason="it is not in a private network")


@contextmanager
def _cut_off(connection: HTTPConnection, seconds: float) -> Iterator[threading.Event]:
    """End the connection from outside after so long: a time limit of the socket begins anew with every byte."""
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            if connection.sock is not None:
                connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _reading(url: str, answer: urllib3.BaseHTTPResponse) -> bytes:
    """What has come by now, empty at the end; waits for the first byte only."""
    try:
        return answer.read1(BLOCK, decode_content=False)
    except (HTTPError, HTTPException, OSError, ValueError) as error:
        raise SourceReadError(f"{url}: {error}") from error
