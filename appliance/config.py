"""Every setting as one row: name, default, unit, help. Read from the environment as `BARAZA_NAME`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from appliance.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
LANES = 3  # a fifth more requests than with one, on two cores (docs/decisions/0027)


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
    Setting(
        "development_root",
        "",
        "file",
        "A root with a public private key, trusted besides those the keeper added; `make serve` sets it, a box never.",
    ),
    Setting(
        "sticks",
        "/run/baraza/sticks",
        "folder",
        "Where the system mounts USB sticks, a subfolder each; where it is missing there are none.",
    ),
    Setting(
        "share",
        "on",
        "on or off",
        "Whether other boxes in the network find this one and get its packs: signed packs, no documents.",
    ),
    Setting("knowledge", str(ROOT / "knowledge"), "folder", "Articles that came with the software; read only."),
    Setting(
        "threads",
        "0",
        "threads",
        "Threads of the models. 0: one for each core. A small translation pack always has one.",
    ),
    Setting(
        "lanes",
        str(LANES),
        "requests",
        "Requests that are worked on at the same time; their sentences share batches. 0: two for each core.",
    ),
    Setting("beam", "4", "hypotheses", "Width of the search in translation; 1 is fastest."),
    Setting(
        "memory",
        "",
        "bytes or share",
        "Memory that models may take together: 600M, 1.5G or 40%. Empty: what the machine has, less a reserve.",
    ),
    Setting(
        "provider",
        "auto",
        "provider",
        "What computes: auto, cpu, cuda, tensorrt or xnnpack. Where the one that is set cannot be had, cpu does.",
    ),
    Setting("log_level", "INFO", "level", "DEBUG, INFO, WARNING or ERROR."),
)


PROVIDERS = ("auto", "cpu", "cuda", "tensorrt", "xnnpack")
AMOUNT = re.compile(r"(\d{1,12}(?:\.\d{1,3})?) ?(?:([KMG])(?:i?B)?|(%)|B)?", re.IGNORECASE)
UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


@dataclass(frozen=True)
class Memory:
    """How much the models may take: so many bytes, or a share of what the machine has. Neither: it is worked out."""

    bytes: int = 0
    share: float = 0.0  # 0..1

    def __str__(self) -> str:
        if self.share:
            return f"{self.share:.0%}"
        return f"{self.bytes}" if self.bytes else "worked out"


@dataclass(frozen=True)
class Config:
    host: str
    port: int
    data: Path
    packs: Path
    development_root: Path | None
    sticks: Path
    share: bool
    knowledge: Path
    threads: int
    lanes: int
    beam: int
    memory: Memory
    provider: str
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
    provider = values["provider"].lower()
    if provider not in PROVIDERS:
        raise ConfigError(name="provider", reason=f"{provider} is not one of {', '.join(PROVIDERS)}")
    return Config(
        host=values["host"],
        port=_whole("port", values["port"], 0, 65_535),
        data=Path(values["data"]) if values["data"] else user_data_path("baraza"),
        packs=Path(values["packs"]),
        development_root=Path(values["development_root"]) if values["development_root"] else None,
        sticks=Path(values["sticks"]),
        share=_switch("share", values["share"]),
        knowledge=Path(values["knowledge"]),
        threads=_whole("threads", values["threads"], 0, 256) or os.cpu_count() or 1,
        lanes=_whole("lanes", values["lanes"], 0, 64) or 2 * (os.cpu_count() or 1),
        beam=_whole("beam", values["beam"], 1, 8),
        memory=_memory(values["memory"]),
        provider=provider,
        log_level=level,
    )


def _memory(text: str) -> Memory:
    if not text:
        return Memory()
    found = AMOUNT.fullmatch(text.strip())
    if found is None:
        raise ConfigError(name="memory", reason=f"“{text}” is not like 600M, 1.5G or 40%")
    number, unit, share = float(found[1]), (found[2] or "").upper(), found[3]
    if share and 0 < number <= 100:
        return Memory(share=number / 100)
    if share or number * UNITS[unit] < 1024**2:
        raise ConfigError(name="memory", reason=f"{text} is less than a megabyte, or more than everything")
    return Memory(bytes=int(number * UNITS[unit]))


def _switch(name: str, text: str) -> bool:
    if text.lower() not in ("on", "off"):
        raise ConfigError(name=name, reason=f"“{text}” is not on or off")
    return text.lower() == "on"


def _whole(name: str, text: str, least: int, most: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise ConfigError(name=name, reason=f"“{text}” is not a whole number") from None
    if not least <= value <= most:
        raise ConfigError(name=name, reason=f"{value} is not between {least} and {most}")
    return value
