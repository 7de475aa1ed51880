"""The command line, run as a person runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli import main
from appliance.packs import archive
from appliance.storage.documents import Documents
from tests.publisher import version

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path: Path):  # type: ignore[no-untyped-def]
    def run(*words: str, stdin: str | bytes | None = None, **environment: str) -> Result:
        env = {"BARAZA_DATA": str(tmp_path / "data"), "BARAZA_THREADS": "1", **environment}
        return CliRunner().invoke(main, words, input=stdin, env=env)

    return run


def test_a_text_is_translated(run) -> None:  # type: ignore[no-untyped-def]
    result = run("translate", "--from", "en", "--to", "es", "The water is clean.")
    assert (result.exit_code, "agua" in result.output.lower()) == (0, True)


def test_standard_input_is_translated_line_by_line(run) -> None:  # type: ignore[no-untyped-def]
    result = run("translate", "--from", "en", "--to", "es", stdin="I am here.\n\nGood morning. Thank you.\n" * 200)
    lines = result.output.splitlines()
    assert len(lines) == 600
    assert lines[1] == ""
    assert lines[:3] == lines[597:]


def test_input_that_is_not_utf8_is_said_with_its_line(run) -> None:  # type: ignore[no-untyped-def]
    result = run("translate", "--from", "en", "--to", "es", stdin=b"fine\n\xff\xfe\n")
    assert result.exit_code == 1
    assert "Line 2" in result.output
    assert "UTF-8" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("translate", "--from", "en", "--to", "qu", "hello"), "en→es"),
        (("translate", "--from", "en", "--to", "es", " "), "no text"),
        (("ask", " "), "no text"),
        (("packs", "activate", "nothing", "1.0.0"), "packs list"),
    ],
)
def test_a_mistake_is_said_in_one_line_with_what_to_do(run, words: tuple[str, ...], said: str) -> None:  # type: ignore[no-untyped-def]
    result = run(*words)
    assert result.exit_code == 1
    assert said in result.output
    assert "Traceback" not in result.output


def test_a_question_is_answered_as_json(run) -> None:  # type: ignore[no-untyped-def]
    result = run("ask", "--lang", "es", "--json", "gorgojos en el maíz guardado")
    answer = json.loads(result.output)
    assert answer["abstained"] is False
    assert answer["articles"][0]["id"] == "grain-weevils"
    assert set(answer["articles"][0]) == {"id", "title", "score"}


def test_what_is_not_known_is_said_as_json(run) -> None:  # type: ignore[no-untyped-def]
    assert json.loads(run("ask", "--json", "what is the capital of France").output) == {
        "abstained": True,
        "articles": [],
    }


def test_a_question_is_answered_for_people(run) -> None:  # type: ignore[no-untyped-def]
    assert "Source:" in run("ask", "weevils in stored maize").output
    assert "do not know" in run("ask", "what is the capital of France").output


def test_packs_are_listed_verified_installed_and_activated(run, tiny_pack: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    target = tmp_path / "tiny.pack"
    archive.create(tiny_pack, target)
    assert "in use" in run("packs", "install", str(target)).output
    assert "tiny" in run("packs", "list").output
    assert run("packs", "activate", "tiny", "0.1.0").exit_code == 0
    verified = run("packs", "verify")
    assert (verified.exit_code, "ok   tiny 0.1.0" in verified.output) == (0, True)


def test_a_newer_version_is_tried_out_and_taken_back(run, tiny_pack: Path) -> None:  # type: ignore[no-untyped-def]
    assert run("packs", "rollback", "tiny").exit_code == 1
    run("packs", "install", str(tiny_pack))
    assert "no version of tiny before" in run("packs", "rollback", "tiny").output
    run("packs", "install", str(version(tiny_pack, "0.2.0")))
    assert "tiny 0.1.0 is in use again" in run("packs", "rollback", "tiny").output
    broken = version(tiny_pack, "0.3.0")
    with (broken / "pack.toml").open("a", encoding="utf-8") as file:
        file.write('\n[selftest]\nen-es = "The water is clean. ⇒ El agua está limpia y fresca hoy."\n')
    failed = run("packs", "install", str(broken))
    assert (failed.exit_code, "did not pass its self-test" in failed.output) == (1, True)
    assert [line.split()[1] for line in run("packs", "list").output.splitlines() if "tiny " in line] == ["0.1.0"]


def test_a_pack_with_one_byte_changed_fails_verification(run, tiny_pack: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run("packs", "install", str(tiny_pack))
    changed = tmp_path / "data" / "packs" / "tiny" / "0.1.0" / "encoder.onnx"
    content = bytearray(changed.read_bytes())
    content[1000] ^= 1
    changed.write_bytes(content)
    result = run("packs", "verify")
    assert (result.exit_code, "BAD  tiny: encoder.onnx" in result.output) == (1, True)


def test_the_box_works_on_without_a_broken_pack(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    packs = tmp_path / "packs"
    shutil.copytree(ROOT / "models" / "starter", packs)
    (model,) = packs.glob("starter-en-es/*/decoder.onnx")
    model.write_bytes(model.read_bytes()[:-1])
    assert run("translate", "--from", "en", "--to", "es", "hello", BARAZA_PACKS=str(packs)).exit_code == 1
    assert run("ask", "weevils in stored maize", BARAZA_PACKS=str(packs)).exit_code == 0
    doctor = run("doctor", BARAZA_PACKS=str(packs))
    assert (doctor.exit_code, "decoder.onnx" in doctor.output) == (1, True)


def test_doctor_finds_a_sound_box_sound(run) -> None:  # type: ignore[no-untyped-def]
    result = run("doctor")
    assert result.exit_code == 0, result.output
    assert "loads" in result.output


def test_settings_are_listed_with_what_they_are(run) -> None:  # type: ignore[no-untyped-def]
    result = run("settings", BARAZA_PORT="9000")
    assert "BARAZA_PORT  [TCP port]  now: 9000" in result.output


def test_a_wrong_setting_stops_the_start(run) -> None:  # type: ignore[no-untyped-def]
    result = run("settings", BARAZA_PORT="many")
    assert (result.exit_code, "port" in result.output) == (1, True)


def test_a_box_is_backed_up_and_brought_back(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data, words = tmp_path / "data", {"BARAZA_BACKUP_PASSPHRASE": "four words are enough"}
    saved = Documents(data / "documents.json").create("phone", "letter", "en", "The pump", {}, "Dear Sir")
    made = run("backup", str(tmp_path / "box.baraza"), **words)
    assert (made.exit_code, "1 documents" in made.output) == (0, True), made.output
    Documents(data / "documents.json").delete(saved.id)
    assert run("restore", str(tmp_path / "box.baraza"), stdin="wrong words\n").exit_code == 1
    restored = run("restore", str(tmp_path / "box.baraza"), **words)
    assert (restored.exit_code, "before-restore" in restored.output) == (0, True), restored.output
    assert Documents(data / "documents.json").get(saved.id) == saved


def test_the_last_good_copy_is_brought_back(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "data" / "documents.json"
    assert run("documents", "restore-last").exit_code == 1
    documents = Documents(path)
    saved = [documents.create("phone", "letter", "en", title, {}, "") for title in ("one", "two")]
    path.write_bytes(b"broken")
    Documents(path)
    result = run("documents", "restore-last")
    assert (result.exit_code, "Brought back: 1" in result.output) == (0, True), result.output
    assert Documents(path).get(saved[0].id) == saved[0]


def test_commands_that_compute_nothing_load_nothing_that_does() -> None:
    """Most of the time that a command takes to start would go there."""
    code = (
        "import sys, appliance.cli; print([name for name in ('onnxruntime', 'numpy', 'flask') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
