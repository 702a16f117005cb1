"""What is done to a gateway: a scenario, and the catalogue of them. Pure.

A scenario follows from its `Sizing` alone. All rates and numbers of users come from the slots and the time that a
request holds one, so that a scenario does to any gateway what its title says.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from loadtests.records import Priority
from loadtests.scenarios.arrival_processes import Bursts, Poisson
from loadtests.scenarios.streams import ClosedLoop, Leaving, OpenLoop, Stream

# Twice the tolerance that an order is judged with by default: what waits for less does not show who went ahead of it.
_HIGH_WAIT_SECONDS = 0.2
# Of what the slots can do. With more, the turnarounds of a slow gateway would leave nothing for low requests.
_LEAST_HIGH_SHARE = 0.5
_MOST_HIGH_SHARE = 0.85
_FLOOD_USERS_PER_SLOT = 6
# With one slot a multiple of it would be too few for a queue.
_FLOOD_USERS_MORE = 2
# A little apart, so that the slots do not all become free in the same moment.
_SPREAD = 0.1
_LEAST_GRACE_SECONDS = 20.0
_GRACE_SERVICES = 80
# So many that an inversion among them would be seen, and so few that the others are still most of them.
_HANDSHAKE_EVERY = 4


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a scenario is sized by.

    `slots` is the most requests that the gateway lets through at once; `service_seconds` how long the target takes for
    one; `seconds` how long requests are sent. `load` is for `mixed` alone: the share of the slots' time that is asked
    for. Numbers are above 0, and paths begin with /, else ValueError; any `seed` will do.
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
                raise ValueError(f"{name} is {value}; give a number above 0")
        for name in ("high_path", "low_path"):
            if not getattr(self, name).startswith("/"):
                raise ValueError(f"{name} is {getattr(self, name)!r}; begin it with /")

    @property
    def capacity_per_second(self) -> float:
        """The most requests that can get through."""
        return self.slots / self.service_seconds

    @property
    def grace_seconds(self) -> float:
        """How long to wait for answers once nothing more is sent: longer than any scenario's queue takes."""
        return max(_LEAST_GRACE_SECONDS, _GRACE_SERVICES * self.service_seconds)

    def path_of(self, priority: Priority) -> str:
        """Give the path that the gateway takes for this priority."""
        return self.high_path if priority == "high" else self.low_path


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is done to a gateway, in one line, by which streams, and the names of the checks that it has to pass."""

    name: str
    title: str
    streams: tuple[Stream, ...]
    promises: tuple[str, ...]

    @property
    def sources(self) -> tuple[Stream, ...]:
        """Each stream as often as it has sources: once for an open loop, once for each user of a closed one."""
        open_loops = [stream for stream in self.streams if isinstance(stream.source, OpenLoop)]
        users = [
            stream
            for stream in self.streams
            if isinstance(stream.source, ClosedLoop)
            for _ in range(stream.source.users)
        ]
        # Sources are started in this order, and what comes at its time should not wait until all users are there.
        return (*open_loops, *users)


def build(name: str, sizing: Sizing) -> Scenario:
    """Build a scenario of the catalogue. Raises ValueError if there is none of this name."""
    if name not in SCENARIOS:
        raise ValueError(f"{name!r} is no scenario; take one of {', '.join(SCENARIOS)}")
    return SCENARIOS[name](sizing)


def _saturation(sizing: Sizing) -> Scenario:
    high_per_second = _choose_high_share(sizing) * sizing.capacity_per_second
    arriving = OpenLoop(Poisson(high_per_second))
    high = Stream("high", "high", arriving, _around(sizing, 1.0), handshake_every=_HANDSHAKE_EVERY)
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
            Stream("high", "high", OpenLoop(bursts), _around(sizing, 1.0), handshake_every=_HANDSHAKE_EVERY),
        ),
        ("order", "saturated", "limit", "once", "answered"),
    )


def _mixed(sizing: Sizing) -> Scenario:
    each = OpenLoop(Poisson(sizing.load * sizing.capacity_per_second / 2))
    latency = f"exponential:{sizing.service_seconds:g}"
    return Scenario(
        "mixed",
        "high and low requests alike come at random",
        (Stream("high", "high", each, latency), Stream("low", "low", each, latency)),
        ("once", "answered", "waits", "slots busy"),
    )


def _slow_low(sizing: Sizing) -> Scenario:
    slow = 5.0
    low = Stream("low", "low", ClosedLoop(3 * sizing.slots + _FLOOD_USERS_MORE), _around(sizing, slow, spread=0.2))
    high = Stream("high", "high", OpenLoop(Poisson(0.3 * sizing.capacity_per_second)), _around(sizing, 1.0))
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
        # A gateway may send a GET again whose connection was lost, but never a POST: so there are both.
        (replace(low, fields=faults), replace(high, fields=faults, method="POST")),
        ("order", "saturated", "limit", "once", "answered"),
    )


def _leaving(sizing: Sizing) -> Scenario:
    # High requests that come one by one hardly wait: their clients could only leave while they are at the target.
    low, high = _burst(sizing).streams
    low_leaves = Leaving(1 / 3, 0.5 * sizing.service_seconds, 5 * sizing.service_seconds)
    high_leaves = Leaving(1 / 3, 0.5 * sizing.service_seconds, 2.5 * sizing.service_seconds)
    return Scenario(
        "leaving",
        "as burst, but every third client leaves after a while, most of them while their request still waits",
        (replace(low, leaving=low_leaves), replace(high, leaving=high_leaves)),
        # Not "saturated": a call at the target counts as ended once its client has left, so slots seem to be free.
        ("order", "limit", "once", "left", "answered"),
    )


def _drain(sizing: Sizing) -> Scenario:
    return replace(
        _saturation(sizing),
        name="drain",
        title="as saturation, while workers are restarted and, when all is sent, gateways ended, in an orderly way",
        # Not "saturated": while its parts start again the slots are empty for a while.
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
    """Choose the share of what the slots can do that high requests ask for, so that they wait as long as they have to.

    With all slots in use a slot becomes free each service / slots, and high requests wait for that / (1 - share).
    """
    share = 1 - sizing.service_seconds / (sizing.slots * _HIGH_WAIT_SECONDS)
    return min(max(share, _LEAST_HIGH_SHARE), _MOST_HIGH_SHARE)


def _flood(sizing: Sizing) -> Stream:
    """Give low requests of so many users, who ask again at once, that each waits for several others."""
    users = _FLOOD_USERS_PER_SLOT * sizing.slots + _FLOOD_USERS_MORE
    return Stream("low", "low", ClosedLoop(users), _around(sizing, 1.0), handshake_every=_HANDSHAKE_EVERY)


def _around(sizing: Sizing, services: float, spread: float = _SPREAD) -> str:
    """Give a latency of so many services, more or less."""
    mean_seconds = services * sizing.service_seconds
    return f"uniform:{(1 - spread) * mean_seconds:g},{(1 + spread) * mean_seconds:g}"
