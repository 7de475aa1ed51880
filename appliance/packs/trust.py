"""Whose packs this box takes: a stick, a folder or a neighbour's box is a repository of The Update Framework.

The rules are those of the framework and the code is that of its authors (`tuf.ngclient`); here it is decided which
root a repository is held against, what day it is, what a root may bring, and that the memory of the box survives a
power cut. Why so: docs/decisions/0021-trust.md; attack by attack: docs/packs-security.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from tuf.api.exceptions import BadVersionNumberError, DownloadError, DownloadHTTPError, ExpiredMetadataError
from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import Metadata, Root, TargetFile, Timestamp

from appliance.errors import (
    BarazaError,
    RepositoryError,
    RepositoryExpiredError,
    RepositoryOlderError,
    RepositoryRefusedError,
    RootDamagedError,
    RootError,
    RootNotFoundError,
    RootWordsError,
    UnknownPublisherError,
)
from appliance.limits import LIMITS, Limits
from appliance.packs.client import Client
from appliance.packs.fingerprint import fingerprint, public_keys
from appliance.packs.lineage import ancestors
from appliance.packs.manifest import KINDS, NAME
from appliance.packs.offer import Offer
from appliance.packs.repository import Repository, offers_among, source_errors
from appliance.packs.roots import RootStore, State, TrustedRoot
from appliance.packs.sources import METADATA, Source, SourceReadError
from appliance.packs.trusted_time import Judgement, TrustedTime, utc_now

TRUST, CLOCK = "trust", "clock.json"  # the folder in the data folder, and its file of the day that was reached
DEVELOPMENT = "development"
# The public key of the root in models/development, whose private key everybody has: no keeper may trust it by mistake.
DEVELOPMENT_KEY = "f099e582d46eb137f9d2b7438015633a663b948dfd829402c44a4514a1f1ca1c"
ATTEMPTS = 3


class Trust:
    """The roots in `folder`; `development` is a root that is trusted besides, by whoever works on the software."""

    def __init__(
        self,
        folder: Path,
        limits: Limits = LIMITS,
        clock: Callable[[], datetime] = utc_now,
        development: bytes | None = None,
    ) -> None:
        self.time = TrustedTime(folder / CLOCK, clock)
        self._folder, self._limits, self._development = folder, limits, development
        self._store = RootStore(folder)

    # Roots

    def roots(self) -> tuple[TrustedRoot, ...]:
        """The roots that are trusted, by name; one whose files are damaged is told by `problems`."""
        return tuple(state.described(name) for name, state in self._states())

    def root(self, name: str) -> TrustedRoot:
        """Raises RootNotFoundError, RootDamagedError."""
        return self._state(name).described(name)

    def root_bytes(self, name: str) -> bytes:
        """The newest version of root `name`, to be handed on. Raises RootNotFoundError, RootDamagedError."""
        return self._state(name).roots[-1]

    def remembered(self) -> Iterator[tuple[str, State]]:
        """What is kept of each root, to be handed on to other boxes."""
        return self._states()

    def problems(self) -> tuple[RootDamagedError, ...]:
        """The roots of which both copies are damaged: none of their packs is taken until the keeper adds them anew."""
        found = []
        for name in self._store.names():
            try:
                self._store.load(name)
            except RootDamagedError as error:
                found.append(error)
        return tuple(found)

    def add(
        self, name: str, root: bytes, words: str, kinds: Iterable[str] | None = None, unattended: bool = False
    ) -> TrustedRoot:
        """Trust `root`, whose `words` a person compared with those of the publisher, as `name`.

        Raises:
            RootWordsError: the words are another publisher's.
            RootError: the name is taken or of a wrong form, a kind is not known, or `root` is not sound.
            StorageError: it could not be kept.
        """
        signed = _read_root(name, root, self._limits)
        told = " ".join(words.lower().split())
        if told != fingerprint(signed):
            raise RootWordsError(name=name)
        if name == DEVELOPMENT or not NAME.fullmatch(name):
            raise RootError(name=name, reason="a name has small letters, digits and hyphens, and is not “development”")
        if DEVELOPMENT_KEY in public_keys(signed):
            raise RootError(name=name, reason="it is the development root; everybody has its private key")
        state = State(told, (root,), _kinds(name, kinds), unattended)
        for other, known in self._states():
            if public_keys(signed) in known.identities():
                raise RootError(name=name, reason=f"this publisher is trusted already, as {other}")

        def new(before: State | None) -> State:
            if before is not None:
                raise RootError(name=name, reason="there is a root of that name; remove it first, or choose another")
            return state

        try:
            self._store.change(name, new)
        except RootDamagedError as error:
            reason = "there is a root of that name, and it is damaged; remove it first"
            raise RootError(name=name, reason=reason) from error
        return state.described(name)

    def limit(self, name: str, kinds: Iterable[str] | None, unattended: bool) -> TrustedRoot:
        """Change what root `name` may bring (None: everything), and whether without asking.

        Raises RootNotFoundError, RootDamagedError, RootError, StorageError.
        """
        allowed = _kinds(name, kinds)

        def limited(before: State | None) -> State:
            current = self._current(name, before)
            if current is None:
                raise RootNotFoundError(name=name)
            return replace(current, kinds=allowed, unattended=unattended)

        self._store.change(name, limited)
        return self.root(name)

    def remove(self, name: str) -> None:
        """Trust root `name` no longer; packs that it brought stay. Raises RootNotFoundError, StorageError."""
        self._store.remove(name)

    # Repositories

    def open(self, source: Source) -> Repository:
        """The repository in `source`, verified against the root that signed it.

        Raises:
            UnknownPublisherError: none of the trusted roots did; its fields have the words to compare.
            RepositoryOlderError: a newer release of it was seen.
            RepositoryExpiredError: it is out of date.
            RepositoryRefusedError: another check failed; nothing of it is taken.
            SourceLostError: it could not be read to the end.
            RootDamagedError, StorageError: what is known of the root cannot be read or kept.
        """
        with source_errors(source.label):
            name = self._claimed(source)
            if name is None:
                stranger = self.stranger(source)
                raise UnknownPublisherError(path=source.label, words=stranger.words, version=stranger.version)
            for _ in range(ATTEMPTS):
                opened = self._update(name, source)
                if opened:
                    return opened
        raise RootError(name=name, reason="another program changes it all the time")

    def stranger(self, source: Source) -> Stranger:
        """Who signed `source`, trusted or not: what a keeper needs in order to compare, and what it holds, as it says.

        Nothing is remembered. Raises SourceLostError, RepositoryError: it is not whole, or not signed by its own root.
        """
        with source_errors(source.label), TemporaryDirectory(prefix="baraza-trust-") as work:
            try:
                first = source.download_bytes(*self._file("1.root.json"))
                client = Client(Path(work), source, first, self.time.judge().now)
                client.refresh()
                targets = client.all_targets()
            except ExpiredMetadataError:
                targets = {}  # it is shown who signed; what is in it does not count any more
            except (TufError, DownloadError, ValueError) as error:
                if isinstance(error, SourceReadError):
                    raise
                reason = f"its own publisher did not sign it so: {error}"
                raise RepositoryError(path=source.label, reason=reason) from error
            root = client.root
            offers, _ = offers_among(targets, lambda offer: True)
            return Stranger(client.root_bytes(root.version), fingerprint(root), root.version, root.expires, offers)

    def _claimed(self, source: Source) -> str | None:
        """The trusted root that `source` says it is of. Only a hint: whether it is, the client finds out.

        Raises RepositoryError: it has no first root, or one that cannot be read.
        """
        try:
            raw = source.download_bytes(*self._file("1.root.json"))
            claims = public_keys(Metadata[Root].from_bytes(raw).signed)
        except (TufError, DownloadHTTPError, AttributeError, ValueError) as error:
            raise RepositoryError(path=source.label, reason="it does not say who signed it") from error
        for name, state in self._states():
            if claims in state.identities():
                return name
            same = f"{state.root.version}.root.json"  # of a publisher whose first keys were others
            with suppress(DownloadHTTPError):
                if source.download_bytes(*self._file(same)) == state.roots[-1]:
                    return name
        return None

    def _file(self, name: str) -> tuple[str, int]:
        return METADATA + name, self._limits.root_bytes

    def _update(self, name: str, source: Source) -> Repository | None:
        """The repository after one update; None if the state of the root was changed by somebody else meanwhile."""
        state, judged = self._state(name), self.time.judge()
        with TemporaryDirectory(prefix="baraza-trust-") as work:
            for file, content in state.metadata.items():
                (Path(work) / file).write_bytes(content)
            failed: Exception | None = None
            targets: dict[str, TargetFile] = {}
            client = Client(Path(work), source, state.roots[-1], judged.now)
            try:
                client.refresh()
                targets = client.all_targets()
            except Exception as error:
                failed = error
            # What was verified before a check failed is remembered, as the framework has it: a new root above all.
            after = client.state(state)
            if not (failed or after.earlier):
                after = replace(after, earlier=ancestors(after.roots[0], source))  # for others
        if not self._keep(name, state, after):
            return None
        if failed:
            raise self._refusal(failed, source, name, client, state, judged) from failed
        return self._opened(name, source, client, after, targets, judged)

    def _opened(
        self,
        name: str,
        source: Source,
        client: Client,
        state: State,
        targets: dict[str, TargetFile],
        before: Judgement,
    ) -> Repository:
        root = state.described(name)
        if root.kinds is None and (signed := client.signed_at()):
            self.time.signed(signed)
        judged = before
        if self.time.floor() > before.floor:  # the release itself told that it is later than was known
            judged = self.time.judge()
            if any(each.is_expired(judged.now) for each in client.top()):
                raise self._expired(source, name, client, judged)
        offers, problems = offers_among(targets, lambda offer: root.may_bring(offer.kind))
        return Repository(
            root=root,
            release=root.release,
            expires=client.expires(),
            offers=offers,
            problems=(*client.problems, *problems),
            judged=judged,
            source=source,
            paths={offer.path: client.path_of(targets[offer.path]) for offer in offers},
            targets=targets,
            room=self._folder,
        )

    def _refusal(
        self, error: Exception, source: Source, name: str, client: Client, state: State, judged: Judgement
    ) -> Exception:
        """What to tell of a check that failed."""
        if isinstance(error, (SourceReadError, OSError, BarazaError)):
            return error
        if isinstance(error, ExpiredMetadataError):
            return self._expired(source, name, client, judged)
        if isinstance(error, BadVersionNumberError) and 0 < (found := _claimed_release(source)) < state.release:
            return RepositoryOlderError(path=source.label, release=found, root=name, seen=state.release)
        return RepositoryRefusedError(path=source.label, reason=str(error) or type(error).__name__, root=name)

    def _expired(self, source: Source, name: str, client: Client, judged: Judgement) -> RepositoryExpiredError:
        days = {"expires": f"{client.expires():%Y-%m-%d}", "today": f"{judged.now:%Y-%m-%d}"}
        return RepositoryExpiredError(path=source.label, root=name, **days)

    # What is kept

    def _states(self) -> Iterator[tuple[str, State]]:
        names = {*self._store.names(), *([DEVELOPMENT] if self._development else [])}
        for name in sorted(names):
            with suppress(RootDamagedError, RootNotFoundError):
                yield name, self._state(name)

    def _state(self, name: str) -> State:
        """Raises RootNotFoundError, RootDamagedError."""
        if name != DEVELOPMENT:
            return self._store.load(name)
        kept: State | None = None
        with suppress(RootNotFoundError, RootDamagedError):
            kept = self._store.load(name)
        current = self._current(name, kept)
        if current is None:
            raise RootNotFoundError(name=name)
        return current

    def _current(self, name: str, kept: State | None) -> State | None:
        """What counts of root `name`, of which `kept` is in the store: the development root comes from outside."""
        if name != DEVELOPMENT:
            return kept
        fresh = self._fresh
        return kept if kept and fresh and fresh.identities() <= kept.identities() else fresh

    @cached_property
    def _fresh(self) -> State | None:
        """The development root as it was given. Raises RootError."""
        if not self._development:
            return None
        return State(fingerprint(_read_root(DEVELOPMENT, self._development, self._limits)), (self._development,))

    def _keep(self, name: str, before: State, after: State) -> bool:
        """Whether `after` was kept: only if nobody changed `before` meanwhile."""

        def changed(now: State | None) -> State | None:
            return after if self._current(name, now) == before else None

        if after == before:
            return True
        return self._store.change(name, changed) is not None


def development_root(path: Path | None) -> bytes | None:
    """The root in the file that a setting names. Raises RootError."""
    try:
        return path.read_bytes() if path else None
    except OSError as error:
        raise RootError(name=DEVELOPMENT, reason=f"{path}: {error.strerror or error}") from error


def _read_root(name: str, raw: bytes, limits: Limits) -> Root:
    """A root that is signed by its own keys. Raises RootError."""
    if len(raw) > limits.root_bytes:
        raise RootError(name=name, reason="the root is too large")
    try:
        metadata = Metadata[Root].from_bytes(raw)
        metadata.signed.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
    except (TufError, AttributeError, ValueError) as error:
        raise RootError(name=name, reason="the root is damaged, or not signed by its own keys") from error
    return metadata.signed


def _kinds(name: str, kinds: Iterable[str] | None) -> frozenset[str] | None:
    """The kinds that a root is limited to. Raises RootError."""
    chosen = None if kinds is None else frozenset(kinds)
    if chosen is not None and not chosen:
        raise RootError(name=name, reason="it may bring nothing at all; remove it instead")
    if chosen and not chosen <= set(KINDS):
        raise RootError(name=name, reason=f"the kinds of packs are {', '.join(KINDS)}")
    return chosen


def _claimed_release(source: Source) -> int:
    """The release that `source` says it is, 0 if it cannot be read; for words only."""
    with suppress(TufError, DownloadError, AttributeError, ValueError):
        raw = source.download_bytes(METADATA + "timestamp.json", source.limits.timestamp_bytes)
        return int(Metadata[Timestamp].from_bytes(raw).signed.version)
    return 0


@dataclass(frozen=True)
class Stranger:
    """The publisher of a repository, as it says of itself; `root` is what `Trust.add` takes."""

    root: bytes
    words: str
    version: int
    expires: datetime
    offers: tuple[Offer, ...]
