"""A pack that is installed is worked with at once, and who is at work finishes with the one before."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from weakref import ref

import pytest

from appliance.app import Appliance, install_pack
from appliance.config import Config
from appliance.errors import NoPreviousVersionError, PackArchiveError, PackFileError, PackSelftestError
from appliance.inference.job import Job, State
from appliance.inference.queue import Context
from appliance.packs import archive
from appliance.packs.store import PackStore
from tests.publisher import version

SOON = 30  # seconds


@pytest.fixture
def bare(settings: Config, tmp_path: Path) -> Config:
    return replace(settings, packs=tmp_path / "none")


@pytest.fixture
def box(bare: Config) -> Iterator[Appliance]:
    box = Appliance(bare)
    box.start()
    yield box
    box.close()


def over(box: Appliance, job: Job) -> Job:
    assert box.installs.wait_until_over(job, SOON)
    return job


def opened(box: Appliance) -> list[str]:
    return list(box.engines.use().packs)


def in_the_middle(box: Appliance, text: str) -> tuple[threading.Event, threading.Event, Job]:
    """A job that has translated a part of `text` and waits; what to set for it to go on, and its job."""
    begun, go_on = threading.Event(), threading.Event()

    def work(context: Context) -> str:
        def pause() -> None:
            begun.set()
            assert go_on.wait(SOON)

        return box.translation.translate(text, "en", "es", between_parts=pause).text

    return begun, go_on, box.queue.submit("me", "translation", work, cost=1)


def test_a_language_is_there_once_its_pack_is_installed(box: Appliance, tiny_pack: Path) -> None:
    assert box.translation.languages == []
    pack = box.install(tiny_pack)
    assert box.translation.directions == [("en", "es"), ("es", "en")]
    assert box.translation.packs == [pack]
    assert opened(box) == ["tiny 0.1.0"]  # its self-test left it open
    job = box.submit_translation("me", "agua", "es", "en")
    assert box.queue.wait_until_over(job, SOON)
    assert job.state is State.DONE


def test_who_is_at_work_finishes_with_the_pack_of_before(box: Appliance, tiny_pack: Path) -> None:
    box.install(tiny_pack)
    begun, go_on, job = in_the_middle(box, "One. Two. Three. Four. Five.")
    assert begun.wait(SOON)
    with box.engines.translator(box.pack("tiny")) as engine:
        old = ref(engine)
    del engine
    box.install(version(tiny_pack, "0.2.0"))
    box.install(version(tiny_pack, "0.3.0"))
    assert [pack.name for pack in box.translation.packs] == ["tiny 0.3.0"]
    assert sorted(pack.name for pack in box.translation.packs_at_work()) == ["tiny 0.1.0", "tiny 0.3.0"]
    assert old() is not None
    assert (box.config.data / "packs" / "tiny" / "0.1.0").is_dir()
    go_on.set()
    assert box.queue.wait_until_over(job, SOON)
    assert job.state is State.DONE
    assert opened(box) == ["tiny 0.3.0"]
    assert old() is None
    box.refresh()
    assert not (box.config.data / "packs" / "tiny" / "0.1.0").exists()
    assert (box.config.data / "packs" / "tiny" / "0.2.0").is_dir()


def test_a_pack_is_taken_back_without_a_restart(box: Appliance, tiny_pack: Path) -> None:
    box.install(tiny_pack)
    with pytest.raises(NoPreviousVersionError):
        box.rollback("tiny")
    box.install(version(tiny_pack, "0.2.0"))
    assert box.rollback("tiny").name == "tiny 0.1.0"
    assert [pack.name for pack in box.translation.packs] == ["tiny 0.1.0"]
    assert opened(box) == ["tiny 0.1.0"]


def test_words_that_are_no_text_do_not_stop_a_box(box: Appliance, bare: Config, tiny_pack: Path) -> None:
    words = (tiny_pack / "words.es.txt").read_bytes()
    broken = b"\xff\xfe" + words[2:]
    (tiny_pack / "words.es.txt").write_bytes(broken)
    text = (tiny_pack / "pack.toml").read_text(encoding="utf-8")
    was, now = (hashlib.sha256(content).hexdigest() for content in (words, broken))
    (tiny_pack / "pack.toml").write_text(text.replace(was, now), encoding="utf-8")
    box.install(tiny_pack)
    assert box.translation.languages == ["en", "es"]
    assert Appliance(bare).translation.languages == ["en", "es"]


def failing(tiny_pack: Path, number: str) -> Path:
    """A version that does not say what it says that it says."""
    other = version(tiny_pack, number)
    with (other / "pack.toml").open("a", encoding="utf-8") as file:
        file.write('\n[selftest]\nen-es = "The water is clean. ⇒ El agua está limpia y fresca hoy."\n')
    return other


def test_a_pack_that_fails_its_selftest_changes_nothing(box: Appliance, tiny_pack: Path) -> None:
    box.install(tiny_pack)
    with pytest.raises(PackSelftestError):
        box.install(failing(tiny_pack, "0.2.0"))
    assert [pack.name for pack in box.translation.packs] == ["tiny 0.1.0"]
    assert opened(box) == ["tiny 0.1.0"]


def test_an_installation_is_a_job_that_tells_how_far_it_is(box: Appliance, tiny_pack: Path, tmp_path: Path) -> None:
    archive.create(tiny_pack, tmp_path / "tiny.pack")
    job = over(box, box.submit_install("keeper", tmp_path / "tiny.pack"))
    assert (job.state, job.result.name) == (State.DONE, "tiny 0.1.0")
    assert [event.kind for event in job.events] == ["progress", "opening", "done"]
    assert job.progress == (job.result.manifest.size, job.result.manifest.size)
    assert job.events[0].data["seconds"] == 0
    assert box.translation.languages == ["en", "es"]


def test_installations_wait_for_each_other(box: Appliance, tiny_pack: Path) -> None:
    jobs = [box.submit_install("keeper", version(tiny_pack, f"0.{number}.0")) for number in range(2, 5)]
    assert [over(box, job).state for job in jobs] == [State.DONE] * 3
    assert [pack.name for pack in box.translation.packs] == ["tiny 0.4.0"]


def test_what_gives_the_pack_is_open_for_as_long_as_it_is_copied(box: Appliance, tiny_pack: Path) -> None:
    told: list[str] = []

    @contextmanager
    def opened() -> Iterator[Path]:
        told.append("opened")
        yield tiny_pack
        told.append("closed")

    assert over(box, box.submit_install("keeper", opened)).state is State.DONE
    assert told == ["opened", "closed"]


def test_an_installation_that_fails_says_why(box: Appliance, tiny_pack: Path) -> None:
    job = over(box, box.submit_install("keeper", tiny_pack, expected="0" * 64))
    assert (job.state, type(job.error)) == (State.FAILED, PackArchiveError)


def test_a_box_that_is_switched_off_breaks_an_installation_off(bare: Config, tiny_pack: Path) -> None:
    box = Appliance(bare)
    box.start()
    began, go_on = threading.Event(), threading.Event()

    @contextmanager
    def slow() -> Iterator[Path]:
        began.set()
        assert go_on.wait(SOON)
        yield tiny_pack

    box.submit_install("keeper", slow)
    assert began.wait(SOON)
    closing = threading.Thread(target=box.close)
    closing.start()
    assert box._stopping.wait(SOON)
    while not box.installs._closing:
        pass
    go_on.set()
    closing.join(SOON)
    assert PackStore(bare.packs, bare.data / "packs").active() == []
    assert [path.name for path in (bare.data / "packs").iterdir()] == [".lock"]


# What another process did


def test_what_the_command_line_installs_is_taken_up(box: Appliance, bare: Config, tiny_pack: Path) -> None:
    install_pack(bare, tiny_pack)
    box.look_at_packs()
    assert box.translation.languages == ["en", "es"]
    now = box.translation._now
    box.look_at_packs()
    assert box.translation._now is now


def test_a_box_at_work_looks_by_itself(bare: Config, tiny_pack: Path) -> None:
    box = Appliance(bare, replace(Appliance(bare).limits, packs_glance_seconds=0))
    looked = threading.Event()
    replace_ = box.translation.replace

    def watched(*arguments: object) -> None:
        replace_(*arguments)  # type: ignore[arg-type]
        if box.translation.languages:  # it may look while the pack is on trial, too
            looked.set()

    box.translation.replace = watched  # type: ignore[method-assign, assignment]
    box.start()
    install_pack(bare, tiny_pack)
    assert looked.wait(SOON)
    box.close()
    assert box.translation.languages == ["en", "es"]


def test_the_command_line_removes_old_versions_only_while_no_box_is_at_work(bare: Config, tiny_pack: Path) -> None:
    home = bare.data / "packs" / "tiny"
    box = Appliance(bare)
    box.start()
    box._stopping.set()  # it looks at nothing any more
    for number in ("0.2.0", "0.3.0", "0.4.0"):
        install_pack(bare, version(tiny_pack, number))
    assert (home / "0.2.0").is_dir()
    box.close()
    install_pack(bare, version(tiny_pack, "0.5.0"))
    assert sorted(path.name for path in home.iterdir()) == ["0.4.0", "0.5.0", "active"]


# After a cut


def cut_in_the_trial(bare: Config, source: Path) -> None:
    class PowerCut(BaseException):
        pass

    def cut(_pack: object) -> None:
        raise PowerCut

    with pytest.raises(PowerCut):
        PackStore(bare.packs, bare.data / "packs").install(source, selftest=cut)


@pytest.fixture
def started(bare: Config) -> Iterator[Callable[[], Appliance]]:
    boxes: list[Appliance] = []

    def started() -> Appliance:
        box = Appliance(replace(bare))
        box.start()
        boxes.append(box)
        box._stopping.set()
        assert box._tending is not None
        box._tending.join(SOON)
        return box

    yield started
    for box in boxes:
        box.close()


def test_a_box_tries_again_what_was_on_trial(bare: Config, tiny_pack: Path, started: Callable[[], Appliance]) -> None:
    cut_in_the_trial(bare, tiny_pack)
    assert Appliance(bare).translation.languages == []
    box = started()
    assert (box.translation.languages, box.problems) == (["en", "es"], [])


def test_a_box_gives_up_what_fails_and_says_so(bare: Config, tiny_pack: Path, started: Callable[[], Appliance]) -> None:
    PackStore(bare.packs, bare.data / "packs").install(tiny_pack)
    cut_in_the_trial(bare, failing(tiny_pack, "0.2.0"))
    box = started()
    assert [pack.name for pack in box.translation.packs] == ["tiny 0.1.0"]
    assert [type(problem) for problem in box.problems] == [PackSelftestError]
    box.refresh()
    assert [type(problem) for problem in box.problems] == [PackSelftestError]


def test_a_problem_is_told_no_more_once_its_pack_is_replaced(
    bare: Config, tiny_pack: Path, started: Callable[[], Appliance]
) -> None:
    pack = install_pack(bare, tiny_pack)
    content = bytearray((pack.path / "spm.model").read_bytes())
    content[100] ^= 1
    (pack.path / "spm.model").write_bytes(content)
    box = started()
    assert [type(problem) for problem in box.problems] == [PackFileError]
    box.install(tiny_pack)
    assert box.problems == []
    assert box.translation.languages == ["en", "es"]


def test_packs_of_other_kinds_are_taken_up_too(box: Appliance, tmp_path: Path) -> None:
    data = Path(__file__).resolve().parents[1] / "data"
    old = Path(shutil.copytree(data / "tiny-embedding", tmp_path / "embedding"))
    first = box.install(old)
    assert opened(box) == [first.name]
    text = (old / "pack.toml").read_text(encoding="utf-8")
    (old / "pack.toml").write_text(text.replace(f'"{first.manifest.version}"', '"7.0.0"', 1), encoding="utf-8")
    second = box.install(old)
    assert opened(box) == [second.name]
