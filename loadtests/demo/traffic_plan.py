"""How much the demo sends, and when. Pure: the same parameters always give the same plan."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

_LATENCY_SECONDS = 0.1  # slow enough for a person to follow
_MOST_PER_SECOND = 100.0  # few enough for a small machine that also runs everything else
_LATENCY_SPREAD = 0.3  # without it, all slots would start and end at the same time
_STEADY_SHARE = 0.15  # of the target's capacity: single high requests
_BURST_EVERY_SECONDS = 3.0
_BURST_DRAINS_SECONDS = 0.4
_FEWEST_IN_BURST = 6
_FLOOD_AHEAD_SECONDS = 0.5  # until all low clients are connected
_SEED = 1


@dataclass(frozen=True, slots=True)
class TrafficPlan:
    """The traffic of one run of `seconds`, at a target that handles `slots` requests at once."""

    seconds: float
    slots: int

    @property
    def latency_seconds(self) -> float:
        """How long the target takes for a request, on average."""
        return max(_LATENCY_SECONDS, self.slots / _MOST_PER_SECOND)

    @property
    def latency(self) -> str:
        """The same, in the mock target's grammar."""
        low, high = (self.latency_seconds * (1 + sign * _LATENCY_SPREAD) for sign in (-1, 1))
        return f"uniform:{low:.4f},{high:.4f}"

    @property
    def capacity_per_second(self) -> float:
        """How many requests per second the target can handle."""
        return self.slots / self.latency_seconds

    @property
    def low_clients(self) -> int:
        """How many clients send low requests, each the next one after its response: most of them wait."""
        # Each holds a connection at both ends; a shell allows a process about a thousand.
        return min(10 * self.slots, 250 + self.slots)

    @property
    def burst(self) -> int:
        """How many high requests a burst has: enough for the last of them to wait as well."""
        # Only a high request that waits can show that no low one starts before it.
        return max(_FEWEST_IN_BURST, round(_BURST_DRAINS_SECONDS * self.capacity_per_second))

    def high_times_seconds(self) -> Iterator[float]:
        """Yield when high requests are sent, in seconds from the start, in order: single ones at random, and bursts."""
        random = Random(_SEED)
        single_rate = _STEADY_SHARE * self.capacity_per_second
        single = _FLOOD_AHEAD_SECONDS + random.expovariate(single_rate)
        burst = 2 * _FLOOD_AHEAD_SECONDS
        while min(single, burst) < self.seconds:
            if single < burst:
                yield single
                single += random.expovariate(single_rate)
            else:
                yield from [burst] * self.burst
                burst += _BURST_EVERY_SECONDS
