"""A hub on the loopback: the HTTP that `huggingface_hub` speaks, for repositories in memory, and its misfortunes."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class Repository:
    """`commits` are sha → files; the last one is the newest."""

    commits: dict[str, dict[str, bytes]]
    card: dict[str, Any] = field(default_factory=dict)
    gated: bool = False

    @property
    def newest(self) -> str:
        return list(self.commits)[-1]


class HubServer(ThreadingHTTPServer):
    """Serves `repositories`; `requests` are (method, path, Range header or "").

    `cut_after` bytes the connection is closed in the middle of a file; `spoiled` is a file sent with other content
    than the hub says; `status` is answered to everything.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, Repository] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.cut_after: int | None = None
        self.spoiled = ""
        self.status = 0
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def fetched(self) -> set[str]:
        """The names of the files that were asked for by GET."""
        paths = [path for method, path, _ in self.requests if method == "GET" and "/resolve/" in path]
        return {path.split("/resolve/")[1].split("/", 1)[1] for path in paths}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def log_message(self, *_arguments: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append((self.command, path, self.headers.get("Range", "")))
        if self.server.status:
            self._send(self.server.status)
        elif path.startswith("/api/models/"):
            self._model(path.removeprefix("/api/models/"))
        else:
            self._file(path.removeprefix("/"))

    def _model(self, rest: str) -> None:
        name, _, revision = rest.partition("/revision/")
        repository = self.server.repositories.get(name)
        commit = repository.newest if repository and revision in ("", "main") else revision
        if repository is None or commit not in repository.commits:
            self._send(404, error="RevisionNotFound" if repository else "RepoNotFound")
            return
        files = repository.commits[commit].items()
        siblings = [{"rfilename": file, "size": len(content), **_lfs(file, content)} for file, content in files]
        found = {"id": name, "sha": commit, "siblings": siblings, "cardData": repository.card, "tags": []}
        self._send(200, json.dumps(found).encode())

    def _file(self, path: str) -> None:
        name, _, rest = path.partition("/resolve/")
        commit, _, file = rest.partition("/")
        repository = self.server.repositories[name]
        if repository.gated:
            self._send(403, error="GatedRepo")
            return
        content = repository.commits[commit][file]
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": commit}
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-") or 0)
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        body = bytes(len(content)) if file == self.server.spoiled else content
        self._send(206 if begin else 200, body[begin:], headers)

    def _send(
        self, status: int, content: bytes = b"{}", headers: dict[str, str] | None = None, error: str = ""
    ) -> None:
        self.send_response(status)
        lengths = {"Content-Length": str(len(content)), "Accept-Ranges": "bytes"}
        for name, value in {**(headers or {}), **lengths, **({"X-Error-Code": error} if error else {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = self.server.cut_after
        self.wfile.write(content if cut is None else content[:cut])
        self.close_connection = cut is not None and len(content) > cut


def _lfs(file: str, content: bytes) -> dict[str, Any]:
    """What the hub says of files it keeps apart from git."""
    if not file.endswith((".safetensors", ".bin")):
        return {}
    return {"lfs": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}}
