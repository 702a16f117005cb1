"""Open loops: when requests come that nobody holds back. Pure.

A closed loop is a number of users who each wait for their answer before they ask again. It asks less as soon as it is
served slowly: the requests that would have met the queue are never sent, and the longest waits are not in the figures
(coordinated omission). People who do not know of each other are an open loop: they come when they come, however long
those before them still wait. So each process here says beforehand when requests are sent, and nothing moves that.

`offsets` gives the times in seconds since the start, never decreasing and without end. All chance comes from the random
number generator that it is given, so one that is seeded alike gives the same times again.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from random import Random


@dataclass(frozen=True, slots=True)
class Poisson:
    """Requests of many who do not know of each other: the gaps are exponential, with a mean of 1 / `per_second`.

    The rate is above 0, else ValueError.
    """

    per_second: float

    def __post_init__(self) -> None:
        _require_above_zero(self)

    def offsets(self, random: Random) -> Iterator[float]:
        """Give the times of the requests; the first comes after one gap."""
        offset_seconds = 0.0
        while True:
            offset_seconds += random.expovariate(self.per_second)
            yield offset_seconds


@dataclass(frozen=True, slots=True)
class Constant:
    """Requests like clockwork: one each 1 / `per_second` seconds. The rate is above 0, else ValueError."""

    per_second: float

    def __post_init__(self) -> None:
        _require_above_zero(self)

    def offsets(self, random: Random) -> Iterator[float]:
        """Give the times of the requests; the first comes after one gap."""
        count = 0
        while True:
            count += 1
            # Not a sum of gaps, whose rounding would add up.
            yield count / self.per_second


@dataclass(frozen=True, slots=True)
class Bursts:
    """`size` requests at the same moment, every `every_seconds`, from `first_after_seconds` on.

    All three are above 0, else ValueError.
    """

    size: int
    every_seconds: float
    first_after_seconds: float

    def __post_init__(self) -> None:
        _require_above_zero(self)

    def offsets(self, random: Random) -> Iterator[float]:
        """Give the times of the requests: each burst's moment `size` times."""
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
            raise ValueError(f"{field.name} is {value}; give a number above 0")
