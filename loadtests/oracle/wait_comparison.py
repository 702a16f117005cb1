"""The nouns of a comparison with theory, and what it says of a gateway: do requests wait as they should? Pure.

The verdict rests on the ratio of the gateway's waits to those of a queue without flaws (`comparing.py`):

- Priority cannot be overdone: no order keeps high ones waiting for less long, and what low ones gain, high ones lose
  (`theory.py`). So what a gateway does wrong shows as a ratio above 1, in one class at least.
- A good gateway's ratio may be a little below 1: a request that has to wait saves the part of the transit that wakes an
  idle slot, and its wait seems shorter by that. So half a transit for each that waited is allowed for. What is lower
  still cannot be: more slots have served than there should be, or the run was not understood.
- The slot time that goes by in turnarounds is part of the load, and no flaw in the waits. Whether it is small is a
  finding of its own, "slots busy".
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
"""Of slot time while somebody waits. A call of 50 ms may then be followed by 8 ms of settling, claiming and network: a
busy machine's worth. A gateway that looks every 20 ms for what to do loses 10 ms more, and is at 0.8 or less."""
_SAVED_TRANSIT_SHARE = 0.5
# With a wider interval than this, in units of what is to be told apart, an estimate that fits is luck.
_WIDEST = 2.0


@dataclass(frozen=True, slots=True)
class ClassWaits:
    """The waits of one class of requests, as means in seconds; 0 without any requests."""

    priority: Priority
    requests: int
    measured_seconds: float
    """In this run: delay from sending to arrival, minus transit. By chance below 0 where hardly anybody waited."""
    perfect_seconds: float
    """In the perfect queue, fed the same requests and slot times."""
    theory_seconds: float
    """By the formula, at this run's rates; infinite if the slots cannot carry them."""
    estimated_seconds: float
    """The gateway's long-run mean, theory x measured / perfect; NaN if the perfect queue kept nobody waiting."""
    interval_seconds: tuple[float, float]
    """95 % confidence of `estimated_seconds`; endless if the run is too thin to tell."""
    waited: int = 0
    """Requests that the perfect queue kept waiting."""

    @property
    def ratio(self) -> float:
        """How many times as long as by theory the gateway keeps them waiting; NaN if nobody had to wait."""
        # The same as estimated / theory, and still there where theory is infinite.
        return self.measured_seconds / self.perfect_seconds if self.perfect_seconds > 0 else math.nan

    @property
    def ratio_interval(self) -> tuple[float, float]:
        """95 % confidence of `ratio`; endless if the run is too thin to tell."""
        if not 0 < self.theory_seconds < math.inf:
            return (0.0, math.inf)
        return (self.interval_seconds[0] / self.theory_seconds, self.interval_seconds[1] / self.theory_seconds)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One run beside theory: times are means in seconds, rates are requests a second."""

    slots: int
    seconds: float
    """How long requests were sent, without the warm-up."""
    high_per_second: float
    low_per_second: float
    service_seconds: float
    """As the target saw it: from arrival to finish."""
    turnaround_seconds: float
    """Slot time that goes by between one request's finish and the next one's arrival while somebody waits."""
    transit_seconds: float
    """What a request takes from sending to arrival when no slot is short."""
    utilisation: float
    """Share of slot time in use at the target while somebody waited; 1.0 would be a gateway that costs nothing."""
    load: float
    """What was asked of the slots, turnaround included, of all that they can do."""
    high: ClassWaits
    low: ClassWaits
    fifo_seconds: float = 0.0
    """Mean wait of all requests in the perfect queue without priorities."""
    lost: int = 0
    """Requests that do not count, because the target never saw or never finished them."""
    free: int = 0
    """Requests that found a slot free for certain: `transit_seconds` is their mean delay."""
    refills: int = 0
    """Arrivals at the target while somebody waited: `turnaround_seconds` is a mean over them."""

    def findings(self, within: float = 0.05) -> tuple[Finding, ...]:
        """Judge "waits", whether both classes wait as theory says to within this share, and "slots busy"."""
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
    # An interval shrinks with the square root of the time.
    wanted_seconds = run.seconds * max(2.0, (half_width / within) ** 2)
    longer = f"about {wanted_seconds:.0f} s would tell" if wanted_seconds < math.inf else "let it last longer"
    return Finding("waits", Verdict.UNPROVED, f"{ratios}, but that may be chance: {longer}", evidence)


def _judge_busy(run: Comparison) -> Finding:
    if _lost_share(run) > MOST_LOST_SHARE:
        return Finding("slots busy", Verdict.UNPROVED, _say_lost(run))
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
    """Say why waits cannot be judged, or None."""
    if _lost_share(run) > MOST_LOST_SHARE:
        return _say_lost(run)
    if run.load >= 1:
        return f"the load was {run.load:.2f}: with 1 or more the queue has no long run; send less"
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
            f"{run.free} requests found a slot free, and {ENOUGH_FREE} are wanted to tell transit from waiting: "
            "send less, or let it last longer"
        )
    return None


def _bounds(run: Comparison, one: ClassWaits, within: float) -> tuple[float, float]:
    """Give the ratios between which waits are as theory says."""
    saved_seconds = _SAVED_TRANSIT_SHARE * run.transit_seconds * one.waited / one.requests
    return (1 - within - saved_seconds / one.perfect_seconds, 1 + within)


def _lost_share(run: Comparison) -> float:
    return run.lost / max(1, run.lost + run.high.requests + run.low.requests)


def _say_lost(run: Comparison) -> str:
    return f"the target never saw or never finished {run.lost} requests, and what they did to the queue is not known"


def _describe(one: ClassWaits) -> str:
    ratio_low, ratio_high = one.ratio_interval
    return (
        f"{one.priority}: {1000 * one.measured_seconds:.2f} ms measured, {1000 * one.perfect_seconds:.2f} ms in the "
        f"perfect queue, {1000 * one.theory_seconds:.2f} ms by theory; {one.ratio:.3f} times theory "
        f"({ratio_low:.3f} to {ratio_high:.3f} with 95 % confidence)"
    )
