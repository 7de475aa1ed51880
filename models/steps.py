"""Steps that are each done once, and found done when the work is taken up again.

A step's stamp holds a digest of what it depends on: its settings and the stamp of the step before. A step whose stamp
is as it would be now, and whose result is there, is not run again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path


class Steps:
    """The steps done in the folder `work`, in the order they are asked for; `say` is told of each."""

    def __init__(self, work: Path, say: Callable[[str], None]) -> None:
        self._work, self._say, self._stamp = work, say, ""

    def do(self, name: str, settings: object, step: Callable[[], None], result: Path) -> bool:
        """Run `step` unless it is done; whether its `result` is there now."""
        described = json.dumps([name, self._stamp, settings], sort_keys=True, default=str)
        stamp = hashlib.sha256(described.encode()).hexdigest()
        path = self._work / f"{name}.done"
        if path.is_file() and path.read_text(encoding="ascii") == stamp and result.exists():
            self._say(f"{name}: done before")
        else:
            self._say(f"{name} …")
            step()
            if not result.exists():
                return False
            path.write_text(stamp, encoding="ascii")
        self._stamp = stamp
        return True
