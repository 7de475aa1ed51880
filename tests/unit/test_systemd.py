"""The units are ones that systemd accepts, and they are kept in their place."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from appliance.config import SETTINGS
from appliance.packs.usb import ASKED, WRITING

ROOT = Path(__file__).resolve().parents[2]
SYSTEMD = ROOT / "systemd"
UNIT = SYSTEMD / "baraza.service"
SCRIPT = "/opt/baraza/systemd/baraza-stick"
STICKS = next(setting.default for setting in SETTINGS if setting.name == "sticks")


def lines(name: str) -> list[str]:
    return (SYSTEMD / name).read_text(encoding="utf-8").splitlines()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    shutil.copytree(SYSTEMD, tmp_path / "units")
    units = sorted(path for path in (tmp_path / "units").rglob("*.*") if path.suffix in (".service", ".path", ".conf"))
    for path in units:
        # The programs are elsewhere on a machine of ours: any program does for reading the unit.
        text = path.read_text(encoding="utf-8").replace("/opt/baraza/.venv/bin/baraza serve", "/bin/true")
        path.write_text(text.replace(SCRIPT, "/bin/true"), encoding="utf-8")
    verified = [path for path in units if path.suffix != ".conf"]
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, verified)], capture_output=True, text=True, check=False
    )
    assert len(verified) == 4
    assert not [line for line in result.stderr.splitlines() if "baraza" in line]


def test_the_unit_keeps_the_service_in_its_place() -> None:
    for line in ("DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="):
        assert line in lines("baraza.service")


# Sticks


def test_what_mounts_sticks_has_no_mount_namespace_of_its_own() -> None:
    namespaced = re.compile(
        r"(Protect|Private|ReadWrite|ReadOnly|Inaccessible|BindP|BindR|MountFlags|DynamicUser|Root\w+=)"
    )
    for name in ("baraza-stick@.service", "baraza-sticks.service"):
        assert not [line for line in lines(name) if namespaced.match(line)]
        assert any(line.startswith(f"ExecStart={SCRIPT} ") for line in lines(name))


def test_the_service_sees_sticks_that_come_later_and_may_write_to_them() -> None:
    assert {"MountFlags=slave", f"ReadWritePaths=-{STICKS}", "SupplementaryGroups=baraza-sticks"} <= set(
        lines("baraza.service.d/sticks.conf")
    )


def test_everybody_means_the_same_folders() -> None:
    made = [line.split()[1] for line in lines("baraza-sticks.tmpfiles.conf") if line.startswith("d ")]
    assert {STICKS, f"{STICKS}/{ASKED}", f"{STICKS}/{WRITING}", f"{STICKS}/.staging"} <= set(made)
    assert f"DirectoryNotEmpty={STICKS}/{ASKED}" in lines("baraza-sticks.path")
    assert f"STICKS=${{BARAZA_STICKS:-{STICKS}}}" in lines("baraza-stick")


def test_the_script_is_plain_and_can_be_started() -> None:
    assert os.access(SYSTEMD / "baraza-stick", os.X_OK)
    shell = shutil.which("dash") or "sh"
    assert subprocess.run([shell, "-n", str(SYSTEMD / "baraza-stick")], check=False).returncode == 0


def test_a_rule_is_for_sticks_only_and_mounts_nothing_itself() -> None:
    rules = (SYSTEMD / "90-baraza-sticks.rules").read_text(encoding="utf-8")
    wanted = rules.index("SYSTEMD_WANTS")
    for guard in ('SUBSYSTEMS=="usb"', 'ID_FS_USAGE}!="filesystem"', 'ID_FS_TYPE}!="vfat|exfat|ext4"', 'KERNEL!="sd*"'):
        assert 0 < rules.index(guard) < wanted
    assert "mount" not in "".join(line for line in rules.splitlines() if "RUN" in line)


@pytest.mark.skipif(shutil.which("udevadm") is None, reason="udev is not installed here")
def test_udev_accepts_the_rule() -> None:
    rules = SYSTEMD / "90-baraza-sticks.rules"
    result = subprocess.run(["udevadm", "verify", str(rules)], capture_output=True, text=True, check=False)
    if "verify" in result.stderr.partition("\n")[0]:
        pytest.skip("this udevadm verifies nothing yet (systemd 254)")
    assert result.returncode == 0, result.stderr
