"""The keeper's PIN: set at the box, compared with what scrypt made of it, never kept itself.

FOLDER/pin.json      a line with the sha256 of the rest, then what scrypt makes of the PIN, with its salt
FOLDER/tries.json    wrong tries (`tries`)

A file that is damaged is set aside, and from then on nobody is let in until a PIN is set at the box: it is never taken
for "none was set yet", which would let whoever comes first set one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from appliance.errors import (
    PinAlreadySetError,
    PinDamagedError,
    PinNotSetError,
    PinWaitError,
    PinWrongError,
    StorageError,
)
from appliance.keeper.rules import check_new, cleaned
from appliance.keeper.tries import Tries, Visitor
from appliance.limits import LIMITS, Limits
from appliance.storage.aside import BROKEN, last_set_aside, set_aside
from appliance.storage.atomic import (
    ensure_folder,
    flush_folder,
    remove_leftovers,
    storage_errors,
    write_atomically,
)

KEEPER, FILE = "keeper", "pin.json"  # the folder in the data folder, and its file
FORMAT = 1
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 1  # 16 MiB: a Pi with 512 MiB has them, and one PIN at a time is compared
SALT, LENGTH = 16, 32  # bytes
BYTES = 4096  # of the file

log = logging.getLogger(__name__)


class Standing(Enum):
    """`NONE`: no PIN was set yet; `DAMAGED`: the file was, and nobody is let in until one is set at the box."""

    NONE = "none"
    SET = "set"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class _Kept:
    salt: bytes
    stretched: bytes


class KeeperPin:
    """The PIN in `folder`. Safe to share between threads, and beside the command line, which may set another."""

    def __init__(self, folder: Path, limits: Limits = LIMITS, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._limits = folder / FILE, limits
        self._tries = Tries(folder, clock)
        self._lock = threading.Lock()  # one PIN is stretched at a time, or sixty phones would take a gigabyte for it

    @property
    def file(self) -> Path:
        """Where what is kept of the PIN lies."""
        return self._path

    def standing(self) -> Standing:
        """How it stands. Raises StorageError: the file cannot be read now."""
        try:
            return Standing.SET if self._read() else Standing.NONE
        except PinDamagedError:
            return Standing.DAMAGED

    def stamp(self) -> str:
        """Another one after each setting, "" without a PIN: what was opened with a PIN ends with it.

        Raises StorageError: the file cannot be read now.
        """
        try:
            kept = self._read()
        except PinDamagedError:
            return ""
        return _stamp(kept) if kept else ""

    def wait(self, visitor: Visitor) -> int:
        """Whole seconds until a try of `visitor` is looked at, 0 if it would be now. Raises StorageError."""
        with self._lock:
            stamp = self.stamp()
            return _whole(self._tries.wait(stamp, visitor)) if stamp else 0

    def wrong_tries(self) -> int:
        """How many tries were wrong, of those that are remembered; a right one takes its own away."""
        with self._lock:
            stamp = self.stamp()
            return self._tries.wrong(stamp) if stamp else 0

    def check(self, pin: str, visitor: Visitor) -> str:
        """The stamp of the PIN, if `pin` is the keeper's.

        Raises:
            PinNotSetError, PinDamagedError: there is none to compare with.
            PinWaitError: too many tries were wrong; `pin` was not looked at.
            PinWrongError: it is another; `wait` tells for how long the next one is not looked at.
            StorageError: the file cannot be read now.
        """
        with self._lock:
            kept = self._read()
            if kept is None:
                raise PinNotSetError
            stamp = _stamp(kept)
            if wait := _whole(self._tries.wait(stamp, visitor)):
                raise PinWaitError(wait=wait)
            self._tries.begin(stamp, visitor)
            if not self._is_right(kept, pin):
                raise PinWrongError
            self._tries.was_right(stamp, visitor)
            return stamp

    def set_first(self, pin: str) -> str:
        """Set the PIN of a box that has none; whoever calls this sits at the box. The new stamp.

        Raises PinAlreadySetError, PinDamagedError, StorageError, and as `check_new`.
        """
        with self._lock:
            if self._read() is not None:
                raise PinAlreadySetError
            return self._write(pin)

    def change(self, old: str, new: str, visitor: Visitor) -> str:
        """Set another PIN, for whoever knows the old one. Raises as `check` and `set_first`."""
        check_new(new, self._limits)
        self.check(old, visitor)
        with self._lock:
            stamp = self._write(new)
            self._tries.was_right(stamp, visitor)
        return stamp

    def set_anew(self, pin: str) -> str:
        """Set the PIN whatever was there: for the command line, whose user has the machine. Raises as `set_first`."""
        with self._lock:
            return self._write(pin)

    def forget(self) -> None:
        """There is no PIN any more, and no trace of one that was damaged. Raises StorageError."""
        with self._lock, storage_errors(self._path):
            if not self._path.parent.is_dir():
                return
            for path in self._path.parent.glob(f"{self._path.name}.{BROKEN}*"):
                path.unlink()
            self._path.unlink(missing_ok=True)
            flush_folder(self._path.parent)

    def _is_right(self, kept: _Kept, pin: str) -> bool:
        if len(pin) > 2 * self._limits.pin_characters:
            return False
        return hmac.compare_digest(_stretch(cleaned(pin), kept.salt), kept.stretched)

    # The file

    def _read(self) -> _Kept | None:
        """What is kept; None if no PIN was set yet.

        Raises:
            PinDamagedError: the file is damaged, or was, and none was set since.
            StorageError: it cannot be read now.
        """
        try:
            with storage_errors(self._path), self._path.open("rb") as file:
                return _kept_in(file.read(BYTES))
        except StorageError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
        except (ValueError, KeyError, TypeError) as error:
            log.error("%s is damaged: %s", self._path, error)
            self._set_aside()
            raise PinDamagedError(path=str(self._path)) from error
        if self._path.parent.is_dir() and (aside := last_set_aside(self._path)):
            raise PinDamagedError(path=str(aside))
        return None

    def _set_aside(self) -> None:
        try:
            set_aside(self._path)
        except StorageError as error:  # it stays where it is, and opens the box to nobody there
            log.warning("%s", error)

    def _write(self, pin: str) -> str:
        good = check_new(pin, self._limits)
        salt = os.urandom(SALT)
        kept = _Kept(salt, _stretch(good, salt))
        ensure_folder(self._path.parent)
        remove_leftovers(self._path)
        write_atomically(self._path, _written(kept))
        return _stamp(kept)


def _stretch(pin: str, salt: bytes) -> bytes:
    memory = 2 * 128 * SCRYPT_N * SCRYPT_R
    return hashlib.scrypt(
        pin.encode("utf-8", "surrogatepass"), salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, maxmem=memory, dklen=LENGTH
    )


def _stamp(kept: _Kept) -> str:
    return hashlib.sha256(b"stamp " + kept.salt).hexdigest()[:32]


def _whole(seconds: float) -> int:
    return -int(-seconds // 1)


def _written(kept: _Kept) -> bytes:
    values: dict[str, Any] = {"format": FORMAT, "scrypt": [SCRYPT_N, SCRYPT_R, SCRYPT_P]}
    values |= {"salt": kept.salt.hex(), "stretched": kept.stretched.hex()}
    body = json.dumps(values).encode("ascii")
    return hashlib.sha256(body).hexdigest().encode("ascii") + b"\n" + body


def _kept_in(raw: bytes) -> _Kept:
    """Raises ValueError, KeyError, TypeError: it is not what was written."""
    digest, _, body = raw.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode("ascii") != digest:
        raise ValueError("its content is not what was written (sha256)")
    values: dict[str, Any] = json.loads(body)
    if values["format"] != FORMAT or values["scrypt"] != [SCRYPT_N, SCRYPT_R, SCRYPT_P]:
        raise ValueError("it is of a form that this software does not know")
    kept = _Kept(bytes.fromhex(values["salt"]), bytes.fromhex(values["stretched"]))
    if len(kept.salt) != SALT or len(kept.stretched) != LENGTH:
        raise ValueError("it is too short")
    return kept
