"""Measures waits beside the perfect queue and beside theory: how close a gateway comes to what is possible. Pure.

There are three numbers for each class of requests. *Measured*: the mean wait in this run, the delay from sending to
arrival less the transit. *Perfect*: the mean wait in the perfect queue, fed the same requests at the same times, each
holding its slot for as long as the target had it and a turnaround longer. *Theory*: the formula, at this run's rates.
The gateway's long-run mean is estimated as theory x measured / perfect, for the reasons that `ratio.py` gives.

Two limits. Only means are compared, and the order inside a class changes none. And the formula takes slot times as
exponential. With exponential service and a turnaround that hardly varies they vary a little less, and waits in the very
long run are shorter than by the formula, by about turnaround / slot time. The ratio does not suffer, because the
perfect queue has the gateway's own slot times.
"""

import math
import statistics
from collections.abc import Sequence

from loadtests.oracle.overheads import Overheads, Trip, complete_trips, measure_overheads
from loadtests.oracle.wait_comparison import ClassWaits, Comparison
from loadtests.oracle.wait_ratio import Waited, estimate_ratio, wait_beside, wait_with_turnaround
from loadtests.queueing import Queue
from loadtests.records import Passage, Priority


def compare(passages: Sequence[Passage], slots: int, warm_up_seconds: float = 0.0) -> Comparison:
    """Compare one run with theory.

    Requests sent in the first `warm_up_seconds` fill the queue, but do not count in rates, service and waits. A run in
    which nothing counts gives zeros, and findings that are unproved. `slots` is 1 or more, else ValueError.
    """
    if slots < 1:
        raise ValueError(f"slots is {slots}; give 1 or more")
    trips = complete_trips(passages)
    lost = len(passages) - len(trips)
    begins_at, ends_at = (trips[0].sent_at + warm_up_seconds, trips[-1].sent_at) if trips else (0.0, 0.0)
    counted = [trip for trip in trips if trip.sent_at >= begins_at]
    if begins_at >= ends_at or not any(trip.service_seconds > 0 for trip in counted):
        return _compare_nothing(slots, lost)
    overheads = measure_overheads(trips, slots)
    service_seconds = statistics.fmean(trip.service_seconds for trip in counted)
    queue = _in_theory(counted, overheads, service_seconds, ends_at - begins_at)
    waited = [one for one in wait_beside(trips, overheads) if one.trip.sent_at >= begins_at]
    fifo = wait_with_turnaround(trips, slots, overheads.turnaround_seconds, "fifo")
    return Comparison(
        slots=slots,
        seconds=ends_at - begins_at,
        high_per_second=queue.high_per_second,
        low_per_second=queue.low_per_second,
        service_seconds=service_seconds,
        turnaround_seconds=overheads.turnaround_seconds,
        transit_seconds=overheads.transit_seconds,
        utilisation=overheads.utilisation,
        load=queue.load,
        high=_compare_class("high", waited, overheads, queue.high_wait_seconds, (begins_at, ends_at)),
        low=_compare_class("low", waited, overheads, queue.low_wait_seconds, (begins_at, ends_at)),
        fifo_seconds=statistics.fmean(fifo[-len(counted) :]),
        lost=lost,
        free=len(overheads.free),
        refills=len(overheads.refills),
    )


def _in_theory(counted: Sequence[Trip], overheads: Overheads, service_seconds: float, seconds: float) -> Queue:
    return Queue(
        overheads.slots,
        service_seconds + overheads.turnaround_seconds,
        sum(trip.priority == "high" for trip in counted) / seconds,
        sum(trip.priority == "low" for trip in counted) / seconds,
    )


def _compare_class(
    priority: Priority,
    waited: Sequence[Waited],
    overheads: Overheads,
    theory_seconds: float,
    span: tuple[float, float],
) -> ClassWaits:
    own = [one for one in waited if one.trip.priority == priority]
    if not own:
        return ClassWaits(priority, 0, 0.0, 0.0, theory_seconds, math.nan, (0.0, math.inf))
    ratio = estimate_ratio(own, overheads, *span)
    return ClassWaits(
        priority=priority,
        requests=len(own),
        measured_seconds=statistics.fmean(one.trip.delay_seconds for one in own) - overheads.transit_seconds,
        perfect_seconds=statistics.fmean(one.perfect_seconds for one in own),
        theory_seconds=theory_seconds,
        estimated_seconds=theory_seconds * ratio.value,
        interval_seconds=(theory_seconds * ratio.interval[0], theory_seconds * ratio.interval[1]),
        waited=sum(one.perfect_seconds > 0 for one in own),
    )


def _compare_nothing(slots: int, lost: int) -> Comparison:
    nothing = (0, 0.0, 0.0, 0.0, math.nan, (0.0, math.inf))
    return Comparison(
        slots=slots,
        seconds=0.0,
        high_per_second=0.0,
        low_per_second=0.0,
        service_seconds=0.0,
        turnaround_seconds=0.0,
        transit_seconds=0.0,
        utilisation=0.0,
        load=0.0,
        high=ClassWaits("high", *nothing),
        low=ClassWaits("low", *nothing),
        lost=lost,
    )
