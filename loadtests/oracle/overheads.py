"""The overheads of a gateway beside the wait for slots: transit and turnaround, from the records. Pure.

- Transit: the time of a request from its sending to its arrival at the target if a slot is free: to the queue, from the
  queue, and to the target.
- Turnaround: the slot time between the finish of one request at the target and the arrival of the next one while a
  request waits: the response, settling and claiming, the next request.

Neither can be measured on a single request; both are means. Each depends on the other, so they are computed in turns
until neither changes.

Transit is the mean delay of the requests that certainly found a free slot: from a transit before such a request arrived
until a transit after, fewer others than slots were in progress. A request is in progress until its turnaround is over.
Other requests are excluded: for them, jitter decides whether a slot was free.

Turnaround is measured on slots that became free while a request waited for each of them, and slots are assumed to be
refilled in the order in which they became free. Slots that become free while fewer requests wait are excluded: no
request waits for their turnaround, and their next arrival may be much later. So if a machine stalls and all slots run
empty, only as many slots count as requests were waiting.

Waits are in the target's time. A request that found all slots in use would have arrived a transit after its sending if
one had been free, and waits from then until it arrives. So a request in transit does not count as waiting. The first
transit of each wait is excluded, because within it a late request looks like a waiting one.
"""

import statistics
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadtests.records import Priority, RequestTrace

_MOST_ROUNDS = 10
_PRECISION_SECONDS = 1e-6
# Events at the same time, in the order that allows a slot to be refilled at the time it becomes free.
_FINISHES, _ARRIVES, _WAIT_ENDS, _WAIT_BEGINS = range(4)


@dataclass(frozen=True, slots=True)
class CompletedRequest:
    """One request that was sent, reached the target and finished there; unix seconds."""

    sent_at: float
    arrived_at: float
    finished_at: float
    priority: Priority

    @property
    def delay_seconds(self) -> float:
        """From sending to arrival: transit, and the wait for a slot."""
        return self.arrived_at - self.sent_at

    @property
    def service_seconds(self) -> float:
        """How long it was at the target."""
        return self.finished_at - self.arrived_at


@dataclass(frozen=True, slots=True)
class Refill:
    """One arrival at the target in a slot that became free while a request waited for it."""

    at: float
    turnaround_seconds: float
    """Since the finish of the previous request in the slot."""


@dataclass(frozen=True, slots=True)
class _BusyTime:
    """How the slots were used while requests waited."""

    slots: int
    waited_seconds: float = 0.0
    """Time during which a request waited."""
    idle_seconds: float = 0.0
    """Unused slot time at the target meanwhile, summed over all slots."""

    @property
    def share(self) -> float:
        """Share of slot time in use at the target while requests waited; 0 if none did."""
        return 1 - self.idle_seconds / (self.slots * self.waited_seconds) if self.waited_seconds else 0.0


@dataclass(frozen=True, slots=True)
class Overheads:
    """The overheads of a gateway, and the requests they were computed from."""

    slots: int
    transit_seconds: float
    """The smallest delay, if no request certainly found a free slot."""
    turnaround_seconds: float
    """0 if no request waited."""
    free: tuple[CompletedRequest, ...]
    """The requests that certainly found a free slot."""
    refills: tuple[Refill, ...]
    utilisation: float
    """Share of slot time in use at the target while requests waited; 0 if none did."""


def completed_requests(traces: Iterable[RequestTrace]) -> tuple[CompletedRequest, ...]:
    """Return the requests that the target received and finished, in the order of sending.

    One that finished before its arrival is excluded: the clock was set back meanwhile.
    """
    requests = [
        CompletedRequest(one.sent.sent_at, one.arrived_at, one.finished_at, one.sent.priority)
        for one in traces
        if one.arrived_at is not None and one.finished_at is not None and one.finished_at >= one.arrived_at
    ]
    return tuple(sorted(requests, key=lambda request: request.sent_at))


def measure_overheads(requests: Sequence[CompletedRequest], slots: int) -> Overheads:
    """Return transit and turnaround of a run; `requests` are in the order of sending, at least one."""
    transit_seconds = turnaround_seconds = 0.0
    for _ in range(_MOST_ROUNDS):
        before = (transit_seconds, turnaround_seconds)
        free = _find_free(requests, slots, transit_seconds, turnaround_seconds)
        delays = [request.delay_seconds for request in free]
        transit_seconds = statistics.fmean(delays) if delays else min(request.delay_seconds for request in requests)
        refills, busy = _watch_slots(requests, slots, _find_waits(requests, slots, transit_seconds, turnaround_seconds))
        turnaround_seconds = statistics.fmean(one.turnaround_seconds for one in refills) if refills else 0.0
        if max(abs(transit_seconds - before[0]), abs(turnaround_seconds - before[1])) < _PRECISION_SECONDS:
            break
    return Overheads(slots, transit_seconds, turnaround_seconds, free, refills, busy.share)


def _find_free(
    requests: Sequence[CompletedRequest], slots: int, transit_seconds: float, turnaround_seconds: float
) -> tuple[CompletedRequest, ...]:
    """Return the requests that certainly found a free slot."""
    sendings = [request.sent_at for request in requests]
    # In the sender's time, a slot is in use until a transit before this: that is the margin at the early end.
    ends = sorted(request.finished_at + turnaround_seconds for request in requests)

    def others(request: CompletedRequest) -> int:
        return bisect_right(sendings, request.sent_at + transit_seconds) - 1 - bisect_right(ends, request.sent_at)

    return tuple(request for request in requests if others(request) < slots)


def _find_waits(
    requests: Sequence[CompletedRequest], slots: int, transit_seconds: float, turnaround_seconds: float
) -> list[tuple[float, float]]:
    """Return start and end of each certain wait, in the target's time."""
    sendings = [request.sent_at for request in requests]
    ends = sorted(request.finished_at + turnaround_seconds - transit_seconds for request in requests)
    return [
        (request.sent_at + 2 * transit_seconds, request.arrived_at)
        for request in requests
        if bisect_left(sendings, request.sent_at) - bisect_right(ends, request.sent_at) >= slots
        and request.sent_at + 2 * transit_seconds < request.arrived_at
    ]


def _watch_slots(
    requests: Sequence[CompletedRequest], slots: int, waits: Iterable[tuple[float, float]]
) -> tuple[tuple[Refill, ...], _BusyTime]:
    """Return each refill of a run in time order, and how the slots were used while requests waited."""
    changes = [(request.arrived_at, _ARRIVES, 1, 0) for request in requests]
    changes += [(request.finished_at, _FINISHES, -1, 0) for request in requests]
    for begins_at, ends_at in waits:
        changes += [(begins_at, _WAIT_BEGINS, 0, 1), (ends_at, _WAIT_ENDS, 0, -1)]
    changes.sort()
    refills = []
    # When each slot became free, in that order; None if no request waited for it.
    freed_at: deque[float | None] = deque([None] * slots)
    in_flight = waiting = 0
    idle_seconds = waited_seconds = before = 0.0
    for at, kind, in_flight_change, waiting_change in changes:
        if waiting:
            idle_seconds += (slots - min(in_flight, slots)) * (at - before)
            waited_seconds += at - before
        if kind == _ARRIVES and freed_at and (was_freed_at := freed_at.popleft()) is not None:
            refills.append(Refill(at, at - was_freed_at))
        if kind == _FINISHES:
            freed_at.append(at if waiting > len(freed_at) else None)
        before = at
        in_flight += in_flight_change
        waiting += waiting_change
    return tuple(refills), _BusyTime(slots, waited_seconds, idle_seconds)
