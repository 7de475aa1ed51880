"""A run of training in stretches: counted, averaged, logged, saved, and taken up where it stopped.

What is trained, on what and towards what is the subclass's; a translation model and an embedding share the rest.
"""

from __future__ import annotations

import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Generic, Protocol, TypeVar

import click
import torch
from tqdm import tqdm
from transformers import PreTrainedModel

from models.errors import FactoryError

LONGEST_STEP = 20.0  # seconds; a longer one was a pause of the process, and is not counted
SAVE_EVERY = 120.0  # seconds of training
SHOWN = 50  # updates between two changes of the figures beside the bar

Batch = TypeVar("Batch")


class Settings(Protocol):
    """What a run reads of a recipe's [train]."""

    clip: float
    average_horizon: int


@dataclass
class Progress:
    """How far a run is; `seconds` is computing time over all its stretches."""

    updates: int = 0
    examples: int = 0
    pools: int = 0
    seconds: float = 0.0


class Run(ABC, Generic[Batch]):
    """Kept in `folder`: `state.pt` to go on from, `log.jsonl` to look at. `clock` gives seconds."""

    def __init__(
        self,
        model: PreTrainedModel,
        optimizers: Sequence[torch.optim.Optimizer],
        settings: Settings,
        folder: Path,
        device: torch.device,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises FactoryError: `folder` holds the state of another model."""
        self.model, self.optimizers, self.folder, self.device, self.clock = model, optimizers, folder, device, clock
        self._settings = settings
        self.average = [parameter.detach().clone() for parameter in model.parameters()]
        self.progress = Progress()
        folder.mkdir(parents=True, exist_ok=True)
        self._resume()

    @abstractmethod
    def pool(self, done: float) -> Iterator[Batch]:
        """The batches of pool number `progress.pools`; `done` of the time is over, 0 to 1."""

    @abstractmethod
    def loss(self, batch: Batch) -> torch.Tensor:
        """The loss of a batch, to be lowered."""

    @abstractmethod
    def rate(self, done: float) -> float:
        """The learning rate of the next update; a group of parameters may have a `scale` of its own."""

    @abstractmethod
    def size(self, batch: Batch) -> int:
        """Examples in a batch."""

    @abstractmethod
    def held_out(self) -> dict[str, float]:
        """Figures on examples kept from training, by name."""

    def run(self, minutes: float, stretch: float, updates: int = 0) -> None:
        """Train until `minutes` in all, or so many `updates` in all (0: however many), or `stretch` minutes more.

        Whichever comes first. With `updates`, and time enough for them, each machine learns the same.
        """
        whole = minutes * 60
        stop_at = self.progress.seconds + stretch * 60
        saved, losses = self.progress.seconds, list[float]()
        self.model.train()
        with tqdm(total=round(whole), initial=round(self.progress.seconds), unit="s", desc="training") as bar:
            while not self._stops(minutes, updates, stop_at):
                for batch in self.pool(self._done(minutes, updates)):
                    losses.append(self._update(batch, self._done(minutes, updates)))
                    bar.n = min(bar.total, round(self._done(minutes, updates) * whole))
                    if self.progress.updates % SHOWN == 0:
                        recent = losses[-SHOWN:]
                        examples = f"{self.progress.examples / 1e6:.2f}M"
                        bar.set_postfix(loss=f"{sum(recent) / len(recent):.3f}", examples=examples)
                    if self._stops(minutes, updates, stop_at):
                        break
                    if self.progress.seconds - saved > SAVE_EVERY:
                        self._keep(losses)
                        saved = self.progress.seconds
                else:
                    self.progress.pools += 1
        if losses:
            self._keep(losses)

    def finished(self, minutes: float, updates: int = 0) -> bool:
        """Whether a `run` with these would do nothing more."""
        return self._done(minutes, updates) >= 1

    def _done(self, minutes: float, updates: int) -> float:
        """How much of the training is over: all of it at 1."""
        by_count = self.progress.updates / updates if updates else 0.0
        return max(self.progress.seconds / (minutes * 60), by_count)

    def _stops(self, minutes: float, updates: int, stop_at: float) -> bool:
        return self.finished(minutes, updates) or self.progress.seconds >= stop_at

    def write_checkpoint(self, folder: Path) -> None:
        """Write the averaged weights in Hugging Face form."""
        folder.mkdir(parents=True, exist_ok=True)
        with torch.no_grad():
            for parameter, mean in zip(self.model.parameters(), self.average, strict=True):
                parameter.copy_(mean)
        self.model.config._attn_implementation = "sdpa"
        self.model.save_pretrained(folder)

    def _update(self, batch: Batch, done: float) -> float:
        began = self.clock()
        rate = self.rate(done)
        loss = self.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._settings.clip)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group.get("scale", 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.progress.updates += 1
        self.progress.examples += self.size(batch)
        if self.progress.updates % 10 == 0:
            self._average()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise click.ClickException(f"The loss is {value} after {self.progress.updates} updates: lower peak_rate.")
        self.progress.seconds += min(self.clock() - began, LONGEST_STEP)
        return value

    def _average(self) -> None:
        horizon = min(self._settings.average_horizon, self.progress.updates / 5)
        with torch.no_grad():
            parameters = [parameter.detach() for parameter in self.model.parameters()]
            torch._foreach_lerp_(self.average, parameters, min(1.0, 10 / horizon))

    def _keep(self, losses: list[float]) -> None:
        """Write a line of the log and the state; `losses` are those since the line before, and are cleared."""
        self.model.eval()
        with torch.no_grad():
            figures = {name: round(value, 4) for name, value in self.held_out().items()}
        self.model.train()
        row: dict[str, Any] = vars(self.progress) | {"loss": round(sum(losses) / len(losses), 4)} | figures
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        losses.clear()
        state = {
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "progress": vars(self.progress),
        }
        partial = self.folder / "state.partial"
        torch.save(state, partial)
        partial.replace(self.folder / "state.pt")

    def _resume(self) -> None:
        path = self.folder / "state.pt"
        if not path.is_file():
            return
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.average = [tensor.to(self.device) for tensor in state["average"]]
            for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(kept)
            self.progress = Progress(**state["progress"])
        except (RuntimeError, ValueError, LookupError, TypeError, UnpicklingError) as error:
            raise FactoryError(
                f"{path} cannot be taken up: it is damaged, or of a model of another shape (another [model] in the "
                "recipe, or the settings of a GPU against those of a CPU). Give another --work folder, or move "
                f"{self.folder} away to begin anew. {error}"
            ) from error
