"""Whether high requests really went first. Pure: the records of requests are judged.

`loadtests.oracle` judges the order. Here it gets more than a client knows: when a request was certainly in the queue.
A gateway handles requests in the order of sending: when it has responded to a health request, all requests that were
sent before it are in the queue.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from fast_priority.scheduling.priority import Priority
from loadtests.oracle import Overtaking, judge_order
from loadtests.records import Arrival, RequestTrace, SentRequest

FORWARDED_WITHIN_SECONDS = 0.05
"""How long the transit from a slot to the target may take; shorter differences are not judged.

A low request that was rightly claimed just before a high one was queued starts this much later; and a high request may
have been claimed this much before it starts, so that a low one that was claimed next may be faster.
"""
FEWEST_JUDGED = 5
"""A run with fewer started requests of either priority proves nothing."""


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """One request: when it was sent, and when it started at the target (None: never), in unix seconds."""

    request_id: str
    priority: Priority
    sent_at: float
    started_at: float | None

    @property
    def wait_seconds(self) -> float | None:
        """How long it waited for the target."""
        return None if self.started_at is None else self.started_at - self.sent_at


@dataclass(frozen=True, slots=True)
class QueueSample:
    """One sample of the gateway's queues: when it was requested and when the response came, in unix seconds."""

    begun_at: float
    ended_at: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """The records of a run; `problems` are sentences that say why they may be unusable."""

    requests: Sequence[DemoRequest]
    queue_samples: Sequence[QueueSample]
    """Oldest first."""
    slots: int
    most_in_flight: int
    """The maximum of concurrent requests at the target."""
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class WaitStats:
    """How long the started requests of one priority waited."""

    started: int
    median_seconds: float
    longest_seconds: float


@dataclass(frozen=True, slots=True)
class DemoVerdict:
    """The result of a run; `unproved_reasons` are sentences that say why it proves nothing, if so."""

    high: WaitStats
    low: WaitStats
    tested: int
    """High requests that waited long enough for an inversion to be visible."""
    overtaken: float
    """How many low requests, sent before it, a high one overtook: the median."""
    inversions: tuple[Overtaking, ...]
    unproved_reasons: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether high went first in every judged case, and there were enough cases."""
        return not self.inversions and not self.unproved_reasons


def judge_demo(evidence: Evidence) -> DemoVerdict:
    """Return the verdict on a run."""
    high, low = (_waits(evidence.requests, priority) for priority in (Priority.HIGH, Priority.LOW))
    order = judge_order(_to_traces(evidence), FORWARDED_WITHIN_SECONDS)
    overtaken = median(overtakes(evidence.requests) or [0])
    slots, most = evidence.slots, evidence.most_in_flight
    unproved_reasons = list(evidence.problems)
    for waits, priority in ((high, Priority.HIGH), (low, Priority.LOW)):
        if waits.started < FEWEST_JUDGED:
            unproved_reasons.append(
                f"only {waits.started} {priority} requests were started; it takes {FEWEST_JUDGED} to judge"
            )
    if most < slots:
        unproved_reasons.append(f"the target was never busy: at most {most} of {slots} slots were taken")
    if most > slots:
        unproved_reasons.append(f"the target had {most} requests at once, though there are {slots} slots")
    if not order.tested:
        unproved_reasons.append("no high request waited long enough to be overtaken")
    if not overtaken:
        unproved_reasons.append("most high requests overtook no low one")
    return DemoVerdict(high, low, order.tested, overtaken, order.inversions, tuple(unproved_reasons))


def overtakes(requests: Sequence[DemoRequest]) -> list[int]:
    """Return for each started high request how many low ones, sent before it, were not started before it."""
    lows = _by_start(requests)
    starts = [start for start, _ in lows]
    sent = sorted(request.sent_at for request in requests if request.priority is Priority.LOW)
    counts = []
    for high in requests:
        if high.priority is Priority.HIGH and high.started_at is not None:
            sent_before = bisect_left(sent, high.sent_at)
            end = bisect_right(starts, high.started_at)
            # Those started by then but sent after the high one: all of them started after it was sent.
            since = lows[bisect_left(starts, high.sent_at) : end]
            sent_after = sum(low.sent_at >= high.sent_at for _, low in since)
            counts.append(sent_before - (end - sent_after))
    return counts


def _to_traces(evidence: Evidence) -> list[RequestTrace]:
    """Return the requests as the oracle's records.

    A request that has not started waits beyond the end; a high one without a later sample is not known to wait.
    """
    begins = [record_queue_sample.begun_at for record_queue_sample in evidence.queue_samples]
    ends = [record_queue_sample.ended_at for record_queue_sample in evidence.queue_samples]
    last = max(ends + [one.started_at or one.sent_at for one in evidence.requests], default=0.0)
    judged = []
    for one in evidence.requests:
        record_queue_sample = bisect_right(begins, one.sent_at)
        accepted_at = ends[record_queue_sample] if record_queue_sample < len(begins) else float("inf")
        arrivals = () if one.started_at is None else (Arrival(one.request_id, one.started_at),)
        sent = SentRequest(
            one.request_id,
            "high" if one.priority is Priority.HIGH else "low",
            one.sent_at,
            last + 2 * FORWARDED_WITHIN_SECONDS,
            "left",
            accepted_at=accepted_at,
        )
        judged.append(RequestTrace(sent, arrivals))
    return judged


def _by_start(requests: Iterable[DemoRequest]) -> list[tuple[float, DemoRequest]]:
    lows = [
        (request.started_at, request)
        for request in requests
        if request.priority is Priority.LOW and request.started_at is not None
    ]
    return sorted(lows, key=lambda pair: pair[0])


def _waits(requests: Iterable[DemoRequest], priority: Priority) -> WaitStats:
    waits = [
        request.wait_seconds
        for request in requests
        if request.priority is priority and request.wait_seconds is not None
    ]
    return WaitStats(len(waits), median(waits or [0.0]), max(waits, default=0.0))
