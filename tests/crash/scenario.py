"""What a scenario is: something people do with a box, during which the power may go."""

from __future__ import annotations

from typing import Protocol

from appliance.app import Appliance
from tests.crash.place import Place
from tests.crash.promises import Facts, Promises

OWNERS = ("ann", "ben")
FORGOTTEN = "deleted "


class Scenario(Protocol):
    name: str
    told: tuple[str, ...]  # errors that the box may tell of after a cut
    fat: str  # the folder of the disk that is a stick with FAT; "" if none is

    def prepare(self, place: Place) -> None:
        """Make what is on the disk before, and sure."""

    def act(self, place: Place, promises: Promises) -> None:
        """What is recorded. Every change is announced to `promises`."""

    def again(self, place: Place, box: Appliance) -> Facts:
        """What people do after the cut, on the box that started: it must work. Returns what it changed."""


def document_key(owner: str, title: str) -> str:
    return f"document {owner}/{title}"


def pack_key(name: str) -> str:
    return f"pack {name}"


def entry_key(title: str) -> str:
    """What somebody of the village wrote for the knowledge."""
    return f"entry {title}"


def request_key(name: str) -> str:
    return f"request {name}"


def stick_key(name: str) -> str:
    """What is read from the stick by a box that trusts its publisher."""
    return f"stick {name}"


def backup_key(name: str) -> str:
    return f"backup {name}"


def forgotten_key(key: str) -> str:
    """A document that was deleted, and is not gone for good."""
    return f"{FORGOTTEN}{key}"
