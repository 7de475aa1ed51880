"""The HTTP server: cheroot, a thread for each phone that is being answered."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cheroot import wsgi

from appliance.app import Appliance
from webui.app import create_app
from webui.guard import DRAINED
from webui.site import site_of

THREADS = 64  # more than `limits.streams`, so that forms are answered while every stream is taken
KNOCKING = 128  # phones that connect at the same moment; the next one is not heard and knocks again a second later
STOP_SECONDS = 3
SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = logging.getLogger(__name__)


class _Server(wsgi.Server):
    """cheroot, with its complaints in our log."""

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        log.log(level, "%s", msg, exc_info=traceback)


class PageServer:
    """The page of an appliance on a socket. `listen` takes the address, `run` serves until `stop`."""

    def __init__(self, appliance: Appliance) -> None:
        app = create_app(appliance)
        limits, config = appliance.limits, appliance.config
        self._stopping = site_of(app).stopping
        self._server = _Server(
            (config.host, config.port),
            app,
            numthreads=max(THREADS, limits.streams + 8),
            request_queue_size=KNOCKING,
            server_name="baraza",
            timeout=limits.request_seconds,
            shutdown_timeout=STOP_SECONDS,
        )
        self._server.max_request_header_size = limits.request_header_bytes
        # The page answers what is a little too large; this cuts off what is far too large.
        self._server.max_request_body_size = DRAINED * limits.request_bytes
        self._silence_milliseconds = limits.request_seconds * 1000

    @property
    def url(self) -> str:
        """Where the page is, once it listens."""
        host, port = self._server.bind_addr[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    def listen(self) -> None:
        """Take the address. Raises OSError if another program has it."""
        self._server.prepare()
        # A phone that went out of reach says nothing more: its stream ends when it has not acknowledged for so long.
        # Connections inherit the option from the listening socket.
        self._server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._silence_milliseconds)
        log.info("Baraza is at %s", self.url)

    def run(self) -> None:
        """Serve until `stop` is called, from another thread; at once, if it was called before."""
        if self._stopping.is_set():
            self._server.stop()
        else:
            self._server.serve()

    def stop(self) -> None:
        """End the streams, then the server; what is being answered has STOP_SECONDS to end."""
        self._stopping.set()
        self._server.stop()


def serve(appliance: Appliance) -> None:
    """Serve the page until SIGTERM or SIGINT. Starting and closing the appliance is the caller's.

    Raises:
        OSError: the address is taken, or is not one of this machine.
    """
    server = PageServer(appliance)
    with _stopped_by_signals(server):
        server.listen()
        server.run()
    log.info("stopped")


@contextmanager
def _stopped_by_signals(server: PageServer) -> Iterator[None]:
    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stopper.ident is not None:
            return  # pressed twice
        log.info("%s: stopping", signal.Signals(number).name)
        # Not in the handler: it interrupts the very loop that `stop` waits for.
        stopper.start()

    stopper = threading.Thread(target=server.stop, name="baraza-stop")
    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if stopper.ident is not None:
            stopper.join()
