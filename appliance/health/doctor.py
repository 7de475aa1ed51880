"""All checks, in the order in which a person would ask."""

from __future__ import annotations

from appliance.config import Config
from appliance.health import clock, disk, documents, memory, models, packs, provider, writing
from appliance.health.finding import Finding
from appliance.limits import LIMITS, Limits
from appliance.packs.store import PackStore
from appliance.storage.documents import DOCUMENTS


def examine(config: Config, limits: Limits = LIMITS) -> list[Finding]:
    """Every finding; nothing is changed but a file written and removed in the data folder."""
    store = PackStore(config.packs, config.data / "packs", limits)
    active = store.active()
    return [
        disk.check(config.data, limits),
        memory.check(active, config.memory),
        provider.check(config.provider),
        clock.check(),
        writing.check(config.data),
        documents.check(config.data / DOCUMENTS),
        *packs.check(store, limits),
        *models.check(active, config.threads),
    ]
