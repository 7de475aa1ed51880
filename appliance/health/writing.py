"""Does the data folder keep what is written to it?"""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

from appliance.errors import StorageError
from appliance.health.finding import Finding, Level
from appliance.storage.atomic import ensure_folder, write_atomically


def check(data: Path) -> Finding:
    """Write a file as documents are written, read it back, remove it."""
    path = data / ".write-test"
    content = secrets.token_bytes(4096)
    try:
        ensure_folder(data)
        write_atomically(path, content)
        same = path.read_bytes() == content
    except (StorageError, OSError) as error:
        return Finding(
            "writing", Level.BAD, str(error), f"Make {data} writable, or set BARAZA_DATA to a folder that is."
        )
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
    if not same:
        return Finding("writing", Level.BAD, f"{data} gave back something else", "Replace the card: it is failing.")
    return Finding("writing", Level.GOOD, f"{data} keeps what is written to it")
