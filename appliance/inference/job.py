"""A job of the queue, as everybody may read it: its state, what happened to it, how far it is."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from appliance.errors import BarazaError


class State(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"  # it was at work when the power failed, and waits for somebody to run it again


ENDED = (State.DONE, State.FAILED, State.CANCELLED, State.INTERRUPTED)


@dataclass(frozen=True)
class Event:
    """What happened to a job: kind `opening`, `progress`, `text`, `done` or `failed`, and its data (JSON values)."""

    number: int
    kind: str
    data: dict[str, Any]


@dataclass(eq=False)
class Job:
    """One request. Read it freely; only the queue changes it, under its lock."""

    id: str
    owner: str
    kind: str
    cost: float  # in units of its kind: characters for a translation
    request: dict[str, Any]  # what was asked, for the page
    changed: threading.Condition = field(repr=False)  # told of every event; its lock is the queue's
    background: bool = False  # long: done in parts, between which others have their turns
    held_for: str = ""  # the device that left it with the box, to be done when there is time; "" if somebody waits
    state: State = State.WAITING
    events: list[Event] = field(default_factory=list)
    result: Any = None
    error: BarazaError | None = None
    asked: float = 0.0  # monotonic: when it was put in the queue
    worked: float = 0.0  # seconds of the turns that it had
    turn_began: float = 0.0  # monotonic
    seen: float = 0.0  # monotonic: when somebody last looked
    watchers: int = 0  # streams open on it
    ended: float = 0.0  # monotonic
    progress: tuple[int, int] = (0, 0)
    opening: bool = False  # a model is being opened for it
    kept: bool = False  # it is on the disk, and survives a power cut
    forgotten: bool = False  # the queue knows it no more

    @property
    def is_over(self) -> bool:
        return self.state in ENDED
