r"""A stream sealed with a passphrase: AES-256-GCM in blocks, so that no more than one block is in memory.

    magic      "baraza sealed 1" and a line feed
    scrypt     log2(N), r, p: one byte each; then 16 bytes of salt
    prefix     7 bytes, drawn for this file: the beginning of every nonce
    proof      16 bytes, derived with the key: tells a wrong passphrase from a damaged file
    blocks     64 KiB of content each, the last one shorter; each with 16 bytes of tag

The nonce of a block is the prefix, its number (4 bytes) and whether it is the last (1 byte): blocks that were left out,
doubled or put in another order do not open, and neither does a file that was cut at the end of a block (the STREAM
construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015). All that stands before the blocks is authenticated with
each of them. Why not the age format: docs/decisions/0023-journal-and-backup.md.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
import unicodedata
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from appliance.errors import BackupError, BackupLockedError

MAGIC = b"baraza sealed 1\n"
BLOCK = 64 * 1024  # bytes of content
TAG = 16
PREFIX = 7
HEADER = struct.Struct(">16sBBB16s7s16s")
WORK = (16, 8, 1)  # log2 N, r, p of scrypt: 64 MiB, about a quarter of a second on a laptop
MOST_MEMORY = 256 * 1024**2  # bytes, of scrypt, whatever a file asks for
MOST_BLOCKS = 2**32


class SealedWriter:
    """Writes what it is given, sealed, to `target`; nothing can be opened before `finish`."""

    def __init__(self, target: IO[bytes], passphrase: str) -> None:
        salt, self._prefix = os.urandom(16), os.urandom(PREFIX)
        key, proof = _derive(passphrase, salt, WORK)
        self._header = HEADER.pack(MAGIC, *WORK, salt, self._prefix, proof)
        self._cipher, self._target = AESGCM(key), target
        self._rest = bytearray()
        self._number = 0
        target.write(self._header)

    def write(self, content: bytes) -> int:
        """Seal `content`; a block is written when it is known not to be the last."""
        self._rest += content
        while len(self._rest) > BLOCK:
            self._seal(bytes(self._rest[:BLOCK]), last=False)
            del self._rest[:BLOCK]
        return len(content)

    def finish(self) -> None:
        """Write the last block, which says that it is the last."""
        self._seal(bytes(self._rest), last=True)
        self._rest.clear()

    def _seal(self, block: bytes, last: bool) -> None:
        nonce = _nonce(self._prefix, self._number, last)
        self._target.write(self._cipher.encrypt(nonce, block, self._header))
        self._number += 1


class SealedReader:
    """Reads what `SealedWriter` sealed. Nothing is given that was not verified; all is known good at the end only."""

    def __init__(self, source: IO[bytes], passphrase: str, path: Path) -> None:
        """`path` is for what is told.

        Raises:
            BackupError: it is another file, or of a later form.
            BackupLockedError: the passphrase is wrong.
        """
        self._source, self._path = source, path
        self._header = source.read(HEADER.size)
        if len(self._header) < HEADER.size or not self._header.startswith(MAGIC):
            raise BackupError(path=str(path), reason="it is not a backup of this Baraza")
        _, *work, salt, self._prefix, proof = HEADER.unpack(self._header)
        if not _is_allowed(tuple(work)):
            raise BackupError(path=str(path), reason="it asks for too much work to open it")
        key, expected = _derive(passphrase, salt, tuple(work))
        if not hmac.compare_digest(proof, expected):
            raise BackupLockedError(path=str(path))
        self._cipher = AESGCM(key)
        self._next = source.read(BLOCK + TAG)
        self._rest = b""
        self._number = 0
        self._over = False

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, b"" at the end.

        Raises BackupError: it is damaged, was changed, or its end is missing.
        """
        found = bytearray()
        while size < 0 or len(found) < size:
            if not self._rest:
                if self._over:
                    break
                self._rest = self._open()
                continue
            taken = len(self._rest) if size < 0 else size - len(found)
            found += self._rest[:taken]
            self._rest = self._rest[taken:]
        return bytes(found)

    def finish(self) -> None:
        """Read to the end, so that what was read is known to be all. Raises BackupError."""
        while self.read(BLOCK):
            pass

    def _open(self) -> bytes:
        """The content of the next block."""
        block = self._next
        self._next = self._source.read(BLOCK + TAG)
        self._over = not self._next
        try:
            opened = self._cipher.decrypt(_nonce(self._prefix, self._number, self._over), block, self._header)
        except InvalidTag as error:
            reason = "its end is missing, or it was changed" if self._over else "it is damaged, or it was changed"
            raise BackupError(path=str(self._path), reason=reason) from error
        self._number += 1
        return opened


def _derive(passphrase: str, salt: bytes, work: tuple[int, ...]) -> tuple[bytes, bytes]:
    """The key, and the proof that it is the one."""
    log_n, r, p = work
    said = unicodedata.normalize("NFC", passphrase).encode()
    memory = 2 * _memory(work)
    both = hashlib.scrypt(said, salt=salt, n=1 << log_n, r=r, p=p, maxmem=memory, dklen=64)
    return both[:32], hashlib.sha256(b"proof" + both[32:]).digest()[:16]


def _memory(work: tuple[int, ...]) -> int:
    log_n, r, _ = work
    return 128 * r << log_n


def _is_allowed(work: tuple[int, ...]) -> bool:
    log_n, r, p = work
    return 10 <= log_n <= 20 and 1 <= r <= 16 and 1 <= p <= 4 and _memory(work) <= MOST_MEMORY


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    if number >= MOST_BLOCKS:
        raise OverflowError("a sealed stream has 2^32 blocks at most")  # 256 TiB
    return prefix + struct.pack(">IB", number, last)
