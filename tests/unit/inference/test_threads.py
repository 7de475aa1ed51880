"""A small translation pack is opened with one thread, a large one with all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.inference.threads import SMALL, open_translator, threads_for
from appliance.limits import Limits
from appliance.packs.manifest import PackFile
from appliance.packs.store import InstalledPack, verify
from tests.stand_ins import pack_of

TINY = Path(__file__).resolve().parents[2] / "data" / "tiny" / "pack"


def pack_with(size: int) -> InstalledPack:
    pack = pack_of("some", ("en", "es"))
    return replace(pack, manifest=replace(pack.manifest, files=(PackFile("decoder.onnx", size, "0" * 64),)))


@pytest.mark.parametrize(("size", "most", "threads"), [(SMALL - 1, 4, 1), (SMALL, 4, 4), (SMALL, 1, 1)])
def test_the_threads_of_a_pack_go_by_its_size(size: int, most: int, threads: int) -> None:
    assert threads_for(pack_with(size), most) == threads


def test_a_small_pack_has_one_thread_whatever_the_box_has() -> None:
    translator = open_translator(verify(TINY), 2, Limits())
    options = translator._graphs.decoder.get_session_options()
    assert options.intra_op_num_threads == 1
