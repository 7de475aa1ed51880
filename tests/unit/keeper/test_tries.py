"""Guessing slows down, and nobody can keep the keeper out."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from appliance.errors import (
    DiskFullError,
    PinWaitError,
    PinWrongError,
)
from appliance.keeper import tries
from appliance.keeper.tries import OF_ONE, OF_STRANGERS, Visitor
from tests.safe import PIN, SCREEN, Safe, phone


def test_a_person_who_mistypes_does_not_wait(safe: Safe) -> None:
    for _ in range(OF_ONE.free - 1):
        with pytest.raises(PinWrongError):
            safe.pin.check("804173", phone(1))
        assert safe.pin.wait(phone(1)) == 0
    assert safe.pin.check(PIN, phone(1))
    assert safe.pin.wrong_tries() == 0


def test_wrong_tries_slow_down_to_a_bound_and_what_comes_too_early_is_not_looked_at(safe: Safe) -> None:
    waits = []
    for _ in range(12):
        safe.wrong(SCREEN, 1)
        waits.append(safe.pin.wait(SCREEN))
    assert waits == [0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900, 900]
    safe.clock.now += 899
    with pytest.raises(PinWaitError) as told:
        safe.pin.check(PIN, SCREEN)  # the right one, too: else waiting would tell which it is
    assert told.value.fields == {"wait": 1}
    safe.clock.now += 1
    assert safe.pin.check(PIN, SCREEN)
    assert safe.pin.wait(SCREEN) == 0


def test_one_device_does_not_keep_another_waiting(safe: Safe) -> None:
    safe.wrong(phone(1), 9)
    assert safe.pin.wait(phone(1)) > 300
    assert safe.pin.wait(phone(2)) == 0
    assert safe.pin.check(PIN, phone(2))


def test_another_cookie_or_another_address_gains_nothing_in_the_long_run(safe: Safe) -> None:
    start, tried = safe.clock.now, 0
    while safe.clock.now - start < 24 * 3600:
        tried += 1
        guesser = Visitor(f"cookie-{tried}", f"10.42.{tried // 200}.{tried % 200}")
        safe.clock.now += safe.pin.wait(guesser)
        with pytest.raises(PinWrongError):
            safe.pin.check("804173", guesser)
    assert tried < 310  # of a million, in a day
    assert len(json.loads((safe.folder / "tries.json").read_text())["wrong"]) <= tries.LINES + 2


def test_nobody_can_keep_the_keeper_out(safe: Safe) -> None:
    keepers = Visitor("the keeper's telephone", "10.42.0.200")
    assert safe.pin.check(PIN, keepers)
    for number in range(40):
        safe.wrong(Visitor("thief", f"10.42.7.{number}"), 1)
    assert safe.pin.wait(phone(3)) == OF_STRANGERS.most  # whoever is not known waits with the thief
    assert safe.pin.wait(keepers) == 0
    assert safe.pin.wait(Visitor(keepers.device, "10.42.0.77")) == 0  # by another address
    assert safe.pin.wait(SCREEN) == 0
    assert safe.pin.check(PIN, keepers)
    assert safe.pin.check(PIN, SCREEN)
    assert safe.pin.wait(phone(3)) == OF_STRANGERS.most
    safe.clock.now += OF_STRANGERS.most
    assert safe.pin.check(PIN, phone(3))


def test_a_stolen_cookie_of_the_keeper_slows_down_too(safe: Safe) -> None:
    keepers = Visitor("the keeper's telephone", "10.42.0.200")
    safe.pin.check(PIN, keepers)
    safe.wrong(keepers, 9)
    assert safe.pin.wait(keepers) == OF_ONE.most
    assert safe.pin.wait(phone(5)) == 0


def test_switching_the_box_off_and_on_gains_nothing(safe: Safe) -> None:
    safe.wrong(phone(1), 6)
    waited = safe.pin.wait(phone(1))
    for _ in range(3):
        safe.restart()
        assert safe.pin.wait(phone(1)) == waited
        with pytest.raises(PinWaitError):
            safe.pin.check(PIN, phone(1))
    safe.clock.now += waited
    assert safe.pin.check(PIN, phone(1))
    safe.restart()
    assert safe.pin.wait(phone(1)) == 0


def test_a_try_counts_before_it_is_compared(safe: Safe, monkeypatch: pytest.MonkeyPatch) -> None:
    safe.wrong(SCREEN, 5)

    def cut(*_: object, **__: object) -> bytes:
        raise SystemExit  # the power is cut while it is stretched

    with monkeypatch.context() as patched:
        patched.setattr("appliance.keeper.pin.hashlib.scrypt", cut)
        safe.clock.now += safe.pin.wait(SCREEN)
        with pytest.raises(SystemExit):
            safe.pin.check(PIN, SCREEN)
    safe.restart()
    assert safe.pin.wait(SCREEN) == 120
    assert safe.pin.wrong_tries() == 6


def test_a_full_card_keeps_no_keeper_out_and_tries_count_in_memory(safe: Safe, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, *_: object, **__: object) -> None:
        raise DiskFullError(path=str(path))

    monkeypatch.setattr(tries, "write_atomically", full)
    safe.wrong(SCREEN, 5)
    assert safe.pin.wait(SCREEN) == 60
    safe.clock.now += 60
    assert safe.pin.check(PIN, SCREEN)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"stamp": 1, "wrong": {"a": "b"}, "known": []}', b"\xff"])
def test_damaged_tries_make_everybody_wait_once_but_not_for_good(safe: Safe, raw: bytes) -> None:
    safe.wrong(SCREEN, 1)
    (safe.folder / "tries.json").write_bytes(raw)
    safe.restart()
    assert safe.pin.wait(SCREEN) == OF_ONE.most
    assert safe.pin.wait(phone(1)) == OF_STRANGERS.most
    assert (safe.folder / "tries.json.broken").read_bytes() == raw
    safe.clock.now += OF_ONE.most
    assert safe.pin.check(PIN, SCREEN)


def test_the_wall_clock_means_nothing(safe: Safe, monkeypatch: pytest.MonkeyPatch) -> None:
    safe.wrong(SCREEN, 5)
    for year in (1970, 2038):
        monkeypatch.setattr("time.time", lambda year=year: (year - 1970) * 31_556_952.0)
        assert safe.pin.wait(SCREEN) == 60


def test_sixty_phones_at_once_have_one_pin_stretched_at_a_time(safe: Safe, monkeypatch: pytest.MonkeyPatch) -> None:
    from appliance.keeper import pin as module

    at_once, most, real, counting = 0, 0, module._stretch, threading.Lock()

    def stretch(pin: str, salt: bytes) -> bytes:
        nonlocal at_once, most
        with counting:
            at_once += 1
            most = max(most, at_once)
        try:
            return real(pin, salt)
        finally:
            with counting:
                at_once -= 1

    monkeypatch.setattr(module, "_stretch", stretch)
    told: list[type[Exception]] = []

    def tries_once(number: int) -> None:
        try:
            safe.pin.check("804173", phone(number))
        except (PinWrongError, PinWaitError) as error:
            told.append(type(error))

    threads = [threading.Thread(target=tries_once, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert told.count(PinWrongError) == OF_STRANGERS.free
    assert told.count(PinWaitError) == 24 - OF_STRANGERS.free


def test_stretching_takes_no_more_than_a_small_pi_has() -> None:
    from appliance.keeper.pin import SCRYPT_N, SCRYPT_P, SCRYPT_R

    assert 8 * 2**20 <= 128 * SCRYPT_N * SCRYPT_R * SCRYPT_P <= 16 * 2**20
