"""The perfect queue: a simulation of how long each request waits behind a gateway without any overhead. Pure.

Given when requests arrive, their priority, and how long each holds its slot, there is one best schedule: a free slot
takes the next request at once. Any longer wait is caused by the gateway.
"""

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from loadtests.records import Priority

Discipline = Literal["priority", "fifo"]
"""Which request is next: the oldest high one before the oldest low one, or the oldest of all."""


@dataclass(frozen=True, slots=True)
class Customer:
    """One request in the queue: its arrival, its priority, and how long it holds its slot."""

    arrives_at: float
    priority: Priority
    service_seconds: float


def simulate_waits(customers: Sequence[Customer], slots: int, discipline: Discipline = "priority") -> list[float]:
    """Return how long each customer waits for a slot, in seconds, in the order of `customers`.

    They may be in any order; of customers of one class that arrive at the same time the first is served first. Takes
    n log n steps. Raises ValueError for fewer than 1 slot, a `service_seconds` below 0, and infinite times.
    """
    if slots < 1:
        raise ValueError(f"slots is {slots}; use 1 or more")
    for customer in customers:
        if not (math.isfinite(customer.arrives_at) and 0 <= customer.service_seconds < math.inf):
            raise ValueError(f"{customer} cannot be served; use a finite time, and a service_seconds of 0 or more")
    arrivals = [customer.arrives_at for customer in customers]
    coming = deque(sorted(range(len(customers)), key=arrivals.__getitem__))
    first: deque[int] = deque()
    second: deque[int] = deque()
    lanes = [second if discipline == "priority" and one.priority == "low" else first for one in customers]
    waits_seconds = [0.0] * len(customers)
    slots_free_at = [-math.inf] * slots
    now = -math.inf
    for _ in customers:
        now = max(now, slots_free_at[0])
        if not first and not second:
            now = max(now, arrivals[coming[0]])
        while coming and arrivals[coming[0]] <= now:
            index = coming.popleft()
            lanes[index].append(index)
        index = (first or second).popleft()
        waits_seconds[index] = now - arrivals[index]
        heapq.heapreplace(slots_free_at, now + customers[index].service_seconds)
    return waits_seconds
