"""The packs in use: read to their end once, tried out before phones get them, and told of where they are broken."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from appliance.advice.village_pack import KIND as KNOWLEDGE
from appliance.advice.village_pack import try_out
from appliance.config import Config
from appliance.errors import BarazaError, StorageError
from appliance.inference import memory, providers, session
from appliance.inference.engines import Engines, ignore, never
from appliance.inference.selftest import check
from appliance.limits import Limits
from appliance.packs.copying import Progress
from appliance.packs.store import InstalledPack, PackStore, verify
from appliance.storage.lock import lock_folder

log = logging.getLogger(__name__)


class PacksInUse:
    """Those of the last `renew`; `problems`: what was wrong with packs since then."""

    def __init__(self, store: PackStore, engines: Engines, limits: Limits) -> None:
        self.store = store
        self.problems: list[BarazaError] = []
        self._engines, self._limits = engines, limits
        self._verified: dict[Path, InstalledPack] = {}
        self.renew()

    def renew(self) -> None:
        """Take up the packs that are in use now, whoever put them there."""
        self._stamp, self.active = self.store.stamp(), self.store.active()
        self.problems = []
        for problem in self.store.problems():
            self.tell(problem)

    @property
    def changed(self) -> bool:
        """Whether another process (`baraza packs install`) put others in use since the last `renew`."""
        return self.store.stamp() != self._stamp

    def of(self, kind: str) -> list[InstalledPack]:
        """Those of a kind, whole or not."""
        return [pack for pack in self.active if pack.manifest.kind == kind]

    def whole(self, kind: str, language: str = "") -> list[InstalledPack]:
        """Those of a kind (and a language) of which every file has its sha256; what is broken is told."""
        return list(self._each_whole(kind, language))

    def first(self, kind: str, language: str = "") -> InstalledPack | None:
        """One of them, the same until packs change; None if there is none."""
        return next(self._each_whole(kind, language), None)

    def tell(self, error: BarazaError) -> None:
        """Note what is wrong with a pack until the next `renew`."""
        log.error("%s", error)
        self.problems.append(error)

    def install(
        self,
        source: Path,
        progress: Progress | None = None,
        *,
        expected: str | None = None,
        cancelled: Callable[[], bool] = never,
        on_trial: Callable[[], None] = ignore,
    ) -> InstalledPack:
        """Install a pack once it passed its self-test. Raises as `PackStore.install` and the self-test.

        `on_trial` is called when it is copied, before it is tried out.
        """

        def selftest(pack: InstalledPack) -> None:
            on_trial()
            self._put_to_test(pack, cancelled)

        pack = self.store.install(source, progress, expected=expected, selftest=selftest, cancelled=cancelled)
        self._verified[pack.path] = pack
        return pack

    def settle(self) -> list[BarazaError]:
        """Finish what a cut left of an installation; what went wrong with it. Raises as `PackStore.settle`."""
        return self.store.settle(self._put_to_test)

    def try_out(self, pack: InstalledPack, cancelled: Callable[[], bool] = never) -> None:
        """Raises what speaks against `pack`, which is in use and stays so."""
        _try_out(pack, self._engines, cancelled)

    def _put_to_test(self, pack: InstalledPack, cancelled: Callable[[], bool] = never) -> None:
        """Raises what speaks against `pack`; its engine is left open otherwise."""
        self._engines.employ([pack])
        try:
            _try_out(pack, self._engines, cancelled)
        except BaseException:
            self._engines.retire([pack])
            raise

    def _each_whole(self, kind: str, language: str) -> Iterator[InstalledPack]:
        for pack in self.of(kind):
            if (not language or language in pack.manifest.languages) and self._is_whole(pack):
                yield pack

    def _is_whole(self, pack: InstalledPack) -> bool:
        if self._verified.get(pack.path) != pack:
            try:
                self._verified[pack.path] = verify(pack.path, self._limits)
            except BarazaError as error:
                self.tell(error)
                return False
        return True


def install_pack(
    config: Config, source: Path, progress: Progress | None = None, *, expected: str | None = None
) -> InstalledPack:
    """Install a pack without a whole box: what the command line does. A box at work takes it up by itself.

    Raises as `PackStore.install` and the self-test.
    """
    session.use(providers.choose(config.provider))
    engines = Engines(memory.budget(config.memory, memory.measure()), config.threads)
    store = PackStore(config.packs, config.data / "packs")
    try:
        pack = store.install(source, progress, expected=expected, selftest=lambda pack: _try_out(pack, engines))
    finally:
        engines.close()
    with suppress(StorageError):  # a box at work knows best which of the old ones it still needs
        lock = lock_folder(config.data)
        try:
            store.tidy()
        finally:
            lock.release()
    return pack


def _try_out(pack: InstalledPack, engines: Engines, cancelled: Callable[[], bool] = never) -> None:
    """Put a pack to its self-test. Raises what speaks against it."""
    if pack.manifest.kind == KNOWLEDGE:
        try_out(pack)
    else:
        check(pack, engines, cancelled)
