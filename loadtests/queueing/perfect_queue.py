"""The perfect queue: when each request would have started behind a gateway that costs nothing. Pure.

Given when requests came, of which priority, and for how long each holds its slot, there is one best course of events:
a slot that is free takes the next request at once. What a real gateway does beyond that is its own doing.
"""

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from loadtests.records import Priority

Discipline = Literal["priority", "fifo"]
"""Who is next: the oldest high one before the oldest low one, or the oldest of all."""


@dataclass(frozen=True, slots=True)
class Customer:
    """One request as a queue sees it: when it comes, of which priority, and for how long it holds its slot."""

    comes_at: float
    priority: Priority
    service_seconds: float


def wait_perfectly(customers: Sequence[Customer], slots: int, discipline: Discipline = "priority") -> list[float]:
    """Give how long each customer waits for a slot, in seconds, in the order of `customers`.

    They may be in any order; of those who come at the same moment the first of one class is served first. Takes
    n log n steps. Raises ValueError for fewer than 1 slot, a `service_seconds` that is below 0, and times without end.
    """
    if slots < 1:
        raise ValueError(f"slots is {slots}; give 1 or more")
    for customer in customers:
        if not (math.isfinite(customer.comes_at) and 0 <= customer.service_seconds < math.inf):
            raise ValueError(f"{customer} cannot be served; give a moment, and a service_seconds that is 0 or more")
    coming = deque(sorted(range(len(customers)), key=lambda index: customers[index].comes_at))
    first: deque[int] = deque()
    second: deque[int] = deque()
    waits_seconds = [0.0] * len(customers)
    slots_free_at = [-math.inf] * slots
    now = -math.inf
    while coming or first or second:
        now = max(now, slots_free_at[0])
        if not first and not second:
            now = max(now, customers[coming[0]].comes_at)
        while coming and customers[coming[0]].comes_at <= now:
            index = coming.popleft()
            (second if discipline == "priority" and customers[index].priority == "low" else first).append(index)
        index = (first or second).popleft()
        waits_seconds[index] = now - customers[index].comes_at
        heapq.heapreplace(slots_free_at, now + customers[index].service_seconds)
    return waits_seconds
