"""Settings are read whole, and a wrong one is said, never reset."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from appliance import config
from appliance.config import Memory
from appliance.errors import ConfigError
from appliance.inference.providers import AUTO, NAMES

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
    ("name", "value"),
    [("PORT", "http"), ("PORT", "70000"), ("THREADS", "-1"), ("BEAM", "0"), ("LOG_LEVEL", "LOUD")]
    + [("MEMORY", value) for value in ("much", "0", "12", "0%", "101%", "-1G", "1e9")]
    + [("PROVIDER", "gpu")],
)
def test_a_wrong_value_is_said(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name.lower()):
        config.load({f"BARAZA_{name}": value})


@pytest.mark.parametrize(
    ("text", "memory"),
    [
        ("", Memory()),
        ("600M", Memory(600 * 2**20)),
        ("1.5G", Memory(3 * 2**29)),
        ("1.5 GiB", Memory(3 * 2**29)),
        ("700000k", Memory(700_000 * 2**10)),
        ("734003200", Memory(734_003_200)),
        ("40%", Memory(share=0.4)),
    ],
)
def test_memory_is_read_in_the_units_people_write(text: str, memory: Memory) -> None:
    assert config.load({"BARAZA_MEMORY": text}).memory == memory


def test_the_providers_that_can_be_set_are_those_that_are_known() -> None:
    assert (AUTO, *NAMES) == config.PROVIDERS


def test_every_setting_is_a_field_and_is_in_the_documentation() -> None:
    documented = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert [setting.name for setting in config.SETTINGS] == [field.name for field in fields(config.Config)]
    for setting in config.SETTINGS:
        assert f"`BARAZA_{setting.name.upper()}`" in documented
        assert setting.help in documented
