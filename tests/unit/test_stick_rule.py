"""The rule of udev, as udev itself reads it: for a disk of this machine that is taken for a stick. Needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

RULES = Path(__file__).resolve().parents[2] / "systemd" / "90-baraza-sticks.rules"
BLOCK = Path("/sys/class/block")
# In a mount namespace of its own; nothing of the machine's own udev is seen or changed.
APART = (
    'mount -t tmpfs t /run && mount -t tmpfs t /etc/udev/rules.d && mkdir -p /run/udev/rules.d && cp "$1"/*.rules '
    '/run/udev/rules.d && udevadm test --action="$2" "$3" 2>&1'
)
FAT = 'ENV{ID_FS_USAGE}="filesystem", ENV{ID_FS_TYPE}="vfat"'


def bus(name: str) -> str:
    """What the disk `name` hangs on; "" if it hangs on nothing."""
    above = BLOCK / name / "device" / "subsystem"
    return above.resolve().name if above.exists() else ""


def why_not() -> str:
    if shutil.which("udevadm") is None or shutil.which("unshare") is None or not Path("/etc/udev/rules.d").is_dir():
        return "udev is not installed here"
    if os.geteuid() != 0:
        return "mounting needs root"
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "t", "/mnt"], check=False).returncode:
        return "this machine lets nobody mount"
    return "" if disks() else "there is no disk here that hangs on anything"


def disks() -> list[str]:
    return sorted(path.name for path in BLOCK.glob("*") if bus(path.name)) if BLOCK.is_dir() else []


pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


def said(tmp_path: Path, properties: str, *, kernel: bool = True, usb: bool = True, action: str = "add") -> str:
    """What udev makes of the first disk of this machine, were its properties these."""
    disk, rules = disks()[0], RULES.read_text(encoding="utf-8")
    if kernel:
        rules = rules.replace('KERNEL!="sd*"', f'KERNEL!="{disk}"')
    if usb:
        rules = rules.replace('SUBSYSTEMS=="usb"', f'SUBSYSTEMS=="{bus(disk)}"')
    (tmp_path / "80-properties.rules").write_text(f'SUBSYSTEM=="block", {properties}\n', encoding="utf-8")
    (tmp_path / RULES.name).write_text(rules, encoding="utf-8")
    words = ["unshare", "-m", "sh", "-ec", APART, "sh", str(tmp_path), action, str(BLOCK / disk)]
    found = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    assert f"{RULES.name}\n" in found  # it was read
    assert "Invalid" not in found
    return found.replace(f"baraza-stick@{disk}.service", "the stick")


def test_a_stick_with_a_file_system_is_mounted(tmp_path: Path) -> None:
    found = said(tmp_path, FAT)
    assert "SYSTEMD_WANTS=the stick" in found
    assert "UDISKS_AUTO=0" in found


@pytest.mark.parametrize("filesystem", ["exfat", "ext4"])
def test_others_are_mounted_too(tmp_path: Path, filesystem: str) -> None:
    assert "the stick" in said(tmp_path, FAT.replace("vfat", filesystem))


@pytest.mark.parametrize(
    "properties",
    [
        FAT.replace("vfat", "ntfs"),
        FAT.replace("filesystem", "raid"),
        'ENV{ID_FS_TYPE}="vfat"',
        f'{FAT}, ENV{{ID_PART_TABLE_TYPE}}="dos"',
    ],
)
def test_what_is_no_file_system_or_not_read_here_is_left_alone(tmp_path: Path, properties: str) -> None:
    assert "the stick" not in said(tmp_path, properties)


def test_what_does_not_hang_on_usb_is_left_alone(tmp_path: Path) -> None:
    if bus(disks()[0]) == "usb":
        pytest.skip("the disk of this machine hangs on USB")
    assert "the stick" not in said(tmp_path, FAT, usb=False)


def test_what_goes_away_is_not_mounted(tmp_path: Path) -> None:
    assert "the stick" not in said(tmp_path, FAT, action="remove")


def test_a_card_taken_out_of_its_reader_is_seen_to(tmp_path: Path) -> None:
    found = said(tmp_path, 'ENV{DISK_MEDIA_CHANGE}="1"', action="change")
    assert "start baraza-sticks.service" in found
    assert "the stick" not in found
