"""The places that packs come from and go to: sticks in the box, and neighbours' boxes in the same network.

A page takes no other: a keeper at a phone has no business in the folders of the machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from appliance.errors import AddressError, StickNotFoundError
from appliance.packs.shelf import HTTP
from appliance.packs.usb import Stick
from webui.site import appliance

LONGEST = 300  # characters of an address
TYPED = re.compile(r"[\w-]+(?:\.[\w-]+)+(?::\d{1,5})?(?:/|$)|\[[0-9a-fA-F:]+\]")  # 192.168.1.20:8080, baraza.local


@dataclass(frozen=True)
class Place:
    """`name`: what a form sends; `label`: what it is called; `stick`: None for a neighbour's box."""

    name: str
    label: str
    stick: Stick | None = None


def places() -> tuple[Place, ...]:
    """The sticks that are in the box now."""
    return tuple(Place(stick.name, stick.label or stick.name, stick) for stick in appliance().sticks.present())


def place_called(name: str) -> Place:
    """The place that a form names. Raises StickNotFoundError: it is no stick (any more), and no address."""
    if name.startswith(HTTP):
        return Place(name, name)
    stick = appliance().sticks.get(name)
    return Place(stick.name, stick.label or stick.name, stick)


def known_place(name: str) -> str:
    """`name`, if it is a stick in the box or an address; an address may be typed without its beginning.

    Raises StickNotFoundError, AddressError.
    """
    text = name.strip()
    if not text:
        raise StickNotFoundError(stick="–")
    if len(text) > LONGEST or not text.isprintable():
        raise AddressError(address=text[:LONGEST], reason="it is too long")
    if text.startswith(HTTP) or any(stick.name == text for stick in appliance().sticks.present()):
        return text
    if TYPED.match(text):
        return f"http://{text}"
    raise StickNotFoundError(stick=text)
