"""The PIN in `baraza doctor` and `baraza keeper`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli import main
from appliance.errors import (
    PinWrongError,
)
from appliance.health import keeper as check
from appliance.health.finding import Level
from appliance.keeper.pin import KEEPER, KeeperPin, Standing
from tests.safe import OTHER, PIN, SCREEN, Safe


def test_health_tells_of_no_pin_a_damaged_one_and_of_guessing(safe: Safe, tmp_path: Path) -> None:
    assert check.check(safe.folder).level is Level.GOOD
    safe.wrong(SCREEN, check.MANY + 1)
    assert "PINs were wrong" in check.check(safe.folder).found
    assert check.check(tmp_path / "none").level is Level.WARNING
    safe.pin.file.write_bytes(b"nonsense")
    assert check.check(safe.folder).level is Level.WARNING
    assert "cannot be read" in check.check(safe.folder).found


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*words: str, input: str | bytes | None = None) -> Result:  # noqa: A002
        return CliRunner().invoke(main, ["keeper", *words], env={"BARAZA_DATA": str(tmp_path)}, input=input)

    return run


def test_the_command_line_sets_a_pin_and_says_how_it_stands(run: Run, tmp_path: Path) -> None:
    assert json.loads(run("status", "--json").stdout) == {"pin": "none", "wrong_tries": 0}
    assert "baraza keeper pin" in run("status").output
    result = run("pin", input=f"{PIN}\n")
    assert result.exit_code == 0, result.output
    assert PIN not in result.output
    keeper = KeeperPin(tmp_path / KEEPER)
    assert keeper.check(PIN, SCREEN)
    with pytest.raises(PinWrongError):
        keeper.check("804173", SCREEN)
    assert "A PIN is set." in run("status").output
    assert json.loads(run("status", "--json").stdout) == {"pin": "set", "wrong_tries": 1}
    assert "Wrong tries since: 1" in run("status").output
    assert run("pin", input=f"{OTHER}\n").exit_code == 0
    assert keeper.check(OTHER, SCREEN)
    assert run("pin", "--forget").exit_code == 0
    assert keeper.standing() is Standing.NONE


@pytest.mark.parametrize(
    ("typed", "words"), [("", "at least 6 digits"), ("123456\n", "try this PIN first"), (b"\xff\xfe\n", "at least 6")]
)
def test_the_command_line_takes_no_pin_that_is_none(run: Run, tmp_path: Path, typed: str | bytes, words: str) -> None:
    result = run("pin", input=typed)
    assert result.exit_code == 1
    assert words in result.output
    assert KeeperPin(tmp_path / KEEPER).standing() is Standing.NONE


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand files over")
def test_with_sudo_the_pin_belongs_to_whoever_runs_the_box(run: Run, tmp_path: Path) -> None:
    os.chown(tmp_path, 12_345, 12_345)
    assert run("pin", input=f"{PIN}\n").exit_code == 0
    made = [tmp_path / KEEPER, *(tmp_path / KEEPER).iterdir()]
    assert len(made) == 2
    assert {path.stat().st_uid for path in made} == {12_345}


def test_the_command_line_asks_twice_where_somebody_sits(tmp_path: Path) -> None:
    import pty

    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "appliance.cli", "keeper", "pin"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "BARAZA_DATA": str(tmp_path)},
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(follower)
    said = b""
    first, again = b"The new PIN: ", b"Once more: "
    for prompt, answer in ((first, PIN), (again, "804173"), (first, PIN), (again, PIN)):
        said += _until(leader, prompt)
        os.write(leader, answer.encode() + b"\n")
    said += _until(leader, b"keep keys.")
    assert process.wait(30) == 0
    os.close(leader)
    assert b"do not match" in said
    assert PIN.encode() not in said  # nothing that is typed is shown
    assert KeeperPin(tmp_path / KEEPER).check(PIN, SCREEN)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _until(descriptor: int, end: bytes) -> bytes:
    """What is read until it has `end`; a pytest time limit ends what never comes."""
    said = b""
    while end not in said:
        said += os.read(descriptor, 1024)
    return said
