"""A box and its page for the tests: the starter pack where the model matters, a stand-in where only the flow does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from appliance.app import Appliance
from appliance.config import load
from appliance.errors import CancelledError
from appliance.inference.job import Job
from appliance.inference.translator import Translated
from appliance.limits import LIMITS, Limits
from appliance.packs.manifest import Figure
from appliance.packs.store import InstalledPack
from appliance.translation.languages import LanguageDetector
from appliance.translation.service import TranslationService
from tests.stand_ins import engines_of, pack_of
from webui.app import create_app

WORDS = {"en": ["the", "water", "is", "clean", "hello"], "es": ["el", "agua", "es", "limpia", "hola"]}
LETTER = {
    "place": "Kibaoni",
    "date": "2026-05-03",
    "recipient": "The District Water Officer",
    "subject": "Repair of the hand pump",
    "matter": "The hand pump near the school is broken.",
    "request": "We ask you to send a technician.",
    "sender": "Asha Mwangi",
}


@dataclass
class StandIn:
    """A translator that shouts, in the order it is asked.

    Until `open` is set, it holds what it was given, or takes one of `tickets` for it.
    """

    open: threading.Event = field(default_factory=threading.Event)
    tickets: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    seen: list[str] = field(default_factory=list)
    pack: InstalledPack = field(
        default_factory=lambda: pack_of(
            "stand-in",
            ("en", "es"),
            ("es", "en"),
            figures=(Figure("made-up", "chrF2", 44.0, "sacrebleu", "en-es"),),
        )
    )

    def translate(
        self,
        sentences: Sequence[str],
        source: str,
        target: str,
        *,
        beam: int,
        cancelled: Callable[[], bool],
        accept: Callable[[str, str], bool],
        owner: str,
        background: bool,
    ) -> list[Translated]:
        self.seen += sentences
        while not self.open.is_set() and not self.tickets.acquire(timeout=0.005):
            if cancelled():
                raise CancelledError
        return [Translated(sentence.upper(), cut="endless" in sentence) for sentence in sentences]


class Phone:
    """A browser without JavaScript: keeps cookies, says where its forms come from, and reads one language."""

    def __init__(self, app: Flask, language: str = "en") -> None:
        self.client: FlaskClient = app.test_client()
        self.language = language

    def get(self, url: str, **headers: str) -> TestResponse:
        return self.client.get(url, headers={"Accept-Language": self.language, **headers})

    def post(self, url: str, data: Any = None, follow: bool = False, **headers: str) -> TestResponse:
        said = {"Accept-Language": self.language, "Origin": "http://localhost", **headers}
        form = {"content_type": "application/x-www-form-urlencoded"} if isinstance(data, bytes) else {}
        return self.client.post(url, data=data or {}, headers=said, follow_redirects=follow, **form)

    def translate(self, text: str, source: str = "en", target: str = "es") -> TestResponse:
        return self.post("/translate", {"text": text, "from": source, "to": target})

    def write_letter(self) -> str:
        """Where the document is."""
        answers = {f"answer-{key}": answer for key, answer in LETTER.items()}
        return str(self.post("/draft/letter", {"language": "en", **answers}).location)


@dataclass
class Box:
    """An appliance with the stand-in, its page, and its queue, whose worker runs once `start` is called."""

    appliance: Appliance
    app: Flask
    translator: StandIn

    def phone(self, language: str = "en") -> Phone:
        return Phone(self.app, language)

    def job(self, response: TestResponse) -> Job:
        """The job that a response leads to."""
        return self.appliance.queue.get(response.location.rsplit("/", 1)[1])


def make_appliance(data: Path, limits: Limits = LIMITS, **settings: str) -> Appliance:
    environment = {"BARAZA_DATA": str(data), "BARAZA_PORT": "0", "BARAZA_THREADS": "1", "BARAZA_LANES": "1"}
    return Appliance(load(environment | {f"BARAZA_{name.upper()}": value for name, value in settings.items()}), limits)


def make_box(data: Path, limits: Limits = LIMITS) -> Box:
    appliance = make_appliance(data, limits, packs=str(data / "none"))
    translator = StandIn()
    detector = LanguageDetector(WORDS, WORDS)
    appliance.engines = engines_of([translator], limits=limits)
    packs = [translator.pack]
    appliance.translation = TranslationService(packs, appliance.engines, detector, appliance.queue, 1, limits)
    return Box(appliance, create_app(appliance), translator)
