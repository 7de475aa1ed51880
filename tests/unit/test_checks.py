"""`baraza checks` at the terminal, run as a person runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli import main

PUMP = "pump-gives-no-water"

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*words: str, stdin: str = "") -> Result:
        environment = {"BARAZA_DATA": str(tmp_path / "data"), "BARAZA_PACKS": str(tmp_path / "none")}
        return CliRunner().invoke(main, ("checks", *words), input=stdin, env=environment)

    return run


def test_the_checks_are_listed(run: Run) -> None:
    assert f"{PUMP:32} The hand pump gives no water" in run().output
    rows = json.loads(run("--json", "--lang", "fr").output)
    assert {"id": PUMP, "subject": "water", "title": "La pompe à main ne donne pas d'eau"} in rows


def test_one_goes_through_a_check_and_back(run: Run) -> None:
    result = run(PUMP, stdin="2\nb\n2\n7\n1\n")
    assert result.exit_code == 0
    assert result.output.count("Is something broken, loose or blocked above the ground?") == 2
    assert result.output.index("the air below can kill") < result.output.index("Is something broken")
    assert result.output.rstrip().endswith("More: Hand pump gives no water (hand-pump-no-water)")
    assert "1. Stop pumping and tie the handle" in result.output


def test_one_stops_in_the_middle(run: Run) -> None:
    result = run(PUMP, "--lang", "sw", stdin="2\nq\n")
    assert (result.exit_code, "More:" in result.output) == (0, False)
    assert "Pampu ya mkono haitoi maji" in result.output


def test_a_whole_check_is_json(run: Run) -> None:
    tree = json.loads(run(PUMP, "--json", "--lang", "es").output)
    assert (tree["id"], tree["language"], tree["subject"]) == (PUMP, "es", "water")
    names = {each["name"] for each in (*tree["steps"], *tree["leaves"])}
    assert tree["start"] in names
    assert {answer["next"] for step in tree["steps"] for answer in step["answers"]} <= names
    assert all(leaf["do"] and leaf["article"] for leaf in tree["leaves"])


def test_a_check_that_is_not_there_is_said_in_one_line(run: Run) -> None:
    result = run("nothing")
    assert (result.exit_code, result.output) == (
        1,
        "Error: There is no check called nothing. `baraza checks` lists them.\n",
    )
