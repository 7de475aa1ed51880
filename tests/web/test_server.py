"""The server on a real socket: phones that vanish, bodies that are too large, and a clean stop."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.inference.job import Job
from appliance.limits import LIMITS
from tests.web.boxes import Box, make_box
from webui.server import PageServer

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def serving(box: Box) -> Iterator[tuple[PageServer, str, int]]:
    server = PageServer(box.appliance)
    server.listen()
    thread = threading.Thread(target=server.run)
    thread.start()
    host, port = server.url.removeprefix("http://").rstrip("/").rsplit(":", 1)
    try:
        yield server, host, int(port)
    finally:
        server.stop()
        thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def served(box: Box) -> Iterator[tuple[PageServer, str, int]]:
    with serving(box) as served:
        yield served


def post(connection: http.client.HTTPConnection, body: str) -> http.client.HTTPResponse:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": f"http://{connection.host}:{connection.port}",
    }
    connection.request("POST", "/translate", body, headers)
    return connection.getresponse()


def has_watchers(box: Box, job: Job, watchers: int) -> bool:
    """Whether `job` comes to have so many watchers."""
    return any(job.watchers == watchers or box.appliance.queue.wait_until_over(job, 0.02) for _ in range(500))


def test_a_phone_that_goes_away_ends_its_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webui.streaming.GLANCE", 0.01)
    box = make_box(tmp_path, replace(LIMITS, stream_heartbeat_seconds=0))
    with serving(box) as (_, host, port):
        follow_and_leave(box, host, port)
    box.appliance.close()


def follow_and_leave(box: Box, host: str, port: int) -> None:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    location = post(connection, "text=Hello&from=en&to=es").headers["Location"]
    job = box.appliance.queue.get(location.rsplit("/", 1)[1])
    stream = socket.create_connection((host, port), timeout=10)
    stream.sendall(f"GET {location}/events HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    assert b"text/event-stream" in stream.recv(4_096)
    assert has_watchers(box, job, 1)
    stream.close()
    assert has_watchers(box, job, 0)  # the next heartbeats found nobody


def test_a_megabyte_gets_a_page_and_a_hundred_are_cut_off(served: tuple[PageServer, str, int]) -> None:
    _, host, port = served
    connection = http.client.HTTPConnection(host, port, timeout=10)
    response = post(connection, "text=" + "a" * 1_000_000)
    assert response.status == 413
    assert b"too large for the box" in response.read()
    raw = socket.create_connection((host, port), timeout=10)
    raw.sendall(f"POST /translate HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 100000000\r\n\r\n".encode())
    assert raw.recv(100).startswith(b"HTTP/1.1 413")
    raw.close()


def test_headers_that_are_too_large_are_refused(served: tuple[PageServer, str, int]) -> None:
    _, host, port = served
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request("GET", "/", headers={"Cookie": "x" * 40_000})
    assert connection.getresponse().status == 413


def test_a_stop_ends_open_streams(box: Box) -> None:
    with serving(box) as (_, host, port):
        connection = http.client.HTTPConnection(host, port, timeout=10)
        location = post(connection, "text=Hello&from=en&to=es").headers["Location"]
        stream = http.client.HTTPConnection(host, port, timeout=10)
        stream.request("GET", f"{location}/events")
        assert stream.getresponse().status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_program_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    environment = os.environ | {"BARAZA_DATA": str(tmp_path), "BARAZA_PACKS": str(tmp_path / "none")}
    command = [sys.executable, "-m", "appliance.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            assert any("Baraza is at http://127.0.0.1:" in line for line in process.stderr)
            process.send_signal(number)
            rest = process.stderr.read()
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert "stopped" in rest
    assert "Traceback" not in rest


def test_a_whole_village_may_connect_at_the_same_moment(box: Box) -> None:
    server = PageServer(box.appliance)
    server.listen()  # but nobody is answered yet
    host, port = server.url.removeprefix("http://").rstrip("/").rsplit(":", 1)
    phones = [socket.create_connection((host, int(port)), timeout=0.9) for _ in range(100)]
    assert len({phone.getsockname() for phone in phones}) == 100  # each has a connection of its own
    for phone in phones:
        phone.close()
    server.stop()
