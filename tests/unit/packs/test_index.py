"""What a neighbour's box says it has is a hint for where to look, however odd it is."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import NeighbourBusyError, RepositoryError
from appliance.limits import LIMITS
from appliance.packs.neighbour import repositories_at
from tests.forger import Forger
from tests.unit.packs.test_neighbour import Serve, answering, files
from tests.unit.packs.test_neighbour import serve as serve


def saying(body: bytes, status: int = 200) -> type[BaseHTTPRequestHandler]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answering(answer)


def index(*rows: Any) -> bytes:
    return json.dumps({"format": 1, "roots": list(rows)}).encode()


def test_each_publisher_of_an_index_is_a_repository(serve: Serve) -> None:
    url = serve(saying(index({"path": "ministry"}, {"path": "box-acorn-yellow"})))
    labels = [source.label for source in repositories_at(url + "/")]
    assert labels == [f"{url}/packs/shared/ministry", f"{url}/packs/shared/box-acorn-yellow"]


def test_an_address_with_a_path_is_that_very_repository(serve: Serve) -> None:
    url = serve(saying(b"", 500)) + "/packs"
    assert [source.label for source in repositories_at(url)] == [url]


def test_a_web_server_without_an_index_is_one_repository(serve: Serve, stick: Path, forger: Forger) -> None:
    url = serve(files(stick))
    assert [source.label for source in repositories_at(url)] == [url]


def test_names_that_lead_elsewhere_are_left_out(serve: Serve) -> None:
    odd = ["../../etc", "a/b", "http://8.8.8.8/", "", "A", 7, None, ["x"], "x" * 65, "a%2fb"]
    url = serve(saying(index(*({"path": each} for each in odd), "ministry", 7, {}, {"path": "good"})))
    with pytest.raises(RepositoryError):
        repositories_at(url)  # a row without a path is no index
    url = serve(saying(index(*({"path": each} for each in odd), "ministry", 7, {"path": "good"})))
    assert [source.label for source in repositories_at(url)] == [f"{url}/packs/shared/good"]


def test_no_more_are_followed_than_the_limit(serve: Serve) -> None:
    url = serve(saying(index(*({"path": f"root-{number}"} for number in range(100)))))
    assert len(repositories_at(url)) == LIMITS.index_roots


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"7",
        b"\xff\xfe",
        b'{"roots": 7}',
        b'{"roots": {"path": "a"}}',
        b"[" * 50_000,
        index(),
        index({"path": "ministry"}) + b" " * LIMITS.index_bytes,
    ],
    ids=lambda body: body[:16].decode("ascii", "replace"),
)
def test_what_is_no_index_is_told(serve: Serve, body: bytes) -> None:
    with pytest.raises(RepositoryError):
        repositories_at(serve(saying(body)))


def test_a_box_that_is_busy_or_gives_nothing_is_told(serve: Serve) -> None:
    with pytest.raises(NeighbourBusyError):
        repositories_at(serve(saying(b"", 503)))
    with pytest.raises(RepositoryError):
        repositories_at(serve(saying(b"", 403)))
