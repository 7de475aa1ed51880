"""What the signed list says of a pack is read as something a stranger may have written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tuf.api.metadata import TargetFile

from appliance.errors import (
    RepositoryError,
)
from appliance.packs.offer import custom_of, read_offer
from appliance.packs.publish import Published


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../etc"},
        {"name": "other"},
        {"version": "1.0"},
        {"kind": "program"},
        {"title": "x" * 501},
        {"title": None},
        {"languages": "en"},
        {"languages": ["en", 3]},
        {"size": -1},
        {"size": True},
        {"memory": 1.5},
        {"manifest": "short"},
        {"licence": 3},
    ],
)
def test_an_offer_that_is_not_of_its_form_is_refused(
    put: Callable[..., Published], keys: Path, stick: Path, tiny_pack: Path, change: dict[str, object]
) -> None:
    offer = put(tiny_pack).offers[0]
    custom = {**custom_of(offer), **change}
    target = TargetFile(1, {"sha256": "0" * 64}, offer.path, {"custom": custom})
    with pytest.raises(RepositoryError, match="not of its form"):
        read_offer(target, "stick")
    target.unrecognized_fields["custom"] = custom_of(offer)
    assert read_offer(target, "stick") == offer
    with pytest.raises(RepositoryError):
        read_offer(replace_path(target, "tiny/else.pack"), "stick")


def replace_path(target: TargetFile, path: str) -> TargetFile:
    return TargetFile(target.length, target.hashes, path, target.unrecognized_fields)
