"""How long work takes, learned from what it took before, and when a lane is free for more of it."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from appliance.inference.job import Job, State
from appliance.inference.turns import Turns

FIRST_PACE = 0.002  # seconds a unit of cost, until there is a measurement: a slow board with a small model
MEMORY = 0.9  # how much of what is known stays after each piece of work
FIRST_PART = 1.0  # seconds until long work breathes, until there is a measurement
PART_MEMORY = 0.7  # how much of the length of a part known so far stays after each
FINEST = 8  # parts of a long job that an estimate counts with


class Pace:
    """Seconds a unit of cost, by kind of work: the time of the last pieces of work over their cost.

    Sums are kept, not ratios: a long text says more about the pace than a short one, whose start weighs heavily.
    """

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, float]] = {}  # by kind: seconds, cost

    def learn(self, kind: str, cost: float, seconds: float) -> None:
        known_seconds, known_cost = self._sums.get(kind, (0.0, 0.0))
        self._sums[kind] = (MEMORY * known_seconds + seconds, MEMORY * known_cost + max(cost, 1.0))

    def seconds(self, kind: str, cost: float) -> float:
        """What work of `cost` will take."""
        if kind not in self._sums:
            return cost * FIRST_PACE
        known_seconds, known_cost = self._sums[kind]
        return cost * known_seconds / known_cost


def begins_in(free: Iterable[float], before: Iterable[float]) -> float:
    """Seconds until work begins that waits for all that is `before` it.

    Args:
        free: for each lane, the seconds until it is free; at least one.
        before: the seconds that each piece of work takes that comes first, in order; each goes where a lane is free.
    """
    lanes = list(free)
    heapq.heapify(lanes)
    for seconds in before:
        heapq.heapreplace(lanes, lanes[0] + seconds)
    return lanes[0]


class Forecast:
    """When jobs begin and end, were nothing more asked for. It looks at what the queue has, under the queue's lock."""

    def __init__(
        self,
        line: Turns[Job],
        held: Turns[Job],
        at_work: Sequence[Job],
        company: Mapping[str, Sequence[Job]],
        lanes: int,
        clock: Callable[[], float],
    ) -> None:
        """All are the queue's own: `at_work` has a job for each lane in use, `company` those that share its turn."""
        self._line, self._held, self._at_work, self._company = line, held, at_work, company
        self._lanes, self._clock = lanes, clock
        self._pace = Pace()
        self._part = FIRST_PART  # seconds of long work between two breaths

    def learn(self, job: Job) -> None:
        """From a job that is done."""
        self._pace.learn(job.kind, job.cost, job.worked)

    def learn_part(self, seconds: float) -> None:
        """From a part of long work."""
        self._part = PART_MEMORY * self._part + (1 - PART_MEMORY) * seconds

    def begins_in(self, job: Job) -> float:
        """Seconds until a job that waits has its first turn."""
        return begins_in(self._lanes_free_in(), (seconds for _, seconds in self._turns_before(job)))

    def jobs_before(self, job: Job) -> int:
        """How many have a turn before a job that waits; those at work count if they hold every lane."""
        before = {each.id for each, _ in self._turns_before(job)}
        if len(self._at_work) >= self._lanes:
            before.update(each.id for each in self._having_turns())
        return len(before)

    def waits(self, job: Job) -> float:
        """The seconds that a job which waits will have waited when it ends: for its first turn, and between turns."""
        rest, others = self.rest_of(job), 0.0
        for each, seconds in self._turns():
            if each is not job:
                others += seconds
                continue
            rest -= seconds
            if rest <= 0:
                break
        return min(self._lanes_free_in()) + others / self._lanes

    def rest_of(self, job: Job) -> float:
        """The seconds of work that are left of a job, by what such work takes."""
        has_turn = job in self._at_work or (job.state is State.RUNNING and not job.background)
        now = self._clock() - job.turn_began if has_turn else 0.0
        return max(0.0, self._pace.seconds(job.kind, job.cost) - job.worked - now)

    def seconds_of_all(self) -> float:
        """Seconds until all is done."""
        return sum(map(self.rest_of, itertools.chain(self._having_turns(), self._line, self._held))) / self._lanes

    def _having_turns(self) -> Iterator[Job]:
        for job in self._at_work:
            yield job
            yield from self._company.get(job.id, ())

    def _turns(self, coarse: bool = True) -> Iterator[tuple[Job, float]]:
        """The turns to come, with the seconds of each.

        `coarse`: turns of the longest work are told as fewer and longer ones, as nobody reads all of thousands.
        """
        for line in (self._line, self._held):
            longest = max((self.rest_of(job) for job in line), default=0.0) if coarse else 0.0
            yield from line.order(self.rest_of, max(self._part, longest / FINEST))

    def _turns_before(self, job: Job) -> Iterator[tuple[Job, float]]:
        """Those before the first of `job`: of each other owner hardly more than one, told as long as it is."""
        return itertools.takewhile(lambda turn: turn[0] is not job, self._turns(coarse=bool(job.held_for)))

    def _lanes_free_in(self) -> list[float]:
        """For each lane, the seconds until its turn ends."""
        free = [self._rest_of_turn(job) for job in self._at_work]
        return free + [0.0] * max(self._lanes - len(free), 0)

    def _rest_of_turn(self, job: Job) -> float:
        rest = sum(map(self.rest_of, (job, *self._company.get(job.id, ()))))
        return min(rest, max(0.0, self._part - (self._clock() - job.turn_began))) if job.background else rest
