"""What a PIN opens, how it is changed, and what becomes of a damaged one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.app import Appliance
from appliance.config import load
from appliance.errors import (
    PinAlreadySetError,
    PinDamagedError,
    PinLongError,
    PinNotSetError,
    PinTrivialError,
    PinWrongError,
    StorageError,
)
from appliance.keeper.pin import KEEPER, KeeperPin, Standing
from appliance.keeper.rules import check_new
from tests.safe import OTHER, PIN, SCREEN, Safe, phone


@pytest.mark.parametrize("pin", ["804172", "80 41 72", "8041-72", " 804172\n", "٨٠٤١٧٢", "８０４１７２"])
def test_digits_are_digits_in_every_script_and_blanks_do_not_count(safe: Safe, pin: str) -> None:
    assert safe.pin.check(pin, SCREEN)


@pytest.mark.parametrize("pin", ["six goats on a hill", "  six  goats on a hill ", "пять коз", "mbuzi saba"])
def test_a_phrase_is_taken(tmp_path: Path, pin: str) -> None:
    keeper = KeeperPin(tmp_path)
    keeper.set_first(pin)
    assert keeper.check(pin.strip(), SCREEN)
    with pytest.raises(PinWrongError):
        keeper.check(pin.strip()[:-1], SCREEN)


def test_what_is_endless_is_refused_and_is_never_stretched(safe: Safe, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PinLongError):
        check_new("goat " * 100)
    monkeypatch.setattr("appliance.keeper.pin.hashlib.scrypt", lambda *_, **__: pytest.fail("it was stretched"))
    with pytest.raises(PinWrongError):
        safe.pin.check("9" * 10_000, SCREEN)


def test_a_box_without_a_pin_opens_to_nobody(tmp_path: Path) -> None:
    keeper = KeeperPin(tmp_path / KEEPER)
    assert keeper.standing() is Standing.NONE
    assert keeper.stamp() == ""
    assert keeper.wait(SCREEN) == 0
    assert keeper.wrong_tries() == 0
    for pin in ("", PIN):
        with pytest.raises(PinNotSetError):
            keeper.check(pin, SCREEN)


def test_only_the_pin_opens_and_it_is_nowhere_in_the_file(safe: Safe) -> None:
    assert safe.pin.standing() is Standing.SET
    assert safe.pin.check(PIN, SCREEN) == safe.pin.stamp() != ""
    for wrong in ("804173", "", "80417", PIN[::-1]):
        with pytest.raises(PinWrongError):
            safe.pin.check(wrong, phone(7))
    raw = safe.pin.file.read_bytes()
    assert PIN.encode() not in raw
    assert safe.pin.file.stat().st_mode & 0o077 == 0


def test_two_boxes_with_one_pin_keep_other_words_of_it(safe: Safe, tmp_path: Path) -> None:
    other = KeeperPin(tmp_path / "other")
    other.set_first(PIN)
    assert other.file.read_bytes() != safe.pin.file.read_bytes()
    assert other.stamp() != safe.pin.stamp()


def test_the_first_pin_is_set_once(safe: Safe) -> None:
    with pytest.raises(PinAlreadySetError):
        safe.pin.set_first(OTHER)
    assert safe.pin.check(PIN, SCREEN)


def test_another_pin_is_set_by_whoever_knows_this_one(safe: Safe) -> None:
    before = safe.pin.stamp()
    with pytest.raises(PinWrongError):
        safe.pin.change("804173", OTHER, phone(1))
    with pytest.raises(PinTrivialError):
        safe.pin.change(PIN, "123456", phone(1))
    assert safe.pin.stamp() == before
    assert safe.pin.change(PIN, OTHER, phone(1)) == safe.pin.stamp() != before
    with pytest.raises(PinWrongError):
        safe.pin.check(PIN, SCREEN)
    assert safe.pin.check(OTHER, SCREEN)


def test_the_command_line_sets_another_while_the_box_is_at_work(safe: Safe) -> None:
    safe.wrong(phone(1), 6)
    KeeperPin(safe.folder).set_anew(OTHER)  # another process
    assert safe.pin.wait(phone(1)) == 0  # tries at the PIN of before count no longer
    assert safe.pin.check(OTHER, phone(1))


def test_a_pin_that_is_forgotten_may_be_set_for_the_first_time_again(safe: Safe) -> None:
    safe.pin.forget()
    assert safe.pin.standing() is Standing.NONE
    safe.pin.set_first(OTHER)
    assert safe.pin.check(OTHER, SCREEN)
    KeeperPin(safe.folder / "never").forget()


def flipped(raw: bytes) -> bytes:
    return raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:]


@pytest.mark.parametrize(
    "damage", [lambda raw: b"", lambda raw: raw[:40], flipped, lambda raw: raw[66:], lambda raw: b"\0" * len(raw)]
)
def test_a_damaged_pin_is_kept_aside_and_opens_to_nobody(safe: Safe, damage: Callable[[bytes], bytes]) -> None:
    raw = damage(safe.pin.file.read_bytes())
    safe.pin.file.write_bytes(raw)
    for _ in range(2):  # and after a restart
        with pytest.raises(PinDamagedError):
            safe.pin.check(PIN, SCREEN)
        with pytest.raises(PinDamagedError):
            safe.pin.set_first(OTHER)  # it is not “none was set yet”
        assert safe.pin.standing() is Standing.DAMAGED
        assert safe.pin.stamp() == ""
        safe.restart()
    assert (safe.folder / "pin.json.broken").read_bytes() == raw
    KeeperPin(safe.folder).set_anew(OTHER)
    assert safe.pin.check(OTHER, SCREEN)
    assert (safe.folder / "pin.json.broken").exists()
    safe.pin.forget()
    assert safe.pin.standing() is Standing.NONE


def test_a_pin_that_cannot_be_read_now_is_told_and_stays(safe: Safe, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", broken)
        with pytest.raises(StorageError):
            safe.pin.check(PIN, SCREEN)
    assert safe.pin.check(PIN, SCREEN)


def test_a_box_that_starts_with_a_damaged_pin_tells_it_and_works(tmp_path: Path) -> None:
    folder = tmp_path / KEEPER
    folder.mkdir()
    (folder / "pin.json").write_bytes(b"nonsense")
    box = Appliance(load({"BARAZA_DATA": str(tmp_path), "BARAZA_PACKS": str(tmp_path / "none")}))
    box.start()
    try:
        assert [problem.key for problem in box.problems] == ["pin_damaged"]
    finally:
        box.close()
