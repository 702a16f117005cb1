"""Arrival processes of open loops: when requests are sent, whatever the responses. Pure.

A closed loop is a number of users who each wait for a response before they send the next request. It sends less as soon
as it is served slowly: requests that would have waited longest are never sent, and are missing in the figures
(coordinated omission). Independent users are an open loop: they send whenever they need to, however long earlier
requests still wait. So each process here sets beforehand when requests are sent, independent of the responses.

`offsets` yields the times in seconds since the start, never decreasing and without end. All randomness comes from the
random number generator that is passed, so the same seed yields the same times.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from random import Random


@dataclass(frozen=True, slots=True)
class Poisson:
    """Requests of many independent users: the gaps are exponential, with a mean of 1 / `per_second`.

    The rate is above 0, else ValueError.
    """

    per_second: float

    def __post_init__(self) -> None:
        _require_above_zero(self)

    def offsets(self, random: Random) -> Iterator[float]:
        """Yield the times of the requests; the first is after one gap."""
        offset_seconds = 0.0
        while True:
            offset_seconds += random.expovariate(self.per_second)
            yield offset_seconds


@dataclass(frozen=True, slots=True)
class Constant:
    """Requests at equal gaps of 1 / `per_second` seconds. The rate is above 0, else ValueError."""

    per_second: float

    def __post_init__(self) -> None:
        _require_above_zero(self)

    def offsets(self, random: Random) -> Iterator[float]:
        """Yield the times of the requests; the first is after one gap."""
        count = 0
        while True:
            count += 1
            # Not a sum of gaps: rounding errors would accumulate.
            yield count / self.per_second


@dataclass(frozen=True, slots=True)
class Bursts:
    """`size` requests at the same time, every `every_seconds`, first after `first_after_seconds`.

    All three are above 0, else ValueError.
    """

    size: int
    every_seconds: float
    first_after_seconds: float

    def __post_init__(self) -> None:
        _require_above_zero(self)

    def offsets(self, random: Random) -> Iterator[float]:
        """Yield the times of the requests: the time of each burst, `size` times."""
        burst = 0
        while True:
            for _ in range(self.size):
                yield self.first_after_seconds + burst * self.every_seconds
            burst += 1


ArrivalProcess = Poisson | Constant | Bursts


def _require_above_zero(process: ArrivalProcess) -> None:
    for field in fields(process):
        value = getattr(process, field.name)
        if not 0 < value < math.inf:
            raise ValueError(f"{field.name} is {value}; use a number above 0")
