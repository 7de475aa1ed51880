"""What people do while the power goes."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from appliance.advice.community import ARTICLE, check
from appliance.app import Appliance
from appliance.errors import PacksBusyError, PackSelftestError
from appliance.storage.backup import ENDING, make_backup, restore
from appliance.storage.contributions import Entry, State, Step
from appliance.storage.journal import JOURNAL, Journal, KeptJob
from tests.crash.base import AGAIN, ANN, BEN, Base, save
from tests.crash.facts import NAMED, UNKNOWN, brief, stage
from tests.crash.place import BAD, PACK, PASSPHRASE, VERSIONS, Place
from tests.crash.promises import Facts, Promises
from tests.crash.scenario import (
    OWNERS,
    Scenario,
    backup_key,
    document_key,
    entry_key,
    forgotten_key,
    pack_key,
    request_key,
)
from tests.crash.sticks import Exporting, Publishing

OLD, NEW, NEWEST = VERSIONS


def words(about: str, length: int) -> str:
    """A text of `length` characters, different for each `about`, with letters beyond ASCII in it."""
    line = f"{about}: maíz, frijoles, gazobué. "
    return (line * (1 + length // len(line)))[:length]


def once_idle(place: Place, work: Callable[[], object]) -> None:
    """Do `work` on the packs once the box has finished what it does with them by itself."""
    while True:
        try:
            work()
            return
        except PacksBusyError:
            with (place.data / "packs" / ".lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)


def install(place: Place, box: Appliance, source: Path) -> None:
    once_idle(place, lambda: box.install(source))


def promised(promises: Promises, box: Appliance, owner: str, title: str, text: str) -> str:
    with promises.change({document_key(owner, title): brief(text)}):
        return save(box, owner, title, text)


class FirstStart(Base):
    """A new card: the box makes its folders, and somebody saves the first documents."""

    name = "first start"

    def act(self, place: Place, promises: Promises) -> None:
        with place.box() as box:
            for number in range(3):
                promised(promises, box, ANN, f"Letter {number}", words(f"letter {number}", 700 * (number + 1)))


class Saving(Base):
    """Documents are saved, changed and deleted beside those that were there."""

    name = "documents"

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds

    def prepare(self, place: Place) -> None:
        super().prepare(place)
        with place.box() as box:
            for number in range(4):
                save(box, OWNERS[number % 2], f"Old {number}", words(f"old {number}", 900))

    def act(self, place: Place, promises: Promises) -> None:
        with place.box() as box, promises.cutting():
            for number in range(self._rounds):
                title = f"New {number}"
                saved = promised(promises, box, ANN, title, words(title, 1_500))
                changed = words(f"{title}, changed", 2_000 + 300 * number)
                with promises.change({document_key(ANN, title): brief(changed)}):
                    box.documents.update(saved, text=changed)
                old = next((each for each in box.documents.list(BEN) if each.title.startswith("Old")), None)
                if old is not None:
                    key = document_key(BEN, old.title)
                    with promises.change({key: None}, meanwhile=[forgotten_key(key)]):
                        box.documents.delete(old.id)


class _Packs(Base):
    """Afterwards the newer version can be installed.

    It is not tried out: that takes longer than all the rest, and is done where a pack is found on trial.
    """

    def again(self, place: Place, box: Appliance) -> Facts:
        once_idle(place, partial(box.packs.install, place.archive(NEW)))
        box.refresh()
        return super().again(place, box) | {pack_key(PACK): NEW}


class FirstInstall(_Packs):
    """The first pack of a box."""

    name = "first install"

    def act(self, place: Place, promises: Promises) -> None:
        with place.box() as box, promises.cutting(), promises.change({pack_key(PACK): OLD}):
            install(place, box, place.archive(OLD))


class Upgrade(_Packs):
    """A newer version from its archive, then another one from a folder, so that the first is removed."""

    name = "install"

    def prepare(self, place: Place) -> None:
        super().prepare(place)
        with place.box() as box:
            # The one in use is not the one that a box would fall back to that forgot what was chosen.
            for version in (NEW, OLD):
                once_idle(place, partial(box.packs.install, place.archive(version)))
            save(box, ANN, "Kept", words("kept", 600))

    def act(self, place: Place, promises: Promises) -> None:
        with place.box() as box, promises.cutting():
            for version, source in ((NEWEST, place.archive(NEWEST)), (NEW, place.shelf / NEW)):
                with promises.change({pack_key(PACK): version}):
                    install(place, box, source)


class Rollback(_Packs):
    """Back to the version before, and forth again."""

    name = "rollback"

    def prepare(self, place: Place) -> None:
        super().prepare(place)
        with place.box() as box:
            for version in (NEWEST, OLD, NEW):
                once_idle(place, partial(box.packs.install, place.archive(version)))

    def act(self, place: Place, promises: Promises) -> None:
        with place.box() as box, promises.cutting():
            for version in (OLD, NEW, OLD):
                with promises.change({pack_key(PACK): version}):
                    once_idle(place, partial(box.rollback, PACK))


class Activation(Rollback):
    """Any version that is there is put in use."""

    name = "activate"

    def act(self, place: Place, promises: Promises) -> None:
        with place.box() as box, promises.cutting():
            for version in (OLD, NEWEST, NEW, OLD):
                with promises.change({pack_key(PACK): version}):
                    once_idle(place, partial(box.packs.activate, PACK, version))
            box.refresh()


class BadPack(_Packs):
    """A pack that does not pass its self-test: at no moment it is in use."""

    name = "a pack that does not work"
    told = ("PackSelftestError",)

    def prepare(self, place: Place) -> None:
        super().prepare(place)
        with place.box() as box:
            for version in (NEWEST, OLD):
                once_idle(place, partial(box.packs.install, place.archive(version)))

    def act(self, place: Place, promises: Promises) -> None:
        with place.box() as box, promises.cutting(), suppress(PackSelftestError):
            install(place, box, place.archive(BAD))


class Requests(Base):
    """Requests are left with the box, worked on, and forgotten."""

    name = "journal"

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds

    def act(self, place: Place, promises: Promises) -> None:
        journal = Journal(place.data / JOURNAL)
        for number in range(self._rounds):
            name = f"request{number}"
            job = KeptJob(name, ANN, "phone", UNKNOWN, {"text": words(name, 300 + 700 * (number % 4))}, "waiting")
            with promises.change({request_key(_asked(name)): "kept"}):
                journal.keep(job)
            journal.note("asked", number=number)
            result = words(f"result of {name}", 500 * (1 + number % 3))
            with promises.change({request_key(_asked(name)): f"done: {brief(result)}"}):
                journal.keep(replace(job, state="done", result=result))
            if number % 3 == 2:
                gone = f"request{number - 1}"
                key = request_key(_asked(gone))
                with promises.change({key: None}, meanwhile=[forgotten_key(key)]):
                    journal.forget([gone])
        journal.copy()
        journal.close()


class Leaving(Base):
    """Requests are left with a box that works on them."""

    name = "requests"

    def prepare(self, place: Place) -> None:
        super().prepare(place)
        with place.box() as box:
            once_idle(place, partial(box.packs.install, place.archive(OLD)))
            box.refresh()

    def act(self, place: Place, promises: Promises) -> None:
        with place.box() as box, promises.cutting():
            for number in range(3):
                text = _asked(f"Request {number}")
                with promises.change({request_key(text): "kept"}):
                    job = box.submit_translation(ANN, text, "en", "es", hold_for="phone")
                    assert job.kept
                assert box.queue.wait_until_over(job, 60)


class Contributing(Base):
    """Somebody of the village writes articles; the keeper accepts them, puts one otherwise, and one is taken back."""

    name = "own knowledge"

    def act(self, place: Place, promises: Promises) -> None:
        with place.box() as box, promises.cutting():
            community = box.knowing.community
            for number in range(2):
                entry = self._written(box, promises, f"Article {number}", 400 + 700 * number)
                other = {**entry.texts, "danger": words("danger", 300)} if number else None
                accepted = replace(entry, steps=(Step(State.ACCEPTED, ""),), texts=other or entry.texts)
                with promises.change({entry_key(entry.texts["title"]): stage(accepted)}):
                    community.accept(entry.id, entry.changes, other)
            withdrawn = replace(entry, steps=(Step(State.WITHDRAWN, ""),), texts=accepted.texts)
            with promises.change({entry_key(entry.texts["title"]): stage(withdrawn)}):
                community.withdraw(entry.id, ANN)

    def again(self, place: Place, box: Appliance) -> Facts:
        changed = super().again(place, box)
        entry = self._write(box, AGAIN, 200)
        return changed | {entry_key(AGAIN): stage(entry)}

    def _written(self, box: Appliance, promises: Promises, title: str, length: int) -> Entry:
        said = stage(Entry("", "", "", "", "", "", "", self._texts(title, length), (Step(State.WAITING, ""),), 1))
        with promises.change({entry_key(title): said}):
            return self._write(box, title, length)

    def _write(self, box: Appliance, title: str, length: int) -> Entry:
        texts = self._texts(title, length)
        return box.knowing.community.write(ANN, "phone", ARTICLE, "en", "Ann", texts)

    def _texts(self, title: str, length: int) -> dict[str, str]:
        lists = {"signs": words(f"signs of {title}", 80), "first_steps": words(f"steps for {title}", 80)}
        return check(ARTICLE, {"title": title, **lists, "get_help": words(title, length)})


class MakingBackup(Base):
    """A backup onto a stick."""

    name = "backup"
    fat = "stick"
    file = f"weekly{ENDING}"

    def prepare(self, place: Place) -> None:
        super().prepare(place)
        place.stick.mkdir()
        _fill(place, "Old", 4)

    def act(self, place: Place, promises: Promises) -> None:
        with promises.change({backup_key(self.file): "4 documents"}):
            make_backup(place.data, place.stick / self.file, PASSPHRASE)

    def again(self, place: Place, box: Appliance) -> Facts:
        changed = super().again(place, box)
        name = f"again{ENDING}"
        make_backup(place.data, place.stick / name, PASSPHRASE)
        return changed | {backup_key(name): "5 documents"}


class Restoring(Base):
    """A backup takes the place of what is there, twice: the second time something is kept from before already."""

    name = "restore"

    def prepare(self, place: Place) -> None:
        super().prepare(place)
        _fill(place, "Backed up", 3)
        backup = place.disk / f"backup{ENDING}"
        make_backup(place.data, backup, PASSPHRASE)
        _fill(place, "Later", 2)

    def act(self, place: Place, promises: Promises) -> None:
        later = [f"Later {number}" for number in range(2)]
        changes = {
            **{document_key(OWNERS[number % 2], title): None for number, title in enumerate(later)},
            **{request_key(name): None for name in map(_asked, later)},
        }
        for _ in range(2):
            with promises.change(changes):
                restore(place.disk / f"backup{ENDING}", place.data, PASSPHRASE)


def _asked(name: str) -> str:
    return words(name, NAMED)


def _fill(place: Place, title: str, count: int) -> None:
    """Documents and requests, as a box has them that was switched off properly."""
    with place.box() as box:
        for number in range(count):
            save(box, OWNERS[number % 2], f"{title} {number}", words(f"{title} {number}", 900))
    journal = Journal(place.data / JOURNAL)
    for number in range(count):
        name = f"{title} {number}"
        journal.keep(KeptJob(name, ANN, "phone", UNKNOWN, {"text": words(name, 400)}, "done", words(name, 500)))
    journal.close()


def scenarios(slow: bool = False) -> dict[str, Scenario]:
    every: list[Scenario] = [
        FirstStart(),
        Saving(rounds=8 if slow else 3),
        FirstInstall(),
        Upgrade(),
        BadPack(),
        Rollback(),
        Activation(),
        Requests(rounds=15 if slow else 6),
        Leaving(),
        Contributing(),
        MakingBackup(),
        Restoring(),
        Publishing(),
        Exporting(),
    ]
    return {each.name: each for each in every}
