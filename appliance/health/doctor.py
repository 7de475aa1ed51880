"""All checks, in the order in which a person would ask."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from appliance.config import Config
from appliance.errors import CancelledError
from appliance.health import (
    clock,
    disk,
    documents,
    inodes,
    journal,
    keeper,
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
from appliance.keeper.pin import KEEPER
from appliance.limits import LIMITS, Limits
from appliance.packs.copying import Progress, never
from appliance.packs.store import InstalledPack, PackStore
from appliance.packs.trust import TRUST, Trust, development_root
from appliance.storage.documents import DOCUMENTS
from appliance.storage.journal import JOURNAL


def examine(config: Config, limits: Limits = LIMITS) -> list[Finding]:
    """Every finding; nothing is changed but a file written and removed in the data folder."""
    store = PackStore(config.packs, config.data / "packs", limits)
    return [
        *examine_machine(config, limits),
        *packs.check(store, limits),
        *models.check(store.active(), config.threads),
    ]


def examine_packs(
    store: PackStore,
    try_out: Callable[[InstalledPack, Callable[[], bool]], None],
    progress: Progress,
    cancelled: Callable[[], bool] = never,
    limits: Limits = LIMITS,
) -> tuple[Finding, ...]:
    """Every version of every pack read to its end, and every model in use put to its self-test by a box at work.

    `try_out` raises what speaks against a pack, and is told how to learn that nobody waits any more; `progress` is
    told how many are done, of how many. Raises CancelledError.
    """
    folders, in_use = list(store.folders()), store.active()
    works: list[Callable[[], Finding]] = [partial(packs.check_one, folder, limits) for folder in folders]
    works += [partial(models.check_at_work, pack, lambda pack: try_out(pack, cancelled)) for pack in in_use]
    found = []
    for number, work in enumerate(works):
        progress(number, len(works))
        if cancelled():
            raise CancelledError
        found.append(work())
    return tuple(found)


def examine_machine(config: Config, limits: Limits = LIMITS) -> list[Finding]:
    """The findings that take a moment: all but reading every pack to its end, and opening the models."""
    active = PackStore(config.packs, config.data / "packs", limits).active()
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
        keeper.check(config.data / KEEPER),
        *signed.check(config.packs, development),
    ]
