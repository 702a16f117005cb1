"""How many slots a gateway needs so that high-priority requests wait no longer than they may. Pure.

The answer is the fewest slots with which theory (`theory.py`) keeps high's wait within the bound, and the load below 1,
so that low requests are served at all. More slots never make a wait longer, so doubling and then halving finds it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from loadtests.queueing.formulas import Queue

Measure = Literal["mean", "p95", "p99"]
"""Which wait of high requests is bounded: the mean, or the one that 95 or 99 % of them do not exceed."""

MOST_SLOTS = 100_000
ASSUMPTIONS = (
    "Requests of both classes come at random and independently of each other (Poisson).",
    "The time that a request holds its slot is exponential, with the same mean for both classes.",
    "Nothing but the slots is ever short: not the gateway, not the network, not the API behind it.",
    "A free slot takes the oldest high request, and the oldest low one only if no high one waits.",
    "Service that varies less than exponential means shorter waits: the plan is then on the safe side. Requests that "
    "come in bursts mean longer ones.",
)
_QUANTILES: dict[Measure, float] = {"p95": 0.95, "p99": 0.99}
# Rows of the table on either side of the answer.
_AROUND = 2


@dataclass(frozen=True, slots=True)
class Option:
    """What so many slots give; waits are seconds, and infinite if the slots cannot carry the requests."""

    slots: int
    load: float
    high_mean_seconds: float
    high_p95_seconds: float
    high_p99_seconds: float
    low_mean_seconds: float
    fits: bool
    """Whether the bound is kept and the load below 1."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The fewest slots that will do, what they give, and what a few more or fewer would give."""

    high_per_second: float
    low_per_second: float
    service_seconds: float
    bound_seconds: float
    measure: Measure
    best: Option
    options: tuple[Option, ...]
    """In the order of slots, `best` among them."""
    assumptions: tuple[str, ...] = ASSUMPTIONS

    @property
    def slots(self) -> int:
        """The fewest slots that will do."""
        return self.best.slots


def plan(
    high_per_second: float,
    low_per_second: float,
    service_seconds: float,
    bound_seconds: float,
    measure: Measure = "mean",
) -> Plan:
    """Plan the slots for these rates and this mean slot time, so that high's wait is at most `bound_seconds`.

    Raises ValueError if a number is out of range, or if more than 100,000 slots would be needed.
    """
    if measure not in get_args(Measure):
        raise ValueError(f"measure is {measure!r}; give one of {', '.join(get_args(Measure))}")
    if not 0 < bound_seconds < math.inf:
        raise ValueError(f"bound_seconds is {bound_seconds}; give a number above 0")

    def queue_of(slots: int) -> Queue:
        return Queue(slots, service_seconds, high_per_second, low_per_second)

    def fits(slots: int) -> bool:
        queue = queue_of(slots)
        return queue.load < 1 and _bounded_seconds(queue, measure) <= bound_seconds

    fewest = _find_fewest(fits)
    if fewest is None:
        raise ValueError(
            f"{high_per_second:g} high and {low_per_second:g} low requests a second of {service_seconds:g} s each need "
            f"more than {MOST_SLOTS:,} slots for a wait of {bound_seconds:g} s: ask for less, or allow a longer wait"
        )
    around = range(max(1, fewest - _AROUND), min(MOST_SLOTS, fewest + _AROUND) + 1)
    options = {slots: _describe(queue_of(slots), fits=slots >= fewest) for slots in around}
    return Plan(
        high_per_second,
        low_per_second,
        service_seconds,
        bound_seconds,
        measure,
        options[fewest],
        tuple(options.values()),
    )


def _find_fewest(fits: Callable[[int], bool]) -> int | None:
    """Give the fewest slots that fit, or None if not even the most do."""
    too_few, enough = 0, 1
    while not fits(enough):
        if enough == MOST_SLOTS:
            return None
        too_few, enough = enough, min(2 * enough, MOST_SLOTS)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if fits(middle):
            enough = middle
        else:
            too_few = middle
    return enough


def _bounded_seconds(queue: Queue, measure: Measure) -> float:
    return queue.high_wait_seconds if measure == "mean" else queue.high_wait_quantile_seconds(_QUANTILES[measure])


def _describe(queue: Queue, *, fits: bool) -> Option:
    return Option(
        slots=queue.slots,
        load=queue.load,
        high_mean_seconds=queue.high_wait_seconds,
        high_p95_seconds=queue.high_wait_quantile_seconds(0.95),
        high_p99_seconds=queue.high_wait_quantile_seconds(0.99),
        low_mean_seconds=queue.low_wait_seconds,
        fits=fits,
    )
