"""Engines are opened once, lent to many, closed for others within the budget, and nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from weakref import ReferenceType, ref

import pytest

from appliance.errors import CancelledError, EngineBusyError, EngineError, EngineTooLargeError
from appliance.inference.embedder import Embedder
from appliance.inference.engines import Engines, Openers
from appliance.inference.generator import TextGenerator
from appliance.inference.translator import Translator
from appliance.limits import LIMITS, Limits
from appliance.packs.store import InstalledPack, verify
from tests.stand_ins import MIB, pack_of

DATA = Path(__file__).resolve().parents[2] / "data"
SOON = 20  # seconds; a test that waits so long has failed


@dataclass(eq=False)
class Opened:
    """An engine that does nothing but know its name. It is closed once nobody refers to it any more."""

    name: str


@dataclass
class Shop:
    """Engines of packs a, b, c … of 10 MiB each; opens when `gate` is set, and fails for packs in `broken`."""

    budget: int
    limits: Limits = LIMITS
    time: float = 0.0
    gate: threading.Event = field(default_factory=threading.Event)
    opening: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    opened: list[tuple[str, ReferenceType[Opened]]] = field(default_factory=list)
    broken: dict[str, Exception] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gate.set()
        self.engines = Engines(
            self.budget * MIB,
            1,
            self.limits,
            Openers(translation=self.open),
            clock=lambda: self.time,  # type: ignore[arg-type]
        )

    def open(self, pack: InstalledPack, _threads: int, _limits: Limits) -> Opened:
        self.opening.release()
        assert self.gate.wait(SOON)
        if pack.manifest.name in self.broken:
            raise self.broken[pack.manifest.name]
        engine = Opened(pack.manifest.name)
        self.opened.append((engine.name, ref(engine)))
        return engine

    def borrow(self, name: str, **options: Callable[[], object]) -> AbstractContextManager[Opened]:
        pack = pack_of(name, ("en", "es"), memory_bytes=10 * MIB)
        return self.engines.translator(pack, **options)  # type: ignore[arg-type,return-value]

    def use_once(self, name: str) -> None:
        with self.borrow(name):
            pass

    @property
    def closed(self) -> list[str]:
        """The engines that are gone from memory, as they were opened."""
        return [name for name, engine in self.opened if engine() is None]

    @property
    def names(self) -> list[str]:
        return [each.split()[0] for each in self.engines.use().packs]


@pytest.fixture
def others() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(48) as pool:
        yield pool


class Holding:
    """Another thread that borrows, and holds what it got until told."""

    def __init__(self, pool: ThreadPoolExecutor, shop: Shop, name: str) -> None:
        self.got, self.release, self.waits = threading.Event(), threading.Event(), threading.Event()
        self.done: Future[None] = pool.submit(self._hold, shop, name)

    def _hold(self, shop: Shop, name: str) -> None:
        with shop.borrow(name, on_wait=self.waits.set):
            self.got.set()
            assert self.release.wait(SOON)

    def end(self) -> None:
        self.release.set()
        self.done.result(SOON)


def test_an_engine_is_opened_when_first_needed_and_stays_open() -> None:
    shop = Shop(100)
    assert shop.opened == []
    with shop.borrow("a") as engine:
        assert engine.name == "a"
    with shop.borrow("a") as again:
        assert again is engine
    assert (len(shop.opened), shop.engines.use().taken) == (1, 10 * MIB)


def test_an_engine_that_was_replaced_is_closed_once_it_is_given_back(others: ThreadPoolExecutor) -> None:
    shop = Shop(100)
    with shop.borrow("idle"):
        pass
    holding = Holding(others, shop, "busy")
    assert holding.got.wait(SOON)
    shop.engines.retire([pack_of("idle"), pack_of("busy"), pack_of("never-opened")])
    assert shop.names == ["busy"]
    with shop.borrow("busy"):  # who still works with it finds it open
        pass
    holding.end()
    assert shop.names == []
    assert len(shop.opened) == 2


def test_an_engine_that_is_wanted_again_stays_open() -> None:
    shop = Shop(100)
    shop.engines.retire([pack_of("a")])
    with shop.borrow("a"):
        pass
    assert shop.names == []
    shop.engines.employ([pack_of("a")])
    with shop.borrow("a"):
        pass
    assert shop.names == ["a"]


def test_forty_who_ask_at_once_open_it_once(others: ThreadPoolExecutor) -> None:
    shop = Shop(100)
    shop.gate.clear()
    holding = [Holding(others, shop, "a") for _ in range(40)]
    for each in holding:
        assert each.waits.wait(SOON)
    shop.gate.set()
    for each in holding:
        assert each.got.wait(SOON)
    assert len(shop.opened) == 1
    for each in holding:
        each.end()


def test_the_one_that_idles_longest_is_closed_for_another() -> None:
    shop = Shop(20)
    for name in ("a", "b", "a", "c"):
        shop.use_once(name)
    assert shop.names == ["a", "c"]
    assert shop.closed == ["b"]


def test_one_at_work_is_never_closed_and_two_use_it_together() -> None:
    shop = Shop(20)
    with shop.borrow("a") as one, shop.borrow("a") as two:
        assert one is two
        with ThreadPoolExecutor(1) as pool:
            for name in ("b", "c", "d"):
                pool.submit(shop.use_once, name).result(SOON)
        assert "a" not in shop.closed
    assert shop.names == ["a", "d"]


def test_nothing_is_closed_in_vain() -> None:
    shop = Shop(20)
    shop.use_once("b")
    with shop.borrow("a"), pytest.raises(EngineBusyError):
        shop.engines.translator(pack_of("large", memory_bytes=20 * MIB)).__enter__()
    assert shop.names == ["a", "b"]


def test_a_pack_larger_than_the_budget_is_refused_with_both_figures() -> None:
    shop = Shop(9)
    with pytest.raises(EngineTooLargeError, match=r"needs 10 MiB.*has 9 MiB.*BARAZA_MEMORY"):
        shop.use_once("a")


def test_a_pack_counts_with_its_files_where_it_claims_to_need_less() -> None:
    tiny = verify(DATA / "tiny" / "pack")
    with pytest.raises(EngineTooLargeError):
        Engines(tiny.manifest.size - 1, 1).translator(tiny).__enter__()


def test_who_needs_the_memory_of_one_at_work_waits_for_its_end(others: ThreadPoolExecutor) -> None:
    shop = Shop(10)
    first = Holding(others, shop, "a")
    assert first.got.wait(SOON)
    second = Holding(others, shop, "b")
    assert second.waits.wait(SOON)
    assert not second.got.is_set()
    first.end()
    assert second.got.wait(SOON)
    assert shop.closed == ["a"]
    second.end()


def test_two_that_hold_an_engine_each_and_want_the_other_s_place_do_not_lock_up(others: ThreadPoolExecutor) -> None:
    shop = Shop(20)
    both = threading.Barrier(2)

    def work(first: str, second: str) -> bool:
        with shop.borrow(first):
            both.wait(SOON)
            try:
                with shop.borrow(second):
                    return True
            except EngineBusyError:
                return False
            finally:
                both.wait(SOON)

    # Each wants what neither has, and there is no room: refused at once. What the other has open, it gets.
    for wanted, got in (("cd", False), ("ba", True)):
        tries = [others.submit(work, first, second) for first, second in zip("ab", wanted, strict=True)]
        assert [each.result(SOON) for each in tries] == [got, got]


def test_two_ways_through_two_packs_each_end_where_only_one_pack_has_room(others: ThreadPoolExecutor) -> None:
    shop = Shop(10)

    def translate(*names: str) -> None:
        for _ in range(50):
            for name in names:
                shop.use_once(name)

    ways = [("a", "b"), ("b", "a"), ("c", "a"), ("b", "c")]
    for each in [others.submit(translate, *way) for way in ways]:
        each.result(SOON)
    assert len(shop.names) == 1


def test_who_holds_one_gets_it_again_though_somebody_waits_for_it_to_rest(others: ThreadPoolExecutor) -> None:
    shop = Shop(10)
    with shop.borrow("a"):
        waiting = Holding(others, shop, "b")
        assert waiting.waits.wait(SOON)
        shop.time += LIMITS.engine_patience_seconds + 1
        with shop.borrow("a"):
            pass
    assert waiting.got.wait(SOON)
    waiting.end()


def test_one_who_waits_long_for_memory_is_not_passed_by_for_ever(others: ThreadPoolExecutor) -> None:
    shop = Shop(10)
    first = Holding(others, shop, "a")
    assert first.got.wait(SOON)
    waiting = Holding(others, shop, "b")
    assert waiting.waits.wait(SOON)  # it stands in the line
    early = Holding(others, shop, "a")  # it is open, and nobody has waited long
    assert early.got.wait(SOON)
    shop.time += LIMITS.engine_patience_seconds + 1
    late = Holding(others, shop, "a")
    assert late.waits.wait(SOON)
    first.end()
    assert not waiting.got.is_set()
    early.end()
    assert waiting.got.wait(SOON)
    assert not late.got.is_set()
    waiting.end()
    assert late.got.wait(SOON)
    late.end()


def test_waiting_ends_when_nobody_wants_it_any_more(others: ThreadPoolExecutor) -> None:
    shop = Shop(10)
    holding = Holding(others, shop, "a")
    assert holding.got.wait(SOON)
    with ThreadPoolExecutor(1) as pool, pytest.raises(CancelledError):
        pool.submit(lambda: shop.borrow("b", cancelled=lambda: True).__enter__()).result(SOON)
    assert shop.engines._line == []
    holding.end()


def test_waiting_has_an_end(others: ThreadPoolExecutor) -> None:
    shop = Shop(10, Limits(engine_wait_seconds=60))
    holding = Holding(others, shop, "a")
    assert holding.got.wait(SOON)
    waiting = Holding(others, shop, "b")
    assert waiting.waits.wait(SOON)  # it stands in the line
    shop.time += 61
    with pytest.raises(EngineBusyError):
        waiting.done.result(SOON)
    holding.end()


def test_a_pack_that_does_not_open_is_told_to_all_who_wait_and_takes_no_memory(others: ThreadPoolExecutor) -> None:
    shop = Shop(10, broken={"a": EngineError(pack="a", reason="broken")})
    shop.gate.clear()
    holding = [Holding(others, shop, "a") for _ in range(5)]
    for each in holding:
        assert each.waits.wait(SOON)
    shop.gate.set()
    for each in holding:
        with pytest.raises(EngineError, match="broken"):
            each.done.result(SOON)
    assert shop.engines.use().taken == 0
    shop.broken.clear()
    shop.use_once("a")


def test_what_a_library_throws_at_a_broken_pack_is_an_error_of_the_engine() -> None:
    shop = Shop(10, broken={"a": KeyError("no such thing")})
    with pytest.raises(EngineError, match="no such thing"):
        shop.use_once("a")
    assert shop.engines.use().taken == 0


def test_who_finds_it_open_is_not_told_to_wait() -> None:
    shop, told = Shop(10), []
    with shop.borrow("a", on_wait=lambda: told.append("first")):
        pass
    with shop.borrow("a", on_wait=lambda: told.append("second")):
        pass
    assert told == ["first"]


def test_it_is_opened_ahead_only_where_nothing_is_closed_for_it() -> None:
    shop = Shop(20)
    a, b, c = (pack_of(name, memory_bytes=10 * MIB) for name in "abc")
    assert [shop.engines.open_if_free(pack) for pack in (a, a, b, c)] == [True, True, True, False]
    assert shop.names == ["a", "b"]
    assert (shop.engines.fit([a, b]), shop.engines.fit([a, b, a]), shop.engines.fit([a, b, c])) == (True, True, False)


def test_closing_closes_those_at_work_when_they_rest() -> None:
    shop = Shop(20)
    shop.use_once("a")
    with shop.borrow("b"):
        shop.engines.close()
        assert shop.closed == ["a"]
    assert shop.closed == ["a", "b"]
    assert shop.names == []


def test_the_packs_of_all_kinds_are_opened_for_real() -> None:
    engines = Engines(2**30, 1)
    packs = [verify(DATA / each) for each in ("tiny/pack", "tiny-llm/pack", "tiny-embedding")]
    with ExitStack() as stack:
        opened = [
            stack.enter_context(lend(pack))
            for lend, pack in zip((engines.translator, engines.generator, engines.embedder), packs, strict=True)
        ]
    assert [type(each) for each in opened] == [Translator, TextGenerator, Embedder]
    assert len(engines.use().packs) == 3
    assert all(engines.open_if_free(pack) for pack in packs)
