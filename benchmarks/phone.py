"""A phone of the village: it opens pages, sends forms, and follows a request live as the page's JavaScript does.

Standard library only: the phones share the cores with the box they measure.
"""

from __future__ import annotations

import gzip
import html
import http.client
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

STREAM = re.compile(r'sse-connect="([^"]+)"')
RESULT = re.compile(r'hx-get="([^"]+)"')
SOME_TEXT = re.compile(r'<div class="text result"[^>]*><span>|id="translation"')
MOST_HOPS = 5  # redirects that lead to one another
PATIENCE = 300  # seconds without a byte from the box, before a phone gives up
RELOAD = 2.0  # seconds until a page whose stream failed is loaded again


class PhoneError(Exception):
    """The box answered what a person would call an error, or nothing."""


@dataclass(frozen=True)
class Page:
    status: int
    path: str
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True)
class Followed:
    """A request that is over. `first` and `ended`: seconds of `time.perf_counter`, of the first text and of the end."""

    page: Page
    first: float
    ended: float


class Phone:
    """One browser: it keeps its cookie and its connection. For one thread."""

    def __init__(self, address: str, language: str = "en") -> None:
        self._host = urlsplit(address).netloc
        self._language = language
        self._cookie = ""
        self._connection = self._connect()

    def get(self, path: str) -> Page:
        """A page, after the redirects that lead to it. Raises PhoneError unless it is one with status 200."""
        return self._load("GET", path)

    def send(self, path: str, form: Mapping[str, str]) -> Page:
        """The page that a form leads to. Raises PhoneError unless it is one with status 200."""
        return self._load("POST", path, urlencode(form))

    def follow(self, page: Page) -> Followed:
        """From the page of a request, live, to its end.

        Raises:
            PhoneError: it failed, or the box did.
        """
        first = time.perf_counter() if SOME_TEXT.search(page.text) else None
        while stream := STREAM.search(page.text):
            result = RESULT.search(page.text)
            assert result is not None
            for event in self._events(html.unescape(stream.group(1))):
                if event == "text" and first is None:
                    first = time.perf_counter()
                if event == "done":
                    page = self._load("GET", html.unescape(result.group(1)))
                    break
            else:
                time.sleep(RELOAD)  # as baraza.js does when a stream fails
                page = self._load("GET", page.path)
        if where := page.headers.get("HX-Redirect"):
            page = self._load("GET", where)
        if 'class="fault"' in page.text:
            raise PhoneError(f"{page.path}: {_fault(page.text)}")
        ended = time.perf_counter()
        return Followed(page, ended if first is None else first, ended)

    def close(self) -> None:
        self._connection.close()

    def _load(self, method: str, path: str, body: str = "") -> Page:
        page = self._ask(method, path, body)
        for _ in range(MOST_HOPS):
            if page.status not in (302, 303):
                break
            page = self._ask("GET", page.headers["Location"])
        if page.status != 200:
            raise PhoneError(f"{method} {path}: status {page.status}: {_fault(page.text)}")
        return page

    def _ask(self, method: str, path: str, body: str = "") -> Page:
        try:
            return self._once(method, path, body)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            # The box closed the connection while it was idle; a browser opens another.
            self._connection.close()
            self._connection = self._connect()
            return self._once(method, path, body)

    def _once(self, method: str, path: str, body: str) -> Page:
        path = path.partition("#")[0]
        headers = self._headers() | {"Accept-Encoding": "gzip"}
        if method == "POST":
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://{self._host}"}
        self._connection.request(method, path, body or None, headers)
        with self._connection.getresponse() as response:
            content = response.read()
            if response.headers.get("Content-Encoding") == "gzip":
                content = gzip.decompress(content)
            self._keep_cookie(response.headers.get("Set-Cookie", ""))
            return Page(response.status, path, dict(response.headers), content.decode())

    def _events(self, path: str) -> Iterator[str]:
        """The names of the events of a stream, as they come; none if it is refused."""
        connection = self._connect()
        try:
            connection.request("GET", path, headers=self._headers() | {"Accept": "text/event-stream"})
            response = connection.getresponse()
            if response.status != 200:
                return
            for line in response:
                if line.startswith(b"event: "):
                    yield line[len(b"event: ") :].strip().decode()
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        return {"Accept-Language": self._language} | ({"Cookie": self._cookie} if self._cookie else {})

    def _keep_cookie(self, said: str) -> None:
        name, _, value = said.partition(";")[0].partition("=")
        if name == "device" and value:
            self._cookie = f"device={value}"

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, timeout=PATIENCE)


def _fault(text: str) -> str:
    """What an error page says."""
    found = re.search(r'class="fault"[^>]*>.*?<p>(.*?)</p>', text, re.DOTALL)
    return html.unescape(found.group(1)) if found else text[:80]


Work = Callable[[Phone], Followed]
