"""Knowledge for the tests: packs of made-up articles, and a village that wrote something."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from appliance.packs.manifest import read_manifest
from appliance.packs.store import InstalledPack
from appliance.storage.contributions import Contributions, Entry, State

ARTICLE = """+++
title = "{title}"
kind = "practice"
crops = []
devices = []
aliases = []
signs = ["{signs}"]
first_steps = ["Look at it."]
danger = ""
get_help = "Ask."
season = "any time"
reviewed = "Dr Mrema, 2026"
[[sources]]
publisher = "Ministry"
title = "Handbook"
year = 2024
checked = "text"
+++
## What it is
A thing. <script>alert(1)</script>
"""

WRITTEN = {
    "title": "Moles under the sweet potatoes",
    "signs": "little hills of earth in rows\ntubers gnawed from below",
    "first_steps": "Walk the field at dusk.\nPut the stalks of chillies into the holes.",
    "danger": "Chilli burns in the eyes.",
    "get_help": "Ask the old people.",
    "known_from": "my grandmother",
}


def knowledge_pack(
    folder: Path,
    files: Mapping[str, str],
    name: str = "ministry-maize",
    village: str | None = None,
    languages: tuple[str, ...] = ("en",),
) -> Path:
    """The folder of a knowledge pack; without a `village` it is a publisher's."""
    home = folder / name
    rows = []
    for path, text in files.items():
        file = home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        raw = file.read_bytes()
        rows.append(f'[[files]]\npath = "{path}"\nsize = {len(raw)}\nsha256 = "{hashlib.sha256(raw).hexdigest()}"\n')
    heading = {"name": name, "version": "1.0.0", "kind": "knowledge", "title": "Maize of the ministry"}
    heading |= {"licence": "CC-BY-4.0", "about": "x", "least_appliance": "0.1.0"}
    lines = [f"{key} = {json.dumps(value)}" for key, value in heading.items()]
    lines += [f"languages = {json.dumps(list(languages))}", "memory_bytes = 0"]
    lines += [] if village is None else ["[knowledge]", f"village = {json.dumps(village)}"]
    (home / "pack.toml").write_text("\n".join((*lines, *rows)), encoding="utf-8")
    return home


def opened(folder: Path) -> InstalledPack:
    """The pack in a folder, as if it was installed."""
    return InstalledPack(folder, read_manifest(folder))


def accepted(kept: Contributions, texts: Mapping[str, str] = WRITTEN, language: str = "en", about: str = "") -> Entry:
    """An article, or a note about an article, that the keeper accepted."""
    entry = kept.add("device-7", "10.0.0.7", "note" if about else "article", about, language, "Asha", texts)
    return kept.decide(entry.id, entry.changes, State.ACCEPTED)
