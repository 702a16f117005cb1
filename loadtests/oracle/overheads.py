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
    run = _Run(requests, slots)
    transit_seconds = turnaround_seconds = 0.0
    for _ in range(_MOST_ROUNDS):
        before = (transit_seconds, turnaround_seconds)
        free = run.find_free(transit_seconds, turnaround_seconds)
        delays = [request.delay_seconds for request in free]
        transit_seconds = statistics.fmean(delays) if delays else min(request.delay_seconds for request in requests)
        refills, busy = run.watch_slots(run.find_waits(transit_seconds, turnaround_seconds))
        turnaround_seconds = statistics.fmean(one.turnaround_seconds for one in refills) if refills else 0.0
        if max(abs(transit_seconds - before[0]), abs(turnaround_seconds - before[1])) < _PRECISION_SECONDS:
            break
    return Overheads(slots, transit_seconds, turnaround_seconds, tuple(free), tuple(refills), busy.share)


class _Run:
    """The requests of a run, sorted once for all rounds."""

    def __init__(self, requests: Sequence[CompletedRequest], slots: int) -> None:
        self._requests = requests
        self._slots = slots
        self._sendings = [request.sent_at for request in requests]
        self._finishes = sorted(request.finished_at for request in requests)
        self._visits = sorted(
            [(request.arrived_at, _ARRIVES) for request in requests] + [(at, _FINISHES) for at in self._finishes]
        )

    def find_free(self, transit_seconds: float, turnaround_seconds: float) -> list[CompletedRequest]:
        """Return the requests that certainly found a free slot."""
        sendings = self._sendings
        # In the sender's time, a slot is in use until a transit before this: that is the margin at the early end.
        ends = [finished_at + turnaround_seconds for finished_at in self._finishes]
        return [
            request
            for request, sent_at in zip(self._requests, sendings, strict=True)
            # Less than the slots: those sent by then, without itself, of which these had ended.
            if bisect_right(sendings, sent_at + transit_seconds) - 1 - bisect_right(ends, sent_at) < self._slots
        ]

    def find_waits(self, transit_seconds: float, turnaround_seconds: float) -> list[tuple[float, float]]:
        """Return start and end of each certain wait, in the target's time."""
        sendings = self._sendings
        ends = [finished_at + turnaround_seconds - transit_seconds for finished_at in self._finishes]
        return [
            (sent_at + 2 * transit_seconds, request.arrived_at)
            for request, sent_at in zip(self._requests, sendings, strict=True)
            if sent_at + 2 * transit_seconds < request.arrived_at
            and bisect_left(sendings, sent_at) - bisect_right(ends, sent_at) >= self._slots
        ]

    def watch_slots(self, waits: Sequence[tuple[float, float]]) -> tuple[list[Refill], _BusyTime]:
        """Return each refill of a run in time order, and how the slots were used while requests waited."""
        changes = self._visits + [(begins_at, _WAIT_BEGINS) for begins_at, _ in waits]
        changes += [(ends_at, _WAIT_ENDS) for _, ends_at in waits]
        # Nearly in order already, which a sort of Python makes use of.
        changes.sort()
        refills = []
        # When each slot became free, in that order; None if no request waited for it.
        freed_at: deque[float | None] = deque([None] * self._slots)
        in_flight = waiting = 0
        idle_seconds = waited_seconds = before = 0.0
        for at, kind in changes:
            if waiting:
                waited_seconds += at - before
                if in_flight < self._slots:
                    idle_seconds += (self._slots - in_flight) * (at - before)
            before = at
            if kind == _ARRIVES:
                in_flight += 1
                if freed_at and (was_freed_at := freed_at.popleft()) is not None:
                    refills.append(Refill(at, at - was_freed_at))
            elif kind == _FINISHES:
                in_flight -= 1
                freed_at.append(at if waiting > len(freed_at) else None)
            elif kind == _WAIT_BEGINS:
                waiting += 1
            else:
                waiting -= 1
        return refills, _BusyTime(self._slots, waited_seconds, idle_seconds)
