"""How many times longer requests waited than in the perfect queue, with the confidence of one run. Pure.

Waits of one run are far from independent: at a load of 0.95 a queue that is long stays so for seconds, and it takes
hours until a mean wait can be compared with theory. But a gateway and the perfect queue that are fed the same requests
have their long queues at the same times, so the ratio of the two means varies little: the perfect queue is a control
variate.

The confidence comes from batches: the run is cut into equal times, and the estimate is made again without each of them.
The jackknife turns the scatter of these into an interval: D. L. Iglehart, "Simulating stable stochastic systems, V:
comparison of ratio estimators", Naval Research Logistics Quarterly 22 (1975); for batch means D. F. Munoz and P. W.
Glynn, "A batch means methodology for estimation of a nonlinear function of a steady-state mean", Management Science 43
(1997). Twenty batches: with fewer than ten the interval is wide by ignorance, and beyond thirty there is little to gain
(B. Schmeiser, "Batch size effects in the analysis of simulation output", Operations Research 30, 1982), while a shorter
batch has more to do with the next one. Transit and turnaround were measured in the same run, so they, too, are taken
again without each batch.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from loadtests.oracle.overheads import Overheads, Trip
from loadtests.queueing import Customer, Discipline, wait_perfectly

BATCHES = 20
# Of Student's distribution with 19 degrees of freedom 95 % lie within it.
_STUDENT_T = 2.093
# Longer turnaround, to see what it does to the perfect queue: small beside a slot time, large beside rounding.
_STEP_SECONDS = 1e-4


@dataclass(frozen=True, slots=True)
class Waited:
    """One request, and how long its double waited in the perfect queue."""

    trip: Trip
    perfect_seconds: float
    slope: float
    """By how many seconds more its double would wait for each second that the turnaround is longer."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Measured waits over perfect ones, and its 95 % confidence.

    Without anybody waiting in the perfect queue there is no ratio: `value` is NaN and the interval endless.
    """

    value: float
    interval: tuple[float, float]


@dataclass(slots=True)
class _Sums:
    """What the estimate needs to know of a batch, or of several."""

    requests: int = 0
    delay_seconds: float = 0.0
    perfect_seconds: float = 0.0
    slope: float = 0.0
    free: int = 0
    free_delay_seconds: float = 0.0
    refills: int = 0
    turnaround_seconds: float = 0.0


def wait_beside(trips: Sequence[Trip], overheads: Overheads) -> tuple[Waited, ...]:
    """Send the double of each request through the perfect queue, with slot times that include the turnaround."""
    perfect = wait_with_turnaround(trips, overheads.slots, overheads.turnaround_seconds)
    slower = wait_with_turnaround(trips, overheads.slots, overheads.turnaround_seconds + _STEP_SECONDS)
    return tuple(
        Waited(trip, wait_seconds, (slower_seconds - wait_seconds) / _STEP_SECONDS)
        for trip, wait_seconds, slower_seconds in zip(trips, perfect, slower, strict=True)
    )


def wait_with_turnaround(
    trips: Sequence[Trip], slots: int, turnaround_seconds: float, discipline: Discipline = "priority"
) -> list[float]:
    """Give how long each request would wait in the perfect queue if its slot were held for a turnaround longer."""
    customers = [Customer(one.sent_at, one.priority, one.service_seconds + turnaround_seconds) for one in trips]
    return wait_perfectly(customers, slots, discipline)


def estimate_ratio(waited: Sequence[Waited], overheads: Overheads, begins_at: float, ends_at: float) -> Ratio:
    """Estimate the ratio for requests that were sent from `begins_at` to `ends_at`, which is later."""
    batches = _sum_up(waited, overheads, begins_at, ends_at)
    value = _estimate(batches, overheads)
    if math.isnan(value):
        return Ratio(math.nan, (0.0, math.inf))
    without_one = [_estimate(batches[:left_out] + batches[left_out + 1 :], overheads) for left_out in range(BATCHES)]
    if any(map(math.isnan, without_one)):
        return Ratio(value, (0.0, math.inf))
    # What each batch alone would say; their mean is the estimate if that is as good as linear.
    pseudo_values = [BATCHES * value - (BATCHES - 1) * one for one in without_one]
    half_width = _STUDENT_T * statistics.stdev(pseudo_values) / math.sqrt(BATCHES)
    return Ratio(value, (max(0.0, value - half_width), value + half_width))


def _sum_up(waited: Sequence[Waited], overheads: Overheads, begins_at: float, ends_at: float) -> list[_Sums]:
    batches = [_Sums() for _ in range(BATCHES)]

    def batch_of(at: float) -> _Sums:
        # What is outside still says something of transit and turnaround.
        number = int((at - begins_at) / (ends_at - begins_at) * BATCHES)
        return batches[min(max(number, 0), BATCHES - 1)]

    for one in waited:
        batch = batch_of(one.trip.sent_at)
        batch.requests += 1
        batch.delay_seconds += one.trip.delay_seconds
        batch.perfect_seconds += one.perfect_seconds
        batch.slope += one.slope
    for trip in overheads.free:
        batch = batch_of(trip.sent_at)
        batch.free += 1
        batch.free_delay_seconds += trip.delay_seconds
    for refill in overheads.refills:
        batch = batch_of(refill.at)
        batch.refills += 1
        batch.turnaround_seconds += refill.turnaround_seconds
    return batches


def _estimate(batches: Sequence[_Sums], overheads: Overheads) -> float:
    """Estimate from these batches alone; NaN if nobody had to wait in them."""
    part = _Sums(*(sum(column) for column in zip(*map(astuple, batches), strict=True)))
    transit_seconds = part.free_delay_seconds / part.free if part.free else overheads.transit_seconds
    turnaround_seconds = part.turnaround_seconds / part.refills if part.refills else overheads.turnaround_seconds
    perfect_seconds = part.perfect_seconds + part.slope * (turnaround_seconds - overheads.turnaround_seconds)
    if min(part.perfect_seconds, perfect_seconds) <= 0:
        return math.nan
    return (part.delay_seconds - part.requests * transit_seconds) / perfect_seconds
