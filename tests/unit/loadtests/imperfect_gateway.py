"""A gateway simulated event by event: ways that take time, slots held from claim to settlement, and its faults.

It shares no code with the queue under test: what `loadtests` finds in its records is compared with what was put in.
"""

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from loadtests.records.traces import Arrival, Priority, RequestTrace, SentRequest

# Unix seconds of today are so large that a float keeps only a quarter of a microsecond of them.
BEGINS_AT = 1_700_000_000.0


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A request on the queue; `index` counts in the order of sending."""

    index: int
    priority: Priority


OrderResult = Callable[[Random, Sequence[Waiting]], Waiting]
"""Picks the next one of the waiting requests, which are in the order of the queue."""


def high_first(random: Random, waiting: Sequence[Waiting]) -> Waiting:
    return next((one for one in waiting if one.priority == "high"), waiting[0])


def oldest_first(random: Random, waiting: Sequence[Waiting]) -> Waiting:
    return waiting[0]


def any_first(random: Random, waiting: Sequence[Waiting]) -> Waiting:
    return random.choice(waiting)


def low_first(random: Random, waiting: Sequence[Waiting]) -> Waiting:
    return next((one for one in waiting if one.priority == "low"), waiting[0])


def low_first_at_times(random: Random, waiting: Sequence[Waiting]) -> Waiting:
    return low_first(random, waiting) if random.random() < 0.1 else high_first(random, waiting)


@dataclass(frozen=True)
class Way:
    """Takes a fixed time, and an exponential one on top."""

    fixed_seconds: float
    jitter_seconds: float

    @property
    def mean_seconds(self) -> float:
        return self.fixed_seconds + self.jitter_seconds

    def take(self, random: Random) -> float:
        return self.fixed_seconds + (random.expovariate(1 / self.jitter_seconds) if self.jitter_seconds else 0.0)


@dataclass(frozen=True)
class ImperfectGateway:
    """A simulated gateway. With `looks_every_seconds` it polls for work, instead of acting at once."""

    slots: int = 8
    service_seconds: float = 0.05
    to_queue: Way = Way(0.0005, 0.001)
    to_target: Way = Way(0.0005, 0.0005)
    back: Way = Way(0.0004, 0.0004)
    settling: Way = Way(0.0004, 0.0004)
    waking_seconds: float = 0.0
    order: OrderResult = high_first
    looks_every_seconds: float | None = None

    @property
    def transit_seconds(self) -> float:
        return self.to_queue.mean_seconds + self.waking_seconds + self.to_target.mean_seconds

    @property
    def turnaround_seconds(self) -> float:
        return self.back.mean_seconds + self.settling.mean_seconds + self.to_target.mean_seconds

    def run(self, load: float, seconds: float, seed: int) -> tuple[RequestTrace, ...]:
        """Send as many high as low requests at random for this time, at this load of the slots, turnaround included."""
        return _Run(self, Random(seed)).send(
            load * self.slots / (self.service_seconds + self.turnaround_seconds), seconds
        )


class _Run:
    def __init__(self, gateway: ImperfectGateway, random: Random) -> None:
        self._gateway = gateway
        self._random = random
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._now = 0.0
        self._free_slots = gateway.slots
        self._waiting: list[Waiting] = []
        self._arrivals: dict[int, Arrival] = {}

    def send(self, per_second: float, seconds: float) -> tuple[RequestTrace, ...]:
        sent: list[tuple[float, Priority]] = []
        at = self._random.expovariate(per_second)
        while at < seconds:
            waiting = Waiting(len(sent), self._random.choice(("high", "low")))
            sent.append((at, waiting.priority))
            self._plan(at + self._gateway.to_queue.take(self._random), partial(self._queue, waiting))
            at += self._random.expovariate(per_second)
        events = self._events
        while events:
            self._now, _, happen = heapq.heappop(events)
            happen()
        return tuple(self._trace(index, at, priority) for index, (at, priority) in enumerate(sent))

    def _plan(self, at: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (at, next(self._count), happen))

    def _queue(self, waiting: Waiting) -> None:
        self._waiting.append(waiting)
        if self._free_slots:
            self._act(self._gateway.waking_seconds)

    def _free_slot(self) -> None:
        self._free_slots += 1
        if self._waiting:
            self._act(0.0)

    def _act(self, after_seconds: float) -> None:
        every = self._gateway.looks_every_seconds
        if every is not None:
            self._plan((self._now // every + 1) * every, self._claim)
        elif after_seconds:
            self._plan(self._now + after_seconds, self._claim)
        else:
            self._claim()

    def _claim(self) -> None:
        while self._free_slots and self._waiting:
            chosen = self._gateway.order(self._random, self._waiting)
            self._waiting.remove(chosen)
            self._free_slots -= 1
            arrived_at = self._now + self._gateway.to_target.take(self._random)
            finished_at = arrived_at + self._random.expovariate(1 / self._gateway.service_seconds)
            self._arrivals[chosen.index] = Arrival(str(chosen.index), BEGINS_AT + arrived_at, BEGINS_AT + finished_at)
            back_at = finished_at + self._gateway.back.take(self._random)
            self._plan(back_at + self._gateway.settling.take(self._random), self._free_slot)

    def _trace(self, index: int, sent_at: float, priority: Priority) -> RequestTrace:
        arrival = self._arrivals[index]
        ended_at = (arrival.finished_at or 0.0) + 0.001
        return RequestTrace(
            SentRequest(str(index), priority, BEGINS_AT + sent_at, ended_at, "answered", 200), (arrival,)
        )
