"""Boxes in the same network find each other: this one tells its name, others are listened for (DNS-SD, `_baraza._tcp`).

What is heard was said by anybody: a name is shown as text, an address is called only if it is one of a private network,
and nothing that is fetched from there is believed before its signature. zeroconf is imported when it is needed, since
most commands need no network.
"""

from __future__ import annotations

import ipaddress
import logging
import platform
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from appliance import __version__
from appliance.limits import LIMITS, Limits
from appliance.packs.manifest import VERSION
from appliance.packs.neighbour import NETWORKS

if TYPE_CHECKING:
    from zeroconf import ServiceInfo, Zeroconf

SERVICE = "_baraza._tcp.local."
LISTENING = 3.0  # seconds
ANSWER = 1.0  # seconds that all who were heard have together to tell their addresses
GLANCE = 30.0  # seconds between two looks at whether this box has other addresses now
LONGEST = 63  # letters of a name
HTTP = 80

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Neighbour:
    """A box that was heard, as it says of itself; `version`: of its software, "" if it does not say."""

    name: str
    address: str
    port: int
    version: str

    @property
    def url(self) -> str:
        """What `baraza packs look` takes."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}" if self.port == HTTP else f"http://{host}:{self.port}"


class Announcement:
    """Tells the network that this box is at `port`, as long as it is open; in a thread of its own, which stops nobody.

    Args:
        port: TCP port of its page.
        addresses: tells the addresses of this box, in the form of `own_addresses`.
        interfaces: the addresses to speak from; all of them, if None.
    """

    def __init__(
        self,
        port: int,
        addresses: Callable[[], Sequence[str]] | None = None,
        interfaces: Sequence[str] | None = None,
    ) -> None:
        self._port, self._addresses = port, addresses or own_addresses
        self._interfaces = interfaces
        self._closed, self.told = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="baraza-announcement", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Say goodbye, so that others forget this box at once; waits for it a moment."""
        self._closed.set()
        if self._thread.ident is not None:
            self._thread.join(LISTENING)

    def _run(self) -> None:
        """Tell the addresses, and tell them anew when they are others: the hotspot may come up after the box."""
        while not self._closed.is_set():
            addresses = tuple(self._addresses())
            try:
                if addresses:
                    self._tell(addresses)
                else:
                    self._closed.wait(GLANCE)
            except Exception as error:
                log.warning("this box cannot tell others in the network that it is here: %s", error)
                self._closed.wait(GLANCE)

    def _tell(self, addresses: tuple[str, ...]) -> None:
        """Be there under `addresses`, until they change or it is closed."""
        responder = _open(self._interfaces)
        try:
            responder.register_service(self._described(addresses), allow_name_change=True)
            self.told.set()
            while not self._closed.wait(GLANCE):
                if tuple(self._addresses()) != addresses:
                    return
            responder.unregister_all_services()
        finally:
            responder.close()

    def _described(self, addresses: tuple[str, ...]) -> ServiceInfo:
        from zeroconf import ServiceInfo

        name = _shown(platform.node().partition(".")[0]) or "baraza"
        return ServiceInfo(
            SERVICE,
            f"{name}.{SERVICE}",
            port=self._port,
            parsed_addresses=list(addresses),
            properties={"version": __version__},
            server=f"{name}.local.",
        )


def neighbours(
    seconds: float = LISTENING,
    own_port: int = 0,
    limits: Limits = LIMITS,
    interfaces: Sequence[str] | None = None,
    enough: int | None = None,
) -> tuple[Neighbour, ...]:
    """The boxes that are heard within so many seconds, by name, without the one at `own_port` of this machine.

    Of those that say something odd nothing is given; nobody is given where there is no network. Returns before its
    time once `enough` have been heard.
    """
    try:
        infos = _listen(seconds, limits.neighbours, interfaces, enough or limits.neighbours)
    except OSError as error:
        log.warning("no other boxes can be listened for: %s", error)
        return ()
    mine = {(address, own_port) for address in (*own_addresses(), "127.0.0.1")} if own_port else set()
    found = {(each.address, each.port): each for each in map(_understood, infos) if each}
    return tuple(sorted((each for place, each in found.items() if place not in mine), key=lambda each: each.name))


def own_addresses() -> tuple[str, ...]:
    """The addresses of this machine in private networks, without those that only it knows."""
    found = []
    for rows in psutil.net_if_addrs().values():
        for row in rows:
            address = _address(row.address)
            if address is not None and not address.is_loopback:
                found.append(str(address))
    return tuple(sorted(found))


def _open(interfaces: Sequence[str] | None) -> Zeroconf:
    from zeroconf import InterfaceChoice, IPVersion, Zeroconf

    return Zeroconf(interfaces=interfaces or InterfaceChoice.All, ip_version=IPVersion.V4Only)


def _listen(seconds: float, most: int, interfaces: Sequence[str] | None, enough: int) -> list[ServiceInfo]:
    from zeroconf import ServiceBrowser

    names: dict[str, None] = {}
    heard = threading.Event()

    def on_change(name: str, **_: Any) -> None:
        if len(names) < most:
            names[name] = None
        if len(names) >= enough:
            heard.set()

    listener = _open(interfaces)
    try:
        browser = ServiceBrowser(listener, SERVICE, handlers=[on_change])
        heard.wait(seconds)
        browser.cancel()
        until = time.monotonic() + ANSWER
        found = [_resolved(listener, name, until) for name in list(names)]
        return [info for info in found if info is not None]
    finally:
        listener.close()


def _resolved(listener: Zeroconf, name: str, until: float) -> ServiceInfo | None:
    """What the box called `name` says of itself; None: nothing until then, or its name is one that nobody may have."""
    from zeroconf import Error, ServiceInfo

    try:
        info = ServiceInfo(SERVICE, name)
        left = max(0.0, until - time.monotonic())
        # Most have told their address with their name; the others are asked, as long as there is time.
        told = info.load_from_cache(listener) or (left > 0 and info.request(listener, left * 1000))
        return info if told else None
    except (Error, ValueError) as error:
        log.info("a box with a name that cannot be used: %s", error)
        return None


def _understood(info: ServiceInfo) -> Neighbour | None:
    """What a box said, as far as it is of the right form."""
    addresses = [found for text in info.parsed_addresses() if (found := _address(text)) is not None]
    addresses.sort(key=lambda each: each.version)  # people read the short form more easily
    port = info.port or 0
    name = _shown(info.name.removesuffix(f".{SERVICE}"))
    if not addresses or not 0 < port < 2**16:
        return None
    return Neighbour(name or str(addresses[0]), str(addresses[0]), port, _version(info))


def _version(info: ServiceInfo) -> str:
    said = (info.properties or {}).get(b"version") or b""
    text = said.decode("ascii", errors="replace")
    return text if len(text) < LONGEST and VERSION.fullmatch(text) else ""


def _shown(name: str) -> str:
    """A name without anything that is not shown as it stands: anybody may call themselves anything."""
    return "".join(letter for letter in name if letter.isprintable()).strip()[:LONGEST]


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address that may be called: of a private network, and the same on every interface."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if address.is_link_local and address.version == 6:
        return None
    return address if any(address in network for network in NETWORKS) else None
