"""A pack is in use once it has passed its trial; until then, and if it fails, the version before is."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.errors import (
    CancelledError,
    DiskFullError,
    NoPreviousVersionError,
    PackArchiveError,
    PackNotInstalledError,
    PacksBusyError,
    PackSelftestError,
    PackTooNewError,
    StorageError,
)
from appliance.packs import archive, choice, copying, store
from appliance.packs.choice import Choice, read_choice, write_choice
from appliance.packs.manifest import MANIFEST
from appliance.packs.store import InstalledPack, PackStore, verify
from appliance.storage.lock import lock_folder
from tests.publisher import version
from tests.unit.packs.test_archive import PLAIN, manifest, packed


class PowerCut(BaseException):
    """Nothing that comes after is done."""


@pytest.fixture
def packs(tmp_path: Path) -> PackStore:
    return PackStore(tmp_path / "shipped", tmp_path / "installed", pause=lambda _seconds: None)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "installed" / "plain"


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    def make(number: str, content: bytes = b"goats", least: str = "0.1.0") -> Path:
        text = PLAIN.replace('"1.0.0"', f'"{number}"').replace('"0.1.0"', f'"{least}"')
        path = tmp_path / f"plain-{number}-{content.decode()}.pack"
        path.write_bytes(packed(("goats.md", content), listed=manifest(("goats.md", content), text=text)))
        return path

    return make


def refuse(pack: InstalledPack) -> None:
    raise PackSelftestError(pack=pack.name, reason="it says nothing")


def in_use(packs: PackStore) -> str:
    pack = packs.find("plain")
    return f"{pack.path.name} {(pack.path / 'goats.md').read_text()}" if pack else ""


def there(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir())


Make = Callable[..., Path]


def test_a_pack_is_tried_out_before_it_is_in_use(packs: PackStore, make: Make) -> None:
    packs.install(make("1.0.0"))
    seen: list[tuple[str, str]] = []
    packs.install(make("1.1.0"), selftest=lambda pack: seen.append((verify(pack.path).name, in_use(packs))))
    assert seen == [("plain 1.1.0", "1.0.0 goats")]
    assert in_use(packs) == "1.1.0 goats"
    assert (before := packs.previous("plain")) and before.name == "plain 1.0.0"


def test_a_pack_that_fails_its_trial_is_gone_and_the_one_before_in_use(
    packs: PackStore, make: Make, home: Path
) -> None:
    packs.install(make("1.0.0"))
    packs.install(make("1.1.0"))
    before = (home / "active").read_bytes()
    with pytest.raises(PackSelftestError, match="says nothing"):
        packs.install(make("1.2.0"), selftest=refuse)
    assert (in_use(packs), there(home)) == ("1.1.0 goats", ["1.0.0", "1.1.0", "active"])
    assert (home / "active").read_bytes() == before
    assert packs.rollback("plain").name == "plain 1.0.0"


def test_a_first_pack_that_fails_its_trial_leaves_nothing(packs: PackStore, make: Make, home: Path) -> None:
    with pytest.raises(PackSelftestError):
        packs.install(make("1.0.0"), selftest=refuse)
    assert (in_use(packs), there(home)) == ("", [])


def test_whatever_a_trial_raises_ends_it(packs: PackStore, make: Make) -> None:
    packs.install(make("1.0.0"))
    for error in (ZeroDivisionError, KeyboardInterrupt):

        def fail(_pack: InstalledPack, error: type[BaseException] = error) -> None:
            raise error

        with pytest.raises(error):
            packs.install(make("1.1.0"), selftest=fail)
        assert in_use(packs) == "1.0.0 goats"


# What came with the software


@pytest.fixture
def shipped(packs: PackStore, make: Make, tmp_path: Path) -> PackStore:
    archive.extract(make("1.0.0"), _folder(tmp_path / "shipped" / "plain") / "1.0.0")
    return packs


def _folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def test_a_shipped_pack_is_used_again_when_the_installed_one_is_taken_back(shipped: PackStore, make: Make) -> None:
    shipped.install(make("1.1.0"))
    assert shipped.rollback("plain").name == "plain 1.0.0"
    assert in_use(shipped) == "1.0.0 goats"
    assert shipped.rollback("plain").name == "plain 1.1.0"


def test_after_a_failed_trial_a_box_follows_what_is_shipped_next(
    shipped: PackStore, make: Make, tmp_path: Path, home: Path
) -> None:
    with pytest.raises(PackSelftestError):
        shipped.install(make("1.1.0"), selftest=refuse)
    assert there(home) == []
    archive.extract(make("1.0.1"), tmp_path / "shipped" / "plain" / "1.0.1")
    assert in_use(shipped) == "1.0.1 goats"


def test_the_version_that_is_shipped_can_come_again_with_other_content(shipped: PackStore, make: Make) -> None:
    shipped.install(make("1.0.0", b"hens"))
    assert in_use(shipped) == "1.0.0~2 hens"
    assert {pack.path.name for pack in shipped.versions("plain").values()} == {"1.0.0~2"}
    assert shipped.rollback("plain").path.parent.parent.name == "shipped"
    shipped.activate("plain", "1.0.0")
    assert in_use(shipped) == "1.0.0 goats"


# The same version again


def test_the_same_pack_again_is_not_copied_but_looked_at(packs: PackStore, make: Make, home: Path) -> None:
    pack = packs.install(make("1.0.0"))
    before = (home / "active").stat().st_ino
    assert packs.install(make("1.0.0"), selftest=refuse) == pack
    assert (home / "active").stat().st_ino == before
    packs.install(make("1.1.0"))
    assert packs.install(make("1.0.0")).path == pack.path
    assert in_use(packs) == "1.0.0 goats"


def test_a_damaged_pack_is_replaced_by_the_same_one_whole(packs: PackStore, make: Make, home: Path) -> None:
    (packs.install(make("1.0.0")).path / "goats.md").write_bytes(b"gnats")
    packs.install(make("1.0.0"))
    assert in_use(packs) == "1.0.0~2 goats"
    assert packs.previous("plain") is None  # there is nothing to go back to: it was this one, damaged
    packs.tidy()
    assert there(home) == ["1.0.0~2", "active"]
    assert packs.problems() == []


def test_a_version_built_again_can_be_taken_back(packs: PackStore, make: Make, home: Path) -> None:
    for content in (b"goats", b"hens", b"cows"):
        packs.install(make("1.0.0", content))
    assert in_use(packs) == "1.0.0~3 cows"
    packs.rollback("plain")
    assert in_use(packs) == "1.0.0~2 hens"
    assert [path.name for path in packs.folders()] == ["1.0.0", "1.0.0~2", "1.0.0~3"]


# Old versions


def test_older_versions_go_once_the_new_one_has_passed(packs: PackStore, make: Make, home: Path) -> None:
    for number in ("1.0.0", "1.1.0", "1.2.0"):
        packs.install(make(number))
    assert there(home) == ["1.0.0", "1.1.0", "1.2.0", "active"]
    packs.tidy(keep=[home / "1.0.0"])
    assert there(home) == ["1.0.0", "1.1.0", "1.2.0", "active"]
    packs.tidy()
    assert there(home) == ["1.1.0", "1.2.0", "active"]
    assert not list(home.parent.glob(".removed-*"))


def test_a_version_that_somebody_copied_to_the_box_by_hand_is_not_removed(
    packs: PackStore, make: Make, home: Path
) -> None:
    packs.install(make("1.0.0"))
    archive.extract(make("1.5.0"), home / "1.5.0")
    packs.tidy()
    assert there(home) == ["1.0.0", "1.5.0", "active"]
    packs.activate("plain", "1.5.0")
    packs.activate("plain", "1.5.0")
    assert (in_use(packs), packs.rollback("plain").name) == ("1.5.0 goats", "plain 1.0.0")


def test_a_version_in_use_that_cannot_be_read_gives_way_to_the_one_before(
    packs: PackStore, make: Make, home: Path
) -> None:
    for number in ("1.0.0", "1.1.0"):
        packs.install(make(number))
    (home / "1.1.0" / MANIFEST).write_text("name = ")
    assert in_use(packs) == "1.0.0 goats"
    assert len(packs.problems()) == 1
    (home / "1.0.0").rename(home / "1.0.7")
    assert len(packs.problems()) == 2
    assert packs.find("plain") is None


def test_there_may_be_nothing_to_take_back(packs: PackStore, make: Make) -> None:
    for name in ("plain", "../plain"):
        with pytest.raises(PackNotInstalledError):
            packs.rollback(name)
    packs.install(make("1.0.0"))
    with pytest.raises(NoPreviousVersionError):
        packs.rollback("plain")
    assert packs.previous("plain") is None


def test_another_process_sees_that_something_changed(packs: PackStore, make: Make) -> None:
    marks = [packs.stamp()]
    for work in (
        lambda: packs.install(make("1.0.0")),
        lambda: packs.install(make("1.1.0")),
        lambda: packs.rollback("plain"),
    ):
        work()
        assert packs.stamp() not in marks
        marks.append(packs.stamp())


# What is refused


def test_a_pack_for_a_newer_box_is_refused(packs: PackStore, make: Make) -> None:
    with pytest.raises(PackTooNewError, match=r"plain 1.0.0 needs Baraza 99.0.0"):
        packs.install(make("1.0.0", least="99.0.0"))


def test_only_the_pack_that_was_expected_is_installed(packs: PackStore, make: Make, tiny_pack: Path) -> None:
    digest = hashlib.sha256((tiny_pack / MANIFEST).read_bytes()).hexdigest()
    with pytest.raises(PackArchiveError, match="expected"):
        packs.install(make("1.0.0"), expected=digest)
    assert packs.install(tiny_pack, expected=digest).name == "tiny 0.1.0"


def test_an_archive_that_is_swapped_after_it_was_looked_at_is_refused(
    packs: PackStore, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, other = make("1.0.0"), make("2.0.0")
    extract = archive.extract

    def swap(path: Path, *arguments: object, **more: object) -> object:
        shutil.copy(other, path)
        return extract(path, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(archive, "extract", swap)
    with pytest.raises(PackArchiveError, match="expected"):
        packs.install(source)


def test_two_installations_at_once_do_not_mix(packs: PackStore, make: Make, tmp_path: Path) -> None:
    packs.install(make("1.0.0"))

    def meanwhile(_pack: InstalledPack) -> None:
        for work in (
            lambda: packs.install(make("2.0.0")),
            lambda: packs.activate("plain", "1.0.0"),
            lambda: packs.rollback("plain"),
        ):
            with pytest.raises(PacksBusyError):
                work()
        packs.tidy()
        assert packs.settle(refuse) == []

    packs.install(make("1.1.0"), selftest=meanwhile)
    assert in_use(packs) == "1.1.0 goats"


def test_an_installation_waits_a_moment_for_another(packs: PackStore, make: Make, tmp_path: Path) -> None:
    packs.install(make("1.0.0"))
    lock = lock_folder(tmp_path / "installed")
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        if len(paused) == 3:
            lock.release()

    patient = PackStore(tmp_path / "shipped", tmp_path / "installed", pause=pause)
    patient.install(make("1.1.0"))
    assert in_use(packs) == "1.1.0 goats"
    assert len(paused) == 3


def test_an_installation_can_be_cancelled(packs: PackStore, make: Make, tmp_path: Path) -> None:
    with pytest.raises(CancelledError):
        packs.install(make("1.0.0"), cancelled=lambda: True)
    assert [path.name for path in (tmp_path / "installed").iterdir()] == [".lock"]


def test_a_disk_full_in_the_middle_leaves_the_old_version_and_no_litter(
    packs: PackStore, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packs.install(make("1.0.0"))
    before = sorted(path for path in (tmp_path / "installed").rglob("*"))

    def full(_descriptor: int, _block: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(copying.os, "write", full)
        with pytest.raises(DiskFullError):
            packs.install(make("1.1.0"))
    assert sorted(path for path in (tmp_path / "installed").rglob("*")) == before
    assert in_use(packs) == "1.0.0 goats"


def test_a_name_that_the_disk_refuses_undoes_the_trial(
    packs: PackStore, make: Make, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packs.install(make("1.0.0"))
    rename = Path.rename

    def refuse_version(path: Path, target: Path) -> Path:
        if path.name == "pack":
            raise OSError(errno.EIO, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse_version)
    with pytest.raises(StorageError):
        packs.install(make("1.1.0"))
    assert (read_choice(home), in_use(packs)) == (Choice("1.0.0"), "1.0.0 goats")


# After a cut


def cut_in_the_trial(packs: PackStore, source: Path) -> None:
    def cut(_pack: InstalledPack) -> None:
        raise PowerCut

    with pytest.raises(PowerCut):
        packs.install(source, selftest=cut)


def test_what_was_on_trial_when_the_power_went_is_tried_again(packs: PackStore, make: Make, home: Path) -> None:
    packs.install(make("1.0.0"))
    cut_in_the_trial(packs, make("1.1.0"))
    assert in_use(packs) == "1.0.0 goats"
    tried: list[str] = []
    assert packs.settle(lambda pack: tried.append(pack.name)) == []
    assert (tried, in_use(packs)) == (["plain 1.1.0"], "1.1.0 goats")
    assert packs.settle(refuse) == []
    assert read_choice(home) == Choice("1.1.0", ("1.0.0",))


def test_where_nothing_can_try_a_pack_its_files_must_be_whole(packs: PackStore, make: Make, home: Path) -> None:
    packs.install(make("1.0.0"))
    cut_in_the_trial(packs, make("1.1.0"))
    assert packs.settle() == []
    assert (read_choice(home), in_use(packs)) == (Choice("1.1.0", ("1.0.0",)), "1.1.0 goats")


def test_what_fails_when_it_is_tried_again_is_given_up_and_told(packs: PackStore, make: Make, home: Path) -> None:
    packs.install(make("1.0.0"))
    cut_in_the_trial(packs, make("1.1.0"))
    (told,) = packs.settle(refuse)
    assert isinstance(told, PackSelftestError)
    assert (in_use(packs), there(home)) == ("1.0.0 goats", ["1.0.0", "active"])


def test_a_pack_that_ends_the_process_twice_is_given_up(packs: PackStore, make: Make, home: Path) -> None:
    packs.install(make("1.0.0"))
    cut_in_the_trial(packs, make("1.1.0"))

    def cut(_pack: InstalledPack) -> None:
        raise PowerCut

    with pytest.raises(PowerCut):
        packs.settle(cut)
    (told,) = packs.settle(cut)
    assert "stopped while it was tried out" in str(told)
    assert (in_use(packs), there(home)) == ("1.0.0 goats", ["1.0.0", "active"])


def test_a_pack_damaged_by_the_cut_is_given_up(packs: PackStore, make: Make, home: Path) -> None:
    packs.install(make("1.0.0"))
    cut_in_the_trial(packs, make("1.1.0"))
    (home / "1.1.0" / "goats.md").write_bytes(b"\0\0\0\0\0")
    (told,) = packs.settle()
    assert "goats.md" in str(told)
    assert in_use(packs) == "1.0.0 goats"


def test_a_cut_before_the_folder_had_its_name_is_undone(
    packs: PackStore, make: Make, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packs.install(make("1.0.0"))
    rename = Path.rename

    def cut(path: Path, target: Path) -> Path:
        if path.name == "pack":
            raise PowerCut
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", cut)
        with pytest.raises(PowerCut):
            packs.install(make("1.1.0"))
    assert (read_choice(home).trial, in_use(packs)) == (1, "1.0.0 goats")
    assert packs.settle(refuse) == []
    assert read_choice(home) == Choice("1.0.0")


def test_what_a_cut_left_is_swept_at_the_next_start(packs: PackStore, make: Make, tmp_path: Path) -> None:
    packs.install(make("1.0.0"))
    for name in (".installing-abc", ".removed-plain-0.9.0"):
        (tmp_path / "installed" / name / "pack").mkdir(parents=True)
    packs.settle()
    assert there(tmp_path / "installed") == [".lock", "plain"]


def test_another_installation_after_a_cut_goes_on_from_what_is_in_use(packs: PackStore, make: Make, home: Path) -> None:
    packs.install(make("1.0.0"))
    cut_in_the_trial(packs, make("1.1.0"))
    packs.install(make("1.2.0"))
    assert read_choice(home) == Choice("1.2.0", ("1.0.0",), ("1.1.0",))
    packs.tidy()
    assert there(home) == ["1.0.0", "1.2.0", "active"]


def test_a_box_without_packs_has_nothing_to_settle(packs: PackStore, tmp_path: Path) -> None:
    assert packs.settle(refuse) == []
    packs.tidy()
    assert not (tmp_path / "installed").exists()


def test_a_disk_that_cannot_be_written_is_said_when_things_are_settled(
    packs: PackStore, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    packs.install(make("1.0.0"))
    cut_in_the_trial(packs, make("1.1.0"))

    def full(*_: object) -> None:
        raise DiskFullError(path="it")

    monkeypatch.setattr(choice, "write_atomically", full)
    with pytest.raises(DiskFullError):
        packs.settle()
    assert in_use(packs) == "1.0.0 goats"


def test_the_lock_is_given_back_whatever_happens(packs: PackStore, make: Make, tmp_path: Path) -> None:
    with pytest.raises(PackSelftestError):
        packs.install(make("1.0.0"), selftest=refuse)
    lock_folder(tmp_path / "installed").release()


# The file that says what is in use


@pytest.mark.parametrize(
    "choice",
    [
        Choice("1.0.0"),
        Choice("1.1.0", ("1.0.0",)),
        Choice("1.2.0", ("1.1.0", "1.0.0"), ("0.9.0",), 2),
        Choice("", (), ("1.0.0",)),
    ],
)
def test_a_choice_is_read_as_it_was_written(choice: Choice, tmp_path: Path) -> None:
    write_choice(tmp_path, choice)
    assert read_choice(tmp_path) == choice
    write_choice(tmp_path, Choice())
    assert (read_choice(tmp_path), list(tmp_path.iterdir())) == (Choice(), [])


@pytest.mark.parametrize("content", [b"", b"1.0.0\ntrial many\n", b"1.0.0\ntrial\n", b"\xff", bytes(5000)])
def test_a_choice_that_is_not_of_its_form_says_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "active").write_bytes(content)
    assert read_choice(tmp_path).in_use in ((), (bytes(4096).decode(),))


def test_boxes_of_before_wrote_the_version_only(tmp_path: Path) -> None:
    (tmp_path / "active").write_bytes(b"1.0.0\n")
    assert read_choice(tmp_path) == Choice("1.0.0")


def test_a_choice_keeps_what_it_does_not_name_any_more_as_old() -> None:
    one = Choice("1.1.0", ("1.0.0",)).on_trial("1.2.0", "1.1.0")
    assert one == Choice("1.2.0", ("1.1.0", "1.0.0"), (), 1)
    assert one.in_use == ("1.1.0", "1.0.0")
    assert one.passed() == Choice("1.2.0", ("1.1.0",), ("1.0.0",))
    assert one.passed({"1.1.0"}) == Choice("1.2.0", ("1.0.0",), ("1.1.0",))
    assert one.given_up() == Choice("1.1.0", ("1.0.0",), ("1.2.0",))
    assert one.passed().switched("1.0.0", "1.2.0") == Choice("1.0.0", ("1.2.0",), ("1.1.0",))


def test_a_read_only_shelf_is_no_reason_to_stop(tiny_pack: Path, tmp_path: Path) -> None:
    """Packs of other names beside it, and files where folders should be, are passed over."""
    shelf = tmp_path / "shipped"
    (shelf / "tiny").mkdir(parents=True)
    (shelf / "tiny" / "9.9.9").write_text("a file")
    (shelf / "Not-a-name").mkdir()
    version(tiny_pack, "0.2.0").rename(shelf / "tiny" / "0.2.0")
    assert [pack.name for pack in PackStore(shelf, tmp_path / "installed").active()] == ["tiny 0.2.0"]


def test_a_folder_is_flushed_before_it_has_its_name(
    packs: PackStore, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    fsync, rename = os.fsync, Path.rename

    def note(descriptor: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    def watch(path: Path, target: Path) -> Path:
        if path.name == "pack":
            assert {path, path / MANIFEST, path / "goats.md"} <= set(flushed)
            flushed.append(target)
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(store.Path, "rename", watch)
    packs.install(make("1.0.0"))
    named = flushed.index(tmp_path / "installed" / "plain" / "1.0.0")
    assert tmp_path / "installed" / "plain" in flushed[named:]
