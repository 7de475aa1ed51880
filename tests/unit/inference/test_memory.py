"""What a machine has for the models: of all limits the least, less a reserve."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from appliance.config import Memory
from appliance.inference.memory import MIB, Machine, budget, control_groups, measure

GIB = 1024 * MIB


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_this_machine_has_some_and_no_more_than_it_has() -> None:
    found = measure()
    assert 0 < found.available <= found.total <= psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("setting", "machine", "mib"),
    [
        (Memory(), Machine(1 * GIB, 1 * GIB), 768),  # a quarter is kept
        (Memory(), Machine(256 * MIB, 256 * MIB), 128),  # 128 MiB at least
        (Memory(), Machine(16 * GIB, 16 * GIB), 15 * 1024),  # and a gigabyte at most
        (Memory(), Machine(16 * GIB, 1 * GIB), 1024 - 64),  # what other programs have taken is not there
        (Memory(), Machine(1 * GIB, 0), 0),
        (Memory(500 * MIB), Machine(1 * GIB, 0), 500),
        (Memory(share=0.25), Machine(2 * GIB, 0), 512),
    ],
)
def test_the_budget_is_what_is_set_or_else_what_is_there_less_a_reserve(
    setting: Memory, machine: Machine, mib: int
) -> None:
    assert budget(setting, machine) == mib * MIB


def test_a_control_group_of_version_2_and_those_around_it_are_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "groups": "0::/system.slice/baraza.service\n",
            "tree/memory.max": "max\n",
            "tree/system.slice/memory.max": f"{2 * GIB}\n",
            "tree/system.slice/memory.current": f"{GIB}\n",
            "tree/system.slice/baraza.service/memory.max": f"{GIB}\n",
            "tree/system.slice/baraza.service/memory.current": f"{300 * MIB}\n",
            "tree/system.slice/baraza.service/memory.stat": f"anon 1\ninactive_file {100 * MIB}\n",
        },
    )
    found = list(control_groups(tmp_path / "groups", tmp_path / "tree"))
    assert found == [(GIB, 200 * MIB), (2 * GIB, GIB)]


def test_a_control_group_of_version_1_is_read_and_its_word_for_no_limit_is_none(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "groups": "9:name=systemd:/\n4:cpu,memory:/box\n1:cpuset:/\n0::/\n",
            "tree/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "tree/memory/box/memory.limit_in_bytes": f"{512 * MIB}\n",
            "tree/memory/box/memory.usage_in_bytes": f"{100 * MIB}\n",
            "tree/memory/box/memory.stat": f"inactive_file 1\ntotal_inactive_file {30 * MIB}\n",
        },
    )
    assert list(control_groups(tmp_path / "groups", tmp_path / "tree")) == [(512 * MIB, 70 * MIB)]


def test_a_container_that_does_not_see_its_own_path_finds_its_limit_at_the_top(tmp_path: Path) -> None:
    write(tmp_path, {"groups": "0::/docker/1f\n", "tree/memory.max": f"{GIB}\n", "tree/memory.current": "7\n"})
    assert list(control_groups(tmp_path / "groups", tmp_path / "tree")) == [(GIB, 7)]


def test_a_machine_without_control_groups_has_no_such_limit(tmp_path: Path) -> None:
    assert list(control_groups(tmp_path / "none", tmp_path)) == []


def test_the_least_limit_counts_and_is_named() -> None:
    found = Machine(4 * GIB, 2 * GIB).at_most(GIB, 300 * MIB, "control group").at_most(2 * GIB, 0, "rlimit")
    assert found == Machine(GIB, 300 * MIB, "control group")
    assert found.at_most(GIB // 2, -5, "rlimit") == Machine(GIB // 2, 0, "rlimit")


def test_a_process_that_is_held_to_a_gigabyte_plans_with_it() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30));"
        "from appliance.inference.memory import measure, budget; from appliance.config import Memory;"
        "found = measure(); print(found.total, found.by, budget(Memory(), found))"
    )
    total, by, most = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert (int(total), by) == (GIB, "rlimit")
    assert 0 < int(most) <= 768 * MIB
