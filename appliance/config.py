"""Every setting as one row: name, default, unit, help. Read from the environment as `BARAZA_NAME`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from appliance.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Setting:
    """One row. `default` is text as it would stand in the environment; "" means: see `help`."""

    name: str
    default: str
    unit: str
    help: str


SETTINGS = (
    Setting(
        "host",
        "127.0.0.1",
        "address",
        "Where the page listens. An image sets 0.0.0.0; a development machine keeps loopback.",
    ),
    Setting("port", "8080", "TCP port", "Where the page listens."),
    Setting(
        "data",
        "",
        "folder",
        "Documents, packs installed later, the secret of the cookies. Empty: the user's XDG data folder.",
    ),
    Setting("packs", str(ROOT / "models" / "starter"), "folder", "Packs that came with the software; read only."),
    Setting("knowledge", str(ROOT / "knowledge"), "folder", "Articles that came with the software; read only."),
    Setting("threads", "0", "threads", "Threads of the models. 0: one for each core."),
    Setting("beam", "4", "hypotheses", "Width of the search in translation; 1 is fastest."),
    Setting("log_level", "INFO", "level", "DEBUG, INFO, WARNING or ERROR."),
)


@dataclass(frozen=True)
class Config:
    host: str
    port: int
    data: Path
    packs: Path
    knowledge: Path
    threads: int
    beam: int
    log_level: str


def load(environment: Mapping[str, str] | None = None) -> Config:
    """Read the settings.

    Raises:
        ConfigError: a value is not of its kind or out of its range; it is never silently reset.
    """
    env = os.environ if environment is None else environment
    values = {setting.name: env.get(f"BARAZA_{setting.name.upper()}") or setting.default for setting in SETTINGS}
    level = values["log_level"].upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ConfigError(name="log_level", reason=f"{level} is not DEBUG, INFO, WARNING or ERROR")
    return Config(
        host=values["host"],
        port=_whole("port", values["port"], 0, 65_535),
        data=Path(values["data"]) if values["data"] else user_data_path("baraza"),
        packs=Path(values["packs"]),
        knowledge=Path(values["knowledge"]),
        threads=_whole("threads", values["threads"], 0, 256) or os.cpu_count() or 1,
        beam=_whole("beam", values["beam"], 1, 8),
        log_level=level,
    )


def _whole(name: str, text: str, least: int, most: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise ConfigError(name=name, reason=f"“{text}” is not a whole number") from None
    if not least <= value <= most:
        raise ConfigError(name=name, reason=f"{value} is not between {least} and {most}")
    return value
