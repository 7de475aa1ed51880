"""The client of The Update Framework as its authors wrote it, with our clock, and a list of all that is offered."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tuf.api.exceptions import DownloadError
from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import Root, Signed, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import Updater, UpdaterConfig

from appliance.packs.fingerprint import fingerprint
from appliance.packs.release import SIGNED_AT
from appliance.packs.roots import State
from appliance.packs.sources import METADATA, Source, SourceReadError

TOP = (Root.type, Timestamp.type, Snapshot.type, Targets.type)


class Client(Updater):
    """The client of The Update Framework with our clock, and with a list of all that is offered."""

    def __init__(self, work: Path, source: Source, root: bytes, now: datetime) -> None:
        limits = source.limits
        config = UpdaterConfig(
            max_root_rotations=limits.root_rotations,
            max_delegations=limits.delegations,
            root_max_length=limits.root_bytes,
            timestamp_max_length=limits.timestamp_bytes,
            snapshot_max_length=limits.snapshot_bytes,
            targets_max_length=limits.targets_bytes,
        )
        self._work = work
        self.problems: list[str] = []
        super().__init__(str(work), METADATA, fetcher=source, config=config, bootstrap=root)
        # The client has no parameter for it; a test holds that this is the time that expiry is judged by.
        self._trusted_set.reference_time = now
        self._first = self._trusted_set.root.version

    @property
    def root(self) -> Root:
        return self._trusted_set.root

    def top(self) -> list[Signed]:
        """The roles of the release that were loaded, the root first."""
        return [self._trusted_set[role] for role in TOP if role in self._trusted_set]

    def expires(self) -> datetime:
        """When the first of them ends."""
        return min(signed.expires for signed in self.top())

    def signed_at(self) -> datetime | None:
        """When the release says that it was signed."""
        said = self._trusted_set.timestamp.unrecognized_fields.get(SIGNED_AT)
        try:
            return datetime.strptime(str(said), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            return None

    def path_of(self, target: TargetFile) -> str:
        """Where the file of `target` lies: its hash stands before its name in a repository of consistent snapshots."""
        if not self.root.consistent_snapshot:
            return target.path
        home, slash, name = target.path.rpartition("/")
        return f"{home}{slash}{next(iter(target.hashes.values()))}.{name}"

    def all_targets(self) -> dict[str, TargetFile]:
        """Every target, by path, as the role that has the say over that path describes it."""
        paths, waiting, seen = set[str](), [(Targets.type, Root.type)], set[str]()
        while waiting:
            role, parent = waiting.pop(0)
            if role in seen or len(seen) > self.config.max_delegations:
                continue
            seen.add(role)
            try:
                targets = self._load_targets(role, parent)
            except (TufError, DownloadError) as error:
                if role == Targets.type or isinstance(error, SourceReadError):
                    raise
                self.problems.append(f"what {role[:80]} signed is left out: {error}")
                continue
            paths.update(targets.targets)
            if targets.delegations and targets.delegations.roles:
                waiting.extend((child, role) for child in targets.delegations.roles)
        found = {}
        for path in sorted(paths):
            try:
                target = self.get_targetinfo(path)
            except SourceReadError:
                raise
            except (TufError, DownloadError):
                continue  # told above: a role that has a say over the path is not sound
            if target is not None:
                found[path] = target
        return found

    def root_bytes(self, version: int) -> bytes:
        """A version of the root that was verified."""
        return (self._work / "root_history" / f"{version}.root.json").read_bytes()

    def state(self, before: State) -> State:
        """What the client holds for verified now, over what was known before."""
        roots = tuple(map(self.root_bytes, range(self._first + 1, self.root.version + 1)))
        files = {path.name: path.read_bytes() for path in self._work.glob("*.json") if path.name != "root.json"}
        words = before.words if not roots else fingerprint(self.root)
        return replace(before, words=words, roots=(*before.roots, *roots), metadata=files)
