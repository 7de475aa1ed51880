"""A queue and the clock that it goes by."""

from __future__ import annotations

import pytest

from appliance.inference.queue import JobQueue
from appliance.limits import Limits
from tests.queues import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> JobQueue:
    return JobQueue(Limits(), clock)
