"""What people do with sticks while the power goes, or while somebody pulls them out."""

from __future__ import annotations

import shutil
from pathlib import Path

from appliance.app import Appliance
from appliance.packs.export import export
from appliance.packs.keys import make_keys
from appliance.packs.own import KEYS
from appliance.packs.publish import Changes, publish
from appliance.packs.trust import Trust
from tests.crash.base import Base
from tests.crash.facts import offered
from tests.crash.place import BAD, PACK, VERSIONS, Place
from tests.crash.promises import Facts, Promises
from tests.crash.scenario import pack_key, stick_key
from tests.publisher import nobody, root_of

PUBLISHER, OTHER = "publisher", "other"
OLD, NEW, NEWEST = VERSIONS


class Publishing(Base):
    """Newer and newer packs are put on a stick with FAT, each in the place of the one before.

    Afterwards another stick can be made, and the next pack be put on this one, and both are what a box is offered.
    """

    name = "publish"
    fat = "stick"

    def prepare(self, place: Place) -> None:
        super().prepare(place)
        place.stick.mkdir()
        keyring = make_keys(_keys(place))
        Trust(place.reader).add(PUBLISHER, root_of(keyring.folder), keyring.words)
        _publish(place, OLD)

    def act(self, place: Place, promises: Promises) -> None:
        for version in (NEW, NEWEST):
            with promises.change({stick_key(PUBLISHER): f"{PACK} {version}"}, fragile=True):
                _publish(place, version)

    def again(self, place: Place, box: Appliance) -> Facts:
        other = place.stick / OTHER
        _publish(place, OLD, other)  # under a new number, or whoever saw the first stick would pass it over
        if (seen := offered(place, other)) != {stick_key(PUBLISHER): f"{PACK} {OLD}"}:
            raise ValueError(f"on another stick there is {seen}")
        shutil.rmtree(other)
        _publish(place, BAD)
        if len(left := list((place.stick / "packs" / "metadata").glob("*.targets.json"))) > 1:
            raise ValueError(f"of other releases there is left: {sorted(path.name for path in left)}")
        return {**super().again(place, box), stick_key(PUBLISHER): f"{PACK} {BAD}"}


class Exporting(Base):
    """A box hands on what it has, to a stick with FAT that has the version of before.

    Afterwards the next version can be installed and handed on.
    """

    name = "export"
    fat = "stick"

    def prepare(self, place: Place) -> None:
        super().prepare(place)
        place.stick.mkdir()
        with place.box() as box:
            box.packs.install(place.archive(OLD))
            _export(place, box)
            Trust(place.reader).add(PUBLISHER, root_of(place.data / KEYS), box.own_root().words)
            box.packs.install(place.archive(NEW))

    def act(self, place: Place, promises: Promises) -> None:
        with (
            place.box() as box,
            promises.cutting(),
            promises.change({stick_key(PUBLISHER): f"{PACK} {NEW}"}, fragile=True),
        ):
            _export(place, box)

    def again(self, place: Place, box: Appliance) -> Facts:
        box.packs.install(place.archive(NEWEST))
        _export(place, box)
        said = {pack_key(PACK): NEWEST, stick_key(PUBLISHER): f"{PACK} {NEWEST}"}
        return {**super().again(place, box), **said}


def _export(place: Place, box: Appliance) -> None:
    export(box.onward, box.trust, place.stick, [PACK])


def _keys(place: Place) -> Path:
    return place.disk / "keys"


def _publish(place: Place, version: str, folder: Path | None = None) -> None:
    publish(folder or place.stick / "packs", _keys(place), Changes((place.shelf / version,), prune=True), nobody)
