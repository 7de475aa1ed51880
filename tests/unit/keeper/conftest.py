"""A box's PIN, set."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.keeper.pin import KEEPER
from tests.safe import PIN, Safe


@pytest.fixture
def safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Safe:
    """Its PIN is stretched a little only: a day of guessing is tried out in a moment."""
    monkeypatch.setattr("appliance.keeper.pin.SCRYPT_N", 16)
    made = Safe(tmp_path / "data" / KEEPER)
    made.pin.set_first(PIN)
    return made
