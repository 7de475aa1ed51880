"""What takes minutes is left out unless it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
SKIPPED = pytest.mark.skip(reason="takes minutes: make crash-points-slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "slow" not in config.option.markexpr:
        for item in items:
            if item.path.is_relative_to(HERE) and item.get_closest_marker("slow"):
                item.add_marker(SKIPPED)
