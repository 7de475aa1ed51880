"""What the box says of itself."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from appliance import __version__
from appliance.errors import PackFileError
from tests.web.boxes import Box, Phone


def test_the_version_and_the_models_are_shown(shipped: Flask) -> None:
    page = Phone(shipped).get("/about").text
    assert 'href="/packs/starter-en-es"' in page
    assert f"Version {__version__}" in page


def test_a_problem_is_shown_in_the_language_of_the_reader_with_its_details(box: Box) -> None:
    box.appliance.in_use.tell(PackFileError(pack="starter", file="encoder.onnx", reason="is missing"))
    page = box.phone("es").get("/about").text
    assert "El paquete starter está dañado (encoder.onnx) y no se usa." in page
    assert '<code lang="en">starter: encoder.onnx: is missing.' in page
    assert box.phone().get("/healthz").json["problems"] == ["pack_file"]  # type: ignore[index]


def test_health_is_told_to_programs(shipped: Flask, tmp_path: Path) -> None:
    health = Phone(shipped).get("/healthz").json
    assert health is not None
    assert health["version"] == __version__
    assert "en-es" in health["directions"]
    assert health["through"]["es-fr"] == "en"
    assert health["articles"] >= 30
    assert health["provider"]["used"] == "cpu"
    assert 0 <= health["memory"]["taken_bytes"] <= health["memory"]["budget_bytes"]
