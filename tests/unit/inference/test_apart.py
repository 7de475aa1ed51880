"""Translators in a process of their own: they say what those here say, and outlive the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from appliance import config
from appliance.app import Appliance
from appliance.errors import CancelledError, EngineError, UnknownLanguagePairError
from appliance.inference.apart import Apart
from appliance.inference.engines import Engines, Openers
from appliance.inference.memory import MIB
from appliance.inference.selftest import check
from appliance.inference.translator import Translated, Translates, Translator
from appliance.limits import LIMITS
from appliance.packs.store import InstalledPack, verify
from tests.conftest import ROOT, TINY

SENTENCES = ["The water is clean.", "", "I have 12 goats and 2 cows.", "Where is the market?"]
MANY = [f"I have {number} goats and {number} cows, and the rain did not come." for number in range(400)]

PARENT = """
import sys
from pathlib import Path
from appliance.inference.apart import Apart
from appliance.limits import LIMITS
from appliance.packs.store import verify
apart = Apart()
translator = apart.open_translator(verify(Path(sys.argv[1])), 1, LIMITS)
print(apart.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def apart() -> Iterator[Apart]:
    process = Apart()
    yield process
    process.close()


@pytest.fixture(scope="module")
def distant(apart: Apart, starter: InstalledPack) -> Translates:
    return apart.open_translator(starter, 1, LIMITS)


@pytest.fixture(scope="module")
def here(starter: InstalledPack) -> Translator:
    return Translator(starter, 1)


def end(apart: Apart) -> None:
    """End the process from outside, as the system does where memory runs out."""
    process = psutil.Process(apart.pid)
    os.kill(process.pid, signal.SIGKILL)
    psutil.wait_procs([process], 30)


@pytest.mark.parametrize("beam", [1, 4])
def test_it_says_what_a_translator_here_says(distant: Translates, here: Translator, beam: int) -> None:
    def short(_: str, translation: str) -> bool:
        return len(translation) % 2 == 0

    assert distant.directions == here.directions
    for accept in (None, short):
        expected = here.translate(SENTENCES, "en", "es", beam=beam, accept=accept)
        assert distant.translate(SENTENCES, "en", "es", beam=beam, accept=accept) == expected
        assert expected[1] == Translated("")


def test_it_works_in_another_process(apart: Apart, distant: Translates) -> None:
    assert distant.translate(SENTENCES, "en", "es")
    assert apart.pid not in (None, os.getpid())


def test_errors_come_through_with_what_they_say(distant: Translates) -> None:
    with pytest.raises(UnknownLanguagePairError) as raised:
        distant.translate(SENTENCES, "en", "qxa")
    assert raised.value.fields["target"] == "qxa"
    with pytest.raises(CancelledError):
        distant.translate(MANY, "en", "es", beam=4, cancelled=lambda: True)
    assert distant.translate(SENTENCES[:1], "en", "es")[0].text


def test_a_broken_pack_is_told_and_the_others_stay(apart: Apart, distant: Translates, tiny_pack: Path) -> None:
    pack = verify(tiny_pack)
    (tiny_pack / "decoder.onnx").write_bytes(b"not a graph")
    before = apart.pid
    with pytest.raises(EngineError, match=r"decoder\.onnx"):
        apart.open_translator(pack, 1, LIMITS)
    assert distant.translate(SENTENCES[:1], "en", "es")[0].text
    assert apart.pid == before


def test_the_next_request_after_its_end_starts_another(apart: Apart, distant: Translates, here: Translator) -> None:
    distant.translate(SENTENCES, "en", "es")
    before = apart.pid
    end(apart)
    assert distant.translate(SENTENCES, "en", "es") == here.translate(SENTENCES, "en", "es")
    assert apart.pid not in (None, before)


class LateEnd:
    """A pipe whose end is not seen by who listens before `seen` is set."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self.seen = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipe, name)

    def recv(self) -> Any:
        try:
            return self._pipe.recv()
        except (EOFError, OSError):
            self.seen.wait(30)
            raise


def test_its_end_need_not_have_been_seen_before_the_next_request(
    apart: Apart, distant: Translates, here: Translator
) -> None:
    process = apart.process()
    before = process.pid
    late = process._pipe = LateEnd(process._pipe)
    distant.translate(SENTENCES, "en", "es")  # from now on its end is listened for there
    end(apart)
    assert distant.translate(SENTENCES, "en", "es") == here.translate(SENTENCES, "en", "es")
    assert apart.pid not in (None, before)
    late.seen.set()


def test_what_it_had_in_hand_is_tried_once_more(apart: Apart, distant: Translates, here: Translator) -> None:
    ended: list[int] = []

    def look() -> bool:  # asked now and then while it works
        if not ended and apart.pid is not None:
            ended.append(apart.pid)
            end(apart)
        return False

    assert distant.translate(MANY, "en", "es", cancelled=look) == here.translate(MANY, "en", "es")
    assert ended
    assert apart.pid not in (None, *ended)


def test_work_that_ends_the_process_twice_is_given_up(apart: Apart, distant: Translates) -> None:
    ended: set[int | None] = set()

    def look() -> bool:
        if apart.pid is not None and apart.pid not in ended:
            ended.add(apart.pid)
            end(apart)
        return False

    with pytest.raises(EngineError, match="the process that computes ended"):
        distant.translate(MANY, "en", "es", beam=4, cancelled=look)
    assert len(ended) == 2
    assert distant.translate(SENTENCES[:1], "en", "es")[0].text


def test_a_translator_that_nobody_has_any_more_is_closed_there(apart: Apart, distant: Translates) -> None:
    distant.translate(SENTENCES[:1], "en", "es")
    process = apart.process()
    before = set(process.open)
    other = apart.open_translator(verify(TINY / "pack"), 1, LIMITS)
    assert len(process.open) == len(before) + 1
    del other
    assert process.open == before


def test_it_ends_when_the_box_does(starter: InstalledPack) -> None:
    command = [sys.executable, "-c", PARENT, str(starter.path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    gone, alive = psutil.wait_procs([child], 30)
    assert (gone, alive) == ([child], [])


def test_after_it_was_closed_nothing_is_begun(starter: InstalledPack) -> None:
    process = Apart()
    translator = process.open_translator(starter, 1, LIMITS)
    number = process.pid
    process.close()
    assert number is not None
    assert not psutil.pid_exists(number)
    with pytest.raises(EngineError):
        translator.translate(SENTENCES, "en", "es")
    assert process.pid is None


def test_engines_lend_and_close_it_like_any_other(apart: Apart, starter: InstalledPack) -> None:
    engines = Engines(500 * MIB, 1, openers=Openers(translation=apart.open_translator))
    check(starter, engines)
    opened = set(apart.process().open)
    engines.close()
    assert len(apart.process().open) == len(opened) - 1


def test_the_system_ends_it_before_the_pages_where_memory_runs_out(apart: Apart, distant: Translates) -> None:
    distant.translate(SENTENCES[:1], "en", "es")
    score = Path(f"/proc/{apart.pid}/oom_score_adj")
    if not score.exists():
        pytest.skip("this system has no such score")
    assert int(score.read_text(encoding="ascii")) > int(Path("/proc/self/oom_score_adj").read_text(encoding="ascii"))


def test_a_box_that_serves_phones_translates_there(settings: config.Config) -> None:
    box = Appliance(settings, apart=True)
    box.start()
    jobs = [box.submit_translation(f"{number}", "The water is clean.", "en", "es") for number in range(6)]
    assert all(box.queue.wait_until_over(job, 30) for job in jobs)
    alone = Translator(box.pack("starter-en-es"), 1).translate(["The water is clean."], "en", "es", beam=4)
    assert {job.result.text for job in jobs} == {alone[0].text}
    number = box.apart.pid
    assert number is not None
    box.close()
    assert not psutil.pid_exists(number)
