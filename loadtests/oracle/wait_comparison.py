"""A comparison of waits with theory, and its findings. Pure.

The verdict depends on the ratio of the gateway's waits to those of the perfect queue (`measurement.py`):

- No order makes high requests wait for less, and what low ones gain, high ones lose (`queueing/formulas.py`). So an
  error of a gateway shows as a ratio above 1 in at least one class.
- A good gateway's ratio may be a little below 1: a request that has to wait saves the part of the transit that wakes an
  idle slot, and its wait seems shorter by that. So half a transit for each waiting request is allowed. A lower ratio is
  impossible: there were more slots than configured, or the measurement is wrong.
- The slot time spent in turnarounds is part of the load, not an error in the waits. Whether it is small is a separate
  finding, "slots busy".
"""

import math
from dataclasses import dataclass

from loadtests.oracle.verdict import Finding, Verdict
from loadtests.records import Priority

ENOUGH_REQUESTS = 200
ENOUGH_WAITED = 50
ENOUGH_FREE = 50
ENOUGH_REFILLS = 50
MOST_LOST_SHARE = 0.01
ENOUGH_UTILISATION = 0.85
"""Of slot time while requests wait. A request of 50 ms may then be followed by 8 ms of settling, claiming and network,
as on a busy machine. A gateway that polls every 20 ms loses 10 ms more, and is at 0.8 or less."""
_SAVED_TRANSIT_SHARE = 0.5
# If the interval is wider than this multiple of the allowed difference, an estimate that fits is chance.
_WIDEST = 2.0


@dataclass(frozen=True, slots=True)
class ClassWaits:
    """The waits of one class of requests, as means in seconds; 0 without any requests."""

    priority: Priority
    requests: int
    measured_seconds: float
    """In this run: delay from sending to arrival, minus transit. May be below 0 if hardly any request waited."""
    perfect_seconds: float
    """In the perfect queue, with the same requests and slot times."""
    theory_seconds: float
    """By the formula, at this run's rates; infinite in overload."""
    estimated_seconds: float
    """The gateway's long-run mean, theory x measured / perfect; NaN if no request waits in the perfect queue."""
    interval_seconds: tuple[float, float]
    """95 % confidence interval of `estimated_seconds`; infinite if there are too few requests."""
    waited: int = 0
    """Requests that wait in the perfect queue."""

    @property
    def ratio(self) -> float:
        """Measured wait divided by the one by theory; NaN if no request had to wait."""
        # Equal to estimated / theory, but also defined if theory is infinite.
        return self.measured_seconds / self.perfect_seconds if self.perfect_seconds > 0 else math.nan

    @property
    def ratio_interval(self) -> tuple[float, float]:
        """95 % confidence interval of `ratio`; infinite if there are too few requests."""
        if not 0 < self.theory_seconds < math.inf:
            return (0.0, math.inf)
        return (self.interval_seconds[0] / self.theory_seconds, self.interval_seconds[1] / self.theory_seconds)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One run compared with theory: times are means in seconds, rates are requests per second."""

    slots: int
    seconds: float
    """How long requests were sent, without the warm-up."""
    high_per_second: float
    low_per_second: float
    service_seconds: float
    """As the target saw it: from arrival to finish."""
    turnaround_seconds: float
    """Slot time between one request's finish and the next one's arrival while a request waits."""
    transit_seconds: float
    """Time from sending to arrival if a slot is free."""
    utilisation: float
    """Share of slot time in use at the target while requests waited; 1.0 is a gateway without overhead."""
    load: float
    """Offered load as a share of the slots' capacity, turnaround included."""
    high: ClassWaits
    low: ClassWaits
    fifo_seconds: float = 0.0
    """Mean wait of all requests in the perfect queue without priorities."""
    lost: int = 0
    """Requests that do not count, because the target never received or never finished them."""
    free: int = 0
    """Requests that certainly found a free slot: `transit_seconds` is their mean delay."""
    refills: int = 0
    """Arrivals at the target while a request waited: `turnaround_seconds` is their mean."""

    def findings(self, within: float = 0.05) -> tuple[Finding, ...]:
        """Return the findings "waits" (both classes wait as theory says, to within this share) and "slots busy"."""
        return (_judge_waits(self, within), _judge_busy(self))


def _judge_waits(run: Comparison, within: float) -> Finding:
    classes = (run.high, run.low)
    evidence = tuple(map(_describe, classes))
    flaw = _find_flaw(run)
    if flaw:
        return Finding("waits", Verdict.UNPROVED, flaw, evidence)
    for one in classes:
        lowest, highest = _bounds(run, one, within)
        if one.ratio_interval[0] > highest or one.ratio_interval[1] < lowest:
            reason = f"{one.priority} requests waited {one.ratio:.2f} times as long as theory says"
            return Finding("waits", Verdict.VIOLATED, reason, evidence)
    half_width = max((one.ratio_interval[1] - one.ratio_interval[0]) / 2 for one in classes)
    fits = all(_bounds(run, one, within)[0] <= one.ratio <= _bounds(run, one, within)[1] for one in classes)
    ratios = (
        f"high requests waited {run.high.ratio:.2f} times as long as theory says, low ones {run.low.ratio:.2f} times"
    )
    if fits and half_width <= _WIDEST * within:
        return Finding("waits", Verdict.PROVED, ratios, evidence)
    # The interval shrinks with the square root of the time.
    wanted_seconds = run.seconds * max(2.0, (half_width / within) ** 2)
    longer = f"about {wanted_seconds:.0f} s would be enough" if wanted_seconds < math.inf else "let it last longer"
    return Finding("waits", Verdict.UNPROVED, f"{ratios}, but that may be chance: {longer}", evidence)


def _judge_busy(run: Comparison) -> Finding:
    if _lost_share(run) > MOST_LOST_SHARE:
        return Finding("slots busy", Verdict.UNPROVED, _describe_lost(run))
    if run.refills < ENOUGH_REFILLS:
        reason = (
            f"{run.refills} requests took over a slot while others waited, and {ENOUGH_REFILLS} are wanted: send more"
        )
        return Finding("slots busy", Verdict.UNPROVED, reason)
    verdict = Verdict.PROVED if run.utilisation >= ENOUGH_UTILISATION else Verdict.VIOLATED
    reason = (
        f"while requests waited, the slots were in use for {run.utilisation:.1%} of the time ({ENOUGH_UTILISATION:.0%} "
        f"wanted): after {1000 * run.service_seconds:.1f} ms of service, "
        f"{1000 * run.turnaround_seconds:.1f} ms until the next one arrived"
    )
    return Finding("slots busy", verdict, reason)


def _find_flaw(run: Comparison) -> str | None:
    """Return why waits cannot be judged, or None."""
    if _lost_share(run) > MOST_LOST_SHARE:
        return _describe_lost(run)
    if run.load >= 1:
        return f"the load was {run.load:.2f}: with 1 or more the queue grows without limit; send less"
    for one in (run.high, run.low):
        if one.requests < ENOUGH_REQUESTS:
            return f"{one.requests} {one.priority} requests count, and {ENOUGH_REQUESTS} are wanted: let it last longer"
        if one.waited < ENOUGH_WAITED:
            return (
                f"{one.waited} {one.priority} requests had to wait, and {ENOUGH_WAITED} are wanted: "
                "send more, or let it last longer"
            )
    if run.free < ENOUGH_FREE:
        return (
            f"{run.free} requests found a slot free, and {ENOUGH_FREE} are wanted to separate transit from waiting: "
            "send less, or let it last longer"
        )
    return None


def _bounds(run: Comparison, one: ClassWaits, within: float) -> tuple[float, float]:
    """Return the lowest and the highest ratio at which waits are as theory says."""
    saved_seconds = _SAVED_TRANSIT_SHARE * run.transit_seconds * one.waited / one.requests
    return (1 - within - saved_seconds / one.perfect_seconds, 1 + within)


def _lost_share(run: Comparison) -> float:
    return run.lost / max(1, run.lost + run.high.requests + run.low.requests)


def _describe_lost(run: Comparison) -> str:
    return (
        f"the target never received or never finished {run.lost} requests, and their effect on the queue is not known"
    )


def _describe(one: ClassWaits) -> str:
    ratio_low, ratio_high = one.ratio_interval
    return (
        f"{one.priority}: {1000 * one.measured_seconds:.2f} ms measured, {1000 * one.perfect_seconds:.2f} ms in the "
        f"perfect queue, {1000 * one.theory_seconds:.2f} ms by theory; {one.ratio:.3f} times theory "
        f"({ratio_low:.3f} to {ratio_high:.3f} with 95 % confidence)"
    )
