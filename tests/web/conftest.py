"""Boxes for the tests of the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from appliance.keeper import pin
from appliance.limits import LIMITS
from tests.web.boxes import Box, make_appliance, make_box
from webui.app import create_app
from webui.pages import jobs


@pytest.fixture(autouse=True)
def no_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for, unless a test says so."""
    monkeypatch.setattr(jobs, "MOMENT", 0.0)


@pytest.fixture
def quick_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PIN is stretched a little only: most tests of the keeper's pages enter one."""
    monkeypatch.setattr(pin, "SCRYPT_N", 16)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """A box whose translator is closed and whose worker stands still."""
    made = make_box(tmp_path)
    yield made
    made.appliance.close()


@pytest.fixture
def small_box(tmp_path: Path) -> Iterator[Box]:
    """The same with the smallest limits."""
    made = make_box(tmp_path, replace(LIMITS, jobs_waiting=3, jobs_waiting_per_owner=2, streams=1))
    yield made
    made.appliance.close()


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The page of a box as it is shipped, with its real models and articles, at work."""
    appliance = make_appliance(tmp_path_factory.mktemp("starter"))
    if not appliance.translation.directions:
        appliance.close()
        pytest.skip("no starter pack under models/starter")
    appliance.start()
    yield create_app(appliance)
    appliance.close()
