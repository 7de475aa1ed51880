"""What training computes in, on processors with and without bfloat16."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.factory
torch = pytest.importorskip("torch", reason="the factory's libraries are not installed: make test-factory")

from models import precision  # noqa: E402

CPU = torch.device("cpu")
LR = 0.02


@pytest.mark.parametrize(
    ("device", "capabilities", "has"),
    [
        ("cpu", {"avx2": True, "avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ("cpu", {"avx512_bf16": True, "amx_bf16": False}, True),
        ("cpu", {"avx512_bf16": False, "amx_bf16": True}, True),
        ("cpu", {"neon": True, "bf16": False}, False),  # a Raspberry Pi
        ("cpu", {"neon": True, "bf16": True}, True),
        ("cuda", {}, True),
    ],
)
def test_bfloat16_is_for_processors_that_compute_in_it(device: str, capabilities: dict[str, bool], has: bool) -> None:
    assert precision.has_bfloat16(device, capabilities) == has


@pytest.mark.parametrize("has", [True, False])
def test_matrix_products_are_in_what_the_processor_has(monkeypatch: pytest.MonkeyPatch, has: bool) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: has)
    layer = torch.nn.Linear(3, 3)
    with precision.autocast(CPU):
        assert layer(torch.ones(2, 3)).dtype == (torch.bfloat16 if has else torch.float32)
    optimizer = precision.muon([layer.weight], CPU)
    assert isinstance(optimizer, precision.Float32Muon) != has


def updated(kind: type, shape: tuple[int, int]) -> list[torch.Tensor]:
    """A matrix after each of four updates, the last with what the other kind has kept."""
    torch.manual_seed(3)
    matrix = torch.nn.Parameter(torch.randn(shape))
    other = precision.Float32Muon if kind is torch.optim.Muon else torch.optim.Muon
    settings = {"lr": LR, "weight_decay": 0.1, "momentum": 0.9, "adjust_lr_fn": "match_rms_adamw"}
    optimizer, seen = kind([matrix], **settings), []
    for number in range(4):
        if number == 3:
            kept = optimizer.state_dict()
            optimizer = other([matrix], **settings)
            optimizer.load_state_dict(kept)
        matrix.grad = torch.randn(shape)
        optimizer.step()
        seen.append(matrix.detach().clone())
    return seen


@pytest.mark.parametrize("shape", [(24, 16), (16, 24), (20, 20)])
def test_muon_in_float32_is_that_of_torch_but_for_rounding(shape: tuple[int, int]) -> None:
    started = updated(precision.Float32Muon, shape)[0]
    moved = LR * 0.2 * max(shape) ** 0.5 * torch.linalg.norm(precision.orthogonal(started))  # by an update
    pairs = zip(updated(precision.Float32Muon, shape), updated(torch.optim.Muon, shape), strict=True)
    for number, (exact, rounded) in enumerate(pairs, start=1):
        assert torch.linalg.norm(exact - rounded) < 0.03 * number * moved  # bfloat16 keeps 8 bits of a number


def test_the_singular_values_come_near_to_one() -> None:
    torch.manual_seed(1)
    for shape in ((30, 12), (12, 30)):
        values = torch.linalg.svdvals(precision.orthogonal(torch.randn(shape)))
        assert 0.6 < float(values.min()) <= float(values.max()) < 1.3


def test_what_has_no_gradient_stays_and_a_closure_is_run() -> None:
    still, moved = (torch.nn.Parameter(torch.ones(2, 2)) for _ in range(2))
    optimizer = precision.Float32Muon([still, moved])

    def closure() -> torch.Tensor:
        loss = moved.square().sum()
        loss.backward()
        return loss.detach()

    assert float(optimizer.step(closure)) == 4.0  # type: ignore[arg-type]
    assert torch.equal(still, torch.ones(2, 2))
    assert not torch.equal(moved, torch.ones(2, 2))
