"""The gate of coverage: a room with too few branches is found, however many lines the others have."""

from __future__ import annotations

from pathlib import Path

import pytest
from coverage import Coverage

from tests import covered


def test_lines_and_branches_of_a_room_are_added_up_each_for_itself() -> None:
    one = {"covered_lines": 90, "num_statements": 100, "covered_branches": 1, "num_branches": 10}
    two = {"covered_lines": 100, "num_statements": 100, "covered_branches": 0, "num_branches": 0}
    found = covered.rooms({"a/packs/x.py": one, "a/packs/y.py": two, "a/storage/z.py": two})
    assert {
        room: [covered.percent(count, measure) for measure in covered.MEASURES] for room, count in found.items()
    } == {
        "packs": [95.0, 10.0],
        "storage": [100.0, 100.0],
    }


@pytest.mark.parametrize(("asked", "result"), [([1, -1], 0), ([1], 2)])
def test_a_branch_that_nobody_took_is_enough_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], asked: list[int], result: int
) -> None:
    source = tmp_path / "room" / "sign.py"
    source.parent.mkdir()
    source.write_text("def sign(x):\n    if x > 0:\n        x = 1\n    return x\n")
    coverage = Coverage(data_file=str(tmp_path / "data"), branch=True, source=[str(tmp_path)], config_file=False)
    names: dict[str, object] = {}
    coverage.start()
    exec(compile(source.read_text(), str(source), "exec"), names)
    for each in asked:
        names["sign"](each)  # type: ignore[operator]
    coverage.stop()
    coverage.save()
    monkeypatch.setattr(covered, "Coverage", lambda: coverage)
    assert covered.main() == result
    assert ("room: 100.0 % of lines, 50.0 % of branches" in capsys.readouterr().out) is (result == 2)
