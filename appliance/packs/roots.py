"""The publishers whom this box trusts, and what it remembers of each; the keeper named them and compared their words.

FOLDER/NAME/state.json   what the keeper allowed, the versions of the root, and the metadata of the newest release seen
FOLDER/NAME/copy.json    the same, written before it

One file is one write, old or new after a power cut: the client's own files (timestamp.json and so on) are renamed
without a flush, and one of them found empty would be taken for "nothing seen yet", so a rollback would go through.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import Metadata, Root, Timestamp

from appliance.errors import RootDamagedError, RootNotFoundError
from appliance.packs.fingerprint import public_keys
from appliance.packs.manifest import KINDS, NAME
from appliance.storage.atomic import ensure_folder, flush_folder, remove_leftovers, storage_errors, write_atomically

STATE, COPY, BROKEN = "state.json", "copy.json", ".broken"
FORMAT = 1
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrustedRoot:
    """`kinds`: of packs that it may bring, None for all; `unattended`: its packs are installed without asking;
    `version`: of the root; `release`: the newest seen, 0 for none.
    """

    name: str
    words: str
    kinds: frozenset[str] | None
    unattended: bool
    version: int
    expires: datetime
    release: int

    def may_bring(self, kind: str) -> bool:
        return self.kinds is None or kind in self.kinds


@dataclass(frozen=True)
class State:
    """What is kept of a root. `roots`: its versions since it was added, the newest last; `earlier`: those before, the
    first one first, for others who begin there (this box does not trust by them); `metadata`: by file name, of the
    newest release that was verified.
    """

    words: str
    roots: tuple[bytes, ...]
    kinds: frozenset[str] | None = None
    unattended: bool = False
    metadata: Mapping[str, bytes] = field(default_factory=dict)
    earlier: tuple[bytes, ...] = ()

    @property
    def root(self) -> Root:
        """The newest version of the root."""
        return Metadata[Root].from_bytes(self.roots[-1]).signed

    @property
    def release(self) -> int:
        """The newest release seen, 0 if there is none that the root's keys have signed."""
        try:
            timestamp = Metadata[Timestamp].from_bytes(self.metadata["timestamp.json"])
            self.root.verify_delegate(Timestamp.type, timestamp.signed_bytes, timestamp.signatures)
            return int(timestamp.signed.version)
        except (KeyError, TufError):
            return 0

    def described(self, name: str) -> TrustedRoot:
        root = self.root
        return TrustedRoot(
            name, self.words, self.kinds, self.unattended, root.version, root.expires, release=self.release
        )

    def identities(self) -> set[str]:
        """The public keys of every version of the root: by them a repository is recognised as one of its."""
        return {public_keys(Metadata[Root].from_bytes(raw).signed) for raw in self.roots}


class RootStore:
    """The folder where the states lie; made when the first is saved."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """Every root that was added, damaged or not."""
        try:
            found = [path.name for path in self._folder.iterdir() if NAME.fullmatch(path.name)]
        except OSError:
            return []
        return sorted(name for name in found if any((self._folder / name / file).is_file() for file in (STATE, COPY)))

    def load(self, name: str) -> State:
        """What is kept of root `name`.

        Raises:
            RootNotFoundError: there is no such root.
            RootDamagedError: both copies are damaged.
        """
        if name not in self.names():
            raise RootNotFoundError(name=name)
        for file in (STATE, COPY):
            try:
                state = _read((self._folder / name / file).read_bytes())
            except (OSError, ValueError, KeyError, TypeError, TufError) as error:
                log.warning("%s of the trusted root %s cannot be read: %s", file, name, error)
            else:
                return state
        raise RootDamagedError(name=name)

    def change(self, name: str, change: Callable[[State | None], State | None]) -> State | None:
        """Write what `change` makes of what is kept (None: nothing), as the only one at that moment.

        Nothing is written if it returns None. Raises RootDamagedError, StorageError, and what `change` raises.
        """
        with self._alone():
            before = self.load(name) if name in self.names() else None
            after = change(before)
            if after is not None and after != before:
                self._save(name, after)
            return after

    def remove(self, name: str) -> None:
        """Forget root `name`. Raises RootNotFoundError, StorageError."""
        with self._alone(), storage_errors(self._folder):
            if name not in self.names():
                raise RootNotFoundError(name=name)
            gone = self._folder / f".removed-{name}"
            shutil.rmtree(gone, ignore_errors=True)
            (self._folder / name).rename(gone)
            flush_folder(self._folder)
            shutil.rmtree(gone, ignore_errors=True)

    def _save(self, name: str, state: State) -> None:
        home = self._folder / name
        ensure_folder(home)
        raw = _written(state)
        for file in (COPY, STATE):
            path = home / file
            remove_leftovers(path)
            _set_aside(path)
            write_atomically(path, raw)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """The command line and the page may both have a stick open: what one saw is not to be undone by the other."""
        ensure_folder(self._folder)
        with storage_errors(self._folder):
            descriptor = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # for the time of two small writes
                yield
            finally:
                os.close(descriptor)


def _set_aside(path: Path) -> None:
    """A damaged file is kept for whoever wants to know what happened."""
    try:
        _read(path.read_bytes())
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError, TufError):
        path.replace(path.with_name(path.name + BROKEN))


def _written(state: State) -> bytes:
    """A line with the sha256 of the rest, then JSON. The bytes of metadata, which were signed, come back unaltered."""
    values = {
        "format": FORMAT,
        "words": state.words,
        "kinds": None if state.kinds is None else sorted(state.kinds),
        "unattended": state.unattended,
        "roots": [_text(raw) for raw in state.roots],
        "metadata": {name: _text(raw) for name, raw in sorted(state.metadata.items())},
        "earlier": [_text(raw) for raw in state.earlier],
    }
    body = json.dumps(values, indent=1).encode("ascii")
    return hashlib.sha256(body).hexdigest().encode("ascii") + b"\n" + body


def _read(raw: bytes) -> State:
    """Raises ValueError, KeyError, TypeError, tuf's RepositoryError: it is not what was written."""
    digest, _, body = raw.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode("ascii") != digest:
        raise ValueError("its content is not what was written (sha256)")
    values: dict[str, Any] = json.loads(body)
    if values["format"] != FORMAT:
        raise ValueError(f"it is of format {values['format']}, and this software knows {FORMAT}")
    kinds = None if values["kinds"] is None else frozenset(values["kinds"]) & set(KINDS)
    roots = tuple(_bytes(text) for text in values["roots"])
    metadata = {name: _bytes(text) for name, text in values["metadata"].items()}
    earlier = tuple(_bytes(text) for text in values.get("earlier", ()))
    state = State(values["words"], roots, kinds, values["unattended"], metadata, earlier)
    state.identities()  # every root can be read
    return state


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
