"""The scenarios, and what one consists of. Pure.

A scenario is derived from its `Sizing` alone. All rates and numbers of users follow from the number of slots and the
time that a request holds one, so that a scenario does the same to every gateway.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from loadtests.records import LEVELS, Priority
from loadtests.scenarios.arrival_processes import Bursts, Poisson
from loadtests.scenarios.streams import Abandonment, ClosedLoop, OpenLoop, RequestStream

# Twice the default tolerance of the order: a shorter wait does not show which request went ahead.
_HIGH_WAIT_SECONDS = 0.2
# Shares of the slots' capacity. With more, a slow gateway's turnarounds would leave none for low requests.
_LEAST_HIGH_SHARE = 0.5
_MOST_HIGH_SHARE = 0.85
_FLOOD_USERS_PER_SLOT = 6
# With one slot, a multiple alone would be too few for a queue.
_FLOOD_USERS_MORE = 2
# Different latencies, so that the slots do not all become free at the same time.
_SPREAD = 0.1
_LEAST_GRACE_SECONDS = 20.0
_GRACE_SERVICES = 80
# Enough handshakes to see an inversion among them, and still a minority.
_HANDSHAKE_EVERY = 4


@dataclass(frozen=True, slots=True)
class Sizing:
    """The parameters of a scenario.

    `slots` is how many requests the gateway forwards at once; `service_seconds` how long the target takes for one;
    `seconds` how long requests are sent. `load` is for `mixed` alone: the offered share of the slots' time. Numbers are
    above 0, and paths start with /, else ValueError; any `seed` is valid.
    """

    slots: int
    service_seconds: float = 0.2
    seconds: float = 30.0
    seed: int = 1
    high_path: str = "/high"
    low_path: str = "/low"
    load: float = 0.8

    def __post_init__(self) -> None:
        for name in ("slots", "service_seconds", "seconds", "load"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}; use a number above 0")
        for name in ("high_path", "low_path"):
            if not getattr(self, name).startswith("/"):
                raise ValueError(f"{name} is {getattr(self, name)!r}; begin it with /")

    @property
    def capacity_per_second(self) -> float:
        """The maximum throughput."""
        return self.slots / self.service_seconds

    @property
    def grace_seconds(self) -> float:
        """How long to wait for responses after the last request is sent: longer than any scenario's queue takes."""
        return max(_LEAST_GRACE_SECONDS, _GRACE_SERVICES * self.service_seconds)

    def path_of(self, priority: Priority) -> str:
        """Return the path that has this priority at the gateway."""
        return self.high_path if priority == "high" else self.low_path


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario: its title in one line, its request streams, and the names of the promises that it checks."""

    name: str
    title: str
    streams: tuple[RequestStream, ...]
    promises: tuple[str, ...]
    levels: tuple[Priority, ...] = LEVELS
    """The levels of its requests, the most important first."""

    @property
    def sources(self) -> tuple[RequestStream, ...]:
        """Each stream once for an open loop, and once for each user of a closed loop."""
        open_loops = [stream for stream in self.streams if isinstance(stream.source, OpenLoop)]
        users = [
            stream
            for stream in self.streams
            if isinstance(stream.source, ClosedLoop)
            for _ in range(stream.source.users)
        ]
        # Sources are started in this order: open loops first, so that they do not wait for the start of all users.
        return (*open_loops, *users)


def build_scenario(name: str, sizing: Sizing) -> Scenario:
    """Return a scenario of the catalogue. Raises ValueError for an unknown name."""
    if name not in SCENARIOS:
        raise ValueError(f"{name!r} is not a scenario; choose one of {', '.join(SCENARIOS)}")
    return SCENARIOS[name](sizing)


def _saturation(sizing: Sizing) -> Scenario:
    high_per_second = _choose_high_share(sizing) * sizing.capacity_per_second
    arriving = OpenLoop(Poisson(high_per_second))
    high = RequestStream("high", "high", arriving, _latency_around(sizing, 1.0), handshake_every=_HANDSHAKE_EVERY)
    return Scenario(
        "saturation",
        "a flood of low requests keeps all slots in use; high ones come at random, so many that they have to wait",
        (_flood(sizing), high),
        ("order", "saturated", "limit", "once", "answered"),
    )


def _burst(sizing: Sizing) -> Scenario:
    bursts = Bursts(
        size=4 * sizing.slots,
        every_seconds=8 * sizing.service_seconds,
        first_after_seconds=2 * sizing.service_seconds,
    )
    return Scenario(
        "burst",
        "into a flood of low requests, four high ones for each slot come at the same moment, again and again",
        (
            _flood(sizing),
            RequestStream(
                "high", "high", OpenLoop(bursts), _latency_around(sizing, 1.0), handshake_every=_HANDSHAKE_EVERY
            ),
        ),
        ("order", "saturated", "limit", "once", "answered"),
    )


def _mixed(sizing: Sizing) -> Scenario:
    each = OpenLoop(Poisson(sizing.load * sizing.capacity_per_second / 2))
    latency = f"exponential:{sizing.service_seconds:g}"
    return Scenario(
        "mixed",
        "high and low requests alike come at random",
        (RequestStream("high", "high", each, latency), RequestStream("low", "low", each, latency)),
        ("once", "answered", "waits", "slots busy"),
    )


def _slow_low(sizing: Sizing) -> Scenario:
    slow = 5.0
    low = RequestStream(
        "low", "low", ClosedLoop(3 * sizing.slots + _FLOOD_USERS_MORE), _latency_around(sizing, slow, spread=0.2)
    )
    high = RequestStream(
        "high", "high", OpenLoop(Poisson(0.3 * sizing.capacity_per_second)), _latency_around(sizing, 1.0)
    )
    return Scenario(
        "slow-low",
        "low requests hold their slots five times as long as high ones",
        (low, high),
        ("order", "saturated", "limit", "once", "answered"),
    )


def _failing(sizing: Sizing) -> Scenario:
    faults = (("X-Mock-Error-Rate", "0.3"), ("X-Mock-Fault", "reset"), ("X-Mock-Fault-Rate", "0.05"))
    low, high = _saturation(sizing).streams
    return Scenario(
        "failing",
        "as saturation, but the target answers every third request with an error and resets every twentieth connection",
        # A gateway may retry a GET whose connection was lost, but never a POST: so both are sent.
        (replace(low, fields=faults), replace(high, fields=faults, method="POST")),
        ("order", "saturated", "limit", "once", "answered"),
    )


def _leaving(sizing: Sizing) -> Scenario:
    # Single high requests hardly wait: their clients would only leave while the request is at the target. So bursts.
    low, high = _burst(sizing).streams
    low_leaves = Abandonment(1 / 3, 0.5 * sizing.service_seconds, 5 * sizing.service_seconds)
    high_leaves = Abandonment(1 / 3, 0.5 * sizing.service_seconds, 2.5 * sizing.service_seconds)
    return Scenario(
        "leaving",
        "as burst, but every third client leaves after a while, most of them while their request still waits",
        (replace(low, abandonment=low_leaves), replace(high, abandonment=high_leaves)),
        # Not "saturated": a request counts as ended once its client has left, so slots seem to be free.
        ("order", "limit", "once", "left", "answered"),
    )


def _drain(sizing: Sizing) -> Scenario:
    return replace(
        _saturation(sizing),
        name="drain",
        title="as saturation, while workers are restarted and, when all is sent, gateways ended, in an orderly way",
        # Not "saturated": the slots are empty while processes restart.
        promises=("order", "limit", "once", "answered"),
    )


SCENARIOS: dict[str, Callable[[Sizing], Scenario]] = {
    "saturation": _saturation,
    "burst": _burst,
    "mixed": _mixed,
    "slow-low": _slow_low,
    "failing": _failing,
    "leaving": _leaving,
    "drain": _drain,
}


def _choose_high_share(sizing: Sizing) -> float:
    """Return the share of the capacity that high requests use, so that they wait long enough to be judged.

    With all slots in use, one becomes free each service / slots, and high requests wait for that / (1 - share).
    """
    share = 1 - sizing.service_seconds / (sizing.slots * _HIGH_WAIT_SECONDS)
    return min(max(share, _LEAST_HIGH_SHARE), _MOST_HIGH_SHARE)


def _flood(sizing: Sizing) -> RequestStream:
    """Return low requests of so many users, each sending again at once, that every request waits for several."""
    users = _FLOOD_USERS_PER_SLOT * sizing.slots + _FLOOD_USERS_MORE
    return RequestStream(
        "low", "low", ClosedLoop(users), _latency_around(sizing, 1.0), handshake_every=_HANDSHAKE_EVERY
    )


def _latency_around(sizing: Sizing, services: float, spread: float = _SPREAD) -> str:
    """Return a latency of `services` times the service time, plus or minus `spread`."""
    mean_seconds = services * sizing.service_seconds
    return f"uniform:{(1 - spread) * mean_seconds:g},{(1 + spread) * mean_seconds:g}"
