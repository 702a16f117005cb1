"""Compares measured waits with the perfect queue and with theory: how close a gateway is to the optimum. Pure.

There are three numbers for each class of requests. *Measured*: the mean wait in this run, the delay from sending to
arrival less the transit. *Perfect*: the mean wait in the perfect queue, fed the same requests at the same times, each
holding its slot for as long as the target had it and a turnaround longer. *Theory*: the formula, at this run's rates.
The gateway's long-run mean is estimated as theory x measured / perfect; `wait_ratio.py` says why.

Two limits. Only means are compared, which do not depend on the order inside a class. And the formula assumes
exponential slot times. With exponential service and a nearly constant turnaround they vary a little less, and long-run
waits are shorter than by the formula, by about turnaround / slot time. The ratio is not affected, because the perfect
queue has the gateway's own slot times.
"""

import math
import statistics
from collections.abc import Sequence

from loadtests.oracle.overheads import CompletedRequest, Overheads, completed_requests, measure_overheads
from loadtests.oracle.wait_comparison import ClassWaits, Comparison
from loadtests.oracle.wait_ratio import PairedWait, estimate_ratio, pair_waits, wait_with_turnaround
from loadtests.queueing import Queue
from loadtests.records import Priority, RequestTrace


def compare_with_theory(traces: Sequence[RequestTrace], slots: int, warm_up_seconds: float = 0.0) -> Comparison:
    """Return the comparison of one run with theory.

    Requests sent in the first `warm_up_seconds` fill the queue, but do not count in rates, service and waits. If no
    request counts, the result has zeros and unproved findings. `slots` is 1 or more, else ValueError.
    """
    if slots < 1:
        raise ValueError(f"slots is {slots}; use 1 or more")
    requests = completed_requests(traces)
    lost = len(traces) - len(requests)
    begins_at, ends_at = (requests[0].sent_at + warm_up_seconds, requests[-1].sent_at) if requests else (0.0, 0.0)
    counted = [request for request in requests if request.sent_at >= begins_at]
    if begins_at >= ends_at or not any(request.service_seconds > 0 for request in counted):
        return _empty_comparison(slots, lost)
    overheads = measure_overheads(requests, slots)
    service_seconds = statistics.fmean(request.service_seconds for request in counted)
    queue = _in_theory(counted, overheads, service_seconds, ends_at - begins_at)
    waited = [one for one in pair_waits(requests, overheads) if one.request.sent_at >= begins_at]
    fifo = wait_with_turnaround(requests, slots, overheads.turnaround_seconds, "fifo")
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


def _in_theory(
    counted: Sequence[CompletedRequest], overheads: Overheads, service_seconds: float, seconds: float
) -> Queue:
    return Queue(
        overheads.slots,
        service_seconds + overheads.turnaround_seconds,
        sum(request.priority == "high" for request in counted) / seconds,
        sum(request.priority == "low" for request in counted) / seconds,
    )


def _compare_class(
    priority: Priority,
    waited: Sequence[PairedWait],
    overheads: Overheads,
    theory_seconds: float,
    span: tuple[float, float],
) -> ClassWaits:
    own = [one for one in waited if one.request.priority == priority]
    if not own:
        return ClassWaits(priority, 0, 0.0, 0.0, theory_seconds, math.nan, (0.0, math.inf))
    ratio = estimate_ratio(own, overheads, *span)
    return ClassWaits(
        priority=priority,
        requests=len(own),
        measured_seconds=statistics.fmean(one.request.delay_seconds for one in own) - overheads.transit_seconds,
        perfect_seconds=statistics.fmean(one.perfect_seconds for one in own),
        theory_seconds=theory_seconds,
        estimated_seconds=theory_seconds * ratio.value,
        interval_seconds=(theory_seconds * ratio.interval[0], theory_seconds * ratio.interval[1]),
        waited=sum(one.perfect_seconds > 0 for one in own),
    )


def _empty_comparison(slots: int, lost: int) -> Comparison:
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
