"""A box with a keeper, publishers and sticks, for the tests of the keeper's pages."""

from __future__ import annotations

import html
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from werkzeug.test import TestResponse

from appliance.app import Appliance
from appliance.inference.job import Job
from appliance.packs.keys import make_keys, read_keys
from appliance.packs.publish import Changes, publish
from tests.conftest import TINY
from tests.publisher import nobody, version
from tests.web.boxes import Phone, make_appliance
from webui.app import create_app

PIN = "804172"
PHONE = "10.42.0.23"
SECONDS = 60  # that a test waits for a job, at most
KEYS = tempfile.TemporaryDirectory(prefix="baraza-test-keys-")


@dataclass
class KeepersBox:
    """A box with the tiny pack 0.1.0, and the folder where its sticks are; what works in it runs once it is started."""

    folder: Path
    appliance: Appliance
    app: Flask

    def phone(self, language: str = "en", address: str = PHONE) -> Phone:
        """A browser elsewhere in the network; with the address 127.0.0.1 it is the box's own screen."""
        phone = Phone(self.app, language)
        phone.client.environ_base["REMOTE_ADDR"] = address
        return phone

    def keeper(self, language: str = "en") -> Phone:
        """A browser of a keeper who has entered the PIN."""
        phone = self.phone(language)
        response = phone.post("/keeper/pin", {"pin": PIN})
        assert response.status_code == 303, response.text
        return phone

    def keys(self, name: str) -> Path:
        """Keys of a publisher, the same for every test: their words take a fifth of a second to be worked out."""
        made, folder = Path(KEYS.name) / name, self.folder / "keys" / name
        if not made.exists():
            make_keys(made)
        if not folder.exists():
            shutil.copytree(made, folder)
        return folder

    def words(self, name: str) -> str:
        return read_keys(self.keys(name)).words

    def stick(self, name: str, publisher: str, *packs: Path) -> Path:
        """A stick with packs that `publisher` signed."""
        stick = self.folder / "sticks" / name
        publish(stick / "baraza" / publisher, self.keys(publisher), Changes(packs), nobody)
        return stick

    def pack(self, number: str, name: str = "tiny") -> Path:
        """The tiny pack with another version, or name."""
        source = self.folder / "sources" / "tiny"
        if not source.exists():
            shutil.copytree(TINY / "pack", source)
        made = self.folder / "sources" / f"{name}-{number}"
        return made if made.exists() else version(source, number, name)

    def trusts(self, publisher: str, unattended: bool = False) -> None:
        root = (self.keys(publisher) / "1.root.json").read_bytes()
        self.appliance.trust.add(publisher, root, self.words(publisher), unattended=unattended)

    def job(self, response: TestResponse) -> Job:
        """The job that a response leads to."""
        assert response.status_code == 303, response.text
        return self.appliance.installs.get(response.location.rpartition("/")[2])


def make_keepers_box(folder: Path, **settings: str) -> KeepersBox:
    """Its PIN is set. Close its appliance."""
    shipped = folder / "shipped" / "tiny"
    shipped.mkdir(parents=True)
    shutil.copytree(TINY / "pack", shipped / "0.1.0")
    (folder / "sticks").mkdir()
    appliance = make_appliance(
        folder / "data", packs=str(folder / "shipped"), sticks=str(folder / "sticks"), **settings
    )
    appliance.keeper.set_first(PIN)
    return KeepersBox(folder, appliance, create_app(appliance))


def field_of(page: str, name: str) -> str:
    """The value of a field of a form, as a browser has it; it must be there once at least."""
    found: list[str] = re.findall(rf'<input[^>]*name="{name}"[^>]*value="([^"]*)"', page.split("<main")[1])
    assert found, name
    return html.unescape(found[0])


def every_route(app: Flask, chosen: Callable[[str], bool]) -> list[tuple[str, str]]:
    """(method, path) of every view under a path that is chosen, with something in each blank."""
    found = []
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "something", rule.rule)
        found += [(method, path) for method in sorted(rule.methods or ()) if method in ("GET", "POST") and chosen(path)]
    return sorted(found)


def done(box: KeepersBox, keeper: Phone, path: str, form: dict[str, object]) -> str:
    """The page of the job that a form leads to, once it is over."""
    response = keeper.post(path, form)
    job = box.job(response)
    assert box.appliance.installs.wait_until_over(job, SECONDS)
    return keeper.get(response.location).text


def words_of(page: str) -> str:
    """What a person reads in the main part of a page."""
    main = page.split("<main")[1].split("</main>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


def ticked(page: str) -> dict[str, bool]:
    """The packs that can be ticked, and whether they are."""
    boxes = re.findall(r'<input type="checkbox" name="pack" value="([^"]+)"( checked)?>', page)
    return {name: bool(checked) for name, checked in boxes}
