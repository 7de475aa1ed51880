"""The box as a whole: what is broken is left out and told, the rest works."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.app import Appliance
from appliance.config import Config, Memory
from appliance.errors import (
    DocumentsLastCopyError,
    DocumentsSetAsideError,
    EngineTooLargeError,
    FolderInUseError,
    JournalSetAsideError,
    NoModelError,
    PackFileError,
    PackManifestError,
    ReadOnlyError,
    UnknownLanguagePairError,
)
from appliance.inference.engines import size_of
from appliance.inference.job import State
from appliance.limits import LIMITS, Limits
from appliance.storage.documents import DOCUMENTS
from appliance.storage.journal import JOURNAL, KeptJob, Reading
from tests.web.boxes import LETTER

ROOT = Path(__file__).resolve().parents[2]

ANSWERS = {**LETTER, "matter": "The water is dirty."}


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "models" / "starter", tmp_path / "packs"))


@pytest.fixture
def box(settings: Config, packs: Path) -> Iterator[Config]:
    yield replace(settings, packs=packs)


@contextmanager
def at_work(settings: Config, limits: Limits = LIMITS) -> Iterator[Appliance]:
    """A box that is switched on, and off again."""
    box = Appliance(settings, limits)
    box.start()
    try:
        yield box
    finally:
        box.close()


def test_a_sound_box_has_no_problems(appliance: Appliance) -> None:
    assert appliance.problems == []


def test_a_pack_with_one_byte_changed_is_left_out_and_told(box: Config, packs: Path) -> None:
    (model,) = packs.glob("starter-en-es/*/decoder.onnx")
    content = bytearray(model.read_bytes())
    content[5000] ^= 1
    model.write_bytes(content)
    appliance = Appliance(box)
    assert [type(problem) for problem in appliance.problems] == [PackFileError]
    assert not appliance.ask("weevils in stored maize", "en").abstained
    if not appliance.translation.directions:
        with pytest.raises(NoModelError):
            appliance.submit_translation("a", "hello", "en", "es")


def test_a_pack_whose_manifest_cannot_be_read_is_told(box: Config, packs: Path) -> None:
    (manifest,) = packs.glob("starter-en-es/*/pack.toml")
    manifest.write_text("name = ")
    assert [type(problem) for problem in Appliance(box).problems] == [PackManifestError]


def test_a_question_in_another_language_than_the_page_is_answered_in_the_page_s(appliance: Appliance) -> None:
    answer = appliance.ask("¿Qué hago con los gorgojos del maíz guardado?", "en")
    assert answer.passages[0].article.id == "grain-weevils"
    assert answer.passages[0].face == answer.passages[0].article.faces["en"]
    assert answer.passages[0].text
    spanish = appliance.ask("what can I do about weevils in stored maize", "es")
    assert spanish.passages[0].face == spanish.passages[0].article.faces["es"]


def test_only_one_box_works_on_a_data_folder(settings: Config, appliance: Appliance) -> None:
    appliance.start()
    with pytest.raises(FolderInUseError):
        Appliance(settings).start()


def test_documents_that_cannot_be_read_are_set_aside_and_told(settings: Config) -> None:
    settings.data.mkdir(parents=True)
    (settings.data / "documents.json").write_bytes(b'{"documents": {"1": {"id"')
    box = Appliance(settings)
    box.start()
    try:
        assert [type(problem) for problem in box.problems] == [DocumentsSetAsideError]
        assert (settings.data / "documents.json.broken").read_bytes().startswith(b'{"documents"')
        assert box.documents.list("me") == []
    finally:
        box.close()


def test_what_broke_while_the_box_was_off_is_set_aside_and_the_copies_of_before_are_there(
    settings: Config, tmp_path: Path
) -> None:
    """As after a card that lost sectors: both files broken, seen by a box that is switched on."""
    bare = replace(settings, packs=tmp_path / "nothing")
    waiting = KeptJob("waits", "me", "phone", "translation", {"text": "Hello"}, "failed")
    with at_work(bare) as box:
        first, _second = letter(box), letter(box)
        assert box.keeping.journal is not None
        box.keeping.journal.keep(waiting)
    broken = {name: bytes(8192) + (bare.data / name).read_bytes()[8192:] for name in (DOCUMENTS, JOURNAL)}
    for name, content in broken.items():
        (bare.data / name).write_bytes(content)
    with at_work(bare) as box:
        assert [type(problem) for problem in box.problems] == [DocumentsLastCopyError, JournalSetAsideError]
        assert {name: (bare.data / f"{name}.broken").read_bytes() for name in broken} == broken
        job = box.queue.get("waits")
        assert (job.request, job.state, job.kept) == ({"text": "Hello"}, State.FAILED, True)
        assert box.documents.list("me") == []  # offered, and not taken by itself
        assert box.restore_documents() == 1
        assert [document.id for document in box.documents.list("me")] == [first]
        events = [happening.event for happening in box.history()]
        assert events.count("started") == 2  # that of before came with the copy
    with at_work(bare) as box:
        assert [type(problem) for problem in box.problems] == [DocumentsSetAsideError]  # until somebody moves it
        assert [document.id for document in box.documents.list("me")] == [first]


def test_what_sensors_say_never_fills_the_disk_of_a_box_at_work(settings: Config, tmp_path: Path) -> None:
    bare = replace(settings, packs=tmp_path / "nothing")
    limits = replace(LIMITS, readings=3_000, journal_bytes=192 * 1024)
    written = 0
    for _ in range(2):
        with at_work(bare, limits) as box:
            journal = box.keeping.journal
            assert journal is not None
            journal.keep(KeptJob("kept", "me", "phone", "translation", {"text": "Hello"}, "failed"))
            for start in range(0, 6_000, 500):
                journal.record(Reading("soil", "moisture", float(start + each), "%") for each in range(500))
                written += 500
            left = journal.readings("soil", "moisture", most=written)
            assert 500 < len(left) <= 3_000
            assert (left[-1].sequence, left[-1].value) == (written, 5_999.0)
        files = [path for path in bare.data.glob("*journal*") if path.is_file()]
        assert sum(path.stat().st_size for path in files) <= 4 * limits.journal_bytes  # the file and its copy
    with at_work(bare, limits) as box:
        assert box.queue.get("kept").request == {"text": "Hello"}
        assert box.problems == []


def test_a_box_that_cannot_open_its_documents_still_translates(
    settings: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ReadOnlyError(path="documents.json")

    monkeypatch.setattr("appliance.app.Documents", refuse)
    box = Appliance(settings)
    box.start()
    try:
        assert [type(problem) for problem in box.problems] == [ReadOnlyError]
        job = box.submit_translation("a", "The water is clean.", "en", "es")
        assert box.queue.wait_until_over(job, 60)
        assert job.state is State.DONE
        with pytest.raises(ReadOnlyError):
            letter(box)
    finally:
        box.close()


def test_the_models_are_opened_when_they_are_needed_and_the_phone_is_told(settings: Config) -> None:
    box = Appliance(settings)
    assert box.engines.use().packs == ()
    job = box.submit_translation("a", "The water is clean.", "en", "es")
    box.queue.run_next()
    assert [event.kind for event in job.events][:2] == ["opening", "text"]
    assert [name.split()[0] for name in box.engines.use().packs] == ["starter-en-es"]
    again = box.submit_translation("a", "Thank you.", "en", "es")
    box.queue.run_next()
    assert "opening" not in [event.kind for event in again.events]


def test_a_box_at_work_opens_its_models_before_anybody_asks(settings: Config) -> None:
    box = Appliance(settings)
    box.start()
    try:
        assert box._warming is not None
        box._warming.join(60)
        assert {pack.name for pack in box.translation.packs} <= set(box.engines.use().packs)
        assert len(box.translation.packs) >= 3
    finally:
        box.close()
    assert box.engines.use().taken == 0


def test_two_models_in_turn_translate_where_there_is_memory_for_one(settings: Config, appliance: Appliance) -> None:
    text = "El agua está limpia. Gracias. ¿Dónde está la casa?\n\nTengo 3 cabras."
    most = max(size_of(pack) for pack in appliance.translation.packs)
    box = Appliance(replace(settings, memory=Memory(most)))
    assert box.translation.translate(text, "es", "fr") == appliance.translation.translate(text, "es", "fr")
    assert [name.split()[0] for name in box.engines.use().packs] == ["starter-en-fr"]


def test_a_model_that_has_no_room_is_refused_with_what_it_needs(settings: Config) -> None:
    box = Appliance(replace(settings, memory=Memory(50 * 2**20)))
    job = box.submit_translation("a", "The water is clean.", "en", "es")
    box.queue.run_next()
    assert job.state is State.FAILED
    assert isinstance(job.error, EngineTooLargeError)
    assert (job.error.fields["has"], int(job.error.fields["needs"]) > 50) == (50, True)
    assert not box.ask("weevils in stored maize", "en").abstained


def letter(appliance: Appliance) -> str:
    return appliance.draft("me", "letter", ANSWERS, "en").id


def test_a_document_gets_its_translation_beside_it(appliance: Appliance) -> None:
    document = letter(appliance)
    job = appliance.submit_also_in("me", document, "es")
    appliance.queue.run_next()
    assert job.state is State.DONE
    beside = appliance.documents.get(document).translations["es"]
    assert "agua" in beside
    assert "3 de mayo de 2026" in beside


def test_a_document_that_was_edited_is_translated_as_it_stands(appliance: Appliance) -> None:
    document = letter(appliance)
    appliance.documents.update(document, text="The water is clean.\n\nThank you.")
    appliance.submit_also_in("me", document, "es")
    appliance.queue.run_next()
    beside = appliance.documents.get(document).translations["es"]
    assert "agua" in beside.lower()
    assert beside.count("\n\n") == 1


def test_a_document_goes_into_a_language_that_its_form_lacks(appliance: Appliance) -> None:
    document = letter(appliance)
    assert "fr" not in appliance.drafting.kind("letter").words
    job = appliance.submit_also_in("me", document, "fr")
    appliance.queue.run_next()
    assert job.state is State.DONE
    beside = appliance.documents.get(document).translations["fr"]
    assert "eau" in beside
    assert len(beside.splitlines()) == len(appliance.documents.get(document).text.splitlines())


def test_a_language_that_is_not_installed_is_refused(appliance: Appliance) -> None:
    with pytest.raises(UnknownLanguagePairError):
        appliance.submit_also_in("me", letter(appliance), "qu")


def test_documents_are_there_after_a_restart(appliance: Appliance, settings: Config) -> None:
    document = letter(appliance)
    assert Appliance(settings).documents.get(document).owner == "me"
