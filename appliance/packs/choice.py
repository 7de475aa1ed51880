"""Which version of a pack is in use: one small file, replaced as a whole, so that it says one thing at any moment.

    0.3.0               the version in use, or on trial
    previous 0.2.0      those before it, the newest first; the first is in use while the other is on trial
    old 0.1.0           those that may be removed
    trial 1             how often the trial was begun; no such line: it was passed

A version on trial is in use for nobody but its self-test. Whatever ends the trial, a power cut or a self-test that
takes the whole process with it, the version before is in use all along; who starts next tries again, or gives it up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from appliance.storage.atomic import flush_folder, storage_errors, write_atomically

ACTIVE = "active"
TRIALS = 2  # a self-test that ends the process is begun so often
LARGEST = 4096  # bytes


@dataclass(frozen=True)
class Choice:
    """Names of folders of versions; `folder` is the chosen one, "" if there is none."""

    folder: str = ""
    previous: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    trial: int = 0

    @property
    def in_use(self) -> tuple[str, ...]:
        """What may be in use, the best first."""
        return (() if self.trial or not self.folder else (self.folder,)) + self.previous

    def on_trial(self, folder: str, instead_of: str) -> Choice:
        """The same with `folder` on trial, and until it passes `instead_of` in use (""; none)."""
        return self._with(folder, _distinct(folder, instead_of, *self.in_use), trial=1)

    def switched(self, folder: str, instead_of: str) -> Choice:
        """The same with `folder` in use, and `instead_of` (""; none) the one before it."""
        return self.on_trial(folder, instead_of).passed()

    def passed(self, same: frozenset[str] | set[str] = frozenset()) -> Choice:
        """The trial is passed; one version before it is kept, but none of `same`: they are this one once more."""
        kept = tuple(each for each in self.previous if each not in same)[:1]
        return self._with(self.folder, kept)

    def given_up(self) -> Choice:
        """As it was before the trial."""
        return self._with(self.previous[0] if self.previous else "", self.previous[1:])

    def without(self, *gone: str) -> Choice:
        """The old ones that are in `gone` were removed."""
        return replace(self, old=tuple(each for each in self.old if each not in gone))

    def _with(self, folder: str, previous: tuple[str, ...], trial: int = 0) -> Choice:
        """Another choice; what it does not name any more is old."""
        known = _distinct("", *self.old, self.folder, *self.previous)
        return Choice(folder, previous, tuple(each for each in known if each not in (folder, *previous)), trial)


def read_choice(folder: Path) -> Choice:
    """What stands in `folder/active`; nothing is chosen where it is missing or not of its form."""
    try:
        with (folder / ACTIVE).open("rb") as file:
            first, *lines = file.read(LARGEST).decode("ascii").splitlines()
        rows = {key: tuple(values) for key, *values in map(str.split, filter(None, lines))}
        trial = int(rows.get("trial", ("0",))[0])
    except (OSError, ValueError, IndexError):
        return Choice()
    return Choice(first.strip(), rows.get("previous", ()), rows.get("old", ()), trial)


def write_choice(folder: Path, choice: Choice) -> None:
    """Make `choice` what holds, in one step. Raises StorageError; it may hold all the same then."""
    if choice == Choice():
        with storage_errors(folder):
            (folder / ACTIVE).unlink(missing_ok=True)
            flush_folder(folder)
        return
    rows = {"previous": choice.previous, "old": choice.old, "trial": (str(choice.trial),) if choice.trial else ()}
    lines = [choice.folder, *(" ".join([key, *values]) for key, values in rows.items() if values)]
    write_atomically(folder / ACTIVE, "".join(f"{line}\n" for line in lines).encode("ascii"))


def _distinct(but: str, *folders: str) -> tuple[str, ...]:
    return tuple(each for each in dict.fromkeys(folders) if each and each != but)
