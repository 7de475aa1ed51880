"""Packs from another box over HTTP: a real server on loopback that does what it should not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO

import pytest
from tuf.api.exceptions import DownloadError, DownloadHTTPError, DownloadLengthMismatchError

from appliance.errors import (
    AddressError,
    DiskFullError,
    PackMissingError,
    RepositoryOlderError,
    RepositoryRefusedError,
    SourceLostError,
)
from appliance.limits import Limits
from appliance.packs import neighbour
from appliance.packs.neighbour import NeighbourSource
from appliance.packs.sources import SourceReadError
from appliance.packs.trust import Trust
from tests.forger import Forger

SHORT = Limits(connect_seconds=0.3, silence_seconds=0.3)
Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server of a handler; its address."""
    servers = []

    def start(handler: Callable[..., BaseHTTPRequestHandler], family: int = socket.AF_INET) -> str:
        class Server(ThreadingHTTPServer):
            address_family = family
            daemon_threads = True

        server = Server(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        servers.append((server, thread))
        host = "[::1]" if family == socket.AF_INET6 else "127.0.0.1"
        return f"http://{host}:{server.server_address[1]}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


def answering(answer: Callable[[BaseHTTPRequestHandler], None]) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    return Answering


def files(folder: Path) -> Callable[..., BaseHTTPRequestHandler]:
    return partial(Quiet, directory=str(folder))


def test_a_neighbour_is_read_as_a_stick_is(serve: Serve, box: Trust, forger: Forger, stick: Path, home: Path) -> None:
    url = serve(files(stick))
    repository = box.open(NeighbourSource(url))
    (offer,) = repository.offers
    assert repository.present(offer)
    told: list[int] = []
    with repository.archive(offer, told.append) as path:
        assert path.is_relative_to(home)
        assert sum(told) == 2 * path.stat().st_size  # fetched, and verified
        assert path.read_bytes() == forger.archive(forger.targets.targets[offer.path]).read_bytes()
    assert not path.exists()
    assert not list((home / "trust").glob(".downloading-*"))


def test_a_path_under_an_address_and_a_name_for_it_are_followed(
    serve: Serve, box: Trust, forger: Forger, stick: Path
) -> None:
    url = serve(files(stick.parent)).replace("127.0.0.1", "localhost")
    assert box.open(NeighbourSource(f"{url}/{stick.name}/")).release == 5


def test_an_address_of_six_is_called_too(serve: Serve, box: Trust, forger: Forger, stick: Path) -> None:
    try:
        url = serve(files(stick), socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")
    assert box.open(NeighbourSource(url)).release == 5


def test_the_attacks_on_a_stick_are_refused_from_a_neighbour_too(
    serve: Serve, box: Trust, forger: Forger, stick: Path
) -> None:
    url = serve(files(stick))
    old = stick.parent / "old"
    forger.copied(old)
    forger.put(6)
    repository = box.open(NeighbourSource(url))
    with pytest.raises(RepositoryOlderError):
        box.open(NeighbourSource(serve(files(old))))
    path = forger.archive(forger.targets.targets[repository.offers[0].path])
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    with pytest.raises(RepositoryRefusedError, match="Observed hash"), repository.archive(repository.offers[0]):
        pass
    path.write_bytes(whole + b"more")
    assert not repository.present(repository.offers[0])
    with pytest.raises(RepositoryRefusedError, match="longer than"), repository.archive(repository.offers[0]):
        pass
    path.unlink()
    assert not repository.present(repository.offers[0])
    with pytest.raises(PackMissingError), repository.archive(repository.offers[0]):
        pass


def test_there_must_be_room_for_a_copy(
    serve: Serve, box: Trust, forger: Forger, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = box.open(NeighbourSource(serve(files(stick)), Limits(disk_reserve_bytes=1024**5)))
    with pytest.raises(DiskFullError), repository.archive(repository.offers[0]):
        pass


@pytest.mark.parametrize(
    "url",
    [
        "https://192.168.1.20/packs",
        "ftp://192.168.1.20/packs",
        "file:///etc",
        "http://",
        "http://me:secret@192.168.1.20/",
        "http://192.168.1.20/packs?x=1",
        "http://192.168.1.20/packs#x",
        "http://192.168.1.20/a/../b",
        "http://192.168.1.20:99999/",
        "http://192.168.1.20/a b",
        "http://192.168.1.20/\r\nHost: x",
        "http://192.168.1.20/ä",
        "http://[::1/",
    ],
)
def test_what_is_no_address_of_a_box_is_not_called(url: str) -> None:
    with pytest.raises(AddressError, match="not of that form"):
        NeighbourSource(url)


@pytest.mark.parametrize(
    "number",
    ["8.8.8.8", "1.2.3.4", "0.0.0.0", "255.255.255.255", "224.0.0.1", "100.64.0.1", "172.32.0.1", "[2001:db8::1]",
     "[2606:4700::1111]", "[::]", "[ff02::1]", "[::ffff:8.8.8.8]", "134744072"],
)  # fmt: skip
def test_an_address_outside_of_private_networks_is_not_called(number: str) -> None:
    with pytest.raises(AddressError, match="not in a private network"):
        NeighbourSource(f"http://{number}/")


@pytest.mark.parametrize(
    "number", ["10.1.2.3", "172.31.0.1", "192.168.1.20", "169.254.7.7", "127.0.0.1", "[fe80::1]", "[fd00::1]", "[::1]"]
)
def test_a_private_address_may_be_called(number: str) -> None:
    assert NeighbourSource(f"http://{number}:8080/packs").label.endswith("/packs")


def test_a_name_is_looked_up_once_and_only_its_private_address_is_called(
    serve: Serve, box: Trust, forger: Forger, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that points to a private address at first and to another later (DNS rebinding), or to both at once."""
    port = int(serve(files(stick)).rpartition(":")[2])
    asked = []

    def look_up(host: str, port: int, **_: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        asked.append(host)
        return [(2, 1, 6, "", ("93.184.216.34", port)), (2, 1, 6, "", ("127.0.0.1", port))]

    with monkeypatch.context() as patched:
        patched.setattr(neighbour.socket, "getaddrinfo", look_up)
        source = NeighbourSource(f"http://box.local:{port}")
        patched.setattr(neighbour.socket, "getaddrinfo", socket_of_numbers)
        assert box.open(source).release == 5
    assert asked == ["box.local"]


def socket_of_numbers(host: str, port: int, *more: object, **named: object) -> list[tuple[object, ...]]:
    assert host == "127.0.0.1", "no name is looked up again"
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]


def test_a_name_that_nobody_knows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(neighbour.socket, "getaddrinfo", unknown)
    with pytest.raises(AddressError, match="nobody is found there"):
        NeighbourSource("http://nobody.local/")


def test_a_redirect_is_not_followed(serve: Serve, stick: Path, forger: Forger) -> None:
    good = serve(files(stick))

    def elsewhere(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", good + request.path)
        request.end_headers()

    source = NeighbourSource(serve(answering(elsewhere)))
    with pytest.raises(DownloadError, match="answered 302"):
        source.download_bytes("metadata/timestamp.json", 10_000)


@pytest.mark.parametrize("status", [403, 404, 500, 204])
def test_another_status_than_200_is_no_answer(serve: Serve, status: int) -> None:
    def failing(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.end_headers()

    source = NeighbourSource(serve(answering(failing)))
    with pytest.raises(DownloadHTTPError if status in (403, 404) else DownloadError):
        source.download_bytes("metadata/timestamp.json", 100)
    if status == 404:
        assert source.size("metadata/timestamp.json") is None


def body(request: BaseHTTPRequestHandler, blocks: Iterator[bytes], **headers: str) -> None:
    request.send_response(200)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    try:
        for block in blocks:
            request.wfile.write(block)
            request.wfile.flush()
    except OSError:
        pass


def test_an_answer_that_does_not_end_is_cut_off(serve: Serve) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        body(request, iter(lambda: b"x" * 4096, b""))

    with pytest.raises(DownloadLengthMismatchError):
        NeighbourSource(serve(answering(endless))).download_bytes("metadata/timestamp.json", 16_384)


def test_a_packed_answer_is_not_unpacked(serve: Serve) -> None:
    """A bomb: a kilobyte that would become a gigabyte."""
    raw = b"\x1f\x8b\x08 not unpacked, whatever it is"

    def packed(request: BaseHTTPRequestHandler) -> None:
        body(request, iter([raw]), Content_Encoding="gzip")

    assert NeighbourSource(serve(answering(packed))).download_bytes("metadata/timestamp.json", 100) == raw


def test_an_answer_cut_short_is_told(serve: Serve) -> None:
    def short(request: BaseHTTPRequestHandler) -> None:
        body(request, iter([b"half"]), Content_Length="100")

    with pytest.raises(SourceReadError):
        NeighbourSource(serve(answering(short))).download_bytes("metadata/timestamp.json", 100)


def test_a_size_that_is_no_number_is_none(serve: Serve) -> None:
    def odd(request: BaseHTTPRequestHandler) -> None:
        body(request, iter([]), Content_Length="lots")

    assert NeighbourSource(serve(answering(odd))).size("metadata/timestamp.json") is None


@pytest.mark.parametrize("part", ["nothing", "a head that drips", "a body that stops", "a body that drips"])
def test_slow_retrieval_is_cut_off(serve: Serve, part: str) -> None:
    """The server gives a byte now and then: each would begin the time of a socket anew."""
    over = threading.Event()

    def slow(request: BaseHTTPRequestHandler) -> None:
        def drip(first: bytes) -> None:
            request.wfile.write(first)
            while not over.wait(0.05):
                try:
                    request.wfile.write(b"x")
                    request.wfile.flush()
                except OSError:
                    return

        if part == "nothing":
            over.wait(5)
        elif part == "a head that drips":
            drip(b"HTTP/1.0 200 OK\r\nX-Long: ")
        elif part == "a body that stops":
            request.wfile.write(b"HTTP/1.0 200 OK\r\n\r\nx")
            over.wait(5)
        else:
            drip(b"HTTP/1.0 200 OK\r\n\r\n")

    source = NeighbourSource(serve(answering(slow)), SHORT)
    try:
        with pytest.raises(SourceReadError):
            source.download_bytes("metadata/timestamp.json", 100)
    finally:
        over.set()


def test_no_box_at_the_address_is_told(box: Trust) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        source = NeighbourSource(f"http://127.0.0.1:{taken.getsockname()[1]}")
    with pytest.raises(SourceLostError, match="no answer"):
        box.open(source)


def test_a_box_that_talks_nonsense_is_told(serve: Serve, box: Trust) -> None:
    def nonsense(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"SSH-2.0-OpenSSH_9.9\r\n" * 100)

    with pytest.raises(SourceLostError):
        box.open(NeighbourSource(serve(answering(nonsense))))


def test_a_box_switched_off_in_the_middle_of_an_archive_is_told(
    serve: Serve, box: Trust, forger: Forger, stick: Path, home: Path
) -> None:
    class Stopping(Quiet):
        def copyfile(self, source: IO[bytes], outputfile: IO[bytes]) -> None:  # type: ignore[override]
            raw = source.read()
            outputfile.write(raw[: len(raw) // 2] if self.path.endswith(".pack") else raw)

    repository = box.open(NeighbourSource(serve(partial(Stopping, directory=str(stick)))))
    with pytest.raises(SourceLostError), repository.archive(repository.offers[0]):
        pass
    assert not list((home / "trust").glob(".downloading-*"))
