"""Boxes hear each other: real DNS-SD over loopback, and what others may say that is not true."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from zeroconf import IPVersion, ServiceInfo, Zeroconf

from appliance import __version__
from appliance.limits import LIMITS
from appliance.packs import lan
from appliance.packs.lan import SERVICE, Announcement, Neighbour, neighbours

LOOPBACK = ["127.0.0.1"]
SOON = 10  # seconds


@pytest.fixture
def responder() -> Iterator[Zeroconf]:
    """Somebody in the network who says what he likes."""
    try:
        made = Zeroconf(interfaces=LOOPBACK, ip_version=IPVersion.V4Only)
    except OSError as error:
        pytest.skip(f"no multicast on loopback here: {error}")
    yield made
    made.close()


def said(
    name: str, address: str = "192.168.1.20", port: int = 8080, version: bytes | None = b"0.1.0", **more: bytes
) -> ServiceInfo:
    properties = {"version": version, **more}
    return ServiceInfo(SERVICE, f"{name}.{SERVICE}", port=port, parsed_addresses=[address], properties=properties)


def test_a_box_hears_another_and_forgets_it_when_it_says_goodbye(responder: Zeroconf) -> None:
    announcement = Announcement(8123, lambda: LOOPBACK, LOOPBACK)
    announcement.start()
    try:
        assert announcement.told.wait(SOON)
        (found,) = neighbours(SOON, interfaces=LOOPBACK, enough=1)
        assert (found.address, found.port, found.version) == ("127.0.0.1", 8123, __version__)
        assert found.url == "http://127.0.0.1:8123"
        assert neighbours(SOON, own_port=8123, interfaces=LOOPBACK, enough=1) == ()
    finally:
        announcement.close()
    assert neighbours(0.2, interfaces=LOOPBACK) == ()


def test_no_more_boxes_are_shown_than_the_limit(responder: Zeroconf) -> None:
    for number in range(4):
        responder.register_service(said(f"box-{number}", f"192.168.1.{number}"), cooperating_responders=True)
    found = neighbours(SOON, limits=replace(LIMITS, neighbours=3), interfaces=LOOPBACK)
    assert len(found) == 3
    assert [each.name for each in found] == sorted(each.name for each in found)


@pytest.mark.parametrize(
    ("info", "shown"),
    [
        (said("kijiji"), Neighbour("kijiji", "192.168.1.20", 8080, "0.1.0")),
        (said("kijiji", port=80), Neighbour("kijiji", "192.168.1.20", 80, "0.1.0")),
        (said("kijiji", version=None), Neighbour("kijiji", "192.168.1.20", 8080, "")),
        (said("kijiji", version=b"\xff\x00"), Neighbour("kijiji", "192.168.1.20", 8080, "")),
        (said("kijiji", version=b"1.0.0<b>"), Neighbour("kijiji", "192.168.1.20", 8080, "")),
        (said("kijiji", version=b"1" * 90 + b".0.0"), Neighbour("kijiji", "192.168.1.20", 8080, "")),
        (said("a<b>\u202ec"), Neighbour("a<b>c", "192.168.1.20", 8080, "0.1.0")),
        (said(" "), Neighbour("192.168.1.20", "192.168.1.20", 8080, "0.1.0")),
        (said("x" * 63), Neighbour("x" * 63, "192.168.1.20", 8080, "0.1.0")),
        (said("abroad", "8.8.8.8"), None),
        (said("nowhere", port=0), None),
        (said("link-local", "fe80::1"), None),
        (said("six", "fd00::7"), Neighbour("six", "fd00::7", 8080, "0.1.0")),
    ],
    ids=lambda value: (
        value.name.partition(".")[0][:12].encode("ascii", "replace").decode() if isinstance(value, ServiceInfo) else ""
    ),
)
def test_what_others_say_is_shown_as_text_or_not_at_all(info: ServiceInfo, shown: Neighbour | None) -> None:
    assert lan._understood(info) == shown


def test_a_name_that_nobody_may_have_is_passed_over(responder: Zeroconf) -> None:
    for name in ("a\x1b[2J", "", "x" * 64, "a.b"):
        assert lan._resolved(responder, f"{name}.{SERVICE}", 0.0) is None


def test_addresses_are_written_as_a_browser_takes_them() -> None:
    assert Neighbour("a", "fd00::7", 8080, "").url == "http://[fd00::7]:8080"
    assert Neighbour("a", "192.168.1.20", 80, "").url == "http://192.168.1.20"


def test_a_network_that_is_odd_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> Zeroconf:
        raise OSError(19, "No such device")

    monkeypatch.setattr(lan, "_open", broken)
    assert neighbours(0.1) == ()
    announcement = Announcement(8123, lambda: LOOPBACK)
    announcement.start()
    announcement.close()
    assert not announcement._thread.is_alive()


def test_a_box_that_gets_another_address_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hotspot comes up after the box."""
    told: list[list[str]] = []
    twice = threading.Event()

    class Responder:
        def register_service(self, info: ServiceInfo, allow_name_change: bool) -> None:
            told.append(info.parsed_addresses())
            if len(told) == 2:
                twice.set()

        def unregister_all_services(self) -> None: ...

        def close(self) -> None: ...

    addresses = iter([["10.0.0.1"]])
    monkeypatch.setattr(lan, "GLANCE", 0.01)
    monkeypatch.setattr(lan, "_open", lambda _: Responder())
    announcement = Announcement(8123, lambda: next(addresses, ["10.0.0.1", "192.168.4.1"]))
    announcement.start()
    assert twice.wait(SOON)
    announcement.close()
    assert told[:2] == [["10.0.0.1"], ["10.0.0.1", "192.168.4.1"]]


def test_a_box_without_addresses_waits_for_some() -> None:
    announcement = Announcement(8123, lambda: [])
    announcement.start()
    assert not announcement.told.is_set()
    announcement.close()
    assert not announcement._thread.is_alive()


def test_other_commands_do_not_wait_for_the_network() -> None:
    code = "import appliance.cli, sys; sys.exit('zeroconf' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
