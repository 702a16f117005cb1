"""How many slots a gateway needs to keep the wait of high-priority requests below a bound. Pure.

The result is the smallest number of slots with which, by theory (`formulas.py`), high's wait is within the bound and
the load below 1, so that low requests are served, too. More slots never make a wait longer: a binary search finds it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from loadtests.queueing.formulas import Queue

Measure = Literal["mean", "p95", "p99"]
"""Which wait of high requests is bounded: the mean, or the 95th or 99th percentile."""

MOST_SLOTS = 100_000
ASSUMPTIONS = (
    "Requests of both classes arrive at random and independently of each other (Poisson).",
    "The time that a request holds its slot is exponential, with the same mean for both classes.",
    "The slots are the only limit: not the gateway, not the network, not the API behind it.",
    "A free slot takes the oldest high request, and the oldest low one only if no high one waits.",
    "Service times that vary less than exponential ones mean shorter waits: the plan is then on the safe side. "
    "Requests in bursts mean longer waits.",
)
_QUANTILES: dict[Measure, float] = {"p95": 0.95, "p99": 0.99}
# Rows of the table above and below the result.
_AROUND = 2


@dataclass(frozen=True, slots=True)
class SlotOption:
    """The result for one number of slots; waits are seconds, and infinite in overload."""

    slots: int
    load: float
    high_mean_seconds: float
    high_p95_seconds: float
    high_p99_seconds: float
    low_mean_seconds: float
    fits: bool
    """Whether the wait is within the bound and the load below 1."""


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """The smallest sufficient number of slots, its waits, and those of a few more and fewer slots."""

    high_per_second: float
    low_per_second: float
    service_seconds: float
    bound_seconds: float
    measure: Measure
    best: SlotOption
    options: tuple[SlotOption, ...]
    """In the order of slots, `best` among them."""
    assumptions: tuple[str, ...] = ASSUMPTIONS

    @property
    def slots(self) -> int:
        """The smallest sufficient number of slots."""
        return self.best.slots


def plan_slots(
    high_per_second: float,
    low_per_second: float,
    service_seconds: float,
    bound_seconds: float,
    measure: Measure = "mean",
) -> SlotPlan:
    """Return the plan for these rates and this mean slot time that keeps high's wait at `bound_seconds` or less.

    Raises ValueError if a number is out of range, or if more than 100,000 slots would be needed.
    """
    if measure not in get_args(Measure):
        raise ValueError(f"measure is {measure!r}; use one of {', '.join(get_args(Measure))}")
    if not 0 < bound_seconds < math.inf:
        raise ValueError(f"bound_seconds is {bound_seconds}; use a number above 0")

    def queue_of(slots: int) -> Queue:
        return Queue(slots, service_seconds, high_per_second, low_per_second)

    def fits(slots: int) -> bool:
        queue = queue_of(slots)
        return queue.load < 1 and _bounded_seconds(queue, measure) <= bound_seconds

    fewest = _find_fewest(fits)
    if fewest is None:
        raise ValueError(
            f"{high_per_second:g} high and {low_per_second:g} low requests a second of {service_seconds:g} s each need "
            f"more than {MOST_SLOTS:,} slots for a wait of {bound_seconds:g} s: reduce the load, or allow a longer wait"
        )
    around = range(max(1, fewest - _AROUND), min(MOST_SLOTS, fewest + _AROUND) + 1)
    options = {slots: _describe(queue_of(slots), fits=slots >= fewest) for slots in around}
    return SlotPlan(
        high_per_second,
        low_per_second,
        service_seconds,
        bound_seconds,
        measure,
        options[fewest],
        tuple(options.values()),
    )


def _find_fewest(fits: Callable[[int], bool]) -> int | None:
    """Return the smallest number of slots that fits, or None if even the largest does not."""
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


def _describe(queue: Queue, *, fits: bool) -> SlotOption:
    return SlotOption(
        slots=queue.slots,
        load=queue.load,
        high_mean_seconds=queue.high_wait_seconds,
        high_p95_seconds=queue.high_wait_quantile_seconds(0.95),
        high_p99_seconds=queue.high_wait_quantile_seconds(0.99),
        low_mean_seconds=queue.low_wait_seconds,
        fits=fits,
    )
