"""What training computes in: bfloat16 where the processor has it, float32 where it would only imitate it.

A CPU without instructions for bfloat16 (most PCs before 2023, a Raspberry Pi) computes matrix products in it 20 to 50
times slower than in float32 (docs/decisions/0034-training-precision.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

# As torch.cpu.get_capabilities names them: x86-64, x86-64, 64-bit ARM.
INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # Jordan et al. 2024; also what torch.optim.Muon has as its default
STEPS = 5


def has_bfloat16(device: str, capabilities: Mapping[str, Any] | None = None) -> bool:
    """Whether `device` (“cuda”, “cpu”) computes in bfloat16 itself; `capabilities`: of its CPU, default: this one's."""
    if device != "cpu":
        return True
    found = torch.cpu.get_capabilities() if capabilities is None else capabilities
    return any(found.get(name) for name in INSTRUCTIONS)


def autocast(device: torch.device) -> torch.autocast:
    """A context in which matrix products on `device` are in bfloat16 if it has that, and else in float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device.type))


def muon(groups: list[dict[str, Any]] | list[torch.nn.Parameter], device: torch.device) -> torch.optim.Muon:
    """Muon (Jordan et al. 2024) for the matrices in `groups`, in the precision that is fast on `device`."""
    kind = torch.optim.Muon if has_bfloat16(device.type) else Float32Muon
    return kind(groups, lr=1e-3, weight_decay=0.01, momentum=0.95, adjust_lr_fn="match_rms_adamw")


class Float32Muon(torch.optim.Muon):
    """torch.optim.Muon, whose Newton–Schulz steps are always in bfloat16, with these in float32.

    Takes the arguments of torch.optim.Muon and keeps the same state; always as with `nesterov` and with
    `adjust_lr_fn="match_rms_adamw"`.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], torch.Tensor] | None = None) -> torch.Tensor | None:  # type: ignore[override]
        """One update of every parameter that has a gradient; returns what `closure` returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)
        return loss

    def _update(self, parameter: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        average = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        update = orthogonal(gradient.lerp(average, group["momentum"]))
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(update, alpha=-group["lr"] * 0.2 * math.sqrt(max(parameter.shape)))


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """`matrix` (M, N) with its singular values brought near to 1 by Newton–Schulz steps, in its own precision."""
    first, second, third = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    found = matrix.T if tall else matrix
    found = found / found.norm().clamp(min=1e-7)
    for _ in range(STEPS):
        gram = found @ found.T
        found = torch.addmm(found, torch.addmm(gram, gram, gram, beta=second, alpha=third), found, beta=first)
    return found.T if tall else found
