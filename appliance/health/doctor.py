"""All checks, in the order in which a person would ask."""

from __future__ import annotations

from appliance.config import Config
from appliance.health import (
    clock,
    disk,
    documents,
    inodes,
    journal,
    memory,
    models,
    packs,
    power,
    provider,
    reserve,
    roots,
    shutdown,
    signed,
    temperature,
    writing,
)
from appliance.health.finding import Finding
from appliance.limits import LIMITS, Limits
from appliance.packs.store import PackStore
from appliance.packs.trust import TRUST, Trust, development_root
from appliance.storage.documents import DOCUMENTS
from appliance.storage.journal import JOURNAL


def examine(config: Config, limits: Limits = LIMITS) -> list[Finding]:
    """Every finding; nothing is changed but a file written and removed in the data folder."""
    store = PackStore(config.packs, config.data / "packs", limits)
    active = store.active()
    development = development_root(config.development_root)
    return [
        disk.check(config.data, limits),
        reserve.check(config.data, limits),
        inodes.check(config.data),
        memory.check(active, config.memory),
        provider.check(config.provider),
        power.check(),
        temperature.check(),
        clock.check(),
        shutdown.check(config.data),
        writing.check(config.data),
        documents.check(config.data / DOCUMENTS),
        journal.check(config.data / JOURNAL),
        *roots.check(Trust(config.data / TRUST, limits, development=development)),
        *packs.check(store, limits),
        *signed.check(config.packs, development),
        *models.check(active, config.threads),
    ]
