"""The import rules of the house: down only, no circles, never the factory."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BOX = ("appliance", "webui")
FACTORY_ONLY = ("models", "torch", "transformers", "optimum", "onnx", "sacrebleu")
HTML = ("flask", "jinja2", "werkzeug", "cheroot", "markupsafe")
CALLS_OUT = ("appliance.packs.neighbour", "appliance.packs.lan")  # packs from another box in the same network
NETWORK = ("requests", "urllib.request", "http.client", "httpx", "socket", "zeroconf")
SERVICES = ("translation", "drafting", "advice", "sensors")

# A room may import those on lower floors, and itself.
FLOORS = {
    "webui": 10,
    "appliance.cli": 10,
    "appliance.commands": 9,
    "appliance.app": 8,
    "appliance.knowing": 7,
    "appliance.in_use": 6,
    "appliance.also_in": 6,
    "appliance.health": 5,
    "appliance.translation": 5,
    "appliance.drafting": 5,
    "appliance.advice": 5,
    "appliance.sensors": 5,
    "appliance.bringing": 5,
    "appliance.giving": 5,
    "appliance.inference": 4,
    "appliance.keeper": 3,
    "appliance.packs": 3,
    "appliance.storage": 2,
    "appliance.config": 1,
    "appliance.limits": 0,
    "appliance.errors": 0,
}


def modules() -> Iterator[tuple[str, Path]]:
    for room in BOX:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(module: str) -> str | None:
    return next((name for name in FLOORS if module == name or module.startswith(f"{name}.")), None)


def starts(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


@pytest.mark.parametrize(
    ("module", "path"), list(modules()), ids=lambda value: str(value) if isinstance(value, str) else ""
)
def test_a_module_imports_only_what_lies_below_it(module: str, path: Path) -> None:
    here = room(module)
    for name in imports(path):
        there = room(name)
        if (
            here is None
            or there is None
            or here == there
            or (module == "appliance.cli" and name.startswith("webui.server"))
        ):
            continue
        assert FLOORS[there] < FLOORS[here], f"{module} imports {name}"


@pytest.mark.parametrize(
    ("module", "path"), list(modules()), ids=lambda value: str(value) if isinstance(value, str) else ""
)
def test_the_box_never_imports_the_factory(module: str, path: Path) -> None:
    assert not [name for name in imports(path) if starts(name, FACTORY_ONLY)], module


def test_the_appliance_knows_no_html_and_no_network() -> None:
    wrong = [
        (module, name)
        for module, path in modules()
        if module.startswith("appliance")
        for name in imports(path)
        if starts(name, HTML if module in CALLS_OUT else HTML + NETWORK)
    ]
    assert not wrong


def test_no_service_imports_another() -> None:
    wrong = [
        (module, name)
        for module, path in modules()
        for name in imports(path)
        for service in SERVICES
        for other in SERVICES
        if service != other and module.startswith(f"appliance.{service}") and name.startswith(f"appliance.{other}")
    ]
    assert not wrong


def test_there_are_no_circles() -> None:
    names = {module for module, _ in modules()}
    graph = {module: imports(path) & names - {module} for module, path in modules()}
    assert set(TopologicalSorter(graph).static_order()) == names  # raises CycleError if there is one


def test_every_room_has_a_floor() -> None:
    assert not [module for module, _ in modules() if room(module) is None and module not in ("appliance", "webui")]
