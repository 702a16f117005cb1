"""The ratio of measured waits to those in the perfect queue, with its confidence interval. Pure.

Waits of one run are not independent: at a load of 0.95 a long queue stays long for seconds, and it takes hours until a
mean wait can be compared with theory. But a gateway and the perfect queue with the same requests have long queues at
the same times, so the ratio of the two means varies little: the perfect queue is a control variate.

The confidence comes from batches: the run is split into equal times, and the estimate is repeated without each of them.
The jackknife converts the scatter of these into an interval: D. L. Iglehart, "Simulating stable stochastic systems, V:
comparison of ratio estimators", Naval Research Logistics Quarterly 22 (1975); for batch means D. F. Munoz and P. W.
Glynn, "A batch means methodology for estimation of a nonlinear function of a steady-state mean", Management Science 43
(1997). Twenty batches: fewer than ten make the interval wide, and more than thirty gain little
(B. Schmeiser, "Batch size effects in the analysis of simulation output", Operations Research 30, 1982), while
shorter batches depend more on each other. Transit and turnaround were measured in the same run, so they, too, are
recomputed without each batch.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from loadtests.oracle.overheads import CompletedRequest, Overheads
from loadtests.queueing import Customer, Discipline, simulate_waits

BATCHES = 20
# The 95 % quantile (two-sided) of Student's distribution with 19 degrees of freedom.
_STUDENT_T = 2.093
# A longer turnaround, for the derivative of the perfect wait: small beside a slot time, large beside rounding errors.
_STEP_SECONDS = 1e-4


@dataclass(frozen=True, slots=True)
class PairedWait:
    """One request, and how long the same request waits in the perfect queue."""

    request: CompletedRequest
    perfect_seconds: float
    slope: float
    """Derivative of the perfect wait with respect to the turnaround, in seconds per second."""


@dataclass(frozen=True, slots=True)
class WaitRatio:
    """Measured waits divided by perfect ones, with a 95 % confidence interval.

    If no request waits in the perfect queue there is no ratio: `value` is NaN and the interval infinite.
    """

    value: float
    interval: tuple[float, float]


@dataclass(slots=True)
class _Sums:
    """The sums over one or more batches that the estimate needs."""

    requests: int = 0
    delay_seconds: float = 0.0
    perfect_seconds: float = 0.0
    slope: float = 0.0
    free: int = 0
    free_delay_seconds: float = 0.0
    refills: int = 0
    turnaround_seconds: float = 0.0


def pair_waits(requests: Sequence[CompletedRequest], overheads: Overheads) -> tuple[PairedWait, ...]:
    """Return each request with its wait in the perfect queue, whose slot times include the turnaround."""
    perfect = wait_with_turnaround(requests, overheads.slots, overheads.turnaround_seconds)
    slower = wait_with_turnaround(requests, overheads.slots, overheads.turnaround_seconds + _STEP_SECONDS)
    return tuple(
        PairedWait(request, wait_seconds, (slower_seconds - wait_seconds) / _STEP_SECONDS)
        for request, wait_seconds, slower_seconds in zip(requests, perfect, slower, strict=True)
    )


def wait_with_turnaround(
    requests: Sequence[CompletedRequest], slots: int, turnaround_seconds: float, discipline: Discipline = "priority"
) -> list[float]:
    """Return how long each request waits in the perfect queue if it holds its slot for a turnaround longer."""
    customers = [Customer(one.sent_at, one.priority, one.service_seconds + turnaround_seconds) for one in requests]
    return simulate_waits(customers, slots, discipline)


def estimate_ratio(waited: Sequence[PairedWait], overheads: Overheads, begins_at: float, ends_at: float) -> WaitRatio:
    """Return the ratio for requests that were sent from `begins_at` to `ends_at`, which is later."""
    batches = _sum_up(waited, overheads, begins_at, ends_at)
    value = _estimate(batches, overheads)
    if math.isnan(value):
        return WaitRatio(math.nan, (0.0, math.inf))
    without_one = [_estimate(batches[:left_out] + batches[left_out + 1 :], overheads) for left_out in range(BATCHES)]
    if any(map(math.isnan, without_one)):
        return WaitRatio(value, (0.0, math.inf))
    # The pseudo-value of each batch; their mean is the estimate if it is nearly linear.
    pseudo_values = [BATCHES * value - (BATCHES - 1) * one for one in without_one]
    half_width = _STUDENT_T * statistics.stdev(pseudo_values) / math.sqrt(BATCHES)
    return WaitRatio(value, (max(0.0, value - half_width), value + half_width))


def _sum_up(waited: Sequence[PairedWait], overheads: Overheads, begins_at: float, ends_at: float) -> list[_Sums]:
    batches = [_Sums() for _ in range(BATCHES)]

    def batch_of(at: float) -> _Sums:
        # Requests outside still count for transit and turnaround.
        number = int((at - begins_at) / (ends_at - begins_at) * BATCHES)
        return batches[min(max(number, 0), BATCHES - 1)]

    for one in waited:
        batch = batch_of(one.request.sent_at)
        batch.requests += 1
        batch.delay_seconds += one.request.delay_seconds
        batch.perfect_seconds += one.perfect_seconds
        batch.slope += one.slope
    for request in overheads.free:
        batch = batch_of(request.sent_at)
        batch.free += 1
        batch.free_delay_seconds += request.delay_seconds
    for refill in overheads.refills:
        batch = batch_of(refill.at)
        batch.refills += 1
        batch.turnaround_seconds += refill.turnaround_seconds
    return batches


def _estimate(batches: Sequence[_Sums], overheads: Overheads) -> float:
    """Return the estimate from these batches alone; NaN if no request waits in them."""
    part = _Sums(*(sum(column) for column in zip(*map(astuple, batches), strict=True)))
    transit_seconds = part.free_delay_seconds / part.free if part.free else overheads.transit_seconds
    turnaround_seconds = part.turnaround_seconds / part.refills if part.refills else overheads.turnaround_seconds
    perfect_seconds = part.perfect_seconds + part.slope * (turnaround_seconds - overheads.turnaround_seconds)
    if min(part.perfect_seconds, perfect_seconds) <= 0:
        return math.nan
    return (part.delay_seconds - part.requests * transit_seconds) / perfect_seconds
