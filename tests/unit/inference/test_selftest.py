"""A pack is asked what its maker asked it, and must say nearly the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.errors import CancelledError, EngineTooLargeError, PackSelftestError
from appliance.inference.engines import Engines
from appliance.inference.selftest import Said, check, run
from appliance.packs.manifest import SELFTEST_ARROW
from appliance.packs.store import InstalledPack, verify
from tests.stand_ins import pack_of

DATA = Path(__file__).resolve().parents[2] / "data"
ROOM = 2**31


@pytest.fixture
def engines() -> Engines:
    return Engines(ROOM, 1)


def asking(pack: InstalledPack, **lines: str) -> InstalledPack:
    return replace(pack, manifest=replace(pack.manifest, selftest=lines))


@pytest.fixture(scope="module")
def tiny_pack_itself() -> InstalledPack:
    return verify(DATA / "tiny" / "pack")


@pytest.fixture(scope="module")
def tiny_llm() -> InstalledPack:
    return verify(DATA / "tiny-llm" / "pack")


@pytest.fixture(scope="module")
def tiny_embedding() -> InstalledPack:
    return verify(DATA / "tiny-embedding")


def test_a_starter_pack_says_what_it_said(starter: InstalledPack, engines: Engines) -> None:
    check(starter, engines)
    assert [each.said for each in run(starter, engines)] == [
        line.split(SELFTEST_ARROW)[1] for line in starter.manifest.selftest.values()
    ]


def test_a_pack_that_says_something_else_fails(starter: InstalledPack, engines: Engines) -> None:
    other = asking(starter, **{"en-es": "The water is clean. ⇒ Mi abuela tiene doce gallinas negras."})
    with pytest.raises(PackSelftestError, match=r"asked “The water is clean\.” it says “El agua"):
        check(other, engines)


def test_another_word_is_no_failure(starter: InstalledPack, engines: Engines) -> None:
    check(asking(starter, **{"en-es": "The water is clean. ⇒ El agua es limpia."}), engines)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ({"en-es": "no arrow"}, "not of its form"),
        ({"en-fr": "Hello. ⇒ Salut."}, "it does not translate en-fr"),
    ],
)
def test_a_selftest_that_is_not_of_its_form_is_a_failure(
    tiny_pack_itself: InstalledPack, engines: Engines, lines: dict[str, str], reason: str
) -> None:
    with pytest.raises(PackSelftestError, match=reason):
        check(asking(tiny_pack_itself, **lines), engines)


def test_a_pack_with_nothing_to_ask_is_put_to_work_all_the_same(
    tiny_pack_itself: InstalledPack, tiny_llm: InstalledPack, tiny_embedding: InstalledPack, engines: Engines
) -> None:
    for pack in (tiny_pack_itself, tiny_llm, tiny_embedding):
        assert run(pack, engines)
        check(pack, engines)
    assert len(engines.use().packs) == 3


def test_a_graph_that_cannot_be_opened_fails(tiny_pack: Path, engines: Engines) -> None:
    (tiny_pack / "decoder.onnx").write_bytes(b"no graph")
    manifest = verify(DATA / "tiny" / "pack").manifest
    with pytest.raises(PackSelftestError, match=r"tiny 0\.1\.0 did not pass"):
        check(InstalledPack(tiny_pack, manifest), engines)


def test_a_language_model_begins_its_answer_as_it_did(tiny_llm: InstalledPack, engines: Engines) -> None:
    (plain,) = run(tiny_llm, engines)
    begins = plain.said[:12]
    check(asking(tiny_llm, one=f"1 2 3 ⇒ {begins}"), engines)
    with pytest.raises(PackSelftestError):
        check(asking(tiny_llm, one="1 2 3 ⇒ ~~~~~~~~~~~~~"), engines)


def test_an_embedding_finds_what_says_the_same(tiny_embedding: InstalledPack, engines: Engines) -> None:
    check(asking(tiny_embedding, one="the goat ⇒ the goat ⇒ water"), engines)
    with pytest.raises(PackSelftestError):
        check(asking(tiny_embedding, one="the goat ⇒ water ⇒ the goat"), engines)


def test_vectors_that_are_not_numbers_fail(
    tiny_embedding: InstalledPack, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.inference.selftest.np.isfinite", lambda vectors: vectors != vectors)
    with pytest.raises(PackSelftestError, match="not numbers"):
        check(tiny_embedding, engines)


def test_a_kind_without_an_engine_has_nothing_to_try(engines: Engines) -> None:
    pack = pack_of("words")
    check(replace(pack, manifest=replace(pack.manifest, kind="knowledge")), engines)


def test_a_pack_that_has_no_room_here_is_said_so(tiny_pack_itself: InstalledPack) -> None:
    with pytest.raises(EngineTooLargeError):
        check(tiny_pack_itself, Engines(1000, 1))


def test_a_selftest_can_be_cancelled(starter: InstalledPack, engines: Engines) -> None:
    with pytest.raises(CancelledError):
        check(starter, engines, cancelled=lambda: True)


def test_where_it_is_one_of_several_nearly_the_same_is_another() -> None:
    assert Said("a", "the goat is ill", "the goat is well").alike
    assert not Said("a", "the goat is ill", "the goat is well", exactly=True).alike
    assert Said("a", "anything", "").alike
