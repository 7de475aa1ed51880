"""The unit is one that systemd accepts, and it is kept in its place."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "systemd" / "baraza.service"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    # The program it starts is elsewhere on a machine of ours: any program does for reading the unit.
    text = UNIT.read_text(encoding="utf-8").replace("/opt/baraza/.venv/bin/baraza serve", "/bin/true")
    (tmp_path / "baraza.service").write_text(text, encoding="utf-8")
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "baraza.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in result.stderr.splitlines() if "baraza.service" in line]
    assert not said


def test_the_unit_keeps_the_service_in_its_place() -> None:
    text = UNIT.read_text(encoding="utf-8")
    for line in ("DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="):
        assert line in text.splitlines()
