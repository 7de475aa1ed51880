"""Settings are read whole, and a wrong one is said, never reset."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from appliance import config
from appliance.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


def test_the_defaults_serve_on_loopback() -> None:
    chosen = config.load({})
    assert (chosen.host, chosen.port) == ("127.0.0.1", 8080)
    assert chosen.threads >= 1


def test_the_data_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert config.load({}).data == tmp_path / "baraza"


def test_the_environment_decides(tmp_path: Path) -> None:
    chosen = config.load({"BARAZA_PORT": "9000", "BARAZA_DATA": str(tmp_path), "BARAZA_BEAM": "4"})
    assert (chosen.port, chosen.data, chosen.beam) == (9000, tmp_path, 4)


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "http"), ("PORT", "70000"), ("THREADS", "-1"), ("BEAM", "0"), ("LOG_LEVEL", "LOUD")]
)
def test_a_wrong_value_is_said(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name.lower()):
        config.load({f"BARAZA_{name}": value})


def test_every_setting_is_a_field_and_is_in_the_documentation() -> None:
    documented = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert [setting.name for setting in config.SETTINGS] == [field.name for field in fields(config.Config)]
    for setting in config.SETTINGS:
        assert f"`BARAZA_{setting.name.upper()}`" in documented
        assert setting.help in documented
