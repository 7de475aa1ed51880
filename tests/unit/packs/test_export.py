"""Whatever happens while packs are copied to a stick, what was on it before counts until the new is whole."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.errors import (
    CancelledError,
    ExportError,
    ExportFailedError,
    ExportFileError,
    ExportFullError,
    RepositoryError,
    StickReadOnlyError,
)
from appliance.packs.export import LARGEST, export, largest_file
from appliance.packs.own import BOX
from appliance.packs.publish import Published
from appliance.packs.sources import FolderSource, find_repositories
from tests.fat import through_fat
from tests.forger import Clock
from tests.publisher import NOW, version
from tests.unit.packs.test_publish_failures import clones_at_every_flush
from tests.village import Village, archives

pytestmark = pytest.mark.usefixtures("quick_words")


@pytest.fixture
def given(published: bytes, first: Village, onto: Path) -> Path:
    """A stick to which the first box has copied its pack, and where the packs of the publisher lie on it."""
    first.exports(onto)
    return onto / "baraza" / "publisher"


@pytest.fixture
def newer(
    given: Path, put: Callable[..., Published], tiny_pack: Path, stick: Path, first: Village
) -> Iterator[Village]:
    """The first box after it got the next version."""
    put(version(tiny_pack, "0.2.0"), prune=True, clock=NOW)
    assert first.installs(stick) == ["tiny 0.2.0"]
    yield first


def test_a_stick_pulled_out_at_any_moment_holds_the_release_of_before_or_the_new(
    published: bytes,
    given: Path,
    newer: Village,
    onto: Path,
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        clones = clones_at_every_flush(patched, onto, tmp_path / "clones")
        newer.exports(onto)
    seen = []
    for number, clone in enumerate(clones):
        box = Village(tmp_path / "boxes" / str(number), clock)
        box.trusts(published)
        seen += box.installs(clone)
    assert len(seen) == len(clones) > 8
    assert seen == sorted(seen)
    assert set(seen) == {"tiny 0.1.0", "tiny 0.2.0"}


def test_a_stick_that_fails_at_any_step_keeps_the_release_of_before_and_the_next_try_makes_the_new(
    published: bytes,
    given: Path,
    newer: Village,
    onto: Path,
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures = 0
    while True:
        try:
            with failing_flush(monkeypatch, onto, failures):
                newer.exports(onto)
            break
        except ExportFailedError:
            failures += 1
            box = Village(tmp_path / "boxes" / str(failures), clock)
            box.trusts(published)
            assert len(box.installs(onto)) == 1
            assert not [path for path in onto.rglob(".*") if path.suffix == ".pack"]
    assert failures > 4
    assert list(given.glob("targets/tiny/*0.2.0.pack"))
    assert not list(given.glob("targets/tiny/*0.1.0.pack"))


@contextmanager
def failing_flush(monkeypatch: pytest.MonkeyPatch, stick: Path, after: int) -> Iterator[None]:
    """Every flush of the stick fails meanwhile, but for the first so many."""
    flush, left = os.fsync, after

    def failing(descriptor: int) -> None:
        nonlocal left
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_relative_to(stick):
            if left == 0:
                raise OSError(5, "Input/output error")
            left -= 1
        flush(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing)
        yield


@pytest.fixture
def small_stick(tmp_path: Path) -> Iterator[Path]:
    """A stick of 1.7 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1700k", "none", folder], capture_output=True).returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_stick_without_room_is_refused_before_anything_is_written(
    published: bytes, first: Village, tiny_pack: Path, small_stick: Path
) -> None:
    first.exports(small_stick, "tiny")
    before = archives(small_stick)
    (small_stick / "photographs").write_bytes(bytes(shutil.disk_usage(small_stick).free - 100_000))
    first.store.install(version(tiny_pack, "0.1.0", "other"))
    with pytest.raises(ExportFullError) as full:
        first.exports(small_stick, "other")
    assert full.value.fields["free"] == 0
    assert archives(small_stick) == before
    assert len(find_repositories(small_stick)) == 1


def test_a_stick_that_gets_full_meanwhile_is_as_it_was(
    published: bytes, given: Path, newer: Village, second: Village, onto: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def full(descriptor: int, block: bytes) -> int:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name.endswith("0.2.0.pack"):
            raise OSError(28, "No space left on device")
        return write(descriptor, block)

    before = archives(onto)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(ExportFullError):
            newer.exports(onto)
    assert archives(onto) == before
    second.trusts(published)
    assert second.installs(onto) == ["tiny 0.1.0"]


def test_a_stick_that_takes_no_writes_is_told(
    published: bytes, first: Village, onto: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = Path.mkdir

    def refuse(path: Path, *given: bool, **named: bool) -> None:
        if path.is_relative_to(onto):
            raise OSError(30, "Read-only file system", str(path))
        mkdir(path, *given, **named)  # type: ignore[arg-type]

    onto.mkdir()
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StickReadOnlyError):
        export(first.onward, first.trust, onto, ["tiny"])


def test_a_stick_that_is_gone_is_told(published: bytes, first: Village, onto: Path) -> None:
    with pytest.raises(ExportError):
        export(first.onward, first.trust, onto / "gone", ["tiny"])


def test_fat_takes_no_file_of_four_gigabytes(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    row = "36 35 8:1 / {} rw,noatime - {} /dev/sda1 rw\n"
    mounts.write_text(row.format("/", "ext4") + row.format("/run/baraza/sticks/sda1", "vfat"))
    assert largest_file(Path("/run/baraza/sticks/sda1/baraza"), mounts) == LARGEST == 4 * 1024**3 - 1
    assert largest_file(Path("/srv"), mounts) > 2**60
    assert largest_file(Path("/srv"), tmp_path / "none") > 2**60


def test_a_pack_too_large_for_the_stick_is_refused_before_it_is_written(
    published: bytes, first: Village, onto: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.packs.export.largest_file", lambda folder: 1000)
    with pytest.raises(ExportFileError, match=r"tiny 0\.1\.0 does not go onto"):
        first.exports(onto)
    assert list(onto.rglob("*")) == []


def test_a_file_system_that_refuses_the_size_of_a_file_says_the_same(
    published: bytes, first: Village, onto: Path
) -> None:
    first.onward.measure("tiny")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(ExportFileError):
            first.exports(onto)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(onto.rglob("*.pack"))


def test_an_archive_that_is_damaged_on_the_stick_is_written_anew(
    published: bytes, given: Path, first: Village, second: Village, onto: Path
) -> None:
    (path,) = onto.rglob("*.pack")
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    (done,) = first.exports(onto)
    assert done.new
    (again,) = first.exports(onto)
    assert not again.new
    second.trusts(published)
    assert second.installs(onto) == ["tiny 0.1.0"]


def test_copying_can_be_cancelled_and_leaves_nothing(published: bytes, first: Village, onto: Path) -> None:
    onto.mkdir()
    told: list[tuple[int, int]] = []
    with pytest.raises(CancelledError):
        export(
            first.onward,
            first.trust,
            onto,
            ["tiny"],
            lambda *done: told.append(done),
            lambda: len(told) > 1 and told[-1][0] > told[-1][1] * 3 // 4,
        )
    assert not [path for path in onto.rglob("*") if path.is_file()]


def test_progress_rises_to_the_whole(published: bytes, first: Village, onto: Path, tiny_pack: Path) -> None:
    first.store.install(version(tiny_pack, "0.1.0", "other"))
    onto.mkdir()
    told: list[tuple[int, int]] = []
    export(first.onward, first.trust, onto, ["tiny", "other"], lambda *done: told.append(done))
    assert told == sorted(told)
    assert len({total for _, total in told}) == 1
    assert told[-1][0] > 0.99 * told[-1][1]


def test_fat_takes_what_is_copied_and_gives_it_back(
    published: bytes,
    first: Village,
    second: Village,
    stick: Path,
    onto: Path,
    tmp_path: Path,
) -> None:
    first.exports(onto)
    through_fat(onto / "baraza", tmp_path / "image", tmp_path / "fat")
    assert archives(tmp_path / "fat") == archives(stick)
    second.trusts(published)
    assert second.installs(tmp_path / "fat") == ["tiny 0.1.0"]


@pytest.mark.parametrize("fault", ["torn", "empty", "gone"])
def test_a_torn_timestamp_is_refused_by_others_and_mended_by_the_next_copy(
    published: bytes, given: Path, first: Village, second: Village, onto: Path, fault: str
) -> None:
    """FAT does not rename over a file in one step: this is what may be found after a cut at that moment."""
    path = given / "metadata" / "timestamp.json"
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2] if fault == "torn" else b"")
    if fault == "gone":
        path.unlink()
    second.trusts(published)
    if fault != "gone":
        with pytest.raises(RepositoryError):
            second.installs(onto)
    assert second.store.active() == []
    (done,) = first.exports(onto)
    assert (done.place, done.new) == (given, False)
    assert second.installs(onto) == ["tiny 0.1.0"]


def test_a_newer_release_on_the_stick_is_learnt_and_never_replaced_by_an_older(
    given: Path, put: Callable[..., Published], first: Village, tiny_pack: Path, onto: Path
) -> None:
    put(version(tiny_pack, "0.2.0"), to=given, clock=NOW)
    first.exports(onto)
    opened = first.trust.open(FolderSource(given))
    assert opened.release == 2
    assert [f"{offer.name} {offer.version}" for offer in opened.offers if opened.present(offer)] == [
        "tiny 0.1.0",
        "tiny 0.2.0",
    ]


def test_the_folder_of_somebody_else_with_the_same_name_is_left_alone(
    published: bytes, first: Village, second: Village, tiny_pack: Path, onto: Path
) -> None:
    second.store.install(tiny_pack)
    second.exports(onto)
    (other,) = find_repositories(onto)
    other.rename(other.with_name("publisher"))
    before = archives(onto)
    (done,) = first.exports(onto)
    assert done.place.name == "publisher-2"
    assert before.items() <= archives(onto).items()
    first.trusts(second.trust.root_bytes(BOX), "neighbour")
    assert first.trust.open(FolderSource(onto / "baraza" / "publisher")).root.name == "neighbour"


def test_files_that_are_not_packs_stay(given: Path, newer: Village, onto: Path) -> None:
    (onto / "photograph.jpg").write_bytes(b"x")
    (given / "targets" / "tiny" / "readme.txt").write_bytes(b"x")
    newer.exports(onto)
    assert (onto / "photograph.jpg").is_file()
    assert (given / "targets" / "tiny" / "readme.txt").is_file()
